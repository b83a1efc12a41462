//! What is read from a device's replies: fixtures of our own everywhere, and, where a folder of replies
//! that others have recorded lies beside the checkout, every one of those.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, clippy::print_stdout)]

#[path = "replies/fixtures.rs"]
mod fixtures;
#[path = "replies/recorded.rs"]
mod recorded;
#[path = "common/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use panos_xmlapi::{
    CertificateEntry, ClientOptions, Commit, CommitReply, CommitScope, Element, Error, HaState, ImportFormat,
    Job, JobState, KeyExport, KeyPairImport, Location, Lock, ManagedDevice, Node, PendingChange,
    PushedDevice, Reason, Refusal, Reply, ReplyError, Right, ServiceProfile, Session, SystemInfo,
    TemplateStack, Trust, own_name,
};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::Deserialize;
use server::Server;
use server::identity::Plan;

/// A device that answers whatever it was told last.
struct Device {
    _server: Server,
    session: Session,
    answer: Arc<Mutex<(u16, Vec<u8>)>>,
    address: panos_xmlapi::Address,
}

/// What each typed question makes of one and the same answer.
struct Asked {
    key: Result<String, Error>,
    system: Result<SystemInfo, Error>,
    ha: Result<HaState, Error>,
    changes: Result<Vec<panos_xmlapi::PendingChange>, Error>,
    config_locks: Result<Vec<Lock>, Error>,
    commit_locks: Result<Vec<Lock>, Error>,
    jobs: Result<Vec<Job>, Error>,
    job: Result<Job, Error>,
    commit: Result<CommitReply, Error>,
    import: Result<Vec<String>, Error>,
    set: Result<(), Error>,
    revert: Result<(), Error>,
    get: Result<Option<Element>, Error>,
    show: Result<Option<Element>, Error>,
    delete: Result<bool, Error>,
    export: Result<String, Error>,
}

impl Device {
    fn new() -> Self {
        let answer = Arc::new(Mutex::new((200, Vec::new())));
        let told = answer.clone();
        let server = Server::start(&Plan::named("fw").self_signed(), move |_| {
            let (status, body) = told.lock().unwrap().clone();
            server::reply(&format!("{status} Whatever"), body)
        });
        let address = server.address();
        let key = SecretString::from("an-invented-key");
        let session =
            Session::new(&address, &Trust::DangerousAcceptAny, &key, ClientOptions::default()).unwrap();
        Self { _server: server, session, answer, address }
    }

    /// Puts every question; `number` is the job asked for.
    async fn ask(&self, http: u16, body: &[u8], number: &str) -> Asked {
        *self.answer.lock().unwrap() = (http, body.to_vec());
        let session = &self.session;
        let path = Location::Shared.profiles();
        let element = Element::new("certificate").with_text("c");
        let secret = || SecretString::from("an-invented-secret");
        let import = KeyPairImport {
            location: Location::Shared,
            name: "c".into(),
            format: ImportFormat::Pem,
            file: SecretSlice::from(vec![0]),
            passphrase: secret(),
            key_export: Some(KeyExport::Allowed),
        };
        let commit = Commit {
            scope: CommitScope::Administrator("a".into()),
            locations: Vec::new(),
            description: "d".into(),
        };
        let trust = Trust::DangerousAcceptAny;
        Asked {
            key: Session::generate_key(&self.address, &trust, "a", &secret(), ClientOptions::default())
                .await
                .map(|key| key.expose_secret().to_owned()),
            system: session.system_info().await,
            ha: session.ha_state().await,
            changes: session.pending_changes().await,
            config_locks: session.config_locks().await,
            commit_locks: session.commit_locks().await,
            jobs: session.jobs().await,
            job: session.job(number).await,
            commit: session.commit(&commit).await,
            import: session.import(&import).await.map(|reply| reply.messages),
            set: session.set(&path, &element).await,
            revert: session.revert_changes_of("a").await,
            get: session.get(&path).await,
            show: session.show(&path).await,
            delete: session.delete(&path).await,
            export: session.export_certificate("c").await,
        }
    }
}

impl Asked {
    /// The questions that the answer answers.
    fn answered(&self) -> Vec<&'static str> {
        let all = [
            ("key", self.key.is_ok()),
            ("system", self.system.is_ok()),
            ("ha", self.ha.is_ok()),
            ("changes", self.changes.is_ok()),
            ("config locks", self.config_locks.is_ok()),
            ("commit locks", self.commit_locks.is_ok()),
            ("jobs", self.jobs.is_ok()),
            ("job", self.job.is_ok()),
            ("commit", self.commit.is_ok()),
            ("import", self.import.is_ok()),
            ("set", self.set.is_ok()),
            ("revert", self.revert.is_ok()),
            ("get", self.get.is_ok()),
            ("show", self.show.is_ok()),
            ("delete", self.delete.is_ok()),
            ("export", self.export.is_ok()),
        ];
        all.into_iter().filter(|(_, answered)| *answered).map(|(name, _)| name).collect()
    }

    /// The refusal that a change met with.
    fn refusal(&self) -> &Refusal {
        match &self.set {
            Err(Error::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }
}

/// What is answered by any success, since nothing but the word is asked for.
const BARE: [&str; 5] = ["import", "set", "revert", "delete", "show"];

/// The questions that one answers beside those of [`BARE`] and `get`.
fn also(names: &[&'static str], bare: bool) -> Vec<&'static str> {
    const ORDER: [&str; 16] = [
        "key",
        "system",
        "ha",
        "changes",
        "config locks",
        "commit locks",
        "jobs",
        "job",
        "commit",
        "import",
        "set",
        "revert",
        "get",
        "show",
        "delete",
        "export",
    ];
    let wanted = |name: &&str| names.contains(name) || (bare && (BARE.contains(name) || *name == "get"));
    ORDER.into_iter().filter(wanted).collect()
}
