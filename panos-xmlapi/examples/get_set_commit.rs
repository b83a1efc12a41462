//! Gives an SSL/TLS service profile another certificate, and commits that change alone:
//! `PANOS_API_KEY=… get_set_commit fw1.example.com SHA256 PROFILE CERTIFICATE`
#![allow(clippy::print_stdout)]

use std::time::Duration;

use panos_xmlapi::secrecy::SecretString;
use panos_xmlapi::{ClientOptions, Commit, CommitReply, Element, JobOutcome, Location, Session, Trust};
use tokio::time::Instant;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Binds, commits, and waits for the job; what became of it.
pub(crate) async fn bind(session: &Session, profile: &str, certificate: &str) -> Outcome<String> {
    let path = Location::Shared.profile(profile)?;
    // `set` would make a profile of this name, with nothing else in it.
    let found = session.get(&path).await?.ok_or("there is no such SSL/TLS service profile")?;
    if found.text_of("certificate").as_deref() == Some(certificate) {
        return Ok("it has this certificate".to_owned());
    }
    session.set(&path, &Element::new("certificate").with_text(certificate)).await?;
    let me = session.current_administrator().await?.ok_or("the device does not tell who we are")?;
    match session.commit(&Commit::of(me).described("another certificate")).await? {
        CommitReply::NoChanges(words) => Ok(words),
        CommitReply::Job(id) => {
            let deadline = Instant::now() + Duration::from_secs(1200);
            match session.wait_for_job(&id, deadline, |_| {}).await {
                JobOutcome::Done(job) => {
                    Ok(format!("committed by job {id}, {} warnings", job.warnings.len()))
                }
                JobOutcome::Failed(job) => Err(job.details.join("; ").into()),
                other => Err(format!("what became of job {id} is not known: {other:?}").into()),
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [device, pin, profile, certificate] = arguments.as_slice() else {
        return Err("get_set_commit DEVICE SHA256 PROFILE CERTIFICATE".into());
    };
    let key = SecretString::from(std::env::var("PANOS_API_KEY")?);
    let trust = Trust::Pinned(vec![pin.parse()?]);
    let session = Session::new(&device.parse()?, &trust, &key, ClientOptions::default())?;
    println!("{}", bind(&session, profile, certificate).await?);
    Ok(())
}
