//! The upload of a certificate with its private key.

use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::location::Location;

/// The form of the file that is uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// A binary PKCS#12 container.
    Pkcs12,
    /// PEM: key, certificate, intermediates, in this order.
    Pem,
}

/// Whether the device may ever give the private key out again (PAN-OS 10.1 and later).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyExport {
    /// It may.
    Allowed,
    /// It may not: `block-private-key=yes`.
    Blocked,
}

/// One upload with `category=keypair`: certificate and key in one file, so that the device sees them together.
pub struct KeyPairImport {
    /// The name of the certificate object.
    pub name: String,
    /// Where it goes; see [`Location::import_parameter`].
    pub location: Location,
    /// The file's form.
    pub format: ImportFormat,
    /// The file.
    pub file: SecretSlice<u8>,
    /// The passphrase. PAN-OS demands one even where the key in a PEM file is not encrypted.
    pub passphrase: SecretString,
    /// Whether the private key may be exported later; nothing for releases before 10.1, which do not know the parameter.
    pub key_export: Option<KeyExport>,
}

impl KeyPairImport {
    /// What may be told of it: not the passphrase, and not the file.
    pub(super) fn told(&self) -> Vec<(&str, &str)> {
        let format = match self.format {
            ImportFormat::Pkcs12 => "pkcs12",
            ImportFormat::Pem => "pem",
        };
        let mut told = vec![("type", "import"), ("category", "keypair"), ("format", format)];
        told.extend(self.location.import_parameter());
        told.push(("certificate-name", &self.name));
        told
    }

    pub(super) fn form(&self) -> reqwest::multipart::Form {
        let (format, file_name, media) = match self.format {
            ImportFormat::Pkcs12 => ("pkcs12", "keypair.p12", "application/x-pkcs12"),
            ImportFormat::Pem => ("pem", "keypair.pem", "application/x-pem-file"),
        };
        let block = self.key_export.map(|key_export| match key_export {
            KeyExport::Allowed => "no",
            KeyExport::Blocked => "yes",
        });
        let part = reqwest::multipart::Part::bytes(self.file.expose_secret().to_vec()).file_name(file_name);
        // The type of the part is not checked by PAN-OS; a constant that fails to parse would only lose it.
        let part = part.mime_str(media).unwrap_or_else(|_| {
            reqwest::multipart::Part::bytes(self.file.expose_secret().to_vec()).file_name(file_name)
        });
        let form = match self.location.import_parameter() {
            Some((name, value)) => reqwest::multipart::Form::new().text(name, value.to_owned()),
            None => reqwest::multipart::Form::new(),
        };
        let form = form
            .text("category", "keypair")
            .text("format", format)
            .text("certificate-name", self.name.clone());
        let form = match block {
            Some(block) => form.text("block-private-key", block),
            None => form,
        };
        form.text("passphrase", self.passphrase.expose_secret().to_owned()).part("file", part)
    }
}
