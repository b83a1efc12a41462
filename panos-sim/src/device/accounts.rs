//! Who may do what, and the keys that prove it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use openssl::{base64, sha};

use crate::{Administrator, Role, Settings, refusal::Refusal};

/// Feature of the XML API that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    Config,
    Op,
    Commit,
    Import,
    Export,
}

/// Somebody who has shown who it is.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) administrator: String,
    role: Role,
}

impl Session {
    pub(crate) fn is_superuser(&self) -> bool {
        matches!(self.role, Role::Superuser)
    }

    /// Refuses what the role does not include.
    pub(crate) fn needs(&self, right: Right) -> Result<(), Refusal> {
        let Role::Custom { name, rights } = &self.role else {
            return Ok(());
        };
        let (granted, word) = match right {
            Right::Config => (rights.config, "config"),
            Right::Op => (rights.op, "op"),
            Right::Commit => (rights.commit, "commit"),
            Right::Import => (rights.import, "import"),
            Right::Export => (rights.export, "export"),
        };
        if granted {
            return Ok(());
        }
        Err(Refusal::forbidden(format!("Type [{word}] not authorized for user role {name}")))
    }
}

#[derive(Debug, Clone)]
struct Key {
    administrator: String,
    expires: Option<Instant>,
}

/// The administrators and their keys.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    administrators: Vec<Administrator>,
    keys: HashMap<String, Key>,
    lifetime: Option<Duration>,
    generated: u64,
    /// How often all keys became invalid.
    generation: u64,
    refused_until: Option<Instant>,
}

impl Accounts {
    pub(crate) fn new(settings: &Settings) -> Self {
        let forever = |administrator: &str| Key { administrator: administrator.to_owned(), expires: None };
        let given = (settings.api_keys.iter()).map(|key| (key.key.clone(), forever(&key.administrator)));
        // Without a lifetime an account's key is the same on every device: one that was generated
        // by another device works here, too.
        let same_everywhere = (settings.administrators.iter())
            .filter(|_| settings.api_key_lifetime.is_none())
            .map(|admin| (make_key(&admin.name, &admin.password, ""), forever(&admin.name)));
        let keys = given.chain(same_everywhere);
        Self {
            administrators: settings.administrators.clone(),
            keys: keys.collect(),
            lifetime: settings.api_key_lifetime,
            generated: 0,
            generation: 0,
            refused_until: None,
        }
    }

    /// Refuses everybody until then, as while the authentication service still starts.
    pub(crate) fn refuse_until(&mut self, until: Instant) {
        self.refused_until = Some(until);
    }

    /// No key is valid any longer, and those that are made from now on are others.
    pub(crate) fn expire_all(&mut self) {
        self.keys.clear();
        self.generation += 1;
    }

    /// Makes a key. Without a lifetime the same account gets the same key from every device.
    pub(crate) fn generate(&mut self, user: &str, password: &str, now: Instant) -> Result<String, Refusal> {
        let session = self.by_password(user, password, now)?;
        let salt = match self.lifetime {
            Some(_) => {
                self.generated += 1;
                self.generated.to_string()
            }
            None if self.generation > 0 => format!("certificate {}", self.generation),
            None => String::new(),
        };
        let key = make_key(user, password, &salt);
        self.keys.insert(
            key.clone(),
            Key {
                administrator: session.administrator,
                expires: self.lifetime.map(|lifetime| now + lifetime),
            },
        );
        Ok(key)
    }

    /// Who a key belongs to.
    pub(crate) fn by_key(&self, key: &str, now: Instant) -> Result<Session, Refusal> {
        self.open_at(now)?;
        let known = self.keys.get(key).ok_or_else(Refusal::invalid_credential)?;
        if known.expires.is_some_and(|end| end <= now) {
            let shown = key.get(..8).unwrap_or_default();
            return Err(Refusal::bad_request(format!("Key Expired: {shown} has expired")));
        }
        self.session(&known.administrator)
    }

    /// Who a name and password belong to.
    pub(crate) fn by_password(&self, user: &str, password: &str, now: Instant) -> Result<Session, Refusal> {
        self.open_at(now)?;
        let known = self.administrators.iter().any(|admin| {
            let same = admin.password.len() == password.len()
                && openssl::memcmp::eq(admin.password.as_bytes(), password.as_bytes());
            admin.name == user && same
        });
        if known { self.session(user) } else { Err(Refusal::invalid_credential()) }
    }

    fn open_at(&self, now: Instant) -> Result<(), Refusal> {
        match self.refused_until {
            Some(until) if now < until => Err(Refusal::invalid_credential()),
            _ => Ok(()),
        }
    }

    fn session(&self, name: &str) -> Result<Session, Refusal> {
        (self.administrators.iter())
            .find(|admin| admin.name == name)
            .map(|admin| Session { administrator: admin.name.clone(), role: admin.role.clone() })
            .ok_or_else(Refusal::invalid_credential)
    }
}

/// Base64 of base64, as on real devices: so nothing in it needs percent-encoding, and pan-python
/// relies on that.
fn make_key(user: &str, password: &str, salt: &str) -> String {
    let digest = sha::sha256(format!("{user}\0{password}\0{salt}").as_bytes());
    let inner = format!("-AQ=={}", base64::encode_block(&digest));
    base64::encode_block(inner.as_bytes())
}
