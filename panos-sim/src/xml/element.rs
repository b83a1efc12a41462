//! One element with all that is in it.

/// An element of a document. PAN-OS documents have text or children, never both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) text: String,
    /// Whether the text is written as a CDATA section, as devices do in some messages.
    pub(crate) cdata: bool,
    pub(crate) children: Vec<Element>,
}

impl Element {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// An element that holds text.
    pub(crate) fn leaf(name: &str, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::new(name) }
    }

    /// `<entry name="…">`.
    pub(crate) fn entry(name: &str) -> Self {
        Self::new("entry").attribute("name", name)
    }

    #[must_use]
    pub(crate) fn attribute(mut self, name: &str, value: impl Into<String>) -> Self {
        self.attributes.push((name.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub(crate) fn child(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    #[must_use]
    pub(crate) fn with(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }

    #[must_use]
    pub(crate) fn in_cdata(mut self) -> Self {
        self.cdata = true;
        self
    }

    pub(crate) fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == attribute).map(|(_, value)| value.as_str())
    }

    /// The first child of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first child of this name, made if there is none.
    pub(crate) fn ensure(&mut self, name: &str) -> &mut Element {
        let at = match self.children.iter().position(|child| child.name == name) {
            Some(at) => at,
            None => {
                self.children.push(Element::new(name));
                self.children.len() - 1
            }
        };
        &mut self.children[at]
    }

    /// The trimmed text of the first child of this name.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.find(name).map(|child| child.text.trim())
    }

    /// What follows the names, one level each.
    pub(crate) fn descend(&self, names: &[&str]) -> Option<&Element> {
        names.iter().try_fold(self, |element, name| element.find(name))
    }

    /// Whether both stand for the same object among their siblings: entries by `name`, members by
    /// their text, everything else by element name.
    pub(crate) fn is_same_object(&self, other: &Element) -> bool {
        self.name == other.name
            && match self.name.as_str() {
                "entry" => self.get("name") == other.get("name"),
                "member" => self.text.trim() == other.text.trim(),
                _ => true,
            }
    }

    /// The same content in an order that does not depend on how it came to be.
    pub(crate) fn canonical(&self) -> Self {
        let mut children: Vec<Self> = self.children.iter().map(Self::canonical).collect();
        children.sort_by(|a, b| {
            let key = |e: &Self| (e.name.clone(), e.get("name").map(str::to_owned), e.text.clone());
            key(a).cmp(&key(b))
        });
        Self {
            name: self.name.clone(),
            attributes: self.attributes.clone(),
            text: self.text.trim().to_owned(),
            cdata: false,
            children,
        }
    }

    /// Whether this only groups entries or members, so that each of them is an object by itself.
    pub(crate) fn is_list(&self) -> bool {
        self.children.first().is_some_and(|child| child.name == "entry" || child.name == "member")
    }
}
