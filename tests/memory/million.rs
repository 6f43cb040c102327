//! The real binary, with a million accounts and keys.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use cashpoint::durable::{DurableConfig, DurableLedger, SUBMISSION_MAX};

use super::{Writer, is_within_peak, names, settle, snapshots, status_kb};

/// A plain deposit, in the journal.
const RECORD_BYTES: usize = 80;

/// How many clients there are while a snapshot is taken.
const CLIENTS: usize = 8;

/// The position in the name of a file.
fn position(name: &str) -> u64 {
    name[..20].parse().unwrap()
}

/// Writes a ledger that has a snapshot, as much behind it as is usual, and takes the next one soon.
fn write(directory: &Path, accounts: usize, keys: usize, key_len: usize) -> String {
    let config = DurableConfig::new(accounts);
    let snapshot_bytes = config.snapshot_bytes;
    let batch_bytes = (SUBMISSION_MAX * RECORD_BYTES + 64).next_multiple_of(512) as u64;
    let batches = (config.segment_bytes - 512) / batch_bytes;
    let ledger = DurableLedger::open(directory, config).unwrap();
    let mut writer = Writer::new(&ledger, accounts);
    writer.deposit(keys / 2, key_len);
    let begun = || {
        names(directory, ".journal")
            .iter()
            .map(|it| position(it))
            .max()
            .unwrap()
    };
    // Where a segment begins that is as far behind a snapshot as is necessary, that snapshot is taken.
    while begun() < snapshot_bytes {
        writer.deposit(SUBMISSION_MAX, 0);
    }
    while snapshots(directory).is_empty() {
        thread::sleep(Duration::from_millis(10));
    }
    settle(directory);
    let snapshot = position(&snapshots(directory).pop().unwrap());
    writer.deposit(keys - keys / 2, key_len);
    while begun() + batches * batch_bytes < snapshot + snapshot_bytes {
        writer.deposit(SUBMISSION_MAX, 0);
    }
    // Nearly to its end.
    let last = begun();
    assert!(last < snapshot + snapshot_bytes, "too many keys");
    writer.deposit((usize::try_from(batches).unwrap() - 2) * SUBMISSION_MAX, 0);
    assert_eq!(begun(), last);
    writer.numbers[0].to_string()
}

/// The service, as a process.
pub(super) struct Service {
    child: Child,
    port: u16,
    took: Duration,
}

impl Service {
    fn start(binary: &Path, directory: &Path, accounts: usize) -> Self {
        let accounts = ("MAX_ACCOUNTS".to_owned(), accounts.to_string());
        Self::start_with(binary, Some(directory), &[accounts])
    }

