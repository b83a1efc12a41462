//! As much of DER as a private key and the extensions of a certificate need, read and written in memory that is wiped.

use secrecy::zeroize::Zeroizing;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
/// `[0]` and `[1]`, constructed.
pub(super) const CONTEXT_0: u8 = 0xa0;
pub(super) const CONTEXT_1: u8 = 0xa1;
/// `[3]`, constructed.
pub(super) const CONTEXT_3: u8 = 0xa3;

/// One element.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) contents: &'a [u8],
    /// The element with its tag and length.
    pub(super) whole: &'a [u8],
}

/// What is left to be read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next element; nothing at the end, and nothing where what follows is no element.
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let count = usize::from(first & 0x7f);
            if !(1..=3).contains(&count) || rest.len() < count {
                return None;
            }
            let (digits, after) = rest.split_at(count);
            length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
            rest = after;
        }
        let contents = rest.get(..length)?;
        let head = self.0.len() - rest.len();
        let whole = self.0.get(..head + length)?;
        self.0 = rest.get(length..)?;
        Some(Element { tag, contents, whole })
    }

    /// The contents of the next element, where it is of this kind.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|element| element.tag == tag).map(|element| element.contents)
    }

    /// The same for an element that may be left out.
    pub(super) fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let contents = ahead.expect(tag)?;
        *self = ahead;
        Some(contents)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What stands in the one element of this kind that the bytes are.
pub(super) fn only(bytes: &[u8], tag: u8) -> Option<Reader<'_>> {
    let mut reader = Reader::new(bytes);
    let contents = reader.expect(tag)?;
    reader.is_empty().then_some(Reader::new(contents))
}

/// An element with these contents, one after the other.
pub(super) fn element(tag: u8, contents: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length: usize = contents.iter().map(|part| part.len()).sum();
    let digits = length.to_be_bytes();
    let digits = &digits[digits.iter().take_while(|digit| **digit == 0).count()..];
    // Room for all from the start, so that nothing is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length + digits.len() + 2));
    bytes.push(tag);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            bytes.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
            bytes.extend_from_slice(digits);
        }
    }
    contents.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let contents = vec![7; length];
            let bytes = element(OCTET_STRING, &[&contents[..length / 2], &contents[length / 2..]]);
            let mut reader = Reader::new(&bytes);
            let read = reader.next().unwrap();
            assert_eq!((read.tag, read.contents, read.whole), (OCTET_STRING, &*contents, bytes.as_slice()));
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn what_is_cut_off_or_without_an_end_is_nothing() {
        let whole = element(SEQUENCE, &[&[0; 300]]);
        for end in 0..whole.len() {
            assert!(Reader::new(&whole[..end]).next().is_none());
        }
        for bytes in [&[0x30, 0x80, 0, 0][..], &[0x30, 0x84, 0, 0, 0, 1, 0], &[0x30, 0x83, 0xff, 0xff, 0xff]]
        {
            assert!(Reader::new(bytes).next().is_none());
        }
    }
}
