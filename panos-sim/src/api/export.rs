//! `type=export`: certificates, as files.

use openssl::pkcs12::Pkcs12;

use super::{call::Call, reply::Reply};
use crate::{certificate::certificates_in, device::Device, refusal::Refusal, xml::Step};

pub(super) fn answer(device: &Device, call: &Call<'_>) -> Result<Reply, Refusal> {
    let doing = "exporting certificate";
    let request = call.request;
    if request.required("category", doing)? != "certificate" {
        return Err(Refusal::illegal("category", &["certificate"]));
    }
    let name = request.required("certificate-name", doing)?;
    let format = request.required("format", doing)?;
    let include_key = request.required("include-key", doing)? == "yes";
    let passphrase = match include_key || format == "pkcs12" {
        true => request.required("passphrase", doing)?,
        false => "",
    };
    let entry = device
        .base(request.param("vsys"))
        .then(Step::Named("certificate".into()))
        .then(Step::Entry("entry".into(), name.to_owned()))
        .first(device.config.candidate())
        .ok_or_else(|| Refusal::code(7, format!("Certificate {name} does not exist")))?;
    let chain = certificates_in(entry);
    let failed = || Refusal::line(format!("Export of {name} failed."));
    let leaf = chain.first().ok_or_else(failed)?;
    let key = match include_key {
        true if entry.text_of("block-private-key") == Some("yes") => {
            return Err(Refusal::code(15, format!("Private key of {name} is blocked from export")));
        }
        true => {
            let blob = entry.text_of("private-key").ok_or_else(failed)?;
            let key = device.keyring.find(blob).ok_or_else(failed)?;
            Some(key.pkey().map_err(|_| failed())?)
        }
        false => None,
    };
    let (content, extension) = match format {
        "pem" => {
            let mut content = Vec::new();
            for certificate in chain.iter() {
                content.extend(certificate.to_pem().map_err(|_| failed())?);
            }
            if let Some(key) = key {
                let cipher = openssl::symm::Cipher::aes_256_cbc();
                let pem = key.private_key_to_pem_pkcs8_passphrase(cipher, passphrase.as_bytes());
                content.extend(pem.map_err(|_| failed())?);
            }
            (content, "pem")
        }
        "pkcs12" => {
            let mut builder = Pkcs12::builder();
            builder.name(name).cert(leaf);
            if let Some(key) = key {
                builder.pkey(&key);
            }
            let der = builder.build2(passphrase).and_then(|made| made.to_der());
            (der.map_err(|_| failed())?, "p12")
        }
        _ => return Err(Refusal::illegal("format", &["pem", "pkcs10", "pkcs12"])),
    };
    Ok(Reply::File { name: format!("cert_{name}.{extension}"), content })
}
