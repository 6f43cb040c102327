//! Who takes part.

pub(crate) mod bare;
pub(crate) mod engine;
pub(crate) mod locks;
pub(crate) mod maps;
