//! Names, numbers and choices on the command line.

use panos_sim::Profile;

use crate::common::pki::{CertificateSpec, KeyKind};
use crate::common::world::{NAME, PORTAL, World, print, settings};
use crate::line::{BOTH, Getcert, Instcert, Quiet};

#[test]
fn a_common_name_that_is_no_dns_name_is_refused() {
    let quiet = Quiet::new();
    for program in BOTH {
        let refuse = |name: &str, words: &[&str]| {
            quiet.line(program).without("-c").plus(&[format!("--common-name={name}")]).refused(1, words);
        };
        refuse("", &["certificate common name", "it is empty"]);
        refuse("*.example.com", &["'*.example.com'", "wildcard", "a certificate for each name"]);
        refuse(&"a.".repeat(127).trim_end_matches('.').repeat(2), &["longer than 253 characters"]);
        refuse(&format!("{}.example.com", "a".repeat(64)), &["1 to 63 characters"]);
        for path in ["../x", "a/b", "/etc/passwd", "..", ".", "gp.example.com.", "gp..example.com"] {
            refuse(path, &["is not a valid certificate common name"]);
        }
        for other in ["a b", "é.example", "a_b", "a\\b", "a;id", "$(id)", "-c", "a-", "gp.example.com:443"] {
            refuse(other, &["is not a valid certificate common name"]);
        }
        refuse("a\nb", &["'a\\nb'"]);
        refuse("gp.example.com\n", &["'gp.example.com\\n'"]);
        refuse("a\u{1b}[31mb\u{7}", &["is not a valid certificate common name"]);
        refuse("gp\u{202e}moc", &["\\u{202e}"]);
    }
}

#[test]
fn a_common_name_too_long_for_any_certificate_is_not_requested() {
    let long = format!("{}.example.com", "a".repeat(60));
    let quiet = Quiet::new();
    quiet.line(Getcert).with("-c", &long).with("-n", "gp").refused(1, &["more than 64 characters"]);
}

#[test]
fn an_upper_case_common_name_is_lower_cased() {
    let quiet = Quiet::new();
    quiet.line(Instcert).with("-c", "GP.Example.COM").plus(&["-p", PORTAL]).run().exits(0);
    assert!(quiet.world.served().is_some());
    assert_eq!(quiet.world.record()["spec"]["common_name"], NAME);
    let asked = quiet.line(Getcert).with("-c", "GP.Example.COM").run().exits(10);
    assert!(asked.stdout.contains(&format!("Certificate Common Name: {NAME}\n")), "{asked:#?}");
    assert!(quiet.asked().unwrap().contains(&format!("/{NAME}.crt")));
}

#[test]
fn an_option_in_place_of_a_value_is_not_taken_for_one() {
    let quiet = Quiet::new();
    for program in BOTH {
        quiet.line(program).with("-c", "-c").refused(1, &["a value is required for '--common-name"]);
        quiet.line(program).plus(&["-p", "--insecure"]).refused(1, &["a value is required for '--profile"]);
        quiet.line(program).plus(&["-n", "-Y"]).refused(1, &["a value is required for '--cert-name"]);
    }
}

#[test]
fn common_name_and_device_are_required() {
    let quiet = Quiet::new();
    let nothing: [&str; 0] = [];
    for program in BOTH {
        quiet.line(program).without("-c").refused(1, &["--common-name <CERT_CN>", "Usage: "]);
        quiet.line(program).devices(&nothing).refused(1, &["<FQDN[:PORT]>...", "Usage: "]);
    }
}

#[test]
fn a_device_that_is_no_name_or_has_no_port_is_refused_and_the_good_one_beside_it_is_left_alone() {
    let quiet = Quiet::new();
    let good = quiet.world.target();
    for program in BOTH {
        let refuse = |device: &str, word: &str| {
            let devices = [good.as_str(), device];
            quiet.line(program).devices(&devices).refused(4, &["is not a valid device name", word]);
        };
        refuse("", "it is empty");
        for host in ["fw_1", "fw 1", "*.example.com", "user@fw1", "https://fw1", "fw1/api", "fw1?x", "fw1#x"]
        {
            refuse(host, "");
        }
        for address in ["256.1.1.1", "127.1", "0x7f.1", "1.2.3.4.5", "fw.1"] {
            refuse(address, "looks like an IPv4 address");
        }
        refuse("::1", "in brackets");
        refuse("[::1", "not closed");
        refuse("[fw1]", "no IPv6 address");
        refuse("[::1]443", "after the bracket");
        refuse("[fe80::1%eth0]", "no IPv6 address");
        for port in ["fw1:0", "fw1:65536", "fw1:99999999999999999999"] {
            refuse(port, "1 to 65535");
        }
        for port in ["fw1:", "fw1:+443", "fw1:https", "fw1:443x", "fw1: 443", "fw1:0x1bb"] {
            refuse(port, "the port is not");
        }
        refuse("fw1\n", "\\n");
        refuse("fw\u{1b}[2J1", "");
        refuse(&"a".repeat(64), "1 to 63 characters");
        refuse(&"a.".repeat(200), "longer than 253 characters");
        quiet.line(program).plus(&["--"]).devices(&["-c"]).refused(4, &["hyphen"]);
    }
}

