//! What people read: quantities, how far long work is, and pages that need nothing else.

pub(crate) mod colour;
pub(crate) mod notice;
pub(crate) mod page;
pub(crate) mod progress;
pub(crate) mod quantity;
