//! Uploads a certificate with its key into the candidate configuration, and reads it back:
//! `PANOS_API_KEY=… import fw1.example.com SHA256 NAME keypair.pem [LOCATION]`
//!
//! The file has the unencrypted key first, then the certificate, then intermediates. LOCATION is one of `shared`,
//! `vsys:vsys2`, `panorama`, `template:NAME`, `stack:NAME`.
#![allow(clippy::print_stdout)]

use panos_xmlapi::secrecy::{SecretSlice, SecretString};
use panos_xmlapi::{
    CertificateEntry, ClientOptions, ImportFormat, KeyExport, KeyPairImport, Location, Session, Trust,
};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Uploads, and gives the object as the device has it then.
pub(crate) async fn import(
    session: &Session,
    location: Location,
    name: &str,
    pem: Vec<u8>,
) -> Outcome<CertificateEntry> {
    // An upload for a template that does not exist would make one.
    if let Some(template) = location.template_entry() {
        session.get(&template).await?.ok_or("there is no such template")?;
    }
    let upload = KeyPairImport {
        name: name.to_owned(),
        location: location.clone(),
        format: ImportFormat::Pem,
        file: SecretSlice::from(pem),
        // The device wants one, also where the key is not encrypted.
        passphrase: SecretString::from("none"),
        key_export: KeyExport::Blocked,
    };
    session.import(&upload).await?;
    let found =
        session.get(&location.certificate(name)?).await?.ok_or("the device has no such object now")?;
    Ok(CertificateEntry::read(&found))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [device, pin, name, file, rest @ ..] = arguments.as_slice() else {
        return Err("import DEVICE SHA256 NAME FILE [LOCATION]".into());
    };
    let location = rest.first().map_or(Ok(Location::Shared), |text| text.parse())?;
    let key = SecretString::from(std::env::var("PANOS_API_KEY")?);
    let trust = Trust::Pinned(vec![pin.parse()?]);
    let session = Session::new(&device.parse()?, &trust, &key, ClientOptions::default())?;
    let entry = import(&session, location, name, std::fs::read(file)?).await?;
    println!("{} is valid until {}", entry.name, entry.not_valid_after.unwrap_or_default());
    Ok(())
}
