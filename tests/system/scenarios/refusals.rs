//! Each answer of a FreeIPA server that is no certificate, as `tests/system/ipa/answer` gives it, through the real
//! `ipa-submit` and certmonger: what these make of it, and what `pan_getcert` says.

use crate::aftermath::{DELIVERED, Rollback};
use crate::firewall::{PORTAL, THIRD};
use crate::machine::{Ended, until};
use crate::stage::{GP, Stage};

/// What may stand in the way of a certificate.
struct Row {
    /// The answer's name in the stand-in, or what is wrong where it is none.
    what: &'static str,
    /// What breaks and what repairs it; where nothing is said, the server answers so.
    breaks: Option<[&'static str; 2]>,
    /// Typed besides name and device.
    typed: &'static [&'static str],
    /// certmonger's state after a first request, and after one where there is a certificate already.
    state: [&'static str; 2],
    /// What `ca-error` ends with, with NAME for the certificate's name.
    error: &'static str,
    /// What lines of the advice begin with, in their order, with NAME as well.
    advice: &'static [&'static str],
}

const REJECTED: [&str; 2] = ["CA_REJECTED", "MONITORING"];
const UNREACHABLE: [&str; 2] = ["CA_UNREACHABLE", "CA_UNREACHABLE"];
const UNCONFIGURED: [&str; 2] = ["CA_UNCONFIGURED", "MONITORING"];

/// What certmonger waits before it asks again by itself: seven days. After a rejection it never does.
const COMES_BACK: &str = "in 604800 seconds";

const ADMIN: &str = "kinit admin";
const HOST_ADD: &str = "ipa host-add NAME --force";
const SERVICE_ADD: &str = "ipa service-add HTTP/NAME --force";
const MANAGE: &str = "ipa service-add-host HTTP/NAME --hosts=client.ipa.test";
const RM_KEYTAB: &str = "ipa-rmkeytab -p host/client.ipa.test -k /etc/krb5.keytab";
const GET_KEYTAB: &str = "ipa-getkeytab -p host/client.ipa.test -k /etc/krb5.keytab";
const AGAIN: &str = "then run this command again: it asks the CA anew";
const OUTAGE: &str = "by itself certmonger may ask the CA again only in 7 days; run this command again";

const NEW_KEY: &str = "rm -f /etc/krb5.keytab && kadmin.local ktadd host/client.ipa.test";

const fn answers(
    what: &'static str,
    typed: &'static [&'static str],
    state: [&'static str; 2],
    error: &'static str,
    advice: &'static [&'static str],
) -> Row {
    Row { what, breaks: None, typed, state, error, advice }
}

