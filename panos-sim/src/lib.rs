//! A simulated PAN-OS device.
