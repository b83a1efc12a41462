//! `type=import`: certificates and keys into the candidate configuration.

use openssl::{asn1::Asn1Time, x509::X509};

use super::{call::Call, reply::Reply};
use crate::{
    ImportAnswer, Settings, UploadRecord,
    certificate::{Contents, Pkcs12Error, PrivateKey, certificate_entry, read_pem, read_pkcs12},
    device::Device,
    refusal::Refusal,
    xml::{Element, Path, Step},
};

/// What is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Category {
    Certificate,
    PrivateKey,
    KeyPair,
}

pub(super) fn answer(device: &mut Device, call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = call.request;
    let word = request.required("category", "importing")?;
    let (category, doing) = match word {
        "certificate" => (Category::Certificate, "importing certificate"),
        "private-key" => (Category::PrivateKey, "importing private-key"),
        "keypair" => (Category::KeyPair, "importing keypair"),
        _ => return Err(Refusal::illegal("category", &["certificate", "private-key", "keypair"])),
    };
    let name = request.required("certificate-name", doing)?;
    let pkcs12 = match request.required("format", doing)? {
        "pem" => false,
        "pkcs12" => true,
        _ => return Err(Refusal::illegal("format", &["pem", "pkcs12"])),
    };
    let passphrase = match category {
        Category::Certificate if !pkcs12 => request.param("passphrase").unwrap_or_default(),
        _ => request.required("passphrase", doing)?,
    };
    if request.param("block-private-key").is_some() && !device.settings.is_at_least(10, 1) {
        return Err(Refusal::bad_request("Illegal parameter [block-private-key]"));
    }
    let file = request.file.as_deref().ok_or_else(|| Refusal::missing("file", doing))?;
    if category != Category::Certificate {
        device.uploads.push(UploadRecord { passphrase: passphrase.to_owned(), file: file.to_vec() });
    }
    check_name(name, word, &device.settings)?;
    let path = place(device, call)?
        .then(Step::Named("certificate".into()))
        .then(Step::Entry("entry".into(), name.to_owned()));
    device.locks.allow_edit(&call.session.administrator, &path)?;
    if let Some(refusal) = told_to_refuse(device, word, pkcs12, name) {
        return Err(refusal);
    }

    let contents = if pkcs12 {
        read_pkcs12(file, passphrase, device.settings.legacy_only).map_err(|why| match why {
            Pkcs12Error::Unreadable => no_certificate(name),
            // The device's own words for this are not known.
            Pkcs12Error::Passphrase => Refusal::line(format!(
                "Import of {name} failed. Unable to load private key. Invalid passphrase"
            )),
        })?
    } else {
        read_pem(file, passphrase)
    };
    let upload = Upload {
        name,
        category,
        pkcs12,
        block_private_key: request.param("block-private-key") == Some("yes"),
    };
    let entry = upload.entry(device, &path, &contents)?;
    (device.config).change_own(&call.session.administrator, "import", |tree| {
        let place = path.ensure(tree).ok_or_else(|| Refusal::code(6, "Bad xpath"))?;
        *place = entry;
        Ok(())
    })?;
    device.config.mark_imported(&path);
    Ok(Reply::text(format!("Successfully imported {name} into candidate configuration")))
}

/// What the settings say that this device does not take.
fn told_to_refuse(device: &Device, category: &str, pkcs12: bool, name: &str) -> Option<Refusal> {
    let format = if pkcs12 { "pkcs12" } else { "pem" };
    let fits = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
    let mut refusals = device.settings.import_refusals.iter();
    let told = refusals.find(|one| fits(&one.category, category) && fits(&one.format, format))?;
    Some(match told.answer {
        ImportAnswer::NoKeyForCsr if category == "certificate" => {
            Refusal::line(format!("Import of {name} failed. private key doesn't exist for csr"))
        }
        ImportAnswer::NoKeyForCsr => Refusal::line(format!(
            "Import of certificate and private-key {name} failed. private key doesn't exist for csr"
        )),
        ImportAnswer::NotXml => Refusal::bad_request("Request is not a valid XML"),
        ImportAnswer::NoCertificate => no_certificate(name),
        ImportAnswer::Superuser => Refusal::superuser(),
    })
}

fn no_certificate(name: &str) -> Refusal {
    Refusal::line(format!("Import of {name} failed. Failed to extract certificate"))
}

/// Code 17 for a name the device does not take: too long, or beginning with anything but a letter
/// or a digit, or holding what no name holds.
fn check_name(name: &str, category: &str, settings: &Settings) -> Result<(), Refusal> {
    let begins = |c: char| c.is_ascii_alphanumeric() || (c == '_' && settings.takes_leading_underscore);
    let fits = name.chars().count() <= settings.longest_name()
        && name.starts_with(begins)
        && name.chars().all(|c| c.is_ascii_alphanumeric() || " ._-".contains(c));
    if fits {
        return Ok(());
    }
    let path = format!(" upload -> {category} -> certificate-name");
    Err(Refusal::cdata(17, vec![format!("{path} '{name}' is invalid"), format!("{path} is invalid")]))
}

