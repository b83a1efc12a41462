//! Config locks and commit locks.

use crate::{
    clock,
    refusal::Refusal,
    xml::{Path, Step},
};

/// Which of the two locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// Keeps others from editing the candidate configuration.
    Config,
    /// Keeps others from committing.
    Commit,
}

/// A lock somebody holds.
#[derive(Debug, Clone)]
pub(crate) struct Lock {
    pub(crate) kind: LockKind,
    /// `shared`, which covers the whole device, or a virtual system.
    pub(crate) scope: String,
    pub(crate) owner: String,
    pub(crate) comment: String,
    pub(crate) created: String,
}

/// Why a lock was not taken or given back; the text is the device's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct LockError(String);

impl LockError {
    /// The same about another scope.
    pub(crate) fn about(self, scope: &str, other: &str) -> Self {
        match self.0.strip_suffix(scope) {
            Some(text) => Self(format!("{text}{other}")),
            None => self,
        }
    }
}

/// All locks of a device.
#[derive(Debug, Clone, Default)]
pub(crate) struct Locks(Vec<Lock>);

impl Locks {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Lock> {
        self.0.iter()
    }

    /// Takes a lock. One administrator at a time can hold the config lock of a scope; everybody
    /// can hold a commit lock.
    pub(crate) fn take(
        &mut self,
        kind: LockKind,
        scope: &str,
        owner: &str,
        comment: &str,
    ) -> Result<(), LockError> {
        let same = |lock: &&Lock| lock.kind == kind && lock.scope == scope;
        if self.0.iter().filter(same).any(|lock| lock.owner == owner) {
            return Err(LockError(match kind {
                LockKind::Config => format!("You already own a config lock for scope {scope}"),
                LockKind::Commit => format!("Commit lock is already held by {owner}"),
            }));
        }
        let held = self.0.iter().find(same);
        if let (LockKind::Config, Some(lock)) = (kind, held) {
            return Err(LockError(format!("Config for scope {scope} is currently locked by {}", lock.owner)));
        }
        self.put(kind, scope, owner, comment);
        Ok(())
    }

    /// Puts a lock there, whoever held it.
    pub(crate) fn put(&mut self, kind: LockKind, scope: &str, owner: &str, comment: &str) {
        self.0.retain(|lock| {
            lock.kind != kind || lock.scope != scope || (kind == LockKind::Commit && lock.owner != owner)
        });
        self.0.push(Lock {
            kind,
            scope: scope.to_owned(),
            owner: owner.to_owned(),
            comment: comment.to_owned(),
            created: clock::stamp(),
        });
    }

    /// Gives `owner`'s lock back. A superuser may give back anybody's.
    pub(crate) fn release(
        &mut self,
        kind: LockKind,
        scope: &str,
        owner: &str,
        superuser: bool,
    ) -> Result<String, LockError> {
        let same = |lock: &Lock| lock.kind == kind && lock.scope == scope;
        let own = self.0.iter().position(|lock| same(lock) && lock.owner == owner);
        let any = || self.0.iter().position(|lock| same(lock) && superuser);
        // A commit lock is asked for by its owner's name; a config lock has one owner.
        let at = match kind {
            LockKind::Config => own.or_else(any),
            LockKind::Commit => own,
        };
        match at {
            Some(at) => Ok(self.0.remove(at).owner),
            None => Err(LockError(match (kind, self.0.iter().find(|l| same(l))) {
                (LockKind::Config, Some(lock)) => {
                    format!("Config for scope {scope} is currently locked by {}", lock.owner)
                }
                (LockKind::Config, None) => {
                    format!("Config is not currently locked for scope {scope}")
                }
                (LockKind::Commit, _) => "Commit lock is not currently held".to_owned(),
            })),
        }
    }

    /// Drops all locks of somebody whose commit succeeded.
    pub(crate) fn drop_all_of(&mut self, owner: &str) {
        self.0.retain(|lock| lock.owner != owner);
    }

    /// Refuses an edit of `path` while somebody else holds a config lock over it.
    pub(crate) fn allow_edit(&self, owner: &str, path: &Path) -> Result<(), Refusal> {
        let in_vsys = |scope: &str| {
            path.steps.windows(2).any(|w| w[0] == Step::Named("vsys".into()) && w[1].word() == scope)
        };
        let foreign = self.0.iter().find(|lock| {
            lock.kind == LockKind::Config
                && lock.owner != owner
                && (lock.scope == "shared" || in_vsys(&lock.scope))
        });
        match foreign {
            None => Ok(()),
            Some(lock) => Err(Refusal::line(format!("Configuration is locked by {}", lock.owner))),
        }
    }

    /// Refuses a commit while somebody else holds a commit lock.
    pub(crate) fn allow_commit(&self, owner: &str) -> Result<(), Refusal> {
        let foreign = (self.0.iter()).any(|lock| lock.kind == LockKind::Commit && lock.owner != owner);
        if foreign {
            return Err(Refusal::code(14, "Other administrators are holding device wide commit locks."));
        }
        Ok(())
    }
}
