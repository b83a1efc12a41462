//! Secrets that a device sends back are taken out of what it said, before anybody can quote it.
//!
//! A web server in front of a device may show a whole request in its error page, and a device a parameter in its
//! refusal. What was sent is known here, so it is looked for in each answer: as it stands, percent-encoded, in base64,
//! in hexadecimal, with its special characters escaped. A part of it is enough.
//!
//! The secrets themselves are not kept for that, but keyed hashes of all their parts of a certain length: they tell
//! whether a part occurs, and can't be turned back.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use secrecy::zeroize::Zeroizing;

use crate::xml::{Element, Node};

/// So many bytes in a row of a secret are taken out, in whatever form; of a shorter one, only the whole.
const PART: usize = 16;
/// What is shorter is no secret that could be told from ordinary words.
const SHORTEST: usize = 6;

/// What must not be quoted.
#[derive(Default)]
pub(crate) struct Redactor {
    secrets: RwLock<Vec<Arc<Secret>>>,
}

/// One secret, as hashes of its parts.
struct Secret {
    /// What stands in its place.
    name: &'static str,
    state: RandomState,
    /// The hash of the whole, by which the same secret is known again.
    whole: u64,
    groups: Vec<Group>,
}

/// Its parts of one length.
struct Group {
    length: usize,
    /// The kinds of characters that occur in them, as bits: where another one stands in a text, no part is.
    kinds: u8,
    sieve: Sieve,
    /// In ascending order.
    hashes: Box<[u64]>,
}

/// Nearly all parts of a text fall through here, for which no hash has to be calculated: a keyed number of twelve bits
/// for the eight bytes at each end of a part, and which of them belong to parts of the secret.
struct Sieve {
    keys: [u64; 2],
    numbers: Box<[u64; 64]>,
}

/// The secrets of the sessions that are open. Hundreds of devices may have the same API key, of which there are
/// thousands of parts.
static SHARED: Mutex<Vec<Weak<Secret>>> = Mutex::new(Vec::new());

impl Redactor {
    /// From now on this is taken out; `name` stands in its place.
    pub(crate) fn add(&self, name: &'static str, secret: &str) {
        self.put(Arc::new(Secret::new(name, secret)));
    }

    /// The same for what other sessions may have as well.
    pub(crate) fn add_shared(&self, name: &'static str, secret: &str) {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|known| known.strong_count() > 0);
        let mut known = shared.iter().filter_map(Weak::upgrade);
        let found = known.find(|known| known.is(name, secret)).unwrap_or_else(|| {
            let new = Arc::new(Secret::new(name, secret));
            shared.push(Arc::downgrade(&new));
            new
        });
        drop(shared);
        self.put(found);
    }

    fn put(&self, secret: Arc<Secret>) {
        self.secrets.write().unwrap_or_else(PoisonError::into_inner).push(secret);
    }

    /// Where the secrets are, and which.
    fn found(&self, text: &[u8]) -> Vec<(usize, usize, &'static str)> {
        let mut found: Vec<(usize, usize, &'static str)> = Vec::new();
        for secret in self.secrets.read().unwrap_or_else(PoisonError::into_inner).iter() {
            for group in &secret.groups {
                group.find_in(text, &secret.state, |at| found.push((at, at + group.length, secret.name)));
            }
        }
        found.extend(blobs(text));
        found.sort_unstable();
        // What overlaps is one.
        found.dedup_by(|next, last| {
            let one = next.0 < last.1 || (next.0 == last.1 && next.2 == last.2);
            if one {
                last.1 = last.1.max(next.1);
            }
            one
        });
        found
    }

    /// The bytes without the secrets.
    pub(crate) fn clean_bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        let found = self.found(&bytes);
        if found.is_empty() {
            return bytes;
        }
        let mut cleaned = Vec::with_capacity(bytes.len());
        let mut rest = 0;
        for (begin, end, name) in found {
            cleaned.extend_from_slice(bytes.get(rest..begin).unwrap_or_default());
            cleaned.extend_from_slice(format!("[{name} removed]").as_bytes());
            rest = end;
        }
        cleaned.extend_from_slice(bytes.get(rest..).unwrap_or_default());
        cleaned
    }

