//! The phase that kills a server under load and looks what it remembers.
//!
//! For servers that promise that an answer means that it is on disk. Each time: load, `kill -9` in the middle of
//! it, a restart, and then a read of every account. What was acknowledged must be there; what was not answered
//! may have happened or not, but after the restart it has or never will ([`Judge::forget_unknown`]). So there
//! must be nothing between this client and the server that sends a request again on its own.
//!
//! [`Judge::forget_unknown`]: super::judge::Judge::forget_unknown

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::census::Census;
use super::histories::{Heard, Setup, open, tell_totals};
use super::load::{Inventory, Load, Portion, Worker};
use super::report::{Finding, PhaseReport};
use super::shown::shown;
use super::subject::{Oddities, Subject};
use crate::client::Broken;
use crate::present::progress::Progress;

pub(super) const NAME: &str = "kill -9 and restart";

/// How long the server is under load before it is killed. Varied, so that it dies at different points.
const LOAD_MIN: Duration = Duration::from_millis(300);
const LOAD_STEP: Duration = Duration::from_millis(137);
const LOAD_STEPS: u32 = 7;

/// How long a server may take until it answers again.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a server that was killed may go on answering.
const GONE_MAX: Duration = Duration::from_secs(1);

/// How long what was started may take to stop.
const STOP_MAX: Duration = Duration::from_secs(10);

/// How often it is asked meanwhile.
const ASK_PAUSE: Duration = Duration::from_millis(20);

/// How much is shown of what a command said that failed.
const LAST_WORDS_BYTES: u64 = 400;

/// The same until it is gone: somebody else may start it again at once.
const GONE_PAUSE: Duration = Duration::from_millis(1);

/// How the server is killed and brought back.
#[derive(Clone, Debug)]
pub(crate) struct Restarts {
    /// The process that runs now. Without one it is started by the command.
    pub(crate) process: Option<u32>,
    /// What starts it, for `sh`. Without one somebody else does.
    pub(crate) command: Option<String>,
    /// How often.
    pub(crate) kills: u32,
}

/// The server's process.
enum Process {
    Foreign(Pid),
    /// One that we started, with a process group of its own.
    Own(Child),
    /// Somebody else has restarted it, and we do not know its number.
    Unknown,
}

pub(super) struct Keeper<'a> {
    restarts: &'a Restarts,
    process: Process,
    /// What the command says, which is no part of the verdict.
    log: File,
}

impl<'a> Keeper<'a> {
    /// Starts the server if it does not run yet.
    pub(super) fn new(
        restarts: &'a Restarts,
        subject: &dyn Subject,
        stop: &AtomicBool,
    ) -> Result<Self, Broken> {
        let process = match (restarts.process, &restarts.command) {
            (Some(process), _) => {
                let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
                let pid = pid.ok_or_else(|| Broken(format!("{process} is no process")))?;
                Process::Foreign(pid)
            }
            (None, Some(_)) if subject.room().is_ok() => {
                return Err(Broken::new(
                    "a server answers there already: give its process with --pid, or stop it, and the restart \
                     command starts it",
                ));
            }
            (None, _) => Process::Unknown,
        };
        let log =
            tempfile::tempfile().map_err(|error| Broken(format!("no room for a log: {error}")))?;
        let mut keeper = Self {
            restarts,
            process,
            log,
        };
        if matches!(keeper.process, Process::Unknown) {
            keeper.start(subject, stop)?;
        }
        Ok(keeper)
    }

