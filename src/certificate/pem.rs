//! The few things about PEM that OpenSSL's readers leave open.

use secrecy::zeroize::Zeroizing;

/// What a file that should hold PEM looks like.
pub(super) enum Shape {
    /// Text with at least one PEM block.
    Pem,
    /// A certificate or key in its binary form.
    Der,
    /// Anything else.
    Other,
}

const BEGIN: &str = "-----BEGIN ";
const BEGIN_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
const END_CERTIFICATE: &str = "-----END CERTIFICATE-----";

/// Tells PEM from DER from anything else, for an error that says which it was.
pub(super) fn shape(bytes: &[u8]) -> Shape {
    if find(bytes, BEGIN.as_bytes()).is_some() {
        return Shape::Pem;
    }
    // A DER certificate or key is a SEQUENCE; only a key of a small curve has less than 128 bytes.
    match bytes {
        [0x30, 0x81..=0x84, ..] => Shape::Der,
        [0x30, length @ ..=0x7f, rest @ ..] if rest.len() == usize::from(*length) => Shape::Der,
        _ => Shape::Other,
    }
}

/// How many certificate blocks begin in the bytes. OpenSSL's reader stops in silence at some kinds of
/// damage, so what it returned is compared with this.
pub(super) fn certificates_begun(bytes: &[u8]) -> usize {
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| {
            line.starts_with(BEGIN.as_bytes()) && line.trim_ascii_end().ends_with(b"CERTIFICATE-----")
        })
        .count()
}

/// The DER bytes inside the first certificate block of a text, whatever its indentation and wrapping.
pub(super) fn first_certificate_der(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(BEGIN_CERTIFICATE)?;
    let (body, _) = rest.split_once(END_CERTIFICATE)?;
    let base64: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    openssl::base64::decode_block(&base64).ok()
}

/// The label and the contents of the first private key in a text, where it is not encrypted.
pub(super) fn first_private_key(bytes: &[u8]) -> Option<(String, Zeroizing<Vec<u8>>)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let blocks = text.split(BEGIN).skip(1);
    let mut keys = blocks.filter_map(|block| block.split_once("-----"));
    let (label, rest) = keys.find(|(label, _)| label.ends_with("PRIVATE KEY"))?;
    let (body, _) = rest.split_once("-----END ")?;
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    base64.extend(body.chars().filter(|character| !character.is_ascii_whitespace()));
    // Headers, which only encrypted keys have, are no base64.
    let der = openssl::base64::decode_block(&base64).ok()?;
    Some((label.to_owned(), Zeroizing::new(der)))
}

/// A block of text with this label.
pub(super) fn block(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(openssl::base64::encode_block(der));
    let mut text = Zeroizing::new(String::with_capacity(base64.len() / 64 * 65 + 100 + 2 * label.len()));
    text.push_str(BEGIN);
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
