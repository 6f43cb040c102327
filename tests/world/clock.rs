//! Clocks that were once wrong.
