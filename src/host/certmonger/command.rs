//! Writes the post-save command so that certmonger runs exactly the arguments that were meant.
//!
//! certmonger starts no shell; it splits the command itself. Blanks, tabs and line ends separate words, and
//! a pair of `'` or of `"` keeps everything between them as it stands, backslashes too. Outside quotes a
//! backslash acts on the next blank, quote or backslash wherever that is, even with other characters between
//! them, so none is ever written there. Quoted and unquoted parts that touch are one word. Words that come
//! out empty are dropped, quoted or not, so an empty argument can't be had at all.

use std::ffi::OsStr;
use std::path::Path;

/// The longest command: Linux takes no single argument of 128 KiB or more, and `getcert` gets it as one.
const LONGEST: usize = 100 << 10;

/// Why a word can't be part of a post-save command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unquotable {
    /// certmonger would drop it.
    #[error("certmonger cannot pass an empty argument to its post-save command")]
    Empty,
    /// D-Bus carries text only.
    #[error("'{}' cannot be part of a post-save command: it is not UTF-8", .0.escape_debug())]
    NotUtf8(String),
    /// Line ends would survive the splitting, but forge lines in what `getcert list` prints.
    #[error("'{}' cannot be part of a post-save command: it has a control character", .0.escape_debug())]
    Control(String),
    /// The program would be searched along certmonger's `PATH`.
    #[error("the program of a post-save command needs an absolute path: '{}'", .0.escape_debug())]
    NotAbsolute(String),
    /// More than the kernel takes.
    #[error("a post-save command of {0} bytes is too long")]
    TooLong(usize),
}

/// The command that makes certmonger run this program with exactly these arguments.
pub fn post_save_command<A: AsRef<OsStr>>(program: &Path, arguments: &[A]) -> Result<String, Unquotable> {
    if !program.is_absolute() {
        return Err(Unquotable::NotAbsolute(program.to_string_lossy().into_owned()));
    }
    let mut command = word(program.as_os_str())?;
    for argument in arguments {
        command.push(' ');
        command.push_str(&word(argument.as_ref())?);
    }
    if command.len() > LONGEST {
        return Err(Unquotable::TooLong(command.len()));
    }
    Ok(command)
}

fn word(text: &OsStr) -> Result<String, Unquotable> {
    let text = text.to_str().ok_or_else(|| Unquotable::NotUtf8(text.to_string_lossy().into_owned()))?;
    if text.is_empty() {
        return Err(Unquotable::Empty);
    }
    if text.chars().any(char::is_control) {
        return Err(Unquotable::Control(text.to_owned()));
    }
    if text.bytes().all(is_plain) {
        return Ok(text.to_owned());
    }
    // Inside '…' everything but ' itself stands for itself; that one goes into a "…" of its own.
    Ok(format!("'{}'", text.replace('\'', r#"'"'"'"#)))
}

/// What needs no quotes: kept bare so that people can read the command in a listing.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_./:,=@%+".contains(&byte)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rand::RngExt;
    use rand::seq::IndexedRandom;
    use std::os::unix::ffi::OsStrExt;

    fn command(arguments: &[&str]) -> Result<String, Unquotable> {
        post_save_command(Path::new("/usr/bin/pan_instcert"), arguments)
    }

    /// certmonger's splitter retold from its source; tests/certmonger.rs asks the real one.
    fn split(command: &str) -> Option<Vec<String>> {
        let (mut single, mut double, mut escape) = (false, false, false);
        let mut buffer = String::new();
        for c in command.chars() {
            let literal = match c {
                '\\' if single || double || escape => {
                    escape = false;
                    Some(c)
                }
                '\\' => {
                    escape = true;
                    None
                }
                '\'' if !single && (escape || double) => {
                    escape = false;
                    Some(c)
                }
                '"' if !double && (escape || single) => {
                    escape = false;
                    Some(c)
                }
                '\'' => {
                    single = !single;
                    None
                }
                '"' => {
                    double = !double;
                    None
                }
                ' ' | '\t' | '\r' | '\n' if !(escape || double || single) => Some('\0'),
                _ => Some(c),
            };
            buffer.extend(literal);
        }
        let whole = !(single || double || escape);
        whole.then(|| buffer.split('\0').filter(|word| !word.is_empty()).map(str::to_owned).collect())
    }

    #[test]
    fn plain_words_stay_readable() {
        let readable =
            command(&["-c", "gp.example.com", "-p", "gp_portal", "[2001:db8::1]:443", "fw1:443"]).unwrap();
        assert_eq!(
            readable,
            "/usr/bin/pan_instcert -c gp.example.com -p gp_portal '[2001:db8::1]:443' fw1:443"
        );
    }

    #[test]
    fn blanks_quotes_and_backslashes_are_quoted() {
        let quoted = command(&["a b", "it's", r#"say "x""#, r"back\slash", "$HOME", "; rm"]).unwrap();
        let wanted = r#"'a b' 'it'"'"'s' 'say "x"' 'back\slash' '$HOME' '; rm'"#;
        assert_eq!(quoted, format!("/usr/bin/pan_instcert {wanted}"));
    }

    #[test]
    fn a_program_with_a_blank_in_its_path_is_one_word_and_a_relative_one_is_refused() {
        let odd = post_save_command(Path::new("/opt/my tools/pan"), &["-v"]).unwrap();
        assert_eq!(odd, "'/opt/my tools/pan' -v");
        let relative = post_save_command::<&str>(Path::new("pan_instcert"), &[]);
        assert_eq!(relative, Err(Unquotable::NotAbsolute("pan_instcert".to_owned())));
    }

    #[test]
    fn what_cannot_be_carried_is_refused_and_not_changed() {
        assert_eq!(command(&["-n", ""]), Err(Unquotable::Empty));
        for text in ["a\nb", "a\0b", "a\tb", "\r", "\x1b[0m", "\u{7f}", "\u{85}"] {
            assert_eq!(command(&[text]), Err(Unquotable::Control(text.to_owned())), "{text:?}");
        }
        let latin = post_save_command(Path::new("/bin/x"), &[OsStr::from_bytes(b"caf\xe9")]);
        assert!(matches!(latin, Err(Unquotable::NotUtf8(_))));
        assert!(matches!(command(&["x".repeat(LONGEST).as_str()]), Err(Unquotable::TooLong(_))));
    }

    #[test]
    fn whatever_the_arguments_are_certmongers_splitter_gives_them_back() {
        let alphabet: Vec<char> = r#"ab'"\ $;&|`~*?#-=%{}()<>!äß漢🦀"#.chars().collect();
        let mut random = rand::rng();
        for _ in 0..20_000 {
            let count = random.random_range(0..5);
            let arguments: Vec<String> = std::iter::repeat_with(|| {
                let length = random.random_range(1..10);
                std::iter::repeat_with(|| *alphabet.choose(&mut rand::rng()).unwrap()).take(length).collect()
            })
            .take(count)
            .collect();
            let command = post_save_command(Path::new("/a b/c"), &arguments).unwrap();
            let mut wanted = vec!["/a b/c".to_owned()];
            wanted.extend(arguments);
            assert_eq!(split(&command), Some(wanted), "{command}");
        }
    }
}