    /// Starts it in memory or on a directory, with these variables.
    pub(super) fn start_with(
        binary: &Path,
        directory: Option<&Path>,
        variables: &[(String, String)],
    ) -> Self {
        let begin = Instant::now();
        let mut child = Command::new(binary)
            .args(["serve", "--host", "127.0.0.1", "--port", "0"])
            .args(directory.map(|it| format!("--data={}", it.display())))
            .envs(variables.iter().cloned())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = lines.by_ref().find_map(|line| {
            let line = line.unwrap();
            let (_, port) = line.split_once("http://127.0.0.1:")?;
            let digits = port.chars().take_while(char::is_ascii_digit);
            digits.collect::<String>().parse().ok()
        });
        let took = begin.elapsed();
        // It is not to wait for a reader.
        thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            port: port.expect("it does not listen"),
            took,
        }
    }

    /// The processor time of the threads whose names begin like this.
    fn worked(&self, thread: &str) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let stats = tasks.map(|it| fs::read_to_string(it.unwrap().path().join("stat")).unwrap());
        let ticks = stats.filter_map(|stat| {
            let (name, fields) = stat.rsplit_once(") ")?;
            name.split_once('(')?.1.starts_with(thread).then_some(())?;
            let ticks = fields.split(' ').skip(11).take(2);
            Some(ticks.map(|it| it.parse::<u64>().unwrap()).sum::<u64>())
        });
        // A tick is a hundredth of a second, wherever Linux runs.
        Duration::from_millis(10 * ticks.sum::<u64>())
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn kb(&self, field: &str) -> u64 {
        status_kb(&self.child.id().to_string(), field)
    }

    /// Deposits again and again, until it is told to stop. Returns how often.
    fn deposit(&self, account: &str, stop: &AtomicBool) -> usize {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let request = format!(
            "POST /accounts/{account}/deposit HTTP/1.1\r\nhost: localhost\r\n\
             content-type: application/json\r\ncontent-length: 15\r\n\r\n{{\"amount\": 1.0}}"
        );
        let mut count = 0;
        while !stop.load(Relaxed) {
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = [0; 1024];
            let length = stream.read(&mut answer).unwrap();
            assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
            count += 1;
        }
        count
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was measured of one binary.
struct Measured {
    rest_kb: u64,
    start_kb: u64,
    start_took: Duration,
    snapshot_kb: u64,
    snapshot_took: Duration,
    /// The processor time of a start, and of a snapshot.
    worked: [Duration; 2],
    after_kb: u64,
    deposits: usize,
}

fn measure(binary: &Path, directory: &Path, accounts: usize, account: &str) -> Measured {
    let service = Service::start(binary, directory, accounts);
    let start_kb = service.kb("VmHWM");
    let start_worked = service.worked("");
    thread::sleep(Duration::from_secs(1));
    let rest_kb = service.kb("VmRSS");
    // From here on the peak is counted anew.
    fs::write(format!("/proc/{}/clear_refs", service.child.id()), "5").unwrap();
    let old = snapshots(directory);
    let segments = names(directory, ".journal").len();
    let stop = AtomicBool::new(false);
    let (snapshot_took, deposits) = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| service.deposit(account, &stop)))
            .collect();
        while names(directory, ".journal").len() == segments {
            thread::sleep(Duration::from_millis(2));
        }
        let begin = Instant::now();
        while snapshots(directory) == old {
            assert!(begin.elapsed() < Duration::from_secs(120), "no snapshot");
            thread::sleep(Duration::from_millis(2));
        }
        let took = begin.elapsed();
        stop.store(true, Relaxed);
        (took, clients.into_iter().map(|it| it.join().unwrap()).sum())
    });
    settle(directory);
    Measured {
        rest_kb,
        start_kb,
        start_took: service.took,
        snapshot_kb: service.kb("VmHWM"),
        snapshot_took,
        worked: [start_worked, service.worked("cashpoint-snap")],
        after_kb: service.kb("VmRSS"),
        deposits,
    }
}

#[test]
#[ignore = "minutes, and 2 GB of disk"]
fn a_million_accounts_and_keys_in_the_real_binary() {
    let binary = std::env::var_os("CASHPOINT").map(PathBuf::from);
    let is_ours = binary.is_none();
    let binary = binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_cashpoint").into());
    const MILLION: usize = 1_000_000;
    for (accounts, keys, key_len) in [
        (MILLION, 0, 0),
        (1_000, MILLION, 36),
        (1_000, MILLION / 2, 255),
        (MILLION, MILLION, 36),
    ] {
        let place = tempfile::tempdir().unwrap();
        let account = write(place.path(), accounts, keys, key_len);
        let it = measure(&binary, place.path(), accounts, &account);
        let mb = |kb: u64| kb / 1000;
        let percent = |kb: u64| kb * 100 / it.rest_kb;
        println!(
            "{accounts} accounts, {keys} keys of {key_len}: {} MB at rest; start {} MB ({} %), {:.2} s \
             ({:.2} of a processor); snapshot {} MB ({} %), {:.2} s ({:.2} of a processor), {} deposits meanwhile; \
             {} MB after it",
            mb(it.rest_kb),
            mb(it.start_kb),
            percent(it.start_kb),
            it.start_took.as_secs_f64(),
            it.worked[0].as_secs_f64(),
            mb(it.snapshot_kb),
            percent(it.snapshot_kb),
            it.snapshot_took.as_secs_f64(),
            it.worked[1].as_secs_f64(),
            it.deposits,
            mb(it.after_kb),
        );
        if is_ours {
            assert!(is_within_peak(it.start_kb.max(it.snapshot_kb), it.rest_kb));
        }
    }
}
