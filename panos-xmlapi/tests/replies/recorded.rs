//! Every recorded reply is read as its index says.

#[path = "ledger.rs"]
mod ledger;

use ledger::Ledger;

use super::*;

/// As a device's answer is kept: private keys, and whatever else is encrypted with the master key, are taken out.
fn without_secrets(element: &Element) -> Element {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=\r\n".contains(c);
    let mut cleaned = element.clone();
    for node in &mut cleaned.content {
        match node {
            Node::Text(text) if element.name == "private-key" && !text.trim().is_empty() => {
                *text = "[private key removed]".to_owned();
            }
            Node::Text(text) => {
                while let Some(at) = text.find("-AQ==") {
                    let end = text[at + 1..].find(|c| !is_base64(c)).map_or(text.len(), |end| at + 1 + end);
                    text.replace_range(at..end, "[encrypted secret removed]");
                }
            }
            Node::Element(child) => *child = without_secrets(child),
        }
    }
    cleaned
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    file: String,
    situation: DeviceState,
    #[serde(rename = "source")]
    _source: String,
    kind: Kind,
    #[serde(rename = "version")]
    _version: Option<String>,
    http: Option<u16>,
    parses: bool,
    #[serde(rename = "note")]
    _note: Option<String>,
    expect: Option<Expect>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Recorded,
    Edited,
    Mocked,
    /// Only the message is public; its envelope is that of its neighbours.
    Text,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
enum DeviceState {
    KeygenOk,
    KeygenRefused,
    Error,
    Unauth,
    ImportOk,
    ImportFailed,
    ConfigDone,
    TextResult,
    ConfigGet,
    ConfigShow,
    ConfigMissing,
    ConfigEmpty,
    CommitEnqueued,
    CommitNoChanges,
    PushEnqueued,
    PushNoJob,
    OtherEnqueued,
    Job,
    PushJob,
    JobList,
    Locks,
    LockDone,
    Revert,
    Load,
    PendingChanges,
    SystemInfo,
    Version,
    Ha,
    Devices,
    Templates,
    Certificates,
    OddEnvelope,
    NotAReply,
    Other,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Expect {
    status: Option<String>,
    code: Option<String>,
    messages: Option<Vec<String>>,
    key: Option<String>,
    job: Option<String>,
    no_job: Option<bool>,
    job_id: Option<String>,
    job_type: Option<String>,
    job_status: Option<String>,
    job_result: Option<String>,
    job_progress: Option<String>,
    job_user: Option<String>,
    details: Option<Vec<String>>,
    warnings: Option<Vec<String>>,
    devices: Option<Vec<ExpectDevice>>,
    jobs: Option<Vec<ExpectJob>>,
    locks: Option<Vec<ExpectLock>>,
    changes: Option<Vec<ExpectChange>>,
    result_children: Option<Vec<String>>,
    entry_names: Option<Vec<String>>,
    members: Option<Vec<String>>,
    total_count: Option<u64>,
    count: Option<u64>,
    certificates: Option<Vec<ExpectCertificate>>,
    stacks: Option<Vec<ExpectStack>>,
    hostname: Option<String>,
    model: Option<String>,
    serial: Option<String>,
    sw_version: Option<String>,
    family: Option<String>,
    multi_vsys: Option<String>,
    operational_mode: Option<String>,
    system_mode: Option<String>,
    time: Option<String>,
    ha_enabled: Option<String>,
    ha_mode: Option<String>,
    ha_local_state: Option<String>,
    ha_peer_state: Option<String>,
    ha_peer_mgmt_ip: Option<String>,
    ha_peer_conn: Option<String>,
    running_sync: Option<String>,
    running_sync_enabled: Option<String>,
    admins: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectDevice {
    serial: String,
    name: Option<String>,
    result: Option<String>,
    status: Option<String>,
    lines: Option<Vec<String>>,
    warnings: Option<Vec<String>>,
    hostname: Option<String>,
    connected: Option<String>,
    model: Option<String>,
    sw_version: Option<String>,
    multi_vsys: Option<String>,
    ha_state: Option<String>,
    ha_peer_serial: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectJob {
    id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    status: Option<String>,
    result: Option<String>,
    progress: Option<String>,
    user: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectLock {
    owner: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    created: Option<String>,
    logged_in: Option<String>,
    comment: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectChange {
    xpath: String,
    owner: String,
    action: Option<String>,
    component_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectCertificate {
    name: String,
    common_name: Option<String>,
    subject: Option<String>,
    issuer: Option<String>,
    ca: Option<String>,
    not_valid_before: Option<String>,
    not_valid_after: Option<String>,
    algorithm: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectStack {
    name: String,
    templates: Vec<String>,
    devices: Vec<ExpectStackDevice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectStackDevice {
    serial: String,
    connected: Option<String>,
    template_status: Option<String>,
    last_push: Option<String>,
}

#[tokio::test]
async fn every_recorded_reply_is_read_as_its_index_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/replies");
    let indexes = ["index.toml", "index-more.toml"].map(|name| std::fs::read_to_string(folder.join(name)));
    let indexes: Vec<toml::Table> = indexes.into_iter().flatten().map(|text| text.parse().unwrap()).collect();
    if indexes.is_empty() {
        println!("No recorded replies beside the checkout ({}): nothing to compare.", folder.display());
        return;
    }
    let device = Device::new();
    let (mut counts, mut facts, mut wrong) = ([0; 4], 0, Vec::new());
    for value in indexes.iter().flat_map(|index| index["reply"].as_array().unwrap()) {
        if value["file"].as_str().unwrap().starts_with("certmonger/") {
            continue;
        }
        let claimed = value.get("expect").and_then(toml::Value::as_table).cloned().unwrap_or_default();
        let entry: Entry = value.clone().try_into().unwrap_or_else(|error| panic!("{value}: {error}"));
        let body = std::fs::read(folder.join(&entry.file)).unwrap();
        let mut ledger = Ledger::default();
        ledger.check(&device, &entry, &body).await;
        for key in claimed.keys() {
            assert!(ledger.compared.contains(key), "{}: nothing compared {key}", entry.file);
        }
        counts[entry.kind as usize] += 1;
        facts += ledger.facts;
        wrong.extend(ledger.wrong.iter().map(|what| format!("{} ({:?}): {what}", entry.file, entry.kind)));
    }
    println!(
        "Compared {facts} facts of {} replies: {} recorded, {} edited, {} mocked, {} texts.",
        counts.iter().sum::<usize>(),
        counts[0],
        counts[1],
        counts[2],
        counts[3]
    );
    assert!(wrong.is_empty(), "{} facts differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(counts.iter().all(|count| *count > 0) && facts > 0);
}
