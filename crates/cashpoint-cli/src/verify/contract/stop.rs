//! Why a rule was not followed to its end.

use super::Unanswered;

/// Why a rule was not followed to its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// What was answered leaves nothing to go on with. It was noted.
    Deviates,
    Unanswered(Unanswered),
    /// The server's settings or state leave no way to check the rule.
    NotChecked(String),
}
