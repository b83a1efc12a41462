//! What a thread has made lately, so that it need not be made again of the same bytes.
//!
//! Hundreds of devices of one thread may be given the same file and the same certificate, and to decode these costs more
//! than all else that they do. Each thread has its own: an object of OpenSSL completes itself when it is used (a public key
//! is decoded, a signature prepared), and nothing says that two threads may do that to the same one at once. So no such
//! object is part of a device, which any thread may touch through [`Shared`](crate::shared::Shared): there certificates
//! and keys are bytes, and each thread makes of them what it needs.

use std::collections::VecDeque;

use openssl::sha::Sha256;

/// A SHA-256.
pub(super) type Digest = [u8; 32];

/// Of these parts, told apart from the same bytes in other parts.
pub(super) fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Digest {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(&(part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    sha.finish()
}

/// The last few things that were made, each by all that it was made of.
pub(super) struct Recent<V> {
    most: usize,
    /// The one that was used last is the last.
    made: VecDeque<(Digest, V)>,
}

impl<V: Clone> Recent<V> {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, made: VecDeque::new() }
    }

    /// What was made of the same, or what is made now; a failure is not kept.
    pub(super) fn get_or<E>(&mut self, of: Digest, make: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        let known = self.made.iter().position(|(digest, _)| *digest == of);
        let value = match known.and_then(|at| self.made.remove(at)) {
            Some((_, value)) => value,
            None => make()?,
        };
        if self.made.len() >= self.most {
            self.made.pop_front();
        }
        self.made.push_back((of, value.clone()));
        Ok(value)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_is_kept_and_a_failure_is_not() {
        let mut recent = Recent::new(2);
        let of = |text: &str| digest([text.as_bytes()]);
        let mut get = |text: &'static str, made| recent.get_or(of(text), || made).unwrap_or("failed");
        assert_eq!(get("a", Err(())), "failed");
        assert_eq!(get("a", Ok("one")), "one");
        assert_eq!(get("b", Ok("two")), "two");
        assert_eq!(get("a", Err(())), "one");
        assert_eq!(get("c", Ok("three")), "three");
        assert_eq!(get("b", Ok("anew")), "anew");
    }

    #[test]
    fn parts_are_told_apart() {
        let of = |parts: [&str; 2]| digest(parts.map(str::as_bytes));
        assert_ne!(of(["ab", "c"]), of(["a", "bc"]));
    }
}
