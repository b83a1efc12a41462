//! The subset of XPath that PAN-OS clients use.
//!
//! Absolute paths of element names, each with at most one predicate: `entry[@name='x']`,
//! `entry[@name="x"]`, `member[text()='x']`; `*` for any element; `@name` at the end.

use std::{fmt, str::FromStr};

use super::Element;

/// One step from an element to some of its children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Children of this name.
    Named(String),
    /// Children of this name whose `name` attribute is the second.
    Entry(String, String),
    /// Children of this name whose text is the second.
    Text(String, String),
    /// All children.
    Any,
}

impl Step {
    fn matches(&self, element: &Element) -> bool {
        match self {
            Self::Named(name) => element.name == *name,
            Self::Entry(name, value) => element.name == *name && element.get("name") == Some(value),
            Self::Text(name, value) => element.name == *name && element.text.trim() == value,
            Self::Any => true,
        }
    }

    /// The step that leads to this element among its siblings.
    pub(crate) fn to(element: &Element) -> Self {
        match (element.name.as_str(), element.get("name")) {
            ("entry", Some(name)) => Self::Entry("entry".into(), name.to_owned()),
            ("member", _) => Self::Text("member".into(), element.text.trim().to_owned()),
            (name, _) => Self::Named(name.to_owned()),
        }
    }

    /// The element this step would lead to; `None` for `*`.
    fn make(&self) -> Option<Element> {
        match self {
            Self::Named(name) => Some(Element::new(name)),
            Self::Entry(name, value) => Some(Element::new(name).attribute("name", value)),
            Self::Text(name, value) => Some(Element::leaf(name, value)),
            Self::Any => None,
        }
    }

    /// The word for this step in a message: `a -> b -> c`.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::Entry(_, value) | Self::Text(_, value) => value,
            Self::Any => "*",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = |value: &str| if value.contains('\'') { '"' } else { '\'' };
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Entry(name, value) => {
                let q = quote(value);
                write!(f, "{name}[@name={q}{value}{q}]")
            }
            Self::Text(name, value) => {
                let q = quote(value);
                write!(f, "{name}[text()={q}{value}{q}]")
            }
            Self::Any => f.write_str("*"),
        }
    }
}

/// An absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) steps: Vec<Step>,
    /// Whether it ends in `/@name`: the names of what it leads to, not the things themselves.
    pub(crate) names_only: bool,
}

/// The text is no path of the subset.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadPath {
    /// It is no XPath at all.
    #[error("bad XPath {0:?}")]
    Malformed(String),
    /// A real device may know what it means; this one does not.
    #[error("panos-sim does not understand the XPath {0:?}")]
    Beyond(String),
}

/// Whether a text outside the subset may be an XPath all the same: brackets and quotes come in pairs, and nothing
/// stands outside of them that never does.
fn may_be_xpath(text: &str) -> bool {
    let mut open = Vec::new();
    let mut quote = None;
    for character in text.chars() {
        match (quote, character) {
            (Some(end), _) if character == end => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '[') => open.push(']'),
            (None, '(') => open.push(')'),
            (None, ']' | ')') if open.pop() != Some(character) => return false,
            (None, _) if !open.is_empty() => {}
            (None, '/' | '*' | '@' | ':' | '|' | '-' | '_' | '.' | ']' | ')') => {}
            (None, _) if character.is_alphanumeric() => {}
            (None, _) if character.is_whitespace() && text.contains('|') => {}
            _ => return false,
        }
    }
    open.is_empty() && quote.is_none() && text.contains(['[', '(', '|', '@', ':', '.', '/'])
}

impl FromStr for Path {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let bad = || match may_be_xpath(text) && !text.trim_matches('/').is_empty() {
            true => BadPath::Beyond(text.to_owned()),
            false => BadPath::Malformed(text.to_owned()),
        };
        let mut rest = text.trim().strip_suffix('/').unwrap_or(text.trim());
        let mut path = Self { steps: Vec::new(), names_only: false };
        while !rest.is_empty() {
            rest = rest.strip_prefix('/').ok_or_else(bad)?;
            if path.names_only {
                return Err(bad());
            }
            if let Some(after) = rest.strip_prefix("@name") {
                path.names_only = true;
                rest = after;
                continue;
            }
            let (step, after) = step(rest).ok_or_else(bad)?;
            path.steps.push(step);
            rest = after;
        }
        if path.steps.is_empty() {
            return Err(bad());
        }
        Ok(path)
    }
}

/// Takes one step off the front.
fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(after) = text.strip_prefix('*') {
        return Some((Step::Any, after));
    }
    let length = text.find(|c: char| !(c.is_alphanumeric() || "-_.".contains(c))).unwrap_or(text.len());
    let (name, after) = text.split_at(length);
    if name.is_empty() || name.starts_with(|c: char| !c.is_alphabetic()) {
        return None;
    }
    let Some(predicate) = after.strip_prefix('[') else {
        return Some((Step::Named(name.to_owned()), after));
    };
    let predicate = predicate.trim_start();
    let (is_name, rest) = match predicate.strip_prefix("@name") {
        Some(rest) => (true, rest),
        None => (false, predicate.strip_prefix("text()")?),
    };
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (value, rest) = rest[1..].split_once(quote)?;
    let rest = rest.trim_start().strip_prefix(']')?;
    let step = if is_name {
        Step::Entry(name.to_owned(), value.to_owned())
    } else {
        Step::Text(name.to_owned(), value.to_owned())
    };
    Some((step, rest))
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            write!(f, "/{step}")?;
        }
        if self.names_only {
            f.write_str("/@name")?;
        }
        Ok(())
    }
}

