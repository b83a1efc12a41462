# What zsh makes of each line when the tab key is pressed: completed.zsh FOLDER LINE...
folder=$1; shift
zmodload zsh/zpty
zpty shell "TERM=dumb zsh -f -i"
zpty -w shell "PROMPT=; fpath=($folder \$fpath); autoload -U compinit; compinit -D -u; zstyle ':completion:*' menu no
bindkey '^I' complete-word; shown() { zle -I; print -r -- \"<<\$BUFFER>>\"; BUFFER=; }; zle -N shown
bindkey '^X' shown; print READY"
zpty -r shell out '*READY*READY*'
for line in "$@"; do
    # A tab, and a key that shows what stands there.
    zpty -w -n shell "$line"$'\t\x18'
    zpty -r -m shell out '*<<*>>*'
    print -r -- "${${out##*<<}%%>>*}"
done
zpty -d shell
