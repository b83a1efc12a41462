//! Makes an API key: `PANOS_PASSWORD=… keygen fw1.example.com SHA256 admin`
//!
//! SHA256 is the fingerprint of the device's HTTPS certificate, as the device's own web page shows it.
#![allow(clippy::print_stdout)]

use panos_xmlapi::secrecy::{ExposeSecret, SecretString};
use panos_xmlapi::{ClientOptions, Session, Trust};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Makes a key for this administrator. On a device that limits the lifetime of keys, each call makes another one.
pub(crate) async fn keygen(device: &str, pin: &str, user: &str, password: &str) -> Outcome<SecretString> {
    let trust = Trust::Pinned(vec![pin.parse()?]);
    let password = SecretString::from(password);
    Ok(Session::generate_key(&device.parse()?, &trust, user, &password, ClientOptions::default()).await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [device, pin, user] = arguments.as_slice() else { return Err("keygen DEVICE SHA256 USER".into()) };
    let key = keygen(device, pin, user, &std::env::var("PANOS_PASSWORD")?).await?;
    println!("{}", key.expose_secret());
    Ok(())
}
