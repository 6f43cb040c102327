//! What stands in the files of a journal, to the byte.

pub(crate) mod batch;
pub(crate) mod entry_links;
pub(super) mod fields;
pub(crate) mod head;
pub(super) mod kind;
pub(super) mod names;
pub(super) mod record;
pub(crate) mod segment;
