//! The upload of a certificate without its private key.

use super::command::MAX_REQUEST_BYTES;
use super::error::Error;
use super::location::Location;
use super::operation::Operation;
use super::reply::Reply;
use super::session::{SUCCESS, Session};

/// One upload with `category=certificate`: a certificate without a key, such as that of a certification authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateImport {
    /// The name of the certificate object. One that is there gets another certificate, and keeps its key.
    pub name: String,
    /// Where it goes; see [`Location::import_parameter`].
    pub location: Location,
    /// The certificate as PEM.
    pub pem: String,
}

impl CertificateImport {
    fn fields(&self) -> Vec<(&'static str, &str)> {
        let place = self.location.import_parameter();
        let own = [("category", "certificate"), ("format", "pem"), ("certificate-name", self.name.as_str())];
        place.into_iter().chain(own).collect()
    }
}

impl Session {
    /// Uploads a certificate without a key into the candidate configuration; the whole reply, for the log.
    ///
    /// # Errors
    /// What every request can end in (see [`Error`]).
    pub async fn import_certificate(&self, import: &CertificateImport) -> Result<Reply, Error> {
        if let Some(serial) = &self.target {
            let why = format!("an upload can't be passed on to {serial}: connect to the firewall itself");
            return Err(Error::InvalidRequest(why));
        }
        if import.pem.len() > MAX_REQUEST_BYTES {
            return Err(Error::InvalidRequest(format!("the file is larger than {MAX_REQUEST_BYTES} bytes")));
        }
        let fields = import.fields();
        let form = fields.iter().fold(reqwest::multipart::Form::new(), |form, (name, value)| {
            form.text(*name, (*value).to_owned())
        });
        let file = reqwest::multipart::Part::text(import.pem.clone()).file_name("certificate.pem");
        let request = self.transport.post_import().multipart(form.part("file", file));
        let told: Vec<(&str, &str)> = std::iter::once(("type", "import")).chain(fields).collect();
        self.asking(&told);
        self.exchange(Operation::Import, request).await?.succeeded(&SUCCESS)
    }
}