    fn start(&mut self, subject: &dyn Subject, stop: &AtomicBool) -> Result<(), Broken> {
        self.process = match &self.restarts.command {
            Some(command) => {
                // What an earlier life said is over: with a line for each request it would fill the disk.
                self.log.set_len(0).map_err(Broken::new)?;
                self.log.rewind().map_err(Broken::new)?;
                let child = Command::new("sh")
                    .args(["-c", command])
                    .process_group(0)
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(self.log.try_clone().map_err(Broken::new)?)
                    .spawn();
                Process::Own(child.map_err(|error| Broken(format!("{command}: {error}")))?)
            }
            None => Process::Unknown,
        };
        let deadline = Instant::now() + PATIENCE;
        while let Err(broken) = subject.room() {
            // One that has ended well may have left a server behind; one that failed has not.
            if let Process::Own(child) = &mut self.process
                && let Ok(Some(status)) = child.try_wait()
                && !status.success()
            {
                return Err(Broken(format!(
                    "the restart command failed: {status}{}",
                    self.last_words()
                )));
            }
            if stop.load(Relaxed) {
                return Err(Broken::new("stopped while the server was started"));
            }
            if Instant::now() > deadline {
                return Err(Broken(format!(
                    "the server did not come back within {} s: {broken}{}",
                    PATIENCE.as_secs(),
                    self.last_words()
                )));
            }
            thread::sleep(ASK_PAUSE);
        }
        Ok(())
    }

    /// The end of what the command said, if it said anything.
    fn last_words(&self) -> String {
        let mut said = Vec::new();
        let mut log = &self.log;
        let length = log.metadata().map_or(0, |it| it.len());
        let from = length.saturating_sub(LAST_WORDS_BYTES);
        let read = log
            .seek(SeekFrom::Start(from))
            .and_then(|_| log.take(LAST_WORDS_BYTES).read_to_end(&mut said));
        match read {
            Ok(1..) => format!("; it said: {}", shown(&said)),
            _ => String::new(),
        }
    }

    /// Kills it, without a warning.
    fn kill(&mut self) -> Result<(), Broken> {
        let killed = match &mut self.process {
            Process::Foreign(pid) => kill_process(*pid, Signal::KILL),
            Process::Own(child) => {
                group(child).map_or(Ok(()), |pid| kill_process_group(pid, Signal::KILL))
            }
            Process::Unknown => return Err(Broken::new("the process of the server is not known")),
        };
        killed.map_err(|error| Broken(format!("the server cannot be killed: {error}")))
    }

    /// Waits until nobody answers: its port is free again a moment after it was killed. Who answers all the time was
    /// not killed, but another process.
    fn wait_until_gone(&mut self, subject: &dyn Subject) -> Result<(), Broken> {
        if let Process::Own(child) = &mut self.process {
            let _ = child.wait();
        }
        let deadline = Instant::now() + GONE_MAX;
        while subject.room().is_ok() {
            if Instant::now() > deadline {
                return Err(Broken::new(
                    "a server still answers after the process was killed: is it another one's?",
                ));
            }
            thread::sleep(GONE_PAUSE);
        }
        Ok(())
    }

    /// Whether there is a process that can be killed.
    fn can_kill(&self) -> bool {
        !matches!(self.process, Process::Unknown)
    }
}

impl Drop for Keeper<'_> {
    /// Stops what it started.
    fn drop(&mut self) {
        let Process::Own(child) = &mut self.process else {
            return;
        };
        let _ = group(child).map(|pid| kill_process_group(pid, Signal::TERM));
        let deadline = Instant::now() + STOP_MAX;
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = group(child).map(|pid| kill_process_group(pid, Signal::KILL));
            }
            thread::sleep(ASK_PAUSE);
        }
    }
}