    /// The text without the secrets.
    pub(crate) fn clean(&self, text: String) -> String {
        let cleaned = self.clean_bytes(text.into_bytes());
        String::from_utf8(cleaned)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// The same for everything that stands in an element: what was written with references is text by now.
    pub(crate) fn clean_element(&self, element: &mut Element) {
        let clean = |text: &mut String| *text = self.clean(std::mem::take(text));
        clean(&mut element.name);
        for (name, value) in &mut element.attributes {
            clean(name);
            clean(value);
        }
        // Text that was cut in pieces, by a comment or a section, is read as one.
        let mut content: Vec<Node> = Vec::with_capacity(element.content.len());
        for node in element.content.drain(..) {
            match (content.last_mut(), node) {
                (Some(Node::Text(before)), Node::Text(text)) => before.push_str(&text),
                (_, node) => content.push(node),
            }
        }
        element.content = content;
        // Whatever form it has: nobody here has a use for it but to know that it is there.
        let is_key = element.name == "private-key";
        for node in &mut element.content {
            match node {
                Node::Text(text) if is_key && !text.trim().is_empty() => {
                    *text = "[private key removed]".to_owned();
                }
                Node::Text(text) => clean(text),
                Node::Element(child) => self.clean_element(child),
            }
        }
    }
}

impl Secret {
    fn new(name: &'static str, secret: &str) -> Self {
        let state = RandomState::new();
        let whole = state.hash_one(secret.as_bytes());
        let mut parts: Vec<(usize, u8, Sieve, Vec<u64>)> = Vec::new();
        for form in forms(secret) {
            // As much of the secret in each form. A part of a longer character would be none of text.
            let part = (PART * form.len()).div_ceil(secret.len().max(1)).max(PART);
            let length = if form.is_ascii() { form.len().min(part) } else { form.len() };
            if form.len() < SHORTEST {
                continue;
            }
            let kinds = form.iter().fold(0, |kinds, byte| kinds | kind(*byte));
            let at = match parts.iter().position(|(known, ..)| *known == length) {
                Some(at) => at,
                None => {
                    parts.push((length, 0, Sieve::new(&state), Vec::new()));
                    parts.len() - 1
                }
            };
            let (_, all, sieve, hashes) = &mut parts[at];
            *all |= kinds;
            for part in form.windows(length) {
                sieve.add(part);
                hashes.push(state.hash_one(part));
            }
        }
        let groups = parts.into_iter().map(|(length, kinds, sieve, mut hashes)| {
            hashes.sort_unstable();
            hashes.dedup();
            Group { length, kinds, sieve, hashes: hashes.into() }
        });
        let groups = groups.collect();
        Self { name, state, whole, groups }
    }

    fn is(&self, name: &str, secret: &str) -> bool {
        self.name == name && self.whole == self.state.hash_one(secret.as_bytes())
    }
}

impl Sieve {
    fn new(state: &RandomState) -> Self {
        Self { keys: [state.hash_one(0_u8), state.hash_one(1_u8)], numbers: Box::new([0; 64]) }
    }

    /// Where the number of a part stands: in which word, and as which bit.
    fn place(&self, part: &[u8]) -> (usize, u64) {
        let (Some(first), Some(last)) = (part.first_chunk(), part.last_chunk()) else { return (0, 1) };
        let [one, other] =
            [u64::from_le_bytes(*first) ^ self.keys[0], u64::from_le_bytes(*last) ^ self.keys[1]];
        let product = u128::from(one) * u128::from(other);
        let mixed = (product >> 64) ^ product;
        (usize::from(mixed.to_le_bytes()[0] & 63), 1 << (mixed.to_le_bytes()[1] & 63))
    }

