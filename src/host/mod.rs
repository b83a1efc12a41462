//! This machine: certmonger, the API key file, the log.
