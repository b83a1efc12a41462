//! A transcript without keys, names and addresses: it is made to be handed to somebody else.
//!
//! What is kept is what is known to tell nothing of anybody: the names of elements, codes, times, small numbers, the
//! release, and all of the throw-away objects but their private keys. Every other text is replaced, the same text by the
//! same word wherever it stands. The device's own sentences are kept without the names that stand elsewhere in the
//! transcript, addresses, and whatever looks like a domain name or a key.

use std::collections::BTreeMap;
use std::net::IpAddr;

use panos_xmlapi::{Element, Exchanged, Node};
use serde_json::{Value, json};

use super::leftover::PREFIX;
use super::material::COMMON_NAME;

/// Elements whose text is one of a few words, the device's time, or a release.
const KEPT: [&str; 30] = [
    "sw-version",
    "model",
    "family",
    "platform-family",
    "multi-vsys",
    "operational-mode",
    "system-mode",
    "time",
    "status",
    "code",
    "result",
    "type",
    "progress",
    "stoppable",
    "tenq",
    "tdeq",
    "tfin",
    "enabled",
    "state",
    "mode",
    "ca",
    "algorithm",
    "component-type",
    "action",
    "loggedin",
    "min-version",
    "max-version",
    "id",
    "queued",
    "job",
];
/// Texts that tell nothing of anybody.
const HARMLESS: [&str; 7] = ["", "yes", "no", "on", "off", "shared", "vsys"];
/// Elements that hold the device's sentences.
const SENTENCES: [&str; 5] = ["msg", "line", "details", "warnings", "error"];
/// A word of more characters from an encoding's alphabet may be a key.
const LONGEST_WORD: usize = 40;

/// The transcript as JSON. `known` are further names that must not be in it: the administrator's, the device's.
#[must_use]
pub fn redacted(exchanged: &[Exchanged], known: &[String]) -> Value {
    let mut names = Names::default();
    known.iter().for_each(|name| names.learn("name", name));
    let replies: Vec<Option<Element>> = exchanged
        .iter()
        .map(|one| one.answer.as_ref().ok().and_then(|(_, body)| Element::parse(body).ok()))
        .collect();
    replies.iter().flatten().for_each(|reply| names.gather(reply, false));
    let told = exchanged.iter().zip(replies).map(|(one, reply)| {
        let request: BTreeMap<&str, String> =
            one.request.iter().map(|(name, value)| (name.as_str(), names.field(name, value))).collect();
        match (&one.answer, reply) {
            (Ok((status, _)), Some(reply)) => {
                json!({ "request": request, "status": status, "reply": names.cleaned(&reply, false, false).to_string() })
            }
            (Ok((status, body)), None) => {
                json!({ "request": request, "status": status, "reply": format!("[no XML, {} bytes]", body.len()) })
            }
            (Err(why), _) => json!({ "request": request, "failed": names.sentence(why) }),
        }
    });
    json!({
        "made_by": concat!("pan_certctl prove ", env!("CARGO_PKG_VERSION")),
        "exchanges": told.collect::<Vec<_>>(),
    })
}

/// What is replaced, and by what.
#[derive(Default)]
struct Names {
    words: BTreeMap<String, String>,
}

impl Names {
    fn learn(&mut self, kind: &str, text: &str) {
        let text = text.trim();
        if text.is_empty() || self.words.contains_key(text) {
            return;
        }
        let number = self.words.len() + 1;
        self.words.insert(text.to_owned(), format!("{kind}-{number}"));
    }

    /// All texts of a reply that are not known to be harmless. `own` is inside one of the throw-away objects.
    fn gather(&mut self, element: &Element, own: bool) {
        let own = own || is_own(element);
        for (name, value) in &element.attributes {
            let is_ours = own && name == "name";
            if !is_ours && !is_kept_attribute(name, value) {
                self.learn("name", value);
            }
        }
        let text = element.text();
        if element.name == "xpath" {
            let quoted = text.split('\'').skip(1).step_by(2).filter(|name| !is_known_step(name));
            quoted.for_each(|name| self.learn("name", name));
        } else if !own
            && element.children().next().is_none()
            && !is_kept(element, &text)
            && !is_sentence(element)
        {
            self.learn(&element.name, &text);
        }
        if !is_sentence(element) {
            element.children().for_each(|child| self.gather(child, own));
        }
    }

