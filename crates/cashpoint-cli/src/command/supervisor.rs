//! What the program is told that runs the service, where it asked to be told: systemd, with `Type=notify`.

use sd_notify::NotifyState;
use tracing::warn;

/// The service answers.
pub(super) fn ready() {
    tell(NotifyState::Ready);
}

/// It was asked to stop.
pub(super) fn stopping() {
    tell(NotifyState::Stopping);
}

/// Tells it through the socket that `NOTIFY_SOCKET` names; without one, nobody asked.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(&state)) {
        warn!(%error, "the supervisor was not told: {state:?}");
    }
}
