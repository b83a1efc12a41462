//! The texts of the manual: what the definitions of the options don't say.

use crate::page::Page;

const CONFIGURATION: (&str, &str) = (
    "/etc/pan_getcert.toml",
    "What is particular to a device, under the long names of the options, and whom to tell of failures; it need not be there (*--config*).",
);
const KEY: (&str, &str) = (
    "/etc/ipa/.panrc",
    "The API key, in the format of pan-python's .panrc; readable by its owner only (*-k*).",
);
const LOG: (&str, &str) = ("/var/log/pan_instcert.log", "The log, one line an event (*--log-file*).");
const STATE: (&str, &str) =
    ("/var/lib/pan_getcert", "Requests, records and the known devices (*--state-dir*).");
const CERTIFICATE: (&str, &str) =
    ("/etc/ssl/certs/<CERT_CN>.crt", "The certificate that certmonger writes (*-C*).");
const ENROLMENT: (&str, &str) = ("/etc/ipa/default.conf", "What this machine knows of its IPA domain.");
const PRIVATE_KEY: (&str, &str) = ("/etc/ssl/private/<CERT_CN>.key", "Its private key (*-K*).");

/// Every page.
pub(crate) const PAGES: [Page; 19] = [
    Page {
        name: "pan_getcert",
        summary: "have a FreeIPA certificate issued, installed on firewalls and renewed",
        description: &[
            "*pan_getcert* asks FreeIPA for a certificate through *certmonger*, and has it installed on Palo Alto Networks firewalls and Panorama: now, and at each renewal. certmonger gets *pan_instcert*(8) as the post-save command of the request.",
            "Run again for the same certificate, it has nothing issued anew: the post-save command is brought up to date in place, and what the device lacks is installed. *--resubmit* asks for a new certificate, *--rekey* for one with a new key. What is typed otherwise than it is tracked is handed over by these two; without them it is told, and nothing is changed. A request that was refused is submitted again.",
            "Where the worker of *pan_certctl-retry*(8) is enabled, the post-save command only writes down what is wanted (*--queue*), and the worker delivers it.",
        ],
        exit: &[],
        files: &[CERTIFICATE, PRIVATE_KEY, KEY, CONFIGURATION, LOG, STATE],
        examples: &[
            (
                "Have a certificate issued and bound to two SSL/TLS service profiles, now and at each renewal:",
                "pan_getcert -c gp.example.com -p 'GP portal' -s 'GP gateway' \\\n    fw1.example.com",
            ),
            (
                "Give it a further name, and see that the portal serves it:",
                "pan_getcert -c gp.example.com --san vpn.example.com -p 'GP portal' \\\n    --served gp.example.com:443 --resubmit fw1.example.com",
            ),
            (
                "Have it issued again, with a new key:",
                "pan_getcert -c gp.example.com -p 'GP portal' --rekey \\\n    fw1.example.com",
            ),
        ],
        see_also: &["pan_instcert(8)", "pan_certctl(8)", "getcert-list(1)", "certmonger(8)"],
    },
    Page {
        name: "pan_instcert",
        summary: "install an issued certificate on firewalls, and prove that they run it",
        description: &[
            "*pan_instcert* uploads a certificate and its key through the PAN-OS XML API, binds it to up to two SSL/TLS service profiles, commits, and looks whether the device really runs it. certmonger calls it as a post-save command; it can be run by hand just as well.",
            "What is wanted is written down before anything else, and is pending until the device is proven to run it: see *pan_certctl-retry*(8). Only the API administrator's own changes are committed, and they are put back when the commit fails.",
            "A device that has the certificate already is left as it is; *--force* installs it nevertheless. *--dry-run* prints what would be done.",
        ],
        exit: &[],
        files: &[CERTIFICATE, PRIVATE_KEY, KEY, CONFIGURATION, LOG, STATE],
        examples: &[
            (
                "See what would be done:",
                "pan_instcert -c gp.example.com -p 'GP portal' --dry-run \\\n    fw1.example.com",
            ),
            (
                "Install what another client than certmonger obtained, from its live directory:",
                "pan_instcert -b -c vpn.example.com \\\n    -C /etc/letsencrypt/live/vpn.example.com \\\n    -K /etc/letsencrypt/live/vpn.example.com \\\n    -p 'VPN portal' fw1.example.com",
            ),
            (
                "Make an object of its own for each certificate, keep the two before the new one, and delete older ones:",
                "pan_instcert -c gp.example.com -p 'GP portal' \\\n    --suffix serial --keep 2 fw1.example.com",
            ),
        ],
        see_also: &["pan_getcert(8)", "pan_certctl(8)", "pan_certctl-retry(8)", "certmonger(8)"],
    },
    Page {
        name: "pan_certctl",
        summary: "look after the certificates that were put on firewalls",
        description: &[
            "*pan_certctl* tells what *pan_getcert*(8) and *pan_instcert*(8) have installed where, delivers what is pending, and compares what devices run with what was recorded.",
        ],
        exit: &[],
        files: &[CONFIGURATION, KEY, LOG, STATE],
        examples: &[
            ("See what is installed where, and what is pending:", "pan_certctl status"),
            ("See the last runs that failed within a week:", "pan_certctl log --failed --since 7d"),
            (
                "Have the worker look after everything:",
                "systemctl enable --now pan_certctl-retry.timer \\\n    pan_certctl-retry.path pan_certctl-verify.timer",
            ),
        ],
        see_also: &[
            "pan_certctl-check(8)",
            "pan_certctl-keygen(8)",
            "pan_certctl-pin(8)",
            "pan_certctl-enroll(8)",
            "pan_certctl-status(8)",
            "pan_certctl-log(8)",
            "pan_certctl-show(8)",
            "pan_certctl-renew(8)",
            "pan_certctl-list-devices(8)",
            "pan_certctl-unpin(8)",
            "pan_certctl-adopt(8)",
            "pan_certctl-retry(8)",
            "pan_certctl-verify(8)",
            "pan_certctl-inventory(8)",
            "pan_certctl-prove(8)",
            "pan_certctl-forget(8)",
            "pan_getcert(8)",
            "pan_instcert(8)",
        ],
    },
    Page {
        name: "pan_certctl-check",
        summary: "find what would make an installation on a firewall fail, before the first one",
        description: &[
            "*pan_certctl check* looks at this machine (state directory, log, worker, certificate), at its enrolment in FreeIPA (keytab, principals, who manages them, certificate profile, CA ACL), at certmonger, and at each device: name, port, identity, clock, API key, each right, release, name of the object, high availability, locks, profiles, and FreeIPA's authority. It changes nothing.",
            "Each line is *ok*, a *warning*, or *FAILED*. Below what is not as it should be stands a command that fixes it, to be typed exactly so except for words in capitals, or what somebody has to do.",
            "Without a device all that are known on this machine are looked at, and the machine itself; with *--config* and no device, group or target only that file.",
        ],
        exit: &[
            "The code of the first failure, which an installation would end with; what is looked at first is what the rest depends on. Warnings don't count.",
        ],
        files: &[CONFIGURATION, KEY, STATE, ENROLMENT],
        examples: &[
            (
                "See whether a certificate could be requested and installed:",
                "pan_certctl check -c gp.example.com -p 'GP portal' \\\n    fw1.example.com",
            ),
            ("Check a configuration file alone:", "pan_certctl check --config /etc/pan_getcert.toml"),
        ],
        see_also: &["pan_certctl(8)", "pan_certctl-keygen(8)", "pan_certctl-pin(8)", "pan_getcert(8)"],
    },
    Page {
        name: "pan_certctl-enroll",
        summary: "prepare FreeIPA for a certificate",
        description: &[
            "*pan_certctl enroll* looks what FreeIPA lacks before it can issue a certificate to this machine: the host, the service, that this machine manages it, the same for each further name, the sub-CA, and a CA ACL for the certificate profile. It prints exactly the *ipa* commands that add it. With an administrator's ticket (*kinit admin*) and a <yes>, or *--yes*, it runs them and looks again. Done twice, there is nothing to do.",
            "Looking needs the host's keytab, or any ticket. A certificate profile is not made: it has to be there.",
        ],
        exit: &[
            "10 where something is missing and was not added, or FreeIPA could not be asked; 6 for a certificate profile that is missing or takes other keys; 5 where this machine is not enrolled, or there is no ticket to look with.",
        ],
        files: &[ENROLMENT],
        examples: &[
            ("See what is missing, and add it after a yes:", "pan_certctl enroll --service gp.example.com"),
            (
                "With a certificate profile of one's own and a sub-CA:",
                "pan_certctl enroll --service gp.example.com -T gpServer -X gateways",
            ),
        ],
        see_also: &["pan_certctl(8)", "pan_certctl-check(8)", "pan_getcert(8)"],
    },
    Page {
        name: "pan_certctl-keygen",
        summary: "make an API key for a firewall",
        description: &[
            "*pan_certctl keygen* asks for the password of an administrator without showing it, or reads it from the first line of standard input, has the device make an API key, tries the key, and puts it into the key file: for this device and no other, readable by the file's owner only. The device's old key is replaced then, and not before. All else in the file stays.",
            "API keys may expire; keygen warns about it. Expired keys are not renewed automatically.",
        ],
        exit: &[],
        files: &[KEY, STATE, CONFIGURATION],
        examples: &[(
            "Make a key for an administrator:",
            "pan_certctl keygen fw1.example.com -l cert-deploy",
        )],
        see_also: &["pan_certctl(8)", "pan_certctl-pin(8)", "pan_certctl-check(8)"],
    },
    Page {
        name: "pan_certctl-pin",
        summary: "trust a firewall by the certificate that it shows",
        description: &[
            "*pan_certctl pin* shows the certificate of a device's own web page with its SHA-256 fingerprint, and after a <yes> has the device trusted by exactly this certificate. No key and no password is sent. Compare the fingerprint with the one that a browser shows, on a way that you trust.",
            "When the management interface gets a new certificate from this machine, the fingerprint is replaced once the device was seen to show it.",
        ],
        exit: &["16 where the answer was no; then nothing was recorded."],
        files: &[STATE],
        examples: &[(
            "See the fingerprints, and record each after a yes:",
            "pan_certctl pin fw1.example.com fw2.example.com",
        )],
        see_also: &[
            "pan_certctl(8)",
            "pan_certctl-unpin(8)",
            "pan_certctl-keygen(8)",
            "pan_certctl-check(8)",
        ],
    },
    Page {
        name: "pan_certctl-unpin",
        summary: "trust a firewall no longer by a certificate that was pinned",
        description: &[
            "*pan_certctl unpin* takes the devices out of <known_devices>: from now on each is trusted if its issuing CA is. Where one of the names is not there, nothing is changed, and the exit code is 1.",
        ],
        exit: &[],
        files: &[STATE],
        examples: &[("Trust a device by its CA again:", "pan_certctl unpin fw1.example.com")],
        see_also: &["pan_certctl(8)", "pan_certctl-pin(8)", "pan_certctl-list-devices(8)"],
    },
    Page {
        name: "pan_certctl-list-devices",
        summary: "list the firewalls that are known on this machine",
        description: &[
            "*pan_certctl list-devices* lists every device that the configuration file, the key files, <known_devices> or an installation names: whether it has settings and an API key, how it is trusted, and which certificates are installed there. No device is spoken to.",
        ],
        exit: &[],
        files: &[STATE, KEY, CONFIGURATION],
        examples: &[("Which devices are known:", "pan_certctl list-devices")],
        see_also: &["pan_certctl(8)", "pan_certctl-pin(8)", "pan_certctl-keygen(8)", "pan_certctl-check(8)"],
    },
    Page {
        name: "pan_certctl-show",
        summary: "show one certificate with all that is known of it",
        description: &[
            "*pan_certctl show* shows a certificate's names, issuer, serial number and dates, when certmonger renews it, how it stands on each device, and the last attempts. Only root asks certmonger.",
        ],
        exit: &[],
        files: &[STATE],
        examples: &[("All about a certificate:", "pan_certctl show gp.example.com")],
        see_also: &["pan_certctl(8)", "pan_certctl-status(8)", "pan_certctl-renew(8)", "getcert(1)"],
    },
    Page {
        name: "pan_certctl-renew",
        summary: "renew a certificate now, on all its firewalls",
        description: &[
            "*pan_certctl renew* has certmonger submit the certificate's request again, with what it tracks and what the post-save command remembers, waits for the certificate, and tells of each device whether it runs it. It is *pan_getcert --resubmit* without the options that were given before.",
        ],
        exit: &[],
        files: &[STATE, LOG],
        examples: &[("Renew a certificate now:", "pan_certctl renew gp.example.com")],
        see_also: &["pan_certctl(8)", "pan_certctl-show(8)", "pan_getcert(8)", "getcert-resubmit(1)"],
    },
    Page {
        name: "pan_certctl-adopt",
        summary: "look after what the bash scripts have set up",
        description: &[
            "*pan_certctl adopt* finds certmonger's requests with a post-save command of the bash scripts, records what that installs on which device, and exchanges the command for one of this program. Nothing is issued or delivered, and no device is spoken to; *pan_certctl verify* compares afterwards. It asks before it changes anything.",
        ],
        exit: &["10 where a request can't be adopted; the others are."],
        files: &[STATE, CONFIGURATION],
        examples: &[
            ("See what would be adopted:", "pan_certctl adopt --dry-run"),
            ("Adopt all of it:", "pan_certctl adopt --yes"),
        ],
        see_also: &["pan_certctl(8)", "pan_certctl-verify(8)", "pan_certctl-status(8)", "getcert(1)"],
    },
    Page {
        name: "pan_certctl-prove",
        summary: "try on a firewall what an installation needs, and take it back",
        description: &[
            "*pan_certctl prove* uploads a throw-away certificate in each form to a firewall, makes an SSL/TLS service profile that nothing uses, reads both back, and has the device validate that. Nothing is committed. Then all of it is reverted, compared with before, and the locks are given back that were taken meanwhile. It takes less than a minute, and says what it is going to do, and what stays, before it asks.",
            "It refuses where the administrator of the API key has uncommitted changes, where anybody holds a lock, on the passive member of an HA pair, and on Panorama. One that was killed is taken back by the next one for the same device.",
            "*--transcript* keeps the requests and replies without keys, names and addresses. Read the file before you hand it to anybody.",
        ],
        exit: &[
            "12 where the device took no form of the certificate, 14 where the validation failed, 1 where the answer was no.",
        ],
        files: &[CONFIGURATION, KEY, STATE],
        examples: &[(
            "Prove, and keep what was asked and answered:",
            "pan_certctl prove --transcript fw1.json fw1.example.com",
        )],
        see_also: &["pan_certctl(8)", "pan_certctl-check(8)", "pan_instcert(8)"],
    },
    Page {
        name: "pan_certctl-inventory",
        summary: "list all certificates on firewalls",
        description: &[
            "*pan_certctl inventory* lists every certificate object in the running configuration of each device, shared and of each virtual system, the next to expire first: whether the device has its key, whether it was installed from here, and which SSL/TLS service profiles present it. It changes nothing.",
            "Without a device those of the configuration file are asked, and those that something was installed on.",
        ],
        exit: &[],
        files: &[CONFIGURATION, KEY, STATE],
        examples: &[("List what is on one device:", "pan_certctl inventory fw1.example.com")],
        see_also: &["pan_certctl(8)", "pan_certctl-status(8)", "pan_certctl-verify(8)"],
    },
    Page {
        name: "pan_certctl-log",
        summary: "show the last installations on firewalls, and how long each phase took",
        description: &[
            "*pan_certctl log* shows the runs that the log tells of, the last ones below: when each began, for which certificate and device, how many seconds each phase took, and how it ended. Lines of runs that wrote at once are untangled. Rotated logs are read as far back as is needed, compressed ones too, and the logs of the bash scripts that these programs replace.",
            "A run that wrote no end was killed, or is still running: which of the two, the lock on its device tells where the state directory is there.",
        ],
        exit: &["Whether the runs succeeded does not matter."],
        files: &[LOG],
        examples: &[
            (
                "Show the runs of one day for one device:",
                "pan_certctl log --device fw1.example.com \\\n    --since 2026-11-22 --until 2026-11-22",
            ),
            ("Show as bars how long they took:", "pan_certctl log --chart"),
        ],
        see_also: &["pan_certctl(8)", "pan_certctl-status(8)", "pan_instcert(8)", "logrotate(8)"],
    },
    Page {
        name: "pan_certctl-status",
        summary: "show which certificates firewalls run, and what is pending",
        description: &[
            "*pan_certctl status* shows what each device runs and what is pending for it, with what needs attention first. It reads the records and asks no device. As root it also asks certmonger, and tells of each certificate that certmonger does not renew or has trouble with.",
        ],
        exit: &[
            "The status serves as a monitoring check: 0 while all is well; the code of the last problem, 10 where nothing was tried, for what is pending for longer than *--pending-for*; the problem's for what failed and is not tried again, and for a request that can't be carried out (mostly 1); 10 for what expires on its device within *--expires-in*, and for what certmonger renews without a record; 11 for what certmonger does not renew until somebody does something; 13 for a profile that two installations claim, or an installation without one; 15 for a drift that *pan_certctl verify* found and left (*--drift warn*); 1 for files in the state directory that can't be read; 20 for several of these.",
        ],
        files: &[STATE],
        examples: &[
            (
                "Tell of what is pending for longer than three days, or expires within two weeks:",
                "pan_certctl status --pending-for 3d --expires-in 14d",
            ),
            (
                "Write metrics for node_exporter's textfile collector:",
                "pan_certctl status \\\n    --prometheus /var/lib/prometheus/node-exporter/pan_getcert.prom",
            ),
        ],
        see_also: &["pan_certctl(8)", "pan_certctl-retry(8)", "pan_certctl-verify(8)"],
    },
    Page {
        name: "pan_certctl-retry",
        summary: "install the certificates that are pending",
        description: &[
            "*pan_certctl retry* delivers what is due: certificates that a device was not there for, or did not take, the last time, and what *pan_instcert --queue* wrote down. All that is pending for one device is installed in one commit. The gaps between the attempts grow.",
            "It is what the unit *pan_certctl-retry.service* runs. The timer *pan_certctl-retry.timer* starts it every minute, *pan_certctl-retry.path* as soon as something is queued. Running it twice is safe.",
            "A persistent failure is reported once when it starts and once when it is resolved: in the journal, and to the command that *on_failure* in the configuration file names.",
        ],
        exit: &[],
        files: &[CONFIGURATION, KEY, LOG, STATE],
        examples: &[
            (
                "Deliver all that is pending for one device, and don't wait until its next try is due:",
                "pan_certctl retry --now --device fw1.example.com",
            ),
            ("Have systemd do it:", "systemctl enable --now pan_certctl-retry.timer pan_certctl-retry.path"),
        ],
        see_also: &[
            "pan_certctl(8)",
            "pan_certctl-status(8)",
            "pan_certctl-verify(8)",
            "pan_instcert(8)",
            "systemctl(1)",
        ],
    },
    Page {
        name: "pan_certctl-verify",
        summary: "compare what firewalls run with what was installed on them",
        description: &[
            "*pan_certctl verify* compares what devices run and show with the records and the certificate files. What has drifted (the old certificate bound again, a restored backup, a renewal that nobody recorded) is pending again and delivered by *pan_certctl-retry*(8), or only told with *--drift warn*.",
            "It is what the unit *pan_certctl-verify.service* runs; the timer *pan_certctl-verify.timer* starts it every day.",
        ],
        exit: &[],
        files: &[CONFIGURATION, KEY, LOG, STATE],
        examples: &[
            (
                "Only tell what has drifted on one device:",
                "pan_certctl verify --drift warn --device fw1.example.com",
            ),
            ("Have systemd do it every day:", "systemctl enable --now pan_certctl-verify.timer"),
        ],
        see_also: &["pan_certctl(8)", "pan_certctl-retry(8)", "pan_certctl-status(8)", "systemctl(1)"],
    },
    Page {
        name: "pan_certctl-forget",
        summary: "look after an installation on firewalls no more",
        description: &[
            "*pan_certctl forget* ends that the installations of a certificate are looked after, all of them or those on one device (*--device*), at one place of it (*--place*), or in one SSL/TLS service profile (*--profile*). The record goes, and what is in the queue for it; the device is left as it is.",
            "It shows what it is about to forget, and asks at the terminal; elsewhere it refuses without *--yes*.",
            "The post-save command of certmonger is not changed, and the next renewal goes by it; *--untrack-device* takes the device out of it. Where no other device is left there, nothing is forgotten: end the renewals first, with *getcert stop-tracking*.",
        ],
        exit: &[],
        files: &[CONFIGURATION, LOG, STATE],
        examples: &[
            (
                "Forget a firewall that is gone:",
                "pan_certctl forget gp.example.com \\\n    --device fw1.example.com --untrack-device",
            ),
            (
                "Forget a profile that another certificate has now:",
                "pan_certctl forget gp.example.com \\\n    --device fw1.example.com --profile 'GP portal'",
            ),
        ],
        see_also: &["pan_certctl(8)", "pan_certctl-status(8)", "pan_certctl-verify(8)", "getcert(1)"],
    },
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::markup::plain;
    use crate::{page, programs};

    /// Words as a shell reads them; the examples have simple quotes and continued lines only.
    fn words(command: &str) -> Vec<String> {
        let command = command.replace("\\\n", " ");
        let quoted = command.split('\'').enumerate();
        let words = quoted.flat_map(|(index, part)| match index % 2 {
            1 => vec![part.to_owned()],
            _ => part.split_whitespace().map(str::to_owned).collect(),
        });
        words.collect()
    }

    #[test]
    fn every_example_is_understood() {
        let mut seen = 0;
        for (_, command) in PAGES.iter().flat_map(|page| page.examples) {
            let words = words(command);
            let program = programs().into_iter().find(|program| program.get_name() == words[0]);
            let Some(program) = program else {
                assert_eq!(words[..3], ["systemctl", "enable", "--now"], "{command}");
                let units = concat!(env!("CARGO_MANIFEST_DIR"), "/../systemd");
                assert!(
                    words[3..].iter().all(|unit| std::path::Path::new(units).join(unit).exists()),
                    "{command}"
                );
                continue;
            };
            program.try_get_matches_from(&words).unwrap_or_else(|error| panic!("{command}: {error}"));
            seen += 1;
        }
        assert!(seen > 8);
    }

    #[test]
    fn every_option_and_page_that_a_text_names_exists() {
        let commands: Vec<clap::Command> = programs().into_iter().flat_map(page::commands).collect();
        let options: Vec<String> = commands
            .iter()
            .flat_map(|command| command.get_arguments())
            .flat_map(|argument| {
                let short = argument.get_short().map(|short| format!("-{short}"));
                short.into_iter().chain(argument.get_long().map(|long| format!("--{long}")))
            })
            .collect();
        let mut seen = 0;
        for page in &PAGES {
            let files = page.files.iter().map(|(_, what)| *what);
            for text in page.description.iter().chain(page.exit).copied().chain(files) {
                for word in plain(text).split(|c: char| !(c.is_alphanumeric() || c == '-')) {
                    if word.starts_with('-') {
                        assert!(options.iter().any(|option| option == word), "{}: {word}", page.name);
                        seen += 1;
                    }
                }
            }
            for other in page.see_also.iter().filter(|other| other.starts_with("pan_")) {
                let known = |known: &Page| *other == format!("{}(8)", known.name);
                assert!(PAGES.iter().any(known), "{}: {other}", page.name);
            }
        }
        assert!(seen > 15, "{seen}");
    }

    #[test]
    fn the_files_are_those_of_the_programs() {
        let defaults: Vec<String> = programs()
            .iter_mut()
            .flat_map(|program| {
                program.render_long_help().to_string().lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        for (path, _) in PAGES.iter().flat_map(|page| page.files) {
            let shown = path.split("/<").next().unwrap();
            let is_ipas = shown == pancert::host::ipa::CONFIGURATION;
            assert!(is_ipas || defaults.iter().any(|line| line.contains(shown)), "{path}");
        }
    }
}