#[test]
fn a_profile_name_that_panos_does_not_take_is_refused() {
    let quiet = Quiet::new();
    let bad = [
        "",
        " x",
        ".x",
        "a'b",
        "a\"b",
        "a<b",
        "a>b",
        "a&b",
        "a]b",
        "a[1]",
        "a/b",
        "a@b",
        "a|b",
        "é",
        "-p",
        "x\ny",
        "x\u{1b}c",
        "' or name()='x",
        "<certificate/>",
        "a\tb",
        "--insecure",
    ];
    for program in BOTH {
        for name in bad {
            quiet
                .line(program)
                .plus(&[format!("--profile={name}")])
                .refused(2, &["is not a valid SSL/TLS profile name"]);
            quiet
                .line(program)
                .plus(&["-p".to_owned(), PORTAL.to_owned(), format!("--secondary-profile={name}")])
                .refused(2, &["is not a valid SSL/TLS profile name"]);
        }
        quiet.line(program).plus(&["-p", &"p".repeat(64)]).refused(2, &["longer than 63 characters"]);
        quiet.line(program).plus(&["-s", PORTAL]).refused(1, &["-s needs -p"]);
    }
}

#[test]
fn profile_names_with_spaces_and_dots_work_to_the_end() {
    for name in ["GP portal v1.2", "a  b", "_x-y.z", "9", "trailing ", &"p".repeat(63)] {
        let mut settings = settings();
        settings.profiles = vec![Profile::unbound(name)];
        settings.served_profile = Some(name.into());
        let quiet = Quiet::of(World::with(settings));
        let issued = quiet.world.renew();
        quiet.line(Instcert).plus(&["-p", name]).run().exits(0);
        assert_eq!(quiet.world.served(), Some(print(&issued.certificate)), "{name}");
    }
}

#[test]
fn a_certificate_name_that_panos_does_not_take_is_refused() {
    let quiet = Quiet::new();
    for program in BOTH {
        let refuse = |name: &str, word: &str| {
            let line = quiet.line(program).plus(&[format!("--cert-name={name}")]);
            line.refused(1, &["is not a valid certificate name", word]);
        };
        refuse(&"n".repeat(64), "longer than 63 characters");
        for first in ["", "-n", ".n", " n", "/n", "../n", "é"] {
            refuse(first, "begin with a letter, a digit or an underscore");
        }
        for other in ["a/b", "a'b", "a<b", "a\"b", "n*", "a&b", "né"] {
            refuse(other, "only letters");
        }
        refuse("a\nb", "'a\\nb'");
        let year_too_much = quiet.line(program).plus(&["-Y", "-n", &"n".repeat(59)]);
        year_too_much.refused(1, &["longer than 63 characters", &format!("{}_2", "n".repeat(59))]);
        // The common name is the certificate's name where no other is given.
        let long = format!("{}.example.com", "a".repeat(52));
        quiet.line(program).with("-c", long).refused(1, &["longer than 63 characters"]);
    }
}

#[test]
fn a_year_can_make_a_name_too_long_for_panorama_which_is_told_before_anything_is_changed() {
    let mut panorama = settings();
    panorama.model = "Panorama".into();
    let quiet = Quiet::of(World::with(panorama));
    let before = quiet.world.device.candidate_xml();
    let year = chrono::Datelike::year(&chrono::Local::now());
    let ended = quiet.line(Instcert).plus(&["-Y", "-n", &"n".repeat(27)]).run().exits(1);
    let name = format!("{}_{year}", "n".repeat(27));
    let ended = ended.says(&format!("'{name}' has 32 characters; this device allows 31"));
    ended.says("give a shorter name with -n");
    assert_eq!(quiet.world.device.candidate_xml(), before);
    let asked = |request: panos_sim::RequestRecord| request.r#type.as_deref() == Some("op");
    assert!(quiet.world.device.requests().into_iter().all(asked), "nothing but questions");
    assert!(!quiet.log().contains("END - "));
    quiet.line(Instcert).plus(&["-Y", "-n", &"n".repeat(26)]).run().exits(0);
}

