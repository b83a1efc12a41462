//! A request as the API sees it: parameters, wherever they stood, and perhaps a file.

use crate::{Credential, RequestRecord, refusal::Refusal};

/// One request, read completely.
#[derive(Debug, Clone, Default)]
pub(crate) struct ApiRequest {
    pub(crate) connection: u64,
    pub(crate) method: String,
    pub(crate) path: String,
    /// Query string with secrets' values taken out.
    pub(crate) query: String,
    /// Parameters of query and body, in this order.
    pub(crate) params: Vec<(String, String)>,
    /// The uploaded file.
    pub(crate) file: Option<Vec<u8>>,
    pub(crate) header_key: Option<String>,
    pub(crate) basic: Option<(String, String)>,
    pub(crate) secret_in_url: bool,
    pub(crate) session_cookie: bool,
    pub(crate) user_agent: Option<String>,
    pub(crate) body_bytes: usize,
}

/// Whether a parameter's value must not be remembered.
pub(crate) fn is_secret(parameter: &str) -> bool {
    ["key", "password", "passphrase"].contains(&parameter)
}

impl ApiRequest {
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that must be there and not be empty; `doing` completes the device's sentence.
    pub(crate) fn required(&self, name: &str, doing: &str) -> Result<&str, Refusal> {
        self.param(name).filter(|value| !value.is_empty()).ok_or_else(|| Refusal::missing(name, doing))
    }

    /// How the caller shows who it is; a header outranks a parameter.
    pub(crate) fn credential(&self) -> Credential {
        if self.param("type") == Some("keygen") {
            Credential::Password
        } else if self.header_key.is_some() {
            Credential::Header
        } else if self.param("key").is_some() {
            Credential::Parameter
        } else if self.basic.is_some() {
            Credential::Basic
        } else {
            Credential::None
        }
    }

    /// What is remembered of it before it is answered.
    pub(crate) fn record(&self) -> RequestRecord {
        let param = |name: &str| self.param(name).map(str::to_owned);
        RequestRecord {
            connection: self.connection,
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            body_bytes: self.body_bytes,
            r#type: param("type"),
            action: param("action"),
            cmd: param("cmd"),
            xpath: param("xpath"),
            element: param("element").filter(|element| !element.contains("private-key")),
            category: param("category"),
            format: param("format"),
            certificate_name: param("certificate-name"),
            vsys: param("vsys"),
            target: param("target"),
            credential: self.credential(),
            secret_in_url: self.secret_in_url,
            user_agent: self.user_agent.clone(),
            session_cookie: self.session_cookie,
            ..RequestRecord::default()
        }
    }
}