/// Where it goes: shared, a virtual system, or a template.
fn place(device: &Device, call: &Call<'_>) -> Result<Path, Refusal> {
    let request = call.request;
    if let Some(name) =
        request.param("target-tpl").filter(|name| device.settings.is_panorama() && !name.is_empty())
    {
        let list = |kind: &str| {
            crate::config::device_entry()
                .then(Step::Named(kind.into()))
                .then(Step::Entry("entry".into(), name.to_owned()))
        };
        // A stack can be named like a template; a name that is neither becomes a template, without a word.
        let stack = list("template-stack");
        let known = stack.first(device.config.candidate()).is_some();
        let config = if known { stack } else { list("template") }.then(Step::Named("config".into()));
        // Ignored before 12.1 (PAN-257229): the object lands in the template's shared part.
        let vsys = request.param("target-tpl-vsys").filter(|vsys| !vsys.is_empty() && *vsys != "shared");
        return Ok(match vsys.filter(|_| device.settings.is_at_least(12, 1)) {
            Some(vsys) => {
                ["devices", "localhost.localdomain", "vsys", vsys].chunks(2).fold(config, |path, pair| {
                    path.then(Step::Named(pair[0].into())).then(Step::Entry("entry".into(), pair[1].into()))
                })
            }
            None => config.then(Step::Named("shared".into())),
        });
    }
    match request.param("vsys").filter(|v| !v.is_empty() && *v != "shared") {
        Some(vsys) if !device.settings.vsys.iter().any(|known| known == vsys) => {
            Err(Refusal::code(17, format!("{vsys} is invalid vsys")))
        }
        vsys => Ok(device.base(vsys)),
    }
}

/// An upload whose parameters are in order.
struct Upload<'a> {
    name: &'a str,
    category: Category,
    pkcs12: bool,
    block_private_key: bool,
}

impl Upload<'_> {
    /// The entry the candidate is to hold.
    fn entry(&self, device: &mut Device, path: &Path, contents: &Contents) -> Result<Element, Refusal> {
        let existing = path.first(device.config.candidate()).cloned();
        match self.category {
            Category::Certificate => {
                let entry = self.certificate(device, &contents.certificates)?;
                // A key that is there stays: nobody checks whether it still fits.
                let key = existing.and_then(|e| e.find("private-key").cloned());
                Ok(entry.with(key))
            }
            Category::PrivateKey => {
                let key = contents.key.clone();
                let key = key.ok_or_else(|| self.pair_failed("private key doesn't exist for csr"))?;
                // The device's own words for this are not known.
                let entry = existing.ok_or_else(|| self.pair_failed("Certificate does not exist"))?;
                Ok(self.with_key(device, entry, key))
            }
            Category::KeyPair => {
                if contents.certificates.is_empty() {
                    return Err(no_certificate(self.name));
                }
                let key = contents.key.clone();
                let key = key.ok_or_else(|| self.pair_failed("private key doesn't exist for csr"))?;
                if !contents.fits {
                    return Err(self.pair_failed("Mismatched public and private keys"));
                }
                let entry = self.certificate(device, &contents.certificates)?;
                Ok(self.with_key(device, entry, key))
            }
        }
    }

    fn pair_failed(&self, why: &str) -> Refusal {
        Refusal::line(format!("Import of certificate and private-key {} failed. {why}", self.name))
    }

    fn certificate(&self, device: &Device, chain: &[X509]) -> Result<Element, Refusal> {
        let settings = &device.settings;
        let leaf_only =
            (self.pkcs12 && settings.drops_extra_certificates) || (!self.pkcs12 && settings.keeps_leaf_only);
        let leaf = chain.first().ok_or_else(|| no_certificate(self.name))?;
        let now = Asn1Time::days_from_now(0);
        if now.is_ok_and(|now| leaf.not_after() < now) {
            return Err(Refusal::line(format!("Import of {} failed. Certificate is expired", self.name)));
        }
        let kept = if leaf_only { &chain[..1] } else { chain };
        certificate_entry(self.name, kept).map_err(|_| no_certificate(self.name))
    }

    fn with_key(&self, device: &mut Device, mut entry: Element, key: PrivateKey) -> Element {
        let blob = device.keyring.keep(key);
        entry.ensure("private-key").text = blob;
        if self.block_private_key {
            entry.ensure("block-private-key").text = "yes".to_owned();
        }
        entry
    }
}
