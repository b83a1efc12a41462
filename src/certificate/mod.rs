//! Key material: what certmonger or another client left in files, proven to belong together.
