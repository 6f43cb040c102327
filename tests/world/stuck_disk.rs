//! A disk that does not answer: what an operator sees of it, and how the service ends.
//!
//! `strace` (Debian: `apt-get install strace`) holds the server's `fdatasync` back; and, where file systems can be
//! mounted, `fsfreeze` does so to a real one. Where a machine has or permits neither, these tests say that they were
//! skipped; with `WORLD_TOOLS=1` or `WORLD_MOUNTS=1` in the environment they fail.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::skipped;
use crate::support::{PATIENCE, Request, Server};

/// How long a batch is on its way before it is told, and some more.
const TOLD_AFTER: Duration = Duration::from_secs(5);

/// What is some seconds, on however busy a machine: less than PATIENCE, and far less than 600 s.
const IN_TIME: Duration = Duration::from_secs(10);

/// What each `fdatasync` of a disk that does not answer does.
const NEVER_ANSWERS: &str = "delay_enter=600s";

/// Holds back each `fdatasync` of a server for as long as it is there.
struct HeldBack(Child);

impl HeldBack {
    fn of(server: &Server, how: &str) -> Self {
        let strace = Command::new("strace")
            .args(["-f", "-q", "-e", "trace=fdatasync"])
            .args(["-e", &format!("inject=fdatasync:{how}"), "-o", "/dev/null"])
            .args(["-p", &server.process().to_string()])
            .stderr(Stdio::null())
            .spawn();
        let held = Self(strace.unwrap());
        let traced = || {
            let status =
                std::fs::read_to_string(format!("/proc/{}/status", server.process())).unwrap();
            !status.contains("TracerPid:\t0\n")
        };
        wait_until("it is traced", PATIENCE, traced);
        held
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        // The kernel lets go of the server then, which goes on.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Whether a test can hold back a disk; or says that it is skipped.
fn can_hold_back(test: &str) -> bool {
    let mut probe = Command::new("strace");
    let probe = probe.args(["-e", "trace=none", "true"]).output();
    let works = probe.is_ok_and(|it| it.status.success());
    if !works {
        let why = "strace is not installed (apt-get install strace), or may not trace";
        skipped("WORLD_TOOLS", test, why);
    }
    works
}

fn wait_until(what: &str, patience: Duration, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// How many lines of the log say something.
fn said(server: &Server, what: &str) -> usize {
    let lines = server.log().since(0);
    lines.iter().filter(|line| line.contains(what)).count()
}

/// Whether `/health` warns of something with these words.
fn warns(server: &Server, what: &str) -> bool {
    let warnings = &server.get("/health").json()["warnings"];
    let mut warnings = warnings.as_array().expect("there are warnings").iter();
    warnings.any(|it| it.as_str().unwrap().contains(what))
}

/// What is seen of a disk that does not answer, until `mend` lets it.
fn is_seen(server: &Server, account: &str, mend: impl FnOnce()) {
    let mut client = server.connect();
    let begun = Instant::now();
    let path = format!("/accounts/{account}/deposit");
    client.write(&Request::post(&path, r#"{"amount":1.0}"#).to_bytes());
    wait_until("it is not ready", PATIENCE, || {
        server.get("/readyz").status == 503
    });
    assert!(begun.elapsed() >= TOLD_AFTER, "after {:?}", begun.elapsed());
    let health = server.get("/health");
    assert_eq!(health.status, 503, "{}", health.text());
    assert!(
        warns(server, "The disk has not answered for"),
        "{}",
        health.text()
    );
    assert_eq!(server.get("/livez").status, 200);
    assert_eq!(server.balance(account), "1.0");
    wait_until("it is logged", PATIENCE, || {
        said(server, "disk has not answered") > 0
    });
    thread::sleep(Duration::from_secs(1));
    mend();
    assert_eq!(client.receive("POST").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
    let health = server.get("/health");
    assert_eq!(health.status, 200, "{}", health.text());
    assert!(!warns(server, "disk"), "{}", health.text());
    wait_until("its end is logged", PATIENCE, || {
        said(server, "the disk answers again") > 0
    });
    let log = server.log().text();
    assert_eq!(said(server, "disk has not answered"), 1, "once: {log}");
    assert_eq!(said(server, "the disk answers again"), 1, "once: {log}");
}

fn durable(data: &Path) -> crate::support::Launch {
    Server::configure().flag("--data", data.to_str().unwrap())
}

#[test]
fn a_disk_that_does_not_answer_is_seen_within_seconds_and_once() {
    if !can_hold_back("a disk that does not answer") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let server = durable(place.path()).start();
    let account = server.open_account("1.0");
    let held = HeldBack::of(&server, NEVER_ANSWERS);
    is_seen(&server, &account, || drop(held));
}

/// A file system that is mounted here; or says that a test is skipped.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn ext4(test: &str) -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let image = place.path().join("image");
        std::fs::File::create(&image)
            .unwrap()
            .set_len(512 << 20)
            .unwrap();
        std::fs::create_dir(place.path().join("disk")).unwrap();
        let does = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            let output = command.args(arguments).current_dir(place.path()).output();
            output.is_ok_and(|it| it.status.success())
        };
        let mounted =
            does("mkfs.ext4", &["-q", "image"]) && does("mount", &["-o", "loop", "image", "disk"]);
        if !mounted {
            let why = "no file system can be mounted here (root; apt-get install e2fsprogs mount)";
            skipped("WORLD_MOUNTS", test, why);
        }
        mounted.then_some(Self(place))
    }

    /// Nothing is written until what this returns is dropped.
    fn freeze(&self) -> Frozen<'_> {
        self.fsfreeze("-f");
        Frozen(self)
    }

    fn fsfreeze(&self, how: &str) {
        let disk = self.0.path().join("disk");
        let status = Command::new("fsfreeze").arg(how).arg(disk).status();
        assert!(status.expect("`fsfreeze` starts").success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let disk = self.0.path().join("disk");
        drop(Command::new("umount").arg(disk).status());
    }
}

/// A file system that is frozen. A process that waits for it does not even end when it is killed: this has to go first.
struct Frozen<'a>(&'a Mounted);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.fsfreeze("-u");
    }
}