const ROWS: [Row; 18] = [
    answers(
        "host missing",
        &[],
        UNREACHABLE,
        "failed request, will retry: 4001 (The host 'NAME' does not exist to add a service to.).",
        &[ADMIN, HOST_ADD, SERVICE_ADD, MANAGE, AGAIN],
    ),
    answers(
        "principal of a name missing",
        &["--san", "www.ipa.test"],
        UNREACHABLE,
        "failed request, will retry: 4001 (The service principal for subject alt name www.ipa.test in certificate request does not exist).",
        &[
            ADMIN,
            "ipa host-add www.ipa.test --force",
            "ipa service-add HTTP/www.ipa.test --force",
            "ipa service-add-host HTTP/www.ipa.test --hosts=client.ipa.test",
            AGAIN,
        ],
    ),
    answers(
        "service missing",
        &[],
        REJECTED,
        "denied our request, giving up: 2100 (Insufficient access: Insufficient 'add' privilege to add the entry 'krbprincipalname=HTTP/NAME@IPA.TEST,cn=services,cn=accounts,dc=ipa,dc=test'.).",
        &[ADMIN, SERVICE_ADD, MANAGE, AGAIN],
    ),
    answers(
        "not managed",
        &[],
        REJECTED,
        "denied our request, giving up: 2100 (Insufficient access: Insufficient 'write' privilege to the 'userCertificate' attribute of entry 'krbprincipalname=HTTP/NAME@IPA.TEST,cn=services,cn=accounts,dc=ipa,dc=test'.).",
        &[ADMIN, MANAGE, AGAIN],
    ),
    answers(
        "name not managed",
        &["--san", "www.ipa.test"],
        REJECTED,
        "denied our request, giving up: 2100 (Insufficient access: Insufficient privilege to create a certificate with subject alt name 'www.ipa.test'.).",
        &[ADMIN, "ipa service-add-host HTTP/www.ipa.test --hosts=client.ipa.test", AGAIN],
    ),
    answers(
        "not permitted",
        &["-T", "gpServer"],
        REJECTED,
        "denied our request, giving up: 2100 (Insufficient access: Principal 'HTTP/NAME@IPA.TEST' is not permitted to use CA 'ipa' with profile 'gpServer' for certificate issuance.).",
        &[ADMIN, "ipa certprofile-show gpServer", "ipa ca-show ipa", "ipa caacl-find", AGAIN],
    ),
    answers(
        "address not in DNS",
        &["--ip", "10.77.0.99"],
        REJECTED,
        "denied our request, giving up: 3009 (invalid 'csr': IP address in subjectAltName (10.77.0.99) unreachable from DNS names).",
        &["FreeIPA grants the address 10.77.0.99 only where the DNS has it", AGAIN],
    ),
    answers(
        "key type",
        &["-G", "EC"],
        UNREACHABLE,
        "failed request, will retry: 4301 (Certificate operation cannot be completed: Key Type RSA Not Matched).",
        &["the certificate profile takes RSA keys only: use -G RSA with --rekey", AGAIN],
    ),
    answers(
        "CA disabled",
        &[],
        UNREACHABLE,
        "failed request, will retry: 4301 (Certificate operation cannot be completed: CA 'ipa' is disabled).",
        &["the CA 'ipa' is disabled", ADMIN, "ipa ca-enable ipa", AGAIN],
    ),
    answers(
        "wrong name",
        &[],
        REJECTED,
        "denied our request, giving up: 3009 (invalid 'csr': hostname in subject of request 'NAME' does not match name or aliases of principal 'HTTP/NAME@IPA.TEST').",
        &["once that is fixed, run this command again"],
    ),
    answers(
        "wrong realm",
        &[],
        UNREACHABLE,
        "failed request, will retry: 4005 (The realm for the principal does not match the realm for this IPA server).",
        &["once that is fixed, run this command again"],
    ),
    answers(
        "CA stopped",
        &["--timeout", "3"],
        UNREACHABLE,
        "failed request, will retry: 4016 (Failed to authenticate to CA REST API).",
        &[OUTAGE],
    ),
    Row {
        what: "web server stopped",
        breaks: Some(["systemctl stop apache2", "systemctl start apache2"]),
        typed: &["--timeout", "3"],
        state: UNREACHABLE,
        // A whole server has a directory that answers, and then no reason is given at all.
        error: "Unable to contact an IPA LDAP server.",
        advice: &[OUTAGE],
    },
    Row {
        what: "KDC stopped",
        breaks: Some(["systemctl stop krb5-kdc", "systemctl start krb5-kdc"]),
        typed: &["--timeout", "3"],
        state: UNREACHABLE,
        error: "Cannot contact any KDC for requested realm.",
        advice: &[OUTAGE],
    },
    Row {
        what: "directory server stopped",
        breaks: Some(["mv /var/lib/krb5kdc /root/away", "mv /root/away /var/lib/krb5kdc"]),
        typed: &["--timeout", "3"],
        state: UNCONFIGURED,
        error: "Generic error (see e-text).",
        advice: &[OUTAGE],
    },
    Row {
        what: "no key",
        breaks: Some([
            "cp -a /etc/krb5.keytab /root/away; kadmin.local ktremove host/client.ipa.test all",
            "mv /root/away /etc/krb5.keytab",
        ]),
        typed: &[],
        state: UNCONFIGURED,
        error: "Key table entry not found.",
        advice: &[ADMIN, GET_KEYTAB, AGAIN],
    },
    Row {
        what: "another key",
        breaks: Some(["kadmin.local change_password -randkey host/client.ipa.test", NEW_KEY]),
        typed: &[],
        state: UNCONFIGURED,
        error: "Preauthentication failed.",
        advice: &[ADMIN, RM_KEYTAB, GET_KEYTAB, AGAIN],
    },
    Row {
        what: "host entry gone",
        breaks: Some([
            "kadmin.local delete_principal -force host/client.ipa.test",
            "kadmin.local add_principal -randkey +requires_preauth host/client.ipa.test; rm /etc/krb5.keytab; kadmin.local ktadd host/client.ipa.test",
        ]),
        typed: &[],
        state: UNCONFIGURED,
        error: "Client not found in Kerberos database.",
        advice: &[ADMIN, "ipa host-add client.ipa.test --force", RM_KEYTAB, GET_KEYTAB, AGAIN],
    },
];

