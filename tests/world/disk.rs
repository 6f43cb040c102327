//! Disks that are full, slow, or stop.