#[test]
fn key_type_key_size_and_ipa_profile_are_checked_first() {
    let quiet = Quiet::new();
    let refuse = |words: &[&str], says: &str| {
        quiet.line(Getcert).plus(words).refused(6, &[says]);
    };
    for bad in ["", "rsa2048", "ed25519", "EC ", "R\nSA"] {
        refuse(&["-G", bad], "is not a key type: RSA, EC or ECDSA");
    }
    for bad in ["", "0x800", "2048bit", "-1", "1e4", "99999999999999999999"] {
        refuse(&[&format!("--key-bits={bad}")], "that is not a number");
    }
    for bad in ["0", "1024", "2047", "8193", "16384"] {
        refuse(&["-G", "rsa", "-b", bad], "2048 to 8192");
    }
    for word in ["DSA", "dsa"] {
        refuse(&["-G", word], "a certificate with a DSA key can't be used");
    }
    for bad in ["255", "2048", "513"] {
        refuse(&["-G", "EC", "-b", bad], "256, 384 or 521");
        refuse(&["-G", "ecdsa", "-b", bad], "256, 384 or 521");
    }
    for bad in ["", "-T", "a b", "a;id", "a/b", "../x", "a\nb", "'x'", &"p".repeat(256)] {
        refuse(&[&format!("--cert-profile={bad}")], "is not a valid IPA certificate profile");
    }
}

#[test]
fn service_ca_and_further_names_are_checked_first() {
    let quiet = Quiet::new();
    let refuse = |words: &[&str], says: &str| {
        quiet.line(Getcert).plus(words).refused(1, &[says]);
    };
    for bad in ["", "a/b", "-S", "H TTP", "HTTP@REALM", "a\nb"] {
        refuse(&[&format!("--service={bad}")], "is not a valid service");
    }
    for bad in ["", "*.example.com", "a b", "../x", "-D", "a\nb", "a,DNS=b"] {
        refuse(&[&format!("--san={bad}")], "--san '");
    }
    for bad in ["", "1.2.3", "256.0.0.1", "fw1", "1.2.3.4/24", "[::1]", "::1%eth0", "1.2.3.4\n"] {
        refuse(&[&format!("--ip={bad}")], "is not an IP address");
    }
    for bad in ["0", "-1", "604801", "x", "99999999999999999999"] {
        refuse(&[&format!("--timeout={bad}")], "--timeout");
    }
    refuse(&["--rekey", "--resubmit"], "cannot be used with");
    for bad in ["", "-c", "a/b", "a\nb"] {
        let line = quiet.line(Getcert).plus(&["--session-bus", &format!("--ca={bad}")]);
        line.refused(1, &[]);
    }
}

#[test]
fn a_pin_is_64_hexadecimal_digits_and_excludes_other_trust() {
    let quiet = Quiet::new();
    let good = quiet.world.device.certificate_fingerprint();
    for program in BOTH {
        for bad in ["", "x", "0x12", &good[1..], &format!("{good}0"), &good.replace(|_| true, "g"), "a\nb"] {
            let line = quiet.line(program).without("--pin").plus(&[format!("--pin={bad}")]);
            line.refused(1, &["--pin"]);
        }
        quiet.line(program).plus(&["--ca-file", "/x"]).refused(1, &["cannot be used with"]);
        quiet.line(program).plus(&["--insecure"]).refused(1, &["cannot be used with"]);
        let both = quiet.line(program).without("--pin").plus(&["--ca-file", "/x", "--insecure"]);
        both.refused(1, &["cannot be used with"]);
    }
    let colons: Vec<String> =
        good.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_uppercase()).collect();
    quiet.line(Instcert).with("--pin", colons.join(":")).run().exits(0);
}

#[test]
fn a_ca_file_that_is_none_is_named_and_nobody_is_spoken_to() {
    let quiet = Quiet::new();
    let fifo = quiet.path("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for program in BOTH {
        for (path, word) in [
            (quiet.path("missing"), "there is no such file"),
            (quiet.file("empty", ""), "holds no PEM certificate"),
            (quiet.file("junk", "junk"), "holds no PEM certificate"),
            (quiet.file("key", quiet.world.ca.key_pem()), "holds no PEM certificate"),
            (quiet.file("broken", broken), ""),
            (quiet.file("large", vec![b'x'; 64 << 20]), "the file is too large"),
            (quiet.world.folder.path().to_owned(), ""),
            (fifo.clone(), "FIFO"),
            ("/dev/zero".into(), "a device"),
        ] {
            let line = quiet.line(program).without("--pin").with("--ca-file", &path);
            line.refused(1, &["the CA file", path.to_str().unwrap(), word]);
        }
    }
}

