//! A server of our own, in a child process.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Address, Broken};

/// How long it may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// `cashpoint serve` on a port of its own. It stops when this is dropped, and also when this process is
/// killed: it holds the other end of its standard input.
#[derive(Debug)]
pub(crate) struct OwnServer {
    child: Child,
    url: String,
}

impl OwnServer {
    /// Starts one for so many accounts, in memory or on a directory.
    pub(crate) fn start(accounts: usize, data: Option<&Path>) -> Result<Self, Broken> {
        let broken = |error| Broken(format!("the server does not start: {error}"));
        let mut child = Command::new(std::env::current_exe().map_err(broken)?)
            .args(["serve", "--host", "127.0.0.1", "--port", "0", "--log-format", "json"])
            .args(["--max-accounts", &accounts.to_string(), "--stop-with-stdin"])
            .args(data.iter().flat_map(|it| [OsStr::new("--data"), it.as_os_str()]))
            .env_clear()
            // A Ctrl-C on the terminal is for this process alone: the books are checked after it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(broken)?;
        let log = child.stderr.take();
        let mut server = Self {
            child,
            url: String::new(),
        };
        let (found, url) = mpsc::channel();
        if let Some(log) = log {
            // Reads to the end, for a server whose log nobody reads would stop at some time.
            thread::spawn(move || {
                for line in BufReader::new(log).lines().map_while(Result::ok) {
                    let _ = found.send(line);
                }
            });
        }
        let deadline = Instant::now() + PATIENCE;
        let mut said = String::new();
        while let Ok(line) = url.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if let Some(at) = line.find("http://127.0.0.1:") {
                let url = line.get(at..).unwrap_or_default();
                server.url = url.split('"').next().unwrap_or_default().to_owned();
                return Ok(server);
            }
            said.push_str(&line);
        }
        Err(Broken(format!("the server does not start: {said}")))
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Result<Address, Broken> {
        Address::resolve(&self.url.parse().map_err(Broken::new)?)
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.child.kill();
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}