impl Path {
    /// The path made of these steps.
    pub(crate) fn of(steps: Vec<Step>) -> Self {
        Self { steps, names_only: false }
    }

    /// This path and one step more.
    pub(crate) fn then(&self, step: Step) -> Self {
        let mut steps = self.steps.clone();
        steps.push(step);
        Self::of(steps)
    }

    /// Whether it leads below `/config/predefined`.
    pub(crate) fn is_predefined(&self) -> bool {
        matches!(self.steps.as_slice(), [Step::Named(root), Step::Named(part), ..] if root == "config" && part == "predefined")
    }

    /// Whether `other` is this path or below it.
    pub(crate) fn contains(&self, other: &Path) -> bool {
        other.steps.starts_with(&self.steps)
    }

    /// Everything in the tree it leads to; the first step names the root itself.
    pub(crate) fn select<'a>(&self, root: &'a Element) -> Vec<&'a Element> {
        let Some((first, rest)) = self.steps.split_first() else {
            return Vec::new();
        };
        let mut found: Vec<&Element> = Some(root).filter(|r| first.matches(r)).into_iter().collect();
        for step in rest {
            found = found
                .into_iter()
                .flat_map(|element| &element.children)
                .filter(|child| step.matches(child))
                .collect();
        }
        found
    }

    /// The first thing in the tree it leads to.
    pub(crate) fn first<'a>(&self, root: &'a Element) -> Option<&'a Element> {
        self.select(root).into_iter().next()
    }

    /// The first thing in the tree it leads to, to be changed.
    pub(crate) fn first_mut<'a>(&self, root: &'a mut Element) -> Option<&'a mut Element> {
        let (first, rest) = self.steps.split_first()?;
        if !first.matches(root) {
            return None;
        }
        rest.iter()
            .try_fold(root, |element, step| element.children.iter_mut().find(|child| step.matches(child)))
    }

    /// The thing it leads to, made with all that is above it where missing. `None` if the root is
    /// another one, or where `*` would have to be made.
    pub(crate) fn ensure<'a>(&self, root: &'a mut Element) -> Option<&'a mut Element> {
        let (first, rest) = self.steps.split_first()?;
        if !first.matches(root) {
            return None;
        }
        rest.iter().try_fold(root, |element, step| {
            let at = match element.children.iter().position(|c| step.matches(c)) {
                Some(at) => at,
                None => {
                    element.children.push(step.make()?);
                    element.children.len() - 1
                }
            };
            element.children.get_mut(at)
        })
    }

    /// Removes everything it leads to; returns how many things that were. The root stays.
    pub(crate) fn remove(&self, root: &mut Element) -> usize {
        let Some((last, above)) = self.steps.split_last() else {
            return 0;
        };
        if above.is_empty() || !above[0].matches(root) {
            return 0;
        }
        remove_below(root, &above[1..], last)
    }
}

fn remove_below(element: &mut Element, above: &[Step], last: &Step) -> usize {
    match above.split_first() {
        Some((step, rest)) => element
            .children
            .iter_mut()
            .filter(|child| step.matches(child))
            .map(|child| remove_below(child, rest, last))
            .sum(),
        None => {
            let before = element.children.len();
            element.children.retain(|child| !last.matches(child));
            before - element.children.len()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_prints() {
        for text in [
            "/config/shared/certificate/entry[@name='a b.c']",
            "/config/shared/certificate/entry[@name=\"it's\"]/private-key",
            "/config/devices/entry/@name",
            "/config/shared/ssl-decrypt/trusted-root-CA/member[text()='x']",
            "/config/*",
        ] {
            assert_eq!(text.parse::<Path>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_outside_the_subset() {
        for text in ["", "/", "config", "//a", "/a[1]", "/a[@name='x'", "/a/@name/b", "/a b"] {
            assert!(text.parse::<Path>().is_err(), "{text}");
        }
    }

    #[test]
    fn tells_what_it_does_not_understand_from_what_nobody_does() {
        for text in [
            "//a",
            "/a//b",
            "/a[1]",
            "/a[@b='c' or @b='d']",
            "/a[contains(@name, 'x')]",
            "/a/text()",
            "/a | /b",
            "/a/..",
            "/a[last()]",
            "/a[@name=\"it's\"][2]",
        ] {
            assert!(matches!(text.parse::<Path>(), Err(BadPath::Beyond(_))), "{text}");
        }
        for text in ["", "/", "config[", "/a[@name='x'", "/a b", "/a]", "/a['", "/a(]"] {
            assert!(matches!(text.parse::<Path>(), Err(BadPath::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn makes_finds_and_removes() {
        let mut root = Element::new("config");
        let path: Path = "/config/shared/certificate/entry[@name='a']".parse().unwrap();
        assert!(path.first(&root).is_none());
        path.ensure(&mut root).unwrap().text = "t".into();
        assert_eq!(path.first(&root).unwrap().text, "t");
        assert_eq!(path.remove(&mut root), 1);
        assert_eq!(path.remove(&mut root), 0);
    }
}
