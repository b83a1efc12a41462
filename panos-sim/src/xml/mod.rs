//! XML trees: reading, writing and finding one's way in them.

mod element;
mod path;
mod read;
mod write;

pub(crate) use element::Element;
pub(crate) use path::{BadPath, Path, Step};
pub(crate) use read::{parse, parse_fragment};
pub(crate) use write::{Style, document};