    fn add(&mut self, part: &[u8]) {
        let (word, bit) = self.place(part);
        self.numbers[word] |= bit;
    }

    /// Whether it may be a part of the secret; where not, it is none.
    fn holds(&self, part: &[u8]) -> bool {
        let (word, bit) = self.place(part);
        self.numbers[word] & bit != 0
    }
}

impl Group {
    /// Tells where each part begins. Hashes are calculated only where nothing but characters of the right kinds stand: in
    /// XML that is rarely the case for so many in a row.
    fn find_in(&self, text: &[u8], state: &RandomState, mut tell: impl FnMut(usize)) {
        let (mut at, mut right) = (0, 0);
        while let Some(part) = text.get(at..at + self.length) {
            // So many of them were looked at before.
            match part[right..].iter().rposition(|byte| kind(*byte) & self.kinds == 0) {
                Some(wrong) => {
                    let skipped = right + wrong + 1;
                    at += skipped;
                    right = self.length - skipped;
                }
                None => {
                    if self.sieve.holds(part) && self.hashes.binary_search(&state.hash_one(part)).is_ok() {
                        tell(at);
                    }
                    at += 1;
                    right = self.length - 1;
                }
            }
        }
    }
}

/// Whether what an XML reader makes of these bytes stands in them as it is, so that a secret which was not found in them is
/// not in what was read either. References, sections, comments and other encodings hide what they write; and a private
/// key is a secret whatever it looks like.
pub(crate) fn is_plain(body: &[u8]) -> bool {
    let holds = |what: &[u8]| body.windows(what.len()).any(|part| part == what);
    let is_odd = |byte: &u8| matches!(byte, 0 | b'&' | b'\r' | 0x80..);
    // The declaration at the beginning is no part of any text.
    let inner = body.get(1..).unwrap_or_default();
    let begins = |next: u8| inner.windows(2).any(|pair| pair == [b'<', next]);
    !body.iter().any(is_odd)
        && !body.starts_with(b"<!")
        && !begins(b'!')
        && !begins(b'?')
        && !holds(b"private-key")
}

/// Which kind of character this is, as a bit. The kinds are so wide that they tell nothing of a secret.
const fn kind(byte: u8) -> u8 {
    match byte {
        b'<' => 1,
        b'>' => 2,
        b'"' | b'\'' => 4,
        0..=b' ' | 0x7f => 8,
        0x80.. => 16,
        _ if byte.is_ascii_alphanumeric() => 32,
        _ => 64,
    }
}

/// How a secret of the configuration begins that is encrypted with the master key: private keys and passwords. With the
/// default master key this is as good as the secret itself.
const BLOB: &[u8] = b"-AQ==";
/// What follows is the SHA-1 of the secret in base64, and the encrypted secret.
const SHORTEST_BLOB: usize = 20;

/// Where such blobs are.
fn blobs(text: &[u8]) -> Vec<(usize, usize, &'static str)> {
    let mut found = Vec::new();
    let mut at = 0;
    let next = |at: usize| Some(at + text.get(at..)?.iter().position(|byte| *byte == b'-')?);
    while let Some(begin) = next(at) {
        if !text.get(begin..).unwrap_or_default().starts_with(BLOB) {
            at = begin + 1;
            continue;
        }
        let rest = text.get(begin + BLOB.len()..).unwrap_or_default();
        let is_base64 = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/=\r\n".contains(byte);
        let length = rest.iter().take_while(is_base64).count();
        if length >= SHORTEST_BLOB {
            found.push((begin, begin + BLOB.len() + length, "encrypted secret"));
        }
        at = begin + BLOB.len() + length;
    }
    found
}

/// The forms in which a secret may come back.
fn forms(secret: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let bytes = secret.as_bytes();
    let each = |write: &dyn Fn(u8) -> String| -> String { bytes.iter().map(|byte| write(*byte)).collect() };
    let plain = |byte: u8, otherwise: String| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => otherwise,
    };
    let unreserved = |byte: u8, otherwise: String| match byte {
        b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => plain(byte, otherwise),
    };
    let mut forms = vec![
        secret.to_owned(),
        secret.to_lowercase(),
        secret.to_uppercase(),
        each(&|byte| unreserved(byte, format!("%{byte:02X}"))),
        each(&|byte| unreserved(byte, format!("%{byte:02x}"))),
        each(&|byte| plain(byte, format!("%{byte:02X}"))),
        each(&|byte| plain(byte, format!("%{byte:02x}"))),
        each(&|byte| format!("%{byte:02X}")),
        each(&|byte| format!("%{byte:02x}")),
        each(&|byte| plain(byte, format!("&#{byte};"))),
        each(&|byte| plain(byte, format!("&#x{byte:x};"))),
        each(&|byte| plain(byte, format!("&#x{byte:X};"))),
        each(&|byte| format!("&#{byte};")),
        each(&|byte| format!("&#x{byte:x};")),
        each(&|byte| format!("&#x{byte:X};")),
        each(&|byte| format!("{byte:02x}")),
        each(&|byte| format!("{byte:02X}")),
        each(&|byte| plain(byte, format!("\\u{byte:04x}"))),
        secret.replace('/', "\\/"),
        secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
    ];
    // Three alignments are possible; what depends on the neighbours is left out.
    for skip in 0..3 {
        let whole = bytes.get(skip..).unwrap_or_default();
        let whole = whole.get(..whole.len() / 3 * 3).unwrap_or_default();
        let base64 = openssl::base64::encode_block(whole);
        forms.push(base64.replace('+', "-").replace('/', "_"));
        forms.push(base64);
    }
    forms.into_iter().map(|form| Zeroizing::new(form.into_bytes())).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const KEY: &str = "LUFRPT1aQ2d/OHc+b2Nja3g9==";

