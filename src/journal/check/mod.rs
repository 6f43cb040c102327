//! `journal check`: whether a journal is whole, what is in it, and whether its snapshots agree with it.

pub(super) mod audit;
mod compare;
pub(super) mod oldest;
pub(super) mod totals;
