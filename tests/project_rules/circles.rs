//! Which file names which other one, read from the sources: no two of them may need each other. A file and those that
//! it is split into (`a.rs` and `a/b.rs`) are one module: a part may name what the whole has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The path of a module, without `crate`.
type Module = Vec<String>;

/// The files, by the modules that they are.
fn modules(sources: &[(PathBuf, String)]) -> BTreeMap<Module, String> {
    let mut found = BTreeMap::new();
    for (path, text) in sources {
        let inside = path.strip_prefix("src").unwrap().with_extension("");
        let mut parts: Module =
            inside.components().map(|part| part.as_os_str().to_str().unwrap().to_owned()).collect();
        let last = parts.last().unwrap().clone();
        if parts[0] == "bin" || last == "lib" || last.ends_with("tests") {
            continue;
        }
        if last == "mod" {
            parts.pop();
        }
        found.insert(parts, without_tests(text));
    }
    found
}

/// The text without comments and without what is only built for tests.
fn without_tests(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The paths of a `use` declaration, each with the name that it gets here.
fn paths(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    if let Some((before, rest)) = tree.split_once('{') {
        let (mut depth, mut items, mut current) = (0, Vec::new(), String::new());
        for c in rest.strip_suffix('}').unwrap_or(rest).chars() {
            depth += i32::from(c == '{') - i32::from(c == '}');
            if c == ',' && depth == 0 {
                items.push(std::mem::take(&mut current));
            } else {
                current.push(c);
            }
        }
        items.push(current);
        let before: Vec<String> =
            before.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
        let inner = items.iter().filter(|item| !item.trim().is_empty()).flat_map(|item| paths(item));
        return inner.map(|(path, name)| ([before.clone(), path].concat(), name)).collect();
    }
    let (path, name) = tree.split_once(" as ").unwrap_or((tree, ""));
    let path: Vec<String> = path.split("::").map(|part| part.trim().to_owned()).collect();
    let name =
        if name.is_empty() { path.last().cloned().unwrap_or_default() } else { name.trim().to_owned() };
    vec![(path, name)]
}

/// The `use` declarations of a text, with whether each is passed on, and the rest.
fn declarations(text: &str) -> (Vec<(bool, String)>, String) {
    let (mut found, mut rest) = (Vec::new(), String::new());
    for statement in text.split_inclusive(';') {
        let words = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        let begin = words
            .rfind("use ")
            .filter(|at| *at == 0 || words[..*at].ends_with(' ') || words[..*at].ends_with(')'));
        match begin.filter(|_| words.ends_with(';')) {
            Some(at) => {
                let is_passed_on =
                    words[..at].trim_end().ends_with("pub") || words[..at].trim_end().ends_with(')');
                found.push((is_passed_on, words[at + 4..words.len() - 1].to_owned()));
            }
            None => rest.push_str(statement),
        }
    }
    (found, rest)
}

/// Inline paths such as `crate::a::b` and `super::c`.
fn inline(text: &str) -> Vec<Vec<String>> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for word in text.split(|c: char| !is_part(c) && c != ':') {
        let parts: Vec<String> = word.split("::").map(str::to_owned).collect();
        if parts.len() > 1 && ["crate", "super", "self"].contains(&parts[0].as_str()) {
            found.push(parts);
        }
    }
    found
}

struct Graph {
    modules: BTreeMap<Module, String>,
    /// What a module passes on, and where that comes from.
    passed_on: BTreeMap<Module, BTreeMap<String, Vec<String>>>,
}

impl Graph {
    fn of(sources: &[(PathBuf, String)]) -> Self {
        let modules = modules(sources);
        let mut passed_on: BTreeMap<Module, BTreeMap<String, Vec<String>>> = BTreeMap::new();
        for (module, text) in &modules {
            for (_, tree) in declarations(text).0.into_iter().filter(|(is_passed_on, _)| *is_passed_on) {
                for (path, name) in paths(&tree) {
                    passed_on.entry(module.clone()).or_default().insert(name, path);
                }
            }
        }
        Self { modules, passed_on }
    }

    /// The module that has what a path in this module means.
    fn resolve(&self, here: &Module, path: &[String], depth: usize) -> Option<Module> {
        let (mut at, mut rest) = match path.first()?.as_str() {
            "crate" => (Module::new(), &path[1..]),
            "self" => (here.clone(), &path[1..]),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                (here[..here.len().checked_sub(ups)?].to_vec(), &path[ups..])
            }
            first => {
                let inner = [here.as_slice(), &[first.to_owned()]].concat();
                if !self.modules.contains_key(&inner) {
                    return None;
                }
                (here.clone(), path)
            }
        };
        while let Some(next) = rest.first() {
            let inner = [at.as_slice(), std::slice::from_ref(next)].concat();
            if !self.modules.contains_key(&inner) {
                let origin = self.passed_on.get(&at).and_then(|names| names.get(next));
                return match origin {
                    Some(origin) if depth < 8 => self.resolve(&at, origin, depth + 1).or(Some(at)),
                    _ => Some(at),
                };
            }
            (at, rest) = (inner, &rest[1..]);
        }
        Some(at)
    }

    fn edges(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let mut edges: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (module, text) in &self.modules {
            let (declared, rest) = declarations(text);
            let used = declared.iter().flat_map(|(_, tree)| paths(tree)).map(|(path, _)| path);
            for path in used.chain(inline(&rest)) {
                let Some(target) = self.resolve(module, &path, 0) else { continue };
                // What a part takes from its whole is no arrow.
                if self.modules.contains_key(&target) && !module.starts_with(&target) {
                    edges.entry(module.clone()).or_default().insert(target);
                }
            }
        }
        edges
    }
}

fn reachable(from: &Module, edges: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let (mut seen, mut waiting) = (BTreeSet::new(), vec![from.clone()]);
    while let Some(module) = waiting.pop() {
        for next in edges.get(&module).into_iter().flatten() {
            if seen.insert(next.clone()) {
                waiting.push(next.clone());
            }
        }
    }
    seen
}

/// The files that need themselves by way of others, and how many arrows were looked at.
pub(crate) fn circles(sources: &[(PathBuf, String)]) -> (Vec<String>, usize) {
    let edges = Graph::of(sources).edges();
    let count = edges.values().map(BTreeSet::len).sum();
    let circular = edges.keys().filter(|module| reachable(module, &edges).contains(*module));
    (circular.map(|module| module.join("/")).collect(), count)
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let file = |path: &str, text: &str| (PathBuf::from(path), text.to_owned());
    let direct = [file("src/a.rs", "use crate::b::B;\n"), file("src/b.rs", "fn f() { crate::a::g() }\n")];
    assert_eq!(circles(&direct).0, ["a", "b"]);
    let passed_on = [
        file("src/a/mod.rs", "mod x;\nmod y;\npub use x::{X, Z as W};\npub use y::Y;\n"),
        file("src/a/x.rs", "use super::{Y, other};\n"),
        file("src/a/y.rs", "use super::W;\n"),
    ];
    assert_eq!(circles(&passed_on).0, ["a/x", "a/y"]);
    let fine = [
        file("src/a.rs", "mod b;\nuse self::b::B;\nstruct A;\n"),
        file("src/a/b.rs", "use super::A; // crate::c\n"),
        file("src/c.rs", "use crate::a::A;\n"),
    ];
    assert!(circles(&fine).0.is_empty());
}