    fn cleaned(text: &str) -> String {
        let redactor = Redactor::default();
        redactor.add("API key", KEY);
        redactor.clean(text.to_owned())
    }

    #[test]
    fn a_secret_is_taken_out_in_each_form_wherever_it_stands() {
        for form in forms(KEY) {
            let form = std::str::from_utf8(&form).unwrap();
            let text = format!("X-PAN-KEY: {form}, and {form}.");
            assert_eq!(cleaned(&text), "X-PAN-KEY: [API key removed], and [API key removed].", "{form}");
        }
        let basic = openssl::base64::encode_block(format!("admin:{KEY}").as_bytes());
        assert!(cleaned(&basic).contains("[API key removed]"), "{}", cleaned(&basic));
    }

    #[test]
    fn a_part_of_it_is_enough_and_other_text_is_left_alone() {
        assert_eq!(cleaned(&format!("…{}…", &KEY[5..22])), "…[API key removed]…");
        for text in ["", "é", "The job was enqueued", &KEY[..15], &"LUFRPT1=".repeat(20)] {
            assert_eq!(cleaned(text), text);
        }
    }

    #[test]
    fn what_hides_its_text_is_looked_at_once_more() {
        for plain in ["", "<?xml version='1.0'?><a b='c'>text</a>", "<a>1 > 0; -AQ==</a>\n"] {
            assert!(is_plain(plain.as_bytes()), "{plain}");
        }
        let hiding = [
            "<a>L&#85;FRPT1</a>",
            "<a>LUF<![CDATA[RPT1]]></a>",
            "<a>LUF<!-- -->RPT1</a>",
            "<a>LUF<?x?>RPT1</a>",
            "<!DOCTYPE a><a/>",
            "<a>é</a>",
            "<a>\0</a>",
            "<a>\r\n</a>",
            "<private-key>anything</private-key>",
        ];
        for hiding in hiding {
            assert!(!is_plain(hiding.as_bytes()), "{hiding}");
        }
    }

