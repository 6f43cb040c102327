//! How much processor time and memory a process takes.

use std::time::{Duration, Instant};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Watches a process.
#[derive(Debug)]
pub(super) struct Meter {
    system: System,
    process: Pid,
    memory_peak: u64,
    since: Option<(Instant, Duration)>,
}

impl Meter {
    pub(super) fn new(process: u32) -> Self {
        Self {
            system: System::new(),
            process: Pid::from_u32(process),
            memory_peak: 0,
            since: None,
        }
    }

    /// From now on processor time is counted anew.
    pub(super) fn start(&mut self) {
        self.since = self.look().map(|used| (Instant::now(), used));
    }

    /// Looks how much memory the process has, and returns the processor time that it has used.
    pub(super) fn look(&mut self) -> Option<Duration> {
        self.system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&[self.process]),
            true,
            ProcessRefreshKind::nothing()
                .with_cpu()
                .with_memory()
                .without_tasks(),
        );
        let process = self.system.process(self.process)?;
        self.memory_peak = self.memory_peak.max(process.memory());
        Some(Duration::from_millis(process.accumulated_cpu_time()))
    }

    /// How many processors it has kept busy since the start.
    #[expect(clippy::float_arithmetic, reason = "processor time, not money")]
    pub(super) fn processors(&mut self) -> Option<f64> {
        let used = self.look()?;
        let (start, used_before) = self.since?;
        let elapsed = start.elapsed().as_secs_f64();
        Some(used.saturating_sub(used_before).as_secs_f64() / elapsed)
    }

    /// The most memory that it was seen to have, in bytes: its resident set.
    pub(super) fn memory_peak(&self) -> Option<u64> {
        (self.memory_peak > 0).then_some(self.memory_peak)
    }
}