#[test]
fn the_place_is_one_choice_and_only_templates_are_pushed() {
    let quiet = Quiet::new();
    let long = format!("--template={}", "a".repeat(32));
    for program in BOTH {
        for (options, words) in [
            (&["--template=t", "--vsys=vsys2"][..], "cannot be used with '--vsys"),
            (&["--template=t", "--stack=s"], "cannot be used with '--stack"),
            (&["--serial=1", "--template=t"], "cannot be used with '--template"),
            (&["--push=s"], "--push: only what is changed in a template"),
            (&["--push-to=001"], "--push-to: only what is changed in a template"),
            (&["--max-failures=3"], "--max-failures: only what is changed in a template"),
            (&["--template=t", "--max-failures=3"], "an object of its own: add --suffix serial"),
            (&["--template=t", "--suffix=serial", "--max-failures=101%"], "'101%' is neither a number"),
            (
                &["--template=t", "--suffix=serial", "--max-failures=1", "--push=none"],
                "--max-failures: with 'push none' nothing is pushed",
            ),
            (
                &["--template=t", "--suffix=serial", "--max-failures=1", "--commit=none"],
                "--max-failures: with 'commit none' nothing is pushed",
            ),
            (&["--template=t", "--push=s", "--commit=none"], "--push: with 'commit none' nothing is pushed"),
            (&["--template=t", "--push-to=001", "--commit=none"], "--push-to: with 'commit none' nothing"),
            (
                &["--template=t", "--push-all-changes", "--commit=none"],
                "--push-all-changes: with 'commit none' nothing is pushed",
            ),
            (&["--push-all-changes"], "--push-all-changes: only what is changed in a template"),
            (&["--template=t", "--push=none", "--push=s"], "--push: 'none' beside the name of a stack"),
            (&["--template=ab'c"], "is not the name of a template"),
            (&[long.as_str()], "it is longer than 31 characters"),
            (&["--template=t/vsysx"], "'vsysx' is not the name of a virtual system"),
        ] {
            quiet.line(program).plus(options).refused(1, &[words]);
        }
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    let quiet = Quiet::new();
    for program in BOTH {
        for bad in ["0", "-1", "604801", "1.5", "1h", "", "99999999999999999999999"] {
            quiet.line(program).plus(&[format!("--commit-timeout={bad}")]).refused(1, &["--commit-timeout"]);
        }
        for bad in ["-1", "x", "", "1.5", "99999999999999999999999"] {
            quiet.line(program).plus(&[format!("--keep={bad}")]).refused(1, &["--keep"]);
        }
        quiet.line(program).plus(&["-Y", "--suffix", "serial"]).refused(1, &["-Y is --suffix year"]);
    }
    for bad in ["0", "-1", "65536", "x", ""] {
        quiet.line(Instcert).plus(&[format!("--concurrency={bad}")]).refused(1, &["--concurrency"]);
    }
}

#[test]
fn choices_are_told_where_another_word_is_given() {
    let quiet = Quiet::new();
    for program in BOTH {
        for (option, known) in [
            ("--format", "auto, pkcs12, pem"),
            ("--pkcs12", "auto, legacy, modern"),
            ("--commit", "partial, full, none"),
            ("--suffix", "none, year, serial"),
        ] {
            for bad in ["", "x", "PEM ", "Partial"] {
                quiet.line(program).plus(&[format!("{option}={bad}")]).refused(1, &[option, known]);
            }
        }
    }
}

#[test]
fn unknown_options_are_refused() {
    let quiet = Quiet::new();
    for program in BOTH {
        for bad in ["-x", "--profil", "--no-such-option", "--help-me", "-Z"] {
            quiet.line(program).plus(&[bad]).refused(1, &[&format!("unexpected argument '{bad}'")]);
        }
    }
    quiet.line(Getcert).plus(&["--force"]).refused(1, &["--force"]);
    quiet.line(Instcert).plus(&["--san", "x"]).refused(1, &["--san"]);
}

#[test]
fn the_same_profile_and_the_same_device_twice_are_one() {
    let quiet = Quiet::new();
    let target = quiet.world.target();
    let line = quiet.line(Instcert).plus(&["-p", PORTAL, "-s", PORTAL]).devices(&[&target, &target]);
    let ended = line.run().exits(0);
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:#?}");
    let imports =
        quiet.world.device.requests().iter().filter(|r| r.r#type.as_deref() == Some("import")).count();
    assert_eq!(imports, 1);
}

#[test]
fn a_name_of_63_characters_and_an_odd_key_are_no_bad_input() {
    let quiet = Quiet::new();
    quiet.world.issue(&CertificateSpec::named(NAME).san(NAME).key(KeyKind::P384));
    quiet.line(Instcert).plus(&["-p", PORTAL, "-n", &"n".repeat(63)]).run().exits(0);
    assert!(quiet.world.served().is_some());
}
