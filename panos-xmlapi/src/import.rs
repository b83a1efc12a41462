//! The upload of a certificate with its private key.

use secrecy::{ExposeSecret, SecretSlice, SecretString};

/// The form of the file that is uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
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
    /// The virtual system it is for; nothing means the device as a whole.
    pub vsys: Option<String>,
    /// The file's form.
    pub format: Format,
    /// The file.
    pub file: SecretSlice<u8>,
    /// The passphrase. PAN-OS demands one even where the key in a PEM file is not encrypted.
    pub passphrase: SecretString,
    /// Whether the private key may be exported later.
    pub key_export: KeyExport,
}

impl KeyPairImport {
    pub(super) fn form(&self) -> reqwest::multipart::Form {
        let (format, file_name, media) = match self.format {
            Format::Pkcs12 => ("pkcs12", "keypair.p12", "application/x-pkcs12"),
            Format::Pem => ("pem", "keypair.pem", "application/x-pem-file"),
        };
        let block = match self.key_export {
            KeyExport::Allowed => "no",
            KeyExport::Blocked => "yes",
        };
        let part = reqwest::multipart::Part::bytes(self.file.expose_secret().to_vec()).file_name(file_name);
        // The type of the part is not checked by PAN-OS; a constant that fails to parse would only lose it.
        let part = part.mime_str(media).unwrap_or_else(|_| {
            reqwest::multipart::Part::bytes(self.file.expose_secret().to_vec()).file_name(file_name)
        });
        let form = match &self.vsys {
            Some(vsys) => reqwest::multipart::Form::new().text("vsys", vsys.clone()),
            None => reqwest::multipart::Form::new(),
        };
        form.text("category", "keypair")
            .text("format", format)
            .text("certificate-name", self.name.clone())
            .text("block-private-key", block)
            .text("passphrase", self.passphrase.expose_secret().to_owned())
            .part("file", part)
    }
}