    fn cleaned(&self, element: &Element, own: bool, sentence: bool) -> Element {
        let own = own || is_own(element);
        let sentence = sentence || is_sentence(element);
        let attributes = element.attributes.iter().map(|(name, value)| {
            let kept = is_kept_attribute(name, value) || (own && name == "name");
            (name.clone(), if kept { value.clone() } else { self.word(value) })
        });
        let whole = element.text();
        let secret = element.name == "private-key" || whole.contains("-AQ==");
        let content = element.content.iter().map(|node| match node {
            Node::Element(child) => Node::Element(self.cleaned(child, own, sentence)),
            Node::Text(text) if text.trim().is_empty() => Node::Text(text.clone()),
            Node::Text(_) if secret => Node::Text("[removed]".to_owned()),
            Node::Text(text) if own => Node::Text(text.clone()),
            Node::Text(text) if element.name == "xpath" => Node::Text(self.path(text)),
            Node::Text(text) if sentence || is_kept(element, &whole) => Node::Text(self.sentence(text)),
            Node::Text(text) => Node::Text(self.word(text)),
        });
        Element { name: element.name.clone(), attributes: attributes.collect(), content: content.collect() }
    }

    /// What stands for a text.
    fn word(&self, text: &str) -> String {
        self.words.get(text.trim()).cloned().unwrap_or_else(|| "[removed]".to_owned())
    }

    /// A field of a request. All but the administrator's name is ours.
    fn field(&self, name: &str, value: &str) -> String {
        match name {
            "cmd" | "element" => match Element::parse(&format!("<x>{value}</x>")) {
                Ok(whole) => whole.children().map(|child| self.in_request(child).to_string()).collect(),
                Err(_) => "[removed]".to_owned(),
            },
            "xpath" => self.path(value),
            _ => self.sentence(value),
        }
    }

    fn in_request(&self, element: &Element) -> Element {
        let content = element.content.iter().map(|node| match node {
            Node::Element(child) => Node::Element(self.in_request(child)),
            Node::Text(text) => {
                Node::Text(self.words.get(text.trim()).cloned().unwrap_or_else(|| text.clone()))
            }
        });
        Element { content: content.collect(), ..element.clone() }
    }

    /// Names stand in quotes.
    fn path(&self, path: &str) -> String {
        let parts = path.split('\'').enumerate();
        let part = |(at, part): (usize, &str)| match at % 2 {
            1 if !is_known_step(part) => self.word(part),
            _ => part.to_owned(),
        };
        parts.map(part).collect::<Vec<_>>().join("'")
    }

    /// One of the device's sentences.
    fn sentence(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let mut known: Vec<(&String, &String)> = self.words.iter().collect();
        known.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        for (name, word) in known {
            text = replace_word(&text, name, word);
        }
        words_of(&text).map(|(word, rest)| format!("{}{rest}", without_address(word))).collect()
    }
}

fn is_own(element: &Element) -> bool {
    element.name == "entry" && element.attribute("name").is_some_and(|name| name.starts_with(PREFIX))
}

/// A name in a path that is ours, or the same on every device.
fn is_known_step(name: &str) -> bool {
    name.starts_with(PREFIX) || name == "localhost.localdomain"
}

fn is_sentence(element: &Element) -> bool {
    SENTENCES.contains(&element.name.as_str())
        || (element.name == "result" && element.children().next().is_none())
}

fn is_kept(element: &Element, text: &str) -> bool {
    let text = text.trim();
    let is_time = text.contains(':') && text.chars().all(|c| c.is_ascii_digit() || ":/ -.".contains(c));
    let is_number = text.len() <= 8 && text.chars().all(|c| c.is_ascii_digit());
    KEPT.contains(&element.name.as_str())
        || HARMLESS.contains(&text)
        || text.starts_with("pan_certctl prove ")
        || is_time
        || is_number
}

fn is_kept_attribute(name: &str, value: &str) -> bool {
    let number = value.len() <= 8 && value.chars().all(|c| c.is_ascii_digit());
    ["status", "code", "time", "cmd"].contains(&name) || number
}

