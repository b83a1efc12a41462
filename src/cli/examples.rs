//! Three command lines for the end of each program's help.

/// What most people type.
pub(super) const GETCERT: [(&str, &str); 3] = [
    (
        "one firewall, portal and gateway",
        "pan_getcert -c gp.example.com -p 'GP portal' -s 'GP gateway' fw1.example.com",
    ),
    (
        "see first what would be done",
        "pan_getcert -c gp.example.com -p 'GP portal' --dry-run fw1.example.com",
    ),
    (
        "a further name for a certificate that is there",
        "pan_getcert -c gp.example.com --san vpn.example.com -p 'GP portal' -s 'GP gateway' --resubmit fw1.example.com",
    ),
];

/// What most people type.
pub(super) const INSTCERT: [(&str, &str); 3] = [
    ("what certmonger renews, by hand", "pan_instcert -c gp.example.com -p 'GP portal' fw1.example.com"),
    (
        "another client's certificate",
        "pan_instcert -b -c vpn.example.com --cert-file vpn.pem --cert-key vpn.key -p VPN fw1.example.com",
    ),
    (
        "see first what would be done",
        "pan_instcert -c gp.example.com -p 'GP portal' --dry-run fw1.example.com",
    ),
];

/// What most people type.
pub(super) const CERTCTL: [(&str, &str); 3] = [
    ("before the first certificate", "pan_certctl check -c gp.example.com -p 'GP portal' fw1.example.com"),
    ("how everything stands", "pan_certctl status"),
    ("what could not be delivered, now", "pan_certctl retry --now"),
];
