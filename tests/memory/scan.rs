//! A search through the writable memory of another process.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// So many bytes in a row are a find: far more than chance gives, far less than any secret has.
const WINDOW: usize = 16;

/// What nobody should find, in all the forms in which it might lie somewhere.
#[derive(Debug, Clone)]
pub struct Secret {
    name: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Secret {
    /// A large number: as it stands in files, and as libraries keep it to calculate with.
    pub fn number(name: &str, bytes: &[u8]) -> Self {
        let mut secret = Self::of(name, bytes);
        secret.forms.push(("little-endian", bytes.iter().rev().copied().collect()));
        let words: Vec<u8> = bytes.rchunks(4).flat_map(|word| word.iter().copied()).collect();
        secret.forms.push(("words", words));
        secret
    }

    pub fn text(name: &str, text: &str) -> Self {
        let mut secret = Self::of(name, text.as_bytes());
        secret.forms.push(("UTF-16", text.bytes().flat_map(|byte| [0, byte]).collect()));
        secret
    }

    /// A PKCS#12: of it the encrypted key. What stands around it is alike in all of them, and no secret.
    pub fn container(name: &str, bytes: &[u8]) -> Self {
        const SHROUDED_KEY_BAG: &[u8] =
            &[0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x02];
        let width = SHROUDED_KEY_BAG.len();
        let at = bytes.windows(width).position(|window| window == SHROUDED_KEY_BAG).unwrap() + width;
        let key = bytes[at..].windows(4).enumerate().find_map(|(from, window)| match *window {
            [4, 0x81, length, _] if length > 100 => Some((from + 3, usize::from(length))),
            [4, 0x82, high, low] => Some((from + 4, usize::from(high) << 8 | usize::from(low))),
            _ => None,
        });
        let (from, length) = key.unwrap();
        Self::of(name, &bytes[at + from..at + from + length])
    }

    fn of(name: &str, bytes: &[u8]) -> Self {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut forms = vec![
            ("raw", bytes.to_vec()),
            ("hex", hex.clone().into_bytes()),
            ("HEX", hex.to_uppercase().into_bytes()),
        ];
        // In base64, and so in PEM, three alignments are possible; what depends on the neighbours is left out.
        for (skip, form) in ["base64", "base64+1", "base64+2"].into_iter().enumerate() {
            let whole = &bytes[skip..];
            let whole = &whole[..whole.len() / 3 * 3];
            forms.push((form, openssl::base64::encode_block(whole).into_bytes()));
        }
        Self { name: name.to_owned(), forms }
    }
}

/// One place where a secret, or a part of it, lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub secret: String,
    pub form: &'static str,
    pub bytes: usize,
    pub place: String,
}

/// The writable memory of a process.
pub struct Memory {
    regions: Vec<(String, Vec<u8>)>,
}

impl Memory {
    pub fn of(pid: u32) -> Self {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
        let mut regions = Vec::new();
        for line in maps.lines() {
            let mut words = line.split_ascii_whitespace();
            let (range, rights, name) = (words.next().unwrap(), words.next().unwrap(), words.nth(3));
            if !rights.starts_with("rw") {
                continue;
            }
            let (from, to) = range.split_once('-').unwrap();
            let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
            let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
            memory.read_exact_at(&mut bytes, from).unwrap_or_else(|error| panic!("{line}: {error}"));
            regions.push((format!("{range} {}", name.unwrap_or("anonymous")), bytes));
        }
        assert!(!regions.is_empty());
        Self { regions }
    }

    pub fn size(&self) -> usize {
        self.regions.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// Every place in which at least [`WINDOW`] bytes in a row of a secret lie.
    pub fn find(&self, secrets: &[Secret]) -> Vec<Found> {
        let mut windows: HashMap<[u8; WINDOW], (usize, usize)> = HashMap::new();
        let mut begins = vec![false; 1 << 16];
        for (number, secret) in secrets.iter().enumerate() {
            for (form, (_, bytes)) in secret.forms.iter().enumerate() {
                for window in bytes.windows(WINDOW) {
                    windows.insert(window.try_into().unwrap(), (number, form));
                    begins[usize::from(u16::from_be_bytes([window[0], window[1]]))] = true;
                }
            }
        }
        let mut found = Vec::new();
        for (place, bytes) in &self.regions {
            let mut at = 0;
            while at + WINDOW <= bytes.len() {
                let key = |at: usize| -> Option<&(usize, usize)> {
                    windows.get::<[u8; WINDOW]>(bytes.get(at..at + WINDOW)?.try_into().ok()?)
                };
                let first = usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
                let Some((number, form)) = begins[first].then(|| key(at)).flatten().copied() else {
                    at += 1;
                    continue;
                };
                let begin = at;
                while key(at + 1) == Some(&(number, form)) {
                    at += 1;
                }
                let (secret, form) = (&secrets[number], secrets[number].forms[form].0);
                let length = at + WINDOW - begin;
                let place = format!("{place} + {begin:#x}");
                found.push(Found { secret: secret.name.clone(), form, bytes: length, place });
                at = begin + length;
            }
        }
        found
    }
}

#[test]
fn a_secret_is_found_in_each_form_and_nothing_else_is() {
    let number: Vec<u8> = (0..64_u32).map(|at| u8::try_from((at * 97 + 13) % 251).unwrap()).collect();
    let secret = Secret::number("n", &number);
    for (form, bytes) in &secret.forms {
        let mut memory = vec![7; 100];
        memory.extend_from_slice(&bytes[8..]);
        memory.extend_from_slice(&[7; 50]);
        let memory = Memory { regions: vec![("here".into(), memory)] };
        let found = memory.find(std::slice::from_ref(&secret));
        assert_eq!(found.len(), 1, "{form}: {found:?}");
        assert_eq!((found[0].form, found[0].bytes), (*form, bytes.len() - 8));
    }
    let memory = Memory { regions: vec![("here".into(), (0..=255).cycle().take(10_000).collect())] };
    assert_eq!(memory.find(&[secret]), []);
}
