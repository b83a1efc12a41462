//! The SSL/TLS service profiles that a device has from its release. They don't change while one is connected: they are
//! asked for once.

use panos_xmlapi::{Element, Error, Reason, ServiceProfile, Session, XPath};
use tokio::sync::OnceCell;

/// Their names, once they were asked for.
#[derive(Debug, Default)]
pub struct Predefined(OnceCell<Vec<String>>);

impl Predefined {
    /// Whether one has this name.
    ///
    /// # Errors
    /// A device that fails or refuses.
    pub async fn has(&self, session: &Session, name: &str) -> Result<bool, Error> {
        let ask = || async {
            let list = none_if_no_such_place(session.get(&XPath::predefined_profiles()).await)?;
            let all = list.map(|list| ServiceProfile::read_all(&list)).unwrap_or_default();
            Ok::<_, Error>(all.into_iter().map(|profile| profile.name).collect())
        };
        let names = self.0.get_or_try_init(ask).await?;
        Ok(names.iter().any(|known| known == name))
    }
}

/// Devices that know no such place have nothing there.
pub(super) fn none_if_no_such_place(
    answer: Result<Option<Element>, Error>,
) -> Result<Option<Element>, Error> {
    match answer {
        Err(Error::Refused(refusal)) if matches!(refusal.reason, Reason::Invalid | Reason::Malformed) => {
            Ok(None)
        }
        other => other,
    }
}