/// The process group of a child that was given one of its own.
fn group(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

pub(super) fn run(
    subject: &dyn Subject,
    setup: Setup<'_>,
    keeper: &mut Keeper<'_>,
    stop: &AtomicBool,
) -> Result<PhaseReport, Broken> {
    let mut report = PhaseReport::new(NAME);
    let first = Census::take(subject);
    let listed = first.as_ref().and_then(|it| it.listed.as_ref());
    let Some((load, mut workers)) = open(subject, setup, listed, &mut report) else {
        return Ok(report);
    };
    let mut heard = Heard::new(NAME, setup.recorder);

    let began = Instant::now();
    let kills = keeper.restarts.kills;
    let progress = Progress::new(NAME, kills.into());
    let mut killed = 0;
    let mut inventory = Inventory::default();
    while killed < kills && keeper.can_kill() && !stop.load(Relaxed) && heard.evidence.is_empty() {
        let time = LOAD_MIN + LOAD_STEP * (killed % LOAD_STEPS);
        // What was read before says nothing of what is done from here on.
        inventory = Inventory::default();
        let result = kill_under_load(&load, &mut workers, keeper, time, &mut heard);
        // What is found before it was killed is no matter of restarts.
        let before = heard.evidence.len();
        let restarted = result.and_then(|time| {
            keeper.wait_until_gone(subject)?;
            keeper.start(subject, stop)?;
            Ok(time)
        });
        let (Some(worker), Ok(time)) = (workers.first_mut(), &restarted) else {
            report.undecided(restarted.err().map_or_else(String::new, |broken| broken.0));
            break;
        };
        killed += 1;
        inventory = load.read_all(worker);
        load.ask_again(worker);
        heard.hear(worker.take_slice());
        heard.judge.forget_unknown(&inventory.read, *time);
        tell_restart(&mut report, &inventory, heard.evidence.len() - before);
        let loose = setup.loose + workers.iter().map(Worker::loose).sum::<u64>();
        count(subject, first.as_ref(), &inventory, loose, &mut report);
        progress.advance(1);
    }
    progress.finish();

    report.fact(format!("killed and restarted {killed} times, under load"));
    if stop.load(Relaxed) {
        report.undecided("stopped before the end");
    } else if killed < kills && heard.evidence.is_empty() && !keeper.can_kill() {
        report.undecided(format!(
            "{kills} times were asked for: for more than one, give the command that starts it (--restart-cmd)"
        ));
    }
    let totals = heard.judge.books.check(inventory.balances.into_iter());
    load.close_all(&mut workers);
    if let Some(worker) = workers.first_mut() {
        heard.hear(worker.take_slice());
    }
    heard.tell(&mut report, began.elapsed());
    tell_totals(&mut report, &totals);
    let mut oddities = Oddities::default();
    for worker in &mut workers {
        oddities.add(worker.take_oddities());
        report.loose += worker.loose();
    }
    report.oddities(oddities);
    Ok(report)
}

/// Whether there are as many accounts after a restart as could be read, beside those that were there before the run.
fn count(
    subject: &dyn Subject,
    first: Option<&Census>,
    inventory: &Inventory,
    loose: u64,
    report: &mut PhaseReport,
) {
    if let (Some(first), Some(now)) = (first, Census::take(subject)) {
        let open_now = inventory.balances.len() as i64;
        let loose = loose + inventory.unread as u64;
        now.hold(first, open_now, loose, "after a restart", report);
    }
}

/// Tells what is not there any more after a restart.
fn tell_restart(report: &mut PhaseReport, inventory: &Inventory, convicted: usize) {
    if convicted > 0 {
        report.finding(Finding::new(format!(
            "after the restart {convicted} of {} accounts are not as was acknowledged",
            inventory.read.len()
        )));
    }
    if inventory.unread > 0 {
        report.undecided(format!(
            "{} accounts could not be read after the restart",
            inventory.unread
        ));
    }
}

/// Puts the server under load for this long, and kills it in the middle of it. Returns when that was, by the
/// clock of the load.
fn kill_under_load(
    load: &Load,
    workers: &mut [Worker<'_>],
    keeper: &mut Keeper<'_>,
    time: Duration,
    heard: &mut Heard<'_>,
) -> Result<u64, Broken> {
    let over = AtomicBool::new(false);
    let (slice, killed) = thread::scope(|scope| {
        let killing = scope.spawn(|| {
            thread::sleep(time);
            let killed = keeper.kill();
            // Nothing is begun from here on, so nothing reaches a server that somebody else starts meanwhile.
            over.store(true, Relaxed);
            killed.map(|()| load.now())
        });
        let portion = Portion {
            clients: workers.len(),
            operations: u64::MAX >> 1,
            until: None,
        };
        let slice = load.run(workers, portion, &over);
        (slice, killing.join())
    });
    heard.hear(slice);
    killed.map_err(|_| Broken::new("a thread panicked"))?
}
