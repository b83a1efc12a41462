//! The verbs as the help shows them: by what a person wants.

/// The help: each verb in a line, in three groups. tests/bad_input/help.rs compares them with the verbs that there are.
pub(super) const TEMPLATE: &str = "\
{about}

{usage-heading} {usage}

Before  check         find what an installation needs; changes nothing
        pin, unpin    trust a device by the certificate that it shows
        keygen        make an API key, try it, put it into the key file
        enroll        prepare FreeIPA for a certificate
        adopt         take over what the bash scripts have set up
        prove         try an installation on a firewall, and take it back
        list-devices  what there is here for each device
Daily   status        what is installed where, what is pending; for monitoring
        show          one certificate with all that is known of it
        log           the last runs, and how long they took
        inventory     all certificates on the devices
Acting  renew         ask for the next certificate now, on all its devices
        retry         deliver what is due (the worker runs this)
        verify        compare devices with records and files
        forget        look after an installation no more

{options}{after-help}";
