//! A client for the PAN-OS XML API; knows nothing of certmonger or of deployments.
