#![allow(clippy::unwrap_used)]

use super::*;

const ONE: &str = "\
Number of certificates and requests being tracked: 3.
Request ID '20260102030405':
\tstatus: MONITORING
\tstuck: no
\tkey pair storage: type=FILE,location='/etc/ssl/private/gp.example.com.key',pinfile='/etc/pin'
\tcertificate: type=FILE,location='/etc/ssl/certs/gp.example.com.crt'
\tCA: IPA
\tissuer: CN=Certificate Authority,O=EXAMPLE.COM
\tsubject: CN=gp.example.com,O=EXAMPLE.COM
\tissued: 2026-01-02 03:04:05 CET
\texpires: 2028-01-03 03:04:05 CET
\tdns: gp.example.com,vpn.example.com
\tprincipal name: HTTP/gp.example.com@EXAMPLE.COM
\tIP address: 192.0.2.1,2001:db8::1
\tkey usage: digitalSignature,keyEncipherment
\teku: id-kp-serverAuth,id-kp-clientAuth
\tcertificate template/profile: caIPAserviceCert
\tprofile: caIPAserviceCert
\tsomething: new
\tpre-save command:
\tpost-save command: /usr/bin/pan_instcert -n 'a: b' \"c d\" fw1:443
\ttrack: yes
\tauto-renew: yes
";

fn one(fields: &str) -> Result<Tracked, BadListing> {
    let listing = Listing::parse(&format!("Request ID 'x':\n\tstatus: MONITORING\n{fields}"))?;
    Ok(listing.requests.into_iter().next().unwrap())
}

#[test]
fn every_field_of_a_request_is_read() {
    let listing = Listing::parse(ONE).unwrap();
    assert_eq!(listing.tracked, Some(3));
    let [request] = listing.requests.as_slice() else { unreachable!() };
    assert_eq!(request.id, "20260102030405");
    assert_eq!((request.state.as_str(), request.phase()), ("MONITORING", Phase::Done));
    assert_eq!(request.stuck, Some(false));
    let file = |path: &str| Storage { kind: "FILE".into(), location: Some(path.into()), nickname: None };
    assert_eq!(request.key, Some(file("/etc/ssl/private/gp.example.com.key")));
    assert_eq!(request.certificate, Some(file("/etc/ssl/certs/gp.example.com.crt")));
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(request.ca, text("IPA"));
    assert_eq!(request.issuer, text("CN=Certificate Authority,O=EXAMPLE.COM"));
    assert_eq!(request.subject, text("CN=gp.example.com,O=EXAMPLE.COM"));
    assert_eq!(request.issued, text("2026-01-02 03:04:05 CET"));
    assert_eq!(request.expires, text("2028-01-03 03:04:05 CET"));
    assert_eq!(request.dns, ["gp.example.com", "vpn.example.com"]);
    assert_eq!(request.principals, ["HTTP/gp.example.com@EXAMPLE.COM"]);
    assert_eq!(request.ip_addresses, ["192.0.2.1", "2001:db8::1"]);
    assert_eq!(request.key_usage, ["digitalSignature", "keyEncipherment"]);
    assert_eq!(request.extended_key_usage, ["id-kp-serverAuth", "id-kp-clientAuth"]);
    assert_eq!(request.profile, text("caIPAserviceCert"));
    assert_eq!(request.pre_save, text(""));
    assert_eq!(request.post_save, text("/usr/bin/pan_instcert -n 'a: b' \"c d\" fw1:443"));
    assert_eq!((request.track, request.auto_renew), (Some(true), Some(true)));
    assert_eq!(request.ca_error, None);
}

#[test]
fn indentation_line_ends_and_a_missing_header_do_not_matter() {
    let with_blanks = format!("\n{}", ONE.replace('\t', "        ").replace('\n', "\r\n"));
    assert_eq!(Listing::parse(&with_blanks), Listing::parse(ONE));
    let (_, headless) = ONE.split_once('\n').unwrap();
    let listing = Listing::parse(headless).unwrap();
    assert_eq!((listing.tracked, listing.requests.len()), (None, 1));
}

#[test]
fn several_requests_are_kept_apart_and_found_by_their_file() {
    let two = format!(
        "{ONE}Request ID '2':\n\tstatus: CA_UNREACHABLE\n\tcertificate: type=FILE,location='/b.crt'\n"
    );
    let listing = Listing::parse(&two).unwrap();
    assert_eq!(listing.for_certificate(Path::new("/b.crt")).unwrap().id, "2");
    assert_eq!(listing.for_certificate(Path::new("/b.crt")).unwrap().phase(), Phase::Unreachable);
    assert_eq!(listing.for_certificate(Path::new("/none.crt")), None);
    let database =
        Listing::parse("Request ID '3':\n\tstatus: MONITORING\n\tcertificate: type=NSSDB,location='/db'\n");
    assert_eq!(database.unwrap().for_certificate(Path::new("/db")), None);
}