#[test]
fn a_real_file_system_that_is_frozen_is_seen_and_goes_on() {
    let Some(mounted) = Mounted::ext4("a frozen file system") else {
        return;
    };
    let data = mounted.0.path().join("disk/data");
    let server = durable(&data).start();
    let account = server.open_account("1.0");
    let frozen = mounted.freeze();
    is_seen(&server, &account, || drop(frozen));
    drop(server);
}

/// A server whose disk does not answer to a deposit that a client waits for.
fn stuck(data: &Path, timeout: &str) -> (Server, HeldBack, crate::support::Client) {
    held_back(data, timeout, NEVER_ANSWERS)
}

/// A server whose disk is held back while a client waits for a deposit.
fn held_back(data: &Path, timeout: &str, how: &str) -> (Server, HeldBack, crate::support::Client) {
    let server = durable(data).flag("--shutdown-timeout", timeout).start();
    let account = server.open_account("1.0");
    let held = HeldBack::of(&server, how);
    let mut client = server.connect();
    let path = format!("/accounts/{account}/deposit");
    client.write(&Request::post(&path, r#"{"amount":1.0}"#).to_bytes());
    thread::sleep(Duration::from_millis(500));
    (server, held, client)
}

/// Waits until a server has ended, and returns its exit code. `strace` keeps what it traces until it has gone itself.
fn exit_code(server: &mut Server, held: HeldBack, limit: Duration) -> Option<i32> {
    let status = format!("/proc/{}/status", server.process());
    wait_until("it ends", limit, || {
        std::fs::read_to_string(&status)
            .unwrap()
            .contains("State:\tZ")
    });
    drop(held);
    let status = server.exit_within(PATIENCE).expect("it has ended");
    status.code()
}

#[test]
fn a_server_ends_within_its_timeout_though_the_disk_does_not_answer() {
    if !can_hold_back("the end with a disk that does not answer") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (mut server, held, _client) = stuck(place.path(), "2");
    server.signal("TERM");
    let code = exit_code(&mut server, held, IN_TIME);
    assert_eq!(code, Some(1));
    let log = server.log().text();
    let last = log.lines().last().unwrap();
    assert!(last.contains("1 change") && last.contains("disk"), "{log}");
}

#[test]
fn a_second_signal_ends_it_at_once_though_the_disk_does_not_answer() {
    if !can_hold_back("a second signal") {
        return;
    }
    for pause in [200, 2_500] {
        let place = tempfile::tempdir().unwrap();
        let (mut server, held, client) = stuck(place.path(), "600");
        server.signal("TERM");
        // Also once no client waits any more, and the ledger alone does.
        drop(client);
        thread::sleep(Duration::from_millis(pause));
        server.signal("TERM");
        let code = exit_code(&mut server, held, IN_TIME);
        assert_eq!(code, Some(1));
    }
}

#[test]
fn a_disk_that_answers_in_time_makes_a_clean_end() {
    if !can_hold_back("a disk that answers in time") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (mut server, held, mut client) = stuck(place.path(), "60");
    server.signal("TERM");
    assert!(server.exit_within(Duration::from_secs(1)).is_none());
    drop(held);
    assert_eq!(client.receive("POST").status, 200);
    let status = server.exit_within(PATIENCE).expect("it ends");
    assert_eq!(status.code(), Some(0), "{status}");
}

#[test]
fn a_disk_that_fails_at_the_end_makes_no_clean_end() {
    if !can_hold_back("a disk that fails at the end") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (mut server, held, mut client) = held_back(place.path(), "60", "error=EIO:delay_enter=2s");
    server.signal("TERM");
    assert_eq!(client.receive("POST").status, 503);
    let code = exit_code(&mut server, held, IN_TIME);
    let log = server.log().text();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("the journal failed"), "{log}");
}

#[test]
fn a_disk_that_is_only_slow_is_not_said_to_be_stuck() {
    if !can_hold_back("the end with a slow disk") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (mut server, held, _client) = held_back(place.path(), "0.001", "delay_enter=900ms");
    // For a batch behind the one that is on its way.
    let mut client = server.connect();
    client.write(&Request::post("/accounts", r#"{"initial_balance":1.0}"#).to_bytes());
    thread::sleep(Duration::from_millis(100));
    server.signal("TERM");
    let code = exit_code(&mut server, held, IN_TIME);
    let log = server.log().text();
    // On a machine that is slow itself a batch may take longer than the second that it has, or be done by then.
    assert!(!log.contains("answered for 0 s"), "{log}");
    assert_eq!(log.contains("unfinished"), code == Some(1), "{log}");
}
