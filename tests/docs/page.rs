//! A page of the documentation, taken apart.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::root;

/// A page of the documentation.
pub(crate) struct Page {
    /// From the root.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// What stands between fences.
pub(crate) struct Block {
    pub(crate) kind: String,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn read(path: &str) -> Self {
        Self { path: path.into(), text: std::fs::read_to_string(root().join(path)).unwrap() }
    }

    /// All pages.
    pub(crate) fn all() -> Vec<Self> {
        let mut pages = Vec::new();
        for folder in ["", "docs/", ".github/ISSUE_TEMPLATE/"] {
            for entry in std::fs::read_dir(root().join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                // The forms ask for the output of our commands.
                if name.ends_with(".md") || name.ends_with(".yml") {
                    pages.push(Self::read(&format!("{folder}{name}")));
                }
            }
        }
        assert!(pages.len() > 10, "there are more pages than {}", pages.len());
        pages
    }

    /// The blocks, and the lines outside of them.
    pub(crate) fn parts(&self) -> (Vec<Block>, Vec<&str>) {
        let (mut blocks, mut prose): (Vec<Block>, _) = (Vec::new(), Vec::new());
        let mut open: Option<(usize, Block)> = None;
        for line in self.text.lines() {
            let (indent, rest) = (line.len() - line.trim_start().len(), line.trim_start());
            match (&mut open, rest.strip_prefix("```")) {
                (None, Some(kind)) => {
                    open = Some((indent, Block { kind: kind.to_owned(), text: String::new() }))
                }
                (None, None) => prose.push(line),
                (Some(_), Some("")) => blocks.extend(open.take().map(|(_, block)| block)),
                (Some((indent, block)), _) => {
                    block.text += line.get(*indent..).unwrap_or_default();
                    block.text.push('\n');
                }
            }
        }
        if let Some((_, block)) = open {
            blocks.push(Block { kind: "without an end".to_owned(), ..block });
        }
        (blocks, prose)
    }

    pub(crate) fn blocks(&self, kind: &str) -> Vec<String> {
        let blocks = self.parts().0.into_iter().filter(|block| block.kind.split(' ').next() == Some(kind));
        blocks.map(|block| block.text).collect()
    }

    /// What stands between backticks in running text and tables.
    pub(crate) fn spans(&self) -> Vec<String> {
        let prose = self.parts().1.join("\n");
        // A span may go on in the next line.
        prose.split('`').skip(1).step_by(2).map(|span| span.replace('\n', " ")).collect()
    }

    /// The rows of each table, as cells, its heading first.
    pub(crate) fn tables(&self) -> Vec<Vec<Vec<String>>> {
        let prose = self.parts().1;
        let tables = prose.split(|line| !line.starts_with('|')).filter(|rows| !rows.is_empty());
        let cells =
            |row: &&str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
        tables.map(|rows| rows.iter().map(cells).collect()).collect()
    }

    pub(crate) fn headings(&self) -> BTreeSet<String> {
        let titles = self.parts().1.into_iter().filter_map(|line| line.strip_prefix('#'));
        titles.map(|title| anchor(title.trim_start_matches('#').trim())).collect()
    }
}

/// As GitHub makes it.
fn anchor(title: &str) -> String {
    let kept = title
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .collect::<String>();
    kept.replace(' ', "-")
}