#[test]
fn nothing_tracked_is_a_listing_too() {
    let empty = Listing::parse("Number of certificates and requests being tracked: 0.\n").unwrap();
    assert_eq!(empty, Listing { tracked: Some(0), requests: vec![] });
}

#[test]
fn a_stuck_request_carries_the_reason() {
    let text = "Request ID '1':\n\tstatus: CA_UNCONFIGURED\n\tca-error: Error: a (b), c: d.\n\tstuck: yes\n\
        \tissuer: \n\tsubject:\n\texpires: unknown\n";
    let listing = Listing::parse(text).unwrap();
    let request = &listing.requests[0];
    assert!(matches!(request.phase(), Phase::NeedsPerson(_)));
    assert_eq!(request.ca_error.as_deref(), Some("Error: a (b), c: d."));
    assert_eq!(request.issuer.as_deref(), Some(""));
    assert_eq!(request.expires.as_deref(), Some("unknown"));
    assert_eq!(request.dns, Vec::<String>::new());
}

#[test]
fn storage_in_a_database_and_bare_words_are_read() {
    let text = "\tkey pair storage: type=NSSDB,location='/etc/a b',nickname='it's, me',token='T',pin set\n";
    let key = one(text).unwrap().key.unwrap();
    assert_eq!((key.kind.as_str(), key.nickname.as_deref()), ("NSSDB", Some("it's, me")));
    assert_eq!(key.location, Some("/etc/a b".into()));
}

#[test]
fn lines_that_are_no_field_are_passed_over() {
    let request = one("\tinvalid object\n\tstuck: no\n").unwrap();
    assert_eq!(request.stuck, Some(false));
}

#[test]
fn an_error_text_with_line_ends_cannot_change_the_status_before_it() {
    let text = "Request ID '1':\n\tstatus: CA_REJECTED\n\tca-error: denied\n\tstatus: MONITORING\n\tca-error: none\n";
    let listing = Listing::parse(text).unwrap();
    assert_eq!(listing.requests[0].phase(), Phase::Rejected);
    assert_eq!(listing.requests[0].ca_error.as_deref(), Some("denied"));
}

#[test]
fn what_is_not_a_listing_is_refused() {
    for text in ["", "\n", "No request found that matched arguments.\n", "\tstatus: MONITORING\n"] {
        assert_eq!(Listing::parse(text), Err(BadListing::NotAListing), "{text:?}");
    }
    let header = "Number of certificates and requests being tracked: ";
    for count in ["d.", "-1.", "", "99999999999."] {
        assert_eq!(
            Listing::parse(&format!("{header}{count}\n")),
            Err(BadListing::Line { line: 1 }),
            "{count}"
        );
    }
    for line in ["Request ID 'x\n", "Request ID\n", "Request ID '\n", "Request ID x:\n"] {
        assert_eq!(Listing::parse(line), Err(BadListing::Line { line: 1 }), "{line}");
    }
    assert_eq!(Listing::parse("Request ID 'x':\n"), Err(BadListing::NoStatus { id: "x".into() }));
    let twice = "Request ID 'x':\n\tstatus: A\nRequest ID 'x':\n\tstatus: A\n";
    assert_eq!(Listing::parse(twice), Err(BadListing::Twice { id: "x".into() }));
}

#[test]
fn a_field_with_an_impossible_value_is_refused_by_line() {
    for field in
        ["stuck: perhaps", "track:", "certificate: ", "certificate: location='/a", "key pair storage: x"]
    {
        assert_eq!(one(&format!("\t{field}\n")), Err(BadListing::Line { line: 3 }), "{field}");
    }
    assert_eq!(Listing::parse("Request ID 'x':\n\tstatus:\n"), Err(BadListing::Line { line: 2 }));
}

#[test]
fn no_cut_or_damaged_listing_makes_it_panic() {
    for end in 0..ONE.len() {
        let _ = Listing::parse(&ONE[..end]);
        let _ = Listing::parse(&ONE[end..]);
        let damaged = format!("{}'=,ä{}", &ONE[..end], &ONE[end..]);
        let _ = Listing::parse(&damaged);
    }
}
