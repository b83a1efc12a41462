//! What is tested is what is installed: the package.

use std::path::Path;

use crate::machine::here;
use crate::stage::Stage;

/// Brings it into the machine; what has to be typed there.
pub fn install(stage: &Stage) -> Vec<String> {
    let built = Path::new(env!("CARGO_BIN_EXE_pan_getcert")).parent().unwrap();
    let to = |name: &str, value: &Path| format!("{name}={}", value.display());
    let words =
        [to("BUILT", built), to("DESTDIR", &stage.machine.path("/")), to("PREFIX", Path::new("/usr"))];
    let words: Vec<&str> = ["make", "-C", env!("CARGO_MANIFEST_DIR"), "install"]
        .into_iter()
        .chain(words.iter().map(String::as_str))
        .collect();
    here(&words).exits(0);
    vec!["systemctl daemon-reload".to_owned()]
}
