//! How it ended on each device.

use panos_xmlapi::Address;

use super::Request;
use super::trouble::Trouble;
use crate::cli::report;
use crate::delivery::Installation;
use crate::delivery::watch::{self, Standing};
use crate::error::Exit;
use crate::install::problem::Problem;

/// FINISHED is said only when each device was seen to run this very certificate.
pub(super) fn judge(request: &Request, standings: Vec<(Address, Standing)>) -> Result<(), Trouble> {
    let mut troubles = Vec::new();
    for ((_, standing), device) in standings.into_iter().zip(&request.places) {
        match standing {
            Standing::Runs(record) => report::line(&finished(&record)),
            Standing::Failed(problem) => {
                troubles.push(Trouble::NotInstalled { device: device.to_string(), problem })
            }
            Standing::Open(doing) => {
                let problem = watch::not_installed(&format!(
                    "the installation is not over ({doing}), or its process was ended"
                ));
                troubles.push(Trouble::NotInstalled { device: device.to_string(), problem });
            }
        }
    }
    let (failed, all) = (troubles.len(), request.places.len());
    match troubles.len() {
        0 => Ok(()),
        1 if all == 1 => Err(troubles.remove(0)),
        _ => {
            for trouble in &troubles {
                report::problem_with_advice(request.caller.name, &trouble.to_string(), &trouble.advice());
            }
            let mut each: Vec<Exit> = troubles.iter().map(Trouble::exit).collect();
            each.resize(all, Exit::Done);
            let what = format!("{failed} of {all} devices are not running the new certificate");
            let exit = Exit::of_all(&each);
            let problem = Problem { exit, advice: None, ..watch::not_installed(&what) };
            Err(Trouble::NotInstalled { device: request.named.common_name.to_string(), problem })
        }
    }
}

fn finished(record: &Installation) -> String {
    let object = record.verified.as_ref().map_or(&record.spec.name, |proven| &proven.object);
    let until = record.verified.as_ref().map(|proven| proven.certificate.not_after.format(" until %Y-%m-%d"));
    let until = until.map(|until| until.to_string()).unwrap_or_default();
    let (device, name) = (record.spec.place(), record.common_name());
    let presents = report::presented_by(record);
    format!("FINISHED: {device} runs the certificate '{object}' for {name}{presents}, valid{until}.")
}