/// Where it stands as a word.
fn replace_word(text: &str, name: &str, word: &str) -> String {
    let is_inner = |c: char| c.is_alphanumeric();
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(name) {
        let (before, after) = (&rest[..at], &rest[at + name.len()..]);
        let inside =
            before.chars().next_back().is_some_and(is_inner) || after.chars().next().is_some_and(is_inner);
        out.push_str(before);
        out.push_str(if inside { name } else { word });
        rest = after;
    }
    out + rest
}

/// Words of what addresses, names and encodings are made of, each with what follows it.
fn words_of(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_inner = |c: char| c.is_alphanumeric() || "-._:+=@%".contains(c);
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(|c| !is_inner(c)).unwrap_or(rest.len());
        let next = rest[end..].find(is_inner).map_or(rest.len(), |at| end + at);
        let found = (&rest[..end], &rest[end..next]);
        rest = &rest[next..];
        Some(found)
    })
}

fn without_address(word: &str) -> String {
    let bare = word.trim_matches(['.', ':', ',', '-']);
    let host = bare.rsplit_once(':').map_or(bare, |(host, _)| host);
    let is_address = [bare, host].iter().any(|text| text.parse::<IpAddr>().is_ok());
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_domain = host.contains('.') && last.len() >= 2 && last.chars().all(|c| c.is_ascii_alphabetic());
    let replaced = match () {
        () if bare == COMMON_NAME || bare.starts_with(PREFIX) => return word.to_owned(),
        () if is_address => "[address]",
        () if is_domain || bare.contains('@') => "[name]",
        () if bare.len() > LONGEST_WORD => "[removed]",
        () => return word.to_owned(),
    };
    word.replace(bare, replaced)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(body: &str) -> String {
        let request = vec![
            ("type".to_owned(), "op".to_owned()),
            (
                "cmd".to_owned(),
                "<revert><config><partial><admin><member>admin</member></admin></partial></config></revert>"
                    .to_owned(),
            ),
        ];
        let one = Exchanged { request, answer: Ok((200, body.to_owned())) };
        redacted(&[one], &["admin".to_owned(), "fw1.example.com".to_owned()])["exchanges"][0].to_string()
    }

    #[test]
    fn names_addresses_and_keys_go_and_the_rest_stays() {
        let told = told(
            "<response status='success' code='19'><result><hostname>edge-7</hostname><serial>001900000000001</serial>\
             <sw-version>11.1.4-h7</sw-version><uptime>3 days</uptime><ip-address>192.0.2.7</ip-address>\
             <entry name='jane'><comment>for bob</comment></entry><entry name='pan-prove-1-p12' admin='admin'>\
             <private-key>-AQ==abc</private-key><common-name>pan-certctl-prove.invalid</common-name></entry></result>\
             <msg><line>edge-7: jane at 192.0.2.9, fe80::1 and mail.example.com did pan-prove-1-p12 for admin</line></msg></response>",
        );
        for gone in [
            "edge-7",
            "00190000",
            "3 days",
            "192.0.2",
            "fe80",
            "jane",
            "bob",
            "-AQ==",
            "mail.example",
            "'admin'",
            ">admin<",
        ] {
            assert!(!told.contains(gone), "{gone} in {told}");
        }
        for kept in [
            "11.1.4-h7",
            "pan-prove-1-p12",
            "pan-certctl-prove.invalid",
            "<admin><member>name-",
            "code=",
            " did ",
        ] {
            assert!(told.contains(kept), "no {kept} in {told}");
        }
    }

    #[test]
    fn a_name_inside_of_a_word_is_left_and_what_is_no_xml_is_not_told() {
        assert_eq!(replace_word("admin administrator admin-1", "admin", "x"), "x administrator x-1");
        assert!(told("<html>edge-7").contains("[no XML, 12 bytes]"));
    }

    #[test]
    fn paths_are_ours_or_somebodys() {
        let names = Names::default();
        let own = "/config/shared/certificate/entry[@name='pan-prove-1-pem']";
        assert_eq!(names.path(own), own);
        assert_eq!(
            names.path("/config/shared/address/entry[@name='printer']"),
            "/config/shared/address/entry[@name='[removed]']"
        );
    }
}
