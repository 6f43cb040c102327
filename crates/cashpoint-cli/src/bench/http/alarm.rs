//! Wakes a thread that waits for its connections at an exact time.
//!
//! On Linux, waiting itself is exact to a millisecond only, many times what an answer takes. A timer is
//! exact, and one more thing to wait for.

use std::io;
use std::time::Instant;

use mio::{Registry, Token};

#[cfg(target_os = "linux")]
mod timer {
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::Duration;

    use mio::Interest;
    use mio::unix::SourceFd;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };

    use super::*;

    #[derive(Debug)]
    pub(super) struct Timer(OwnedFd);

    impl Timer {
        pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            let raw = timer.as_raw_fd();
            registry.register(&mut SourceFd(&raw), token, Interest::READABLE)?;
            Ok(Self(timer))
        }

        pub(super) fn set(&self, delay: Duration) -> io::Result<()> {
            // A delay of nothing would disarm the timer.
            let delay = delay.max(Duration::from_nanos(1));
            let once = Itimerspec {
                it_interval: Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                },
                it_value: Timespec {
                    tv_sec: delay.as_secs().try_into().unwrap_or(i64::MAX),
                    tv_nsec: delay.subsec_nanos().into(),
                },
            };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
            Ok(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod timer {
    use std::time::Duration;

    use super::*;

    #[derive(Debug)]
    pub(super) struct Timer;

    impl Timer {
        pub(super) fn new(_registry: &Registry, _token: Token) -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) fn set(&self, _delay: Duration) -> io::Result<()> {
            Ok(())
        }
    }
}

/// An alarm clock for one thread.
#[derive(Debug)]
pub(super) struct Alarm {
    timer: timer::Timer,
    set_to: Option<Instant>,
}

impl Alarm {
    /// One that makes events with this token.
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self {
            timer: timer::Timer::new(registry, token)?,
            set_to: None,
        })
    }

    /// Sees to it that there is an event at `time`.
    pub(super) fn set(&mut self, time: Instant) -> io::Result<()> {
        if self.set_to != Some(time) {
            self.timer
                .set(time.saturating_duration_since(Instant::now()))?;
            self.set_to = Some(time);
        }
        Ok(())
    }
}
