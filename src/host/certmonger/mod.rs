//! Talks to certmonger through its own command, getcert.