    #[test]
    fn looking_at_few_places_finds_what_looking_at_all_of_them_would() {
        let secrets = [KEY, "with <\"all\"> of the kinds, é too", &"k".repeat(40), "pässword", "a>b<c d"];
        let fill = ["", "<", "<a b=\"", "\n", "x", "é", "&amp;", "0123456789abcdef0123456789", KEY];
        for secret in secrets {
            let hashed = Secret::new("secret", secret);
            for (form, (before, after)) in forms(secret)
                .iter()
                .flat_map(|form| fill.iter().zip(fill.iter().rev()).map(move |two| (form, two)))
            {
                let text = [before.as_bytes(), form, after.as_bytes(), &form[1..]].concat();
                for group in &hashed.groups {
                    let mut found = Vec::new();
                    group.find_in(&text, &hashed.state, |at| found.push(at));
                    let is_part = |part| group.hashes.binary_search(&hashed.state.hash_one(part)).is_ok();
                    let parts = text.windows(group.length).enumerate();
                    let all: Vec<usize> =
                        parts.filter_map(|(at, part)| is_part(part).then_some(at)).collect();
                    assert_eq!(found, all, "{}", String::from_utf8_lossy(&text));
                }
            }
        }
    }

    #[test]
    fn sessions_with_the_same_key_have_its_hashes_once_and_none_stays_after_the_last() {
        const SECRET: &str = "a key that no other test has";
        let known = || {
            let shared = SHARED.lock().unwrap();
            shared.iter().filter(|known| known.upgrade().is_some_and(|known| known.is("key", SECRET))).count()
        };
        let redactors = [Redactor::default(), Redactor::default()];
        for redactor in &redactors {
            redactor.add_shared("key", SECRET);
            redactor.add_shared("key", "another key");
            assert_eq!(redactor.clean(format!("<{SECRET}>")), "<[key removed]>");
            assert_eq!(known(), 1);
        }
        drop(redactors);
        assert_eq!(known(), 0);
    }

    #[test]
    fn short_ones_are_taken_out_whole_and_words_of_two_letters_never() {
        let redactor = Redactor::default();
        redactor.add("password", "pässword");
        redactor.add("password", "no");
        assert_eq!(redactor.clean("no: pässword or passwort".into()), "no: [password removed] or passwort");
    }

    #[test]
    fn encrypted_secrets_of_the_configuration_are_taken_out_whatever_is_known() {
        let redactor = Redactor::default();
        let blob = format!("-AQ=={}=xYz+/abcdefghijklmnopqrstuvwxyz0123456789==", "a".repeat(27));
        assert_eq!(redactor.clean(format!("value: {blob}.")), "value: [encrypted secret removed].");
        assert_eq!(redactor.clean("-AQ== is short".to_owned()), "-AQ== is short");
        let text = format!(
            "<entry><private-key>-B{}</private-key><key><![CDATA[{blob}]]></key></entry>",
            &blob[2..]
        );
        let mut element = Element::parse(&text).unwrap();
        redactor.clean_element(&mut element);
        assert_eq!(
            element.to_string(),
            "<entry><private-key>[private key removed]</private-key><key>[encrypted secret removed]</key></entry>"
        );
    }

    #[test]
    fn references_and_sections_hide_nothing() {
        let redactor = Redactor::default();
        redactor.add("API key", KEY);
        let referred: String = KEY.bytes().map(|byte| format!("&#{byte};")).collect();
        let (front, back) = KEY.split_at(13);
        let text = format!("<a b='{referred}'><c>{front}<![CDATA[{back}]]></c>{front}<!-- -->{back}</a>");
        let mut element = Element::parse(&text).unwrap();
        redactor.clean_element(&mut element);
        let written = element.to_string();
        assert_eq!(written.matches("[API key removed]").count(), 3, "{written}");
        assert!(!written.contains(&KEY[4..]) && !written.contains(back), "{written}");
    }
}