/// In which of certmonger's three states a second run is tried, after the first was refused and all is well again.
const TRIED_AGAIN: [&str; 3] = ["host missing", "not managed", "no key"];

impl Row {
    fn breaks(&self, stage: &Stage) {
        match self.breaks {
            Some([breaks, _]) => drop(stage.machine.sh(breaks).exits(0)),
            None => stage.machine.write("/srv/ipa/refuse", self.what, 0o644),
        }
    }

    fn repair(&self, stage: &Stage) {
        match self.breaks {
            Some([_, repairs]) => drop(stage.machine.sh(repairs).exits(0)),
            None => std::fs::remove_file(stage.machine.path("/srv/ipa/refuse")).unwrap(),
        }
    }

    /// Whether `pan_getcert` has ended and told as it should; else what was wrong.
    fn judge(&self, name: &str, ended: &Ended) -> Result<(), String> {
        let wrong = |what: String| Err(format!("{}: {what} in {ended:#?}", self.what));
        if ended.code != Some(10) {
            return wrong("not exit 10".to_owned());
        }
        let error = self.error.replace("NAME", name);
        if !ended.stderr.contains(&error) {
            return wrong(format!("no '{error}'"));
        }
        let told = |line: &str| line.trim().trim_start_matches("pan_getcert: ").to_owned();
        let mut lines = ended.stderr.lines().skip(1).map(told);
        for line in self.advice.iter().map(|line| line.replace("NAME", name)) {
            if !lines.any(|told| told.starts_with(&line)) {
                return wrong(format!("no '{line}', or not in its place,"));
            }
        }
        Ok(())
    }

    /// Whether certmonger is in this state, with the reason; else what it is in.
    fn stands(&self, stage: &Stage, name: &str, state: &str) -> Result<(), String> {
        let list = listed(stage, name);
        let has = |word: &str, end: &str| {
            list.lines().any(|line| line.trim().starts_with(word) && line.ends_with(end))
        };
        let error = self.error.replace("NAME", name);
        let is_so = has("status:", &format!(" {state}")) && has("ca-error:", &error);
        is_so.then_some(()).ok_or_else(|| format!("{}: not {state} with '{error}' in {list}", self.what))
    }
}

fn listed(stage: &Stage, name: &str) -> String {
    stage.machine.run(&["getcert", "list", "-f", &format!("/etc/ssl/certs/{name}.crt")]).stdout
}

fn request<'w>(name: &'w str, profile: &'w str, more: &[&'w str]) -> Vec<&'w str> {
    [&["pan_getcert", "-c", name, "-p", profile], more, &["fw2.ipa.test"]].concat()
}

/// Whether certmonger's own note, after so many lines, says that it comes back by itself to this request, and in how long.
/// Its identifier is the second in which it was made: one that was forgotten in that second had the same.
fn comes_back(stage: &Stage, id: &str, after: usize) -> bool {
    let about = format!("('{id}') {COMES_BACK}");
    stage.journal().lines().skip(after).any(|line| line.contains("Will revisit") && line.contains(&about))
}

impl Stage {
    fn forget(&self, name: &str) {
        self.machine.run(&["getcert", "stop-tracking", "-f", &format!("/etc/ssl/certs/{name}.crt")]).exits(0);
        self.machine.run(&["pan_certctl", "forget", name, "--yes"]);
        let files = ["certs", "private"].map(|place| format!("/etc/ssl/{place}/{name}.*")).join(" ");
        self.machine.sh(&format!("rm -f {files}")).exits(0);
    }

    /// certmonger notes in the journal what it does next, or does not any more.
    fn certmonger_tells(&self, more: bool) {
        self.machine.write("/etc/default/certmonger", if more { "OPTS=-d 3\n" } else { "" }, 0o644);
        self.machine.run(&["systemctl", "restart", "certmonger"]).exits(0);
    }

