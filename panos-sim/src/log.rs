//! Requests and connections as they are remembered, and written to the request log.

use std::{fs::OpenOptions, io::Write, path::Path, time::Instant};

use crate::{ConnectionRecord, Error, RequestRecord, Result};

/// Everything that was recorded.
pub(crate) struct RequestLog {
    started: Instant,
    last_number: u64,
    requests: Vec<RequestRecord>,
    connections: Vec<ConnectionRecord>,
    sink: Option<Box<dyn Write + Send>>,
}

impl std::fmt::Debug for RequestLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestLog").field("requests", &self.requests.len()).finish_non_exhaustive()
    }
}

impl RequestLog {
    /// A log that also goes to this file; `-` is standard output.
    pub(crate) fn new(path: Option<&Path>, started: Instant) -> Result<Self> {
        let sink: Option<Box<dyn Write + Send>> = match path {
            None => None,
            Some(path) if path == Path::new("-") => Some(Box::new(std::io::stdout())),
            Some(path) => Some(Box::new(
                OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(path)
                    .map_err(|cause| Error::File { path: path.to_owned(), cause })?,
            )),
        };
        Ok(Self { started, last_number: 0, requests: Vec::new(), connections: Vec::new(), sink })
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Remembers a request that has just been read; returns its number.
    pub(crate) fn received(&mut self, mut record: RequestRecord) -> u64 {
        self.last_number += 1;
        record.number = self.last_number;
        record.received_ms = self.milliseconds();
        self.requests.push(record);
        self.last_number
    }

    /// Completes a request's record just before its reply is sent, or when it is clear that there
    /// will be none, and writes it out.
    pub(crate) fn answered(&mut self, number: u64, complete: impl FnOnce(&mut RequestRecord)) {
        let now = self.milliseconds();
        // Cleared meanwhile: then nobody wants to know.
        let Some(record) = self.requests.iter_mut().rev().find(|r| r.number == number) else {
            return;
        };
        complete(record);
        if record.http_status.is_some() {
            record.answered_ms = Some(now);
        }
        if let Some(sink) = &mut self.sink
            && let Ok(mut line) = serde_json::to_string(record)
        {
            line.push('\n');
            // A full disk is no reason to change the device's behaviour.
            let _ = sink.write_all(line.as_bytes()).and_then(|()| sink.flush());
        }
    }

    pub(crate) fn requests(&self) -> Vec<RequestRecord> {
        self.requests.clone()
    }

    pub(crate) fn clear(&mut self) {
        self.requests.clear();
    }

    /// Remembers a new connection; returns its number.
    pub(crate) fn connected(&mut self) -> u64 {
        let number = self.connections.len() as u64 + 1;
        self.connections.push(ConnectionRecord { number, ..ConnectionRecord::default() });
        number
    }

    /// Changes a connection's record.
    pub(crate) fn connection(&mut self, number: u64, change: impl FnOnce(&mut ConnectionRecord)) {
        if let Some(record) = self.connections.iter_mut().rev().find(|c| c.number == number) {
            change(record);
        }
    }

    pub(crate) fn connections(&self) -> &[ConnectionRecord] {
        &self.connections
    }
}
