//! What is said beside the result of a command.

use std::fmt;
use std::io::{self, Write as _};

/// Says something on standard error. If nobody reads that any more, it is no reason to fail.
pub(crate) fn tell(what: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{what}");
}