    /// Whoever waits gets the certificate as soon as the server is whole again.
    fn served_after(&self, row: &Row, name: &str, profile: &str, more: &[&str]) {
        row.breaks(self);
        let waiting = self.machine.start(&request(name, profile, more));
        until("certmonger has noted why", || listed(self, name).contains(row.error));
        row.repair(self);
        waiting.end().exits(0).says("FINISHED: fw2.ipa.test");
    }
}

/// Nothing was issued yet.
pub fn refused_at_first(stage: &mut Stage) {
    stage.set();
    stage.certmonger_tells(true);
    let mut wrong = Vec::new();
    for (at, row) in ROWS.iter().enumerate() {
        let name = format!("row{at}.ipa.test");
        row.breaks(stage);
        let before = stage.journal().lines().count();
        let ended = stage.machine.run(&request(&name, PORTAL, row.typed));
        let id = ended.stdout.split_once("New signing request \"").map(|(_, rest)| rest);
        let id = id.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned();
        wrong.extend(row.judge(&name, &ended).err());
        wrong.extend(row.stands(stage, &name, row.state[0]).err());
        match row.state == REJECTED {
            true if comes_back(stage, &id, before) => {
                wrong.push(format!("{}: it comes back by itself", row.what))
            }
            true => {}
            false => until("certmonger says when it comes back", || comes_back(stage, &id, before)),
        }
        row.repair(stage);
        if TRIED_AGAIN.contains(&row.what) {
            let ended = stage.machine.run(&request(&name, PORTAL, row.typed));
            if ended.code != Some(0) || !ended.stdout.contains("FINISHED: fw2.ipa.test") {
                wrong.push(format!("{}: a second run does not end well: {ended:#?}", row.what));
            }
        }
        stage.forget(&name);
    }
    let outage = ROWS.iter().find(|row| row.what == "directory server stopped").unwrap();
    stage.served_after(outage, "back.ipa.test", PORTAL, &[]);
    stage.forget("back.ipa.test");
    stage.certmonger_tells(false);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    stage.see(format!("{} answers, {} mended by a second run", ROWS.len(), TRIED_AGAIN.len()));
    stage.check(&UNTOUCHED);
}

/// There is a certificate, and the next one is refused.
pub fn refused_at_renewal(stage: &mut Stage) {
    stage.set();
    let name = "renewed.ipa.test";
    let names = ["--san", "www.ipa.test", "--ip", "10.77.0.99", "-T", "gpServer"];
    stage.machine.run(&request(name, THIRD, &names)).exits(0);
    let served = stage.certificate(name);
    let mut wrong = Vec::new();
    for row in &ROWS {
        row.breaks(stage);
        let ended = stage.machine.run(&request(name, THIRD, &["--resubmit", "--timeout", "3"]));
        wrong.extend(row.judge(name, &ended).err());
        wrong.extend(row.stands(stage, name, row.state[1]).err());
        let status = stage.machine.run(&["pan_certctl", "status"]);
        // Whoever is only down is back one day; all else is somebody's to fix.
        let code = if row.state == UNREACHABLE && row.advice == [OUTAGE] { 0 } else { 11 };
        if status.code != Some(code) || !status.stdout.contains("certmonger reports problems with 1") {
            wrong.push(format!("{}: not exit {code}: {status:#?}", row.what));
        }
        if code != 0 && status.stdout.contains("can't be reached") {
            wrong.push(format!("{}: a refusal is no outage: {status:#?}", row.what));
        }
        row.repair(stage);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(stage.certificate(name), served, "the certificate at hand stays");
    assert!(stage.is_delivered(name, "fw2.ipa.test"), "and is proven");
    let outage = ROWS.iter().find(|row| row.what == "directory server stopped").unwrap();
    stage.served_after(outage, name, THIRD, &["--resubmit"]);
    assert_ne!(stage.certificate(name), served);
    stage.forget(name);
    stage.see(format!("{} answers", ROWS.len()));
    stage.check(&UNTOUCHED);
}

/// What is delivered to the first firewall stays as it is.
const UNTOUCHED: Rollback<'_> =
    Rollback { commits: 0..=0, status: (0, &[GP]), log: &[], journal: &[], ..DELIVERED };
