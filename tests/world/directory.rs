//! The directory of a durable server is moved, replaced, removed, restored over, not there, open to all, or in the way.
//!
//! What was acknowledged is in the directory that the server began with, wherever that is now. A server that is not
//! where its path says acknowledges nothing more and says so.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;
use std::time::{Duration, Instant};

use cashpoint::durable::{DurableConfig, DurableLedger, SUBMISSION_MAX};
use cashpoint::{AccountNumber, Amount, Cents, Change};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Launch, PATIENCE, Request, Server, cashpoint};
use crate::tell_skipped;

/// Within this it is noticed that the directory is another one. It is looked at each second.
const NOTICED: Duration = Duration::from_secs(4);

/// How many submissions nearly fill half of a segment of the smallest length. Then the next one is made.
const NEARLY_HALF: usize = 6;

/// How many submissions nearly fill a segment of the smallest length.
pub(crate) const NEARLY_FULL: usize = 12;

/// A directory that goes with the test, and the path of a ledger in it.
pub(crate) struct Place {
    pub(crate) around: TempDir,
    pub(crate) ledger: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let around = tempfile::tempdir().unwrap();
        let ledger = around.path().join("ledger");
        Self { around, ledger }
    }

    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.around.path().join(name)
    }
}

/// A server on `ledger`, with segments of the smallest length.
pub(crate) fn on(ledger: &Path) -> Launch {
    Server::configure()
        .flag("--data", ledger.to_str().unwrap())
        .flag(
            "--segment-bytes",
            &DurableConfig::SEGMENT_BYTES_MIN.to_string(),
        )
}

/// Begins a ledger with one account, and fills its first segment with so many submissions.
pub(crate) fn filled(ledger: &Path, submissions: usize) -> (AccountNumber, i64) {
    let mut config = DurableConfig::new(1_000);
    config.segment_bytes = DurableConfig::SEGMENT_BYTES_MIN;
    let ledger = DurableLedger::open(ledger, config).unwrap();
    let opened = ledger.create(Cents::ZERO).wait();
    let number = opened.unwrap().number;
    let amount = Amount::from_cents(1).unwrap();
    for _ in 0..submissions {
        let deposit = Change::Deposit { number, amount };
        let answers = ledger.submit(vec![deposit.into(); SUBMISSION_MAX]).wait();
        assert!(answers.iter().all(Result::is_ok));
    }
    (number, (submissions * SUBMISSION_MAX) as i64)
}

/// The names of the files in a directory, in order.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub(crate) fn segments(directory: &Path) -> Vec<PathBuf> {
    let names = names(directory).into_iter();
    let segments = names.filter(|name| name.ends_with(".journal"));
    segments.map(|name| directory.join(name)).collect()
}

/// A deposit of a cent.
pub(crate) fn deposit(account: impl std::fmt::Display) -> Request {
    let path = format!("/accounts/{account}/deposit");
    Request::post(&path, r#"{"amount":0.01}"#)
}

/// What is on an account, in cents.
pub(crate) fn cents_on(server: &Server, account: AccountNumber) -> i64 {
    let balance = server.balance(&account.to_string());
    let (units, decimals) = balance.split_once('.').unwrap();
    format!("{units}{decimals:0<2}").parse().unwrap()
}

/// What `cashpoint journal check` says of a journal that is whole.
pub(crate) fn checked(directory: &Path) -> Value {
    let output = cashpoint()
        .args(["journal", "check", "--json"])
        .arg(directory)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Deposits of a cent by several connections, each until one is not answered with 200.
pub(crate) struct Load {
    callers: Vec<thread::JoinHandle<()>>,
    state: std::sync::Arc<LoadState>,
}

#[derive(Default)]
struct LoadState {
    stop: AtomicBool,
    acknowledged: AtomicU64,
}

impl Load {
    pub(crate) fn on(server: &Server, account: impl std::fmt::Display, connections: usize) -> Self {
        let state = std::sync::Arc::new(LoadState::default());
        let callers = (0..connections).map(|_| {
            let (mut client, request) = (server.connect(), deposit(&account));
            let state = std::sync::Arc::clone(&state);
            thread::spawn(move || {
                while !state.stop.load(Relaxed) && client.send(&request).status == 200 {
                    state.acknowledged.fetch_add(1, Relaxed);
                }
            })
        });
        Self {
            callers: callers.collect(),
            state,
        }
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.state.acknowledged.load(Relaxed)
    }

    /// Waits until so many more are acknowledged, or nobody is left to ask.
    pub(crate) fn wait_for(&self, more: u64) {
        let enough = self.acknowledged() + more;
        wait_until(PATIENCE, "there is load", || {
            self.acknowledged() >= enough || self.is_over()
        });
    }

    /// Whether nobody is answered with 200 any more.
    pub(crate) fn is_over(&self) -> bool {
        self.callers.iter().all(|it| it.is_finished())
    }

    /// Ends it. Returns how many were acknowledged.
    pub(crate) fn end(self) -> u64 {
        self.state.stop.store(true, Relaxed);
        for caller in self.callers {
            caller.join().unwrap();
        }
        self.state.acknowledged.load(Relaxed)
    }
}

pub(crate) fn wait_until(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < limit, "waited for it in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The server notices that it is not where it was: not ready, read-only, and the reason given.
fn is_lost(server: &Server, reason: &str) {
    wait_until(NOTICED, "it is not ready", || {
        server.get("/readyz").status == 503
    });
    let health = server.get("/health");
    assert_eq!(health.status, 503);
    let health = health.json();
    assert_eq!(health["status"], "read-only", "{health}");
    let journal = health["journal"].as_str().unwrap();
    assert!(journal.contains(reason), "{journal}");
    assert_eq!(server.get("/livez").status, 200);
}

/// All that was acknowledged is in this directory, and it opens.
fn has_all(directory: &Path, account: AccountNumber, acknowledged: i64) {
    let report = checked(directory);
    let deposits = report["deposits"]["count"].as_i64().unwrap();
    assert!(deposits >= acknowledged, "{deposits} of {acknowledged}");
    let server = on(directory).start();
    assert_eq!(cents_on(&server, account), deposits);
}

#[test]
fn without_its_lock_file_a_ledger_is_still_in_use() {
    let place = Place::new();
    let (account, _) = filled(&place.ledger, 0);
    let server = on(&place.ledger).start();
    let _ = fs::remove_file(place.ledger.join("lock"));
    let (status, said) = on(&place.ledger).run_to_exit();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("is in use by another process"), "{said}");
    assert_eq!(server.send(&deposit(account)).status, 200);
}

#[test]
fn a_copy_by_hard_links_is_in_use_as_well() {
    let place = Place::new();
    let (account, _) = filled(&place.ledger, 0);
    let server = on(&place.ledger).start();
    let copy = place.beside("copy");
    fs::create_dir(&copy).unwrap();
    for name in names(&place.ledger).iter().filter(|name| *name != "lock") {
        fs::hard_link(place.ledger.join(name), copy.join(name)).unwrap();
    }
    let (status, said) = on(&copy).run_to_exit();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("is in use by another process"), "{said}");
    assert_eq!(server.send(&deposit(account)).status, 200);
}

/// A child has copies of all descriptors until it runs its own program.
#[test]
fn a_ledger_that_was_closed_can_be_opened_while_children_are_started() {
    let place = Place::new();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Relaxed) {
                    Command::new("true").status().unwrap();
                }
            });
        }
        let mut config = DurableConfig::new(1);
        config.segment_bytes = DurableConfig::SEGMENT_BYTES_MIN;
        let opened =
            (0..200).try_for_each(|_| DurableLedger::open(&place.ledger, config.clone()).map(drop));
        is_over.store(true, Relaxed);
        opened.unwrap();
    });
}

#[test]
fn a_directory_that_is_moved_takes_along_all_that_was_acknowledged() {
    // The next segment would be made right after the move; or begun.
    for submissions in [NEARLY_HALF, NEARLY_FULL] {
        let place = Place::new();
        let (account, before) = filled(&place.ledger, submissions);
        let server = on(&place.ledger).start();
        let load = Load::on(&server, account, 8);
        load.wait_for(100);
        let elsewhere = place.beside("elsewhere");
        fs::rename(&place.ledger, &elsewhere).unwrap();
        fs::create_dir(&place.ledger).unwrap();
        is_lost(&server, "another directory");
        let acknowledged = load.end() as i64;
        assert_eq!(server.send(&deposit(account)).status, 503);
        assert_eq!(names(&place.ledger), [""; 0], "nothing is made there");
        drop(server);
        has_all(&elsewhere, account, before + acknowledged);
    }
}

#[test]
fn a_copy_restored_at_the_old_path_gets_nothing_of_ours() {
    let place = Place::new();
    let (account, before) = filled(&place.ledger, NEARLY_FULL);
    let backup = place.beside("backup");
    let mut copy = Command::new("cp");
    copy.arg("-a").arg(&place.ledger).arg(&backup);
    assert!(copy.status().unwrap().success());
    let server = on(&place.ledger).start();
    let load = Load::on(&server, account, 8);
    load.wait_for(100);
    let elsewhere = place.beside("elsewhere");
    fs::rename(&place.ledger, &elsewhere).unwrap();
    fs::rename(&backup, &place.ledger).unwrap();
    let contents = |directory: &Path| {
        let names = names(directory).into_iter();
        let contents = names.map(|name| (fs::read(directory.join(&name)).unwrap(), name));
        contents.collect::<Vec<_>>()
    };
    let restored = contents(&place.ledger);
    is_lost(&server, "another directory");
    let acknowledged = load.end() as i64;
    drop(server);
    assert!(
        contents(&place.ledger) == restored,
        "it is as it was restored"
    );
    has_all(&place.ledger, account, before);
    has_all(&elsewhere, account, before + acknowledged);
}

#[test]
fn a_directory_that_is_removed_is_the_end_of_acknowledgements() {
    let place = Place::new();
    let (account, _) = filled(&place.ledger, 0);
    let server = on(&place.ledger).start();
    assert_eq!(server.send(&deposit(account)).status, 200);
    fs::remove_dir_all(&place.ledger).unwrap();
    // The very next one.
    assert_eq!(server.send(&deposit(account)).status, 503);
    is_lost(&server, "removed");
    assert_eq!(
        server.balance(&account.to_string()),
        "0.01",
        "it is read on"
    );
}

#[test]
fn a_last_segment_that_is_removed_or_replaced_is_the_end_of_acknowledgements() {
    let remove = |segment: &Path| fs::remove_file(segment).unwrap();
    let replace = |segment: &Path| {
        let copy = segment.with_extension("copy");
        fs::copy(segment, &copy).unwrap();
        fs::rename(&copy, segment).unwrap();
    };
    let rename = |segment: &Path| fs::rename(segment, segment.with_extension("old")).unwrap();
    for (change, reason) in [
        (&remove as &dyn Fn(&Path), "removed"),
        (&replace, "another file"),
        (&rename, "removed"),
    ] {
        let place = Place::new();
        let (account, _) = filled(&place.ledger, 0);
        let server = on(&place.ledger).start();
        assert_eq!(server.send(&deposit(account)).status, 200);
        change(segments(&place.ledger).last().unwrap());
        assert_eq!(server.send(&deposit(account)).status, 503);
        is_lost(&server, reason);
    }
}

#[test]
fn a_server_that_nobody_asks_notices_by_itself() {
    let place = Place::new();
    filled(&place.ledger, 0);
    let server = on(&place.ledger).start();
    fs::rename(&place.ledger, place.beside("elsewhere")).unwrap();
    is_lost(&server, "moved or removed");
    let failing = on(&place.beside("elsewhere2"))
        .argument("--exit-on-failure")
        .start();
    fs::rename(place.beside("elsewhere2"), place.beside("elsewhere3")).unwrap();
    let mut failing = failing;
    let status = failing.exit_within(NOTICED);
    assert_eq!(status.and_then(|it| it.code()), Some(1));
}

#[test]
fn where_a_ledger_must_be_there_none_is_begun() {
    let place = Place::new();
    // The mount is missing: an empty directory, or none.
    let empty = place.beside("empty");
    fs::create_dir(&empty).unwrap();
    for directory in [&place.ledger, &empty] {
        for launch in [
            on(directory).argument("--existing"),
            on(directory).env("EXISTING", "true"),
        ] {
            let (status, said) = launch.run_to_exit();
            assert_eq!(status.code(), Some(1), "{said}");
            for part in ["holds no ledger", "--existing", "mounted"] {
                assert!(said.contains(part), "{part}: {said}");
            }
            assert!(said.contains(directory.to_str().unwrap()), "{said}");
        }
    }
    assert!(!place.ledger.exists(), "no directory is made either");
    // The mount is missing behind a link.
    let link = place.beside("link");
    std::os::unix::fs::symlink(place.beside("unmounted/ledger"), &link).unwrap();
    let (status, said) = on(&link).run_to_exit();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("No such file or directory"), "{said}");
    let (status, said) = Server::configure().argument("--existing").run_to_exit();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("--data"), "{said}");
    assert_eq!(names(&empty), [""; 0]);
    filled(&place.ledger, 0);
    let server = on(&place.ledger).argument("--existing").start();
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn no_ledger_is_begun_among_other_files() {
    let place = Place::new();
    fs::create_dir(&place.ledger).unwrap();
    let notes = place.ledger.join("notes.txt");
    for (name, content) in [("notes.txt", ""), ("lock", "1234"), (".hidden", "")] {
        fs::write(place.ledger.join(name), content).unwrap();
        let (status, said) = on(&place.ledger).run_to_exit();
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("is not empty"), "{said}");
        assert!(said.contains(name), "{said}");
        assert_eq!(names(&place.ledger), [name], "nothing is made there");
        fs::remove_file(place.ledger.join(name)).unwrap();
    }
    assert!(!notes.exists());
    // What a file system brings along, and what an earlier version has left.
    fs::create_dir(place.ledger.join("lost+found")).unwrap();
    fs::write(place.ledger.join("lock"), "").unwrap();
    let server = on(&place.ledger).start();
    server.open_account("1.0");
}

#[test]
fn a_last_segment_that_is_gone_is_missed() {
    let place = Place::new();
    filled(&place.ledger, NEARLY_FULL + 2);
    let segments = segments(&place.ledger);
    assert_eq!(segments.len(), 2);
    let last = segments.last().unwrap();
    let name = last.file_name().unwrap().to_str().unwrap();
    fs::remove_file(last).unwrap();
    let (status, said) = on(&place.ledger).run_to_exit();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(name) && said.contains("missing"), "{said}");
    let format = ["--format", "csv"];
    for (what, arguments) in [("check", &[][..]), ("show", &[]), ("export", &format)] {
        let output = cashpoint()
            .args(["journal", what])
            .arg(&place.ledger)
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{what}: {said}");
        assert!(
            said.contains(name) && said.contains("missing"),
            "{what}: {said}"
        );
    }
}

#[test]
fn a_directory_of_an_older_version_is_taken_over() {
    let place = Place::new();
    let (account, cents) = filled(&place.ledger, NEARLY_FULL + 2);
    let head = place.ledger.join("head");
    let written = fs::read(&head).unwrap();
    fs::remove_file(&head).unwrap();
    checked(&place.ledger);
    has_all(&place.ledger, account, cents);
    assert_eq!(fs::read(&head).unwrap(), written);
}

/// The bits that others have on a file.
fn rights(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn nobody_else_may_look_into_a_ledger() {
    let place = Place::new();
    let below = place.ledger.join("below");
    let server = on(&below).start();
    server.open_account("1.0");
    assert_eq!(rights(&below), 0o700);
    for name in names(&below) {
        assert_eq!(rights(&below.join(&name)), 0o600, "{name}");
    }
    assert!(
        !server.log().text().contains("chmod"),
        "{}",
        server.log().text()
    );
    drop(server);
    // What an earlier version has made is told of, and served.
    fs::set_permissions(&below, fs::Permissions::from_mode(0o755)).unwrap();
    let segment = &segments(&below)[0];
    let path = below.display();
    for (mode, told) in [
        (
            0o600,
            format!("other users may enter {path} (mode 0755): `chmod go-rwx {path}`"),
        ),
        (
            0o644,
            format!(
                "other users may enter {path} (mode 0755) and open 1 of the ledger's files: `chmod -R"
            ),
        ),
    ] {
        fs::set_permissions(segment, fs::Permissions::from_mode(mode)).unwrap();
        let server = on(&below).start();
        let log = server.log().text();
        let line = log.lines().find(|line| line.contains("chmod")).unwrap();
        assert!(line.contains("WARN") && line.contains(&told), "{line}");
        assert_eq!(server.get("/readyz").status, 200);
    }
}

#[test]
fn a_directory_that_is_not_writable_for_a_moment_is_waited_for() {
    for submissions in [NEARLY_HALF, NEARLY_FULL] {
        let place = Place::new();
        let (account, before) = filled(&place.ledger, submissions);
        let server = on(&place.ledger).start();
        let set = |mode| {
            fs::set_permissions(&place.ledger, fs::Permissions::from_mode(mode)).unwrap();
        };
        let load = Load::on(&server, account, 8);
        load.wait_for(100);
        set(0o500);
        if fs::write(place.ledger.join("probe"), "").is_ok() {
            let test = "directory::a_directory_that_is_not_writable_for_a_moment_is_waited_for";
            tell_skipped(test, "root may write");
            load.end();
            return;
        }
        // With the next segment made, the load comes to its begin; else the segment is not made for a while.
        thread::sleep(Duration::from_secs(2));
        set(0o700);
        load.wait_for(100);
        assert!(!load.is_over(), "{}", server.get("/health").text());
        wait_until(PATIENCE, "a segment begins", || {
            segments(&place.ledger).len() == 2 || submissions == NEARLY_HALF
        });
        let acknowledged = load.end() as i64;
        drop(server);
        has_all(&place.ledger, account, before + acknowledged);
    }
}

#[test]
fn a_segment_that_cannot_be_made_now_is_made_later() {
    let place = Place::new();
    let (account, _) = filled(&place.ledger, NEARLY_FULL);
    // A name that is in the way.
    fs::remove_file(place.ledger.join("next.segment")).unwrap();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(place.ledger.join("next.segment/in the way"))
        .unwrap();
    let server = on(&place.ledger).start();
    let load = Load::on(&server, account, 16);
    // Until the segment is full.
    wait_until(PATIENCE, "the segment is full", || load.is_over());
    assert!(load.end() > 100, "there was room in the segment");
    let refused = server.send(&deposit(account));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    assert_eq!(server.get("/readyz").status, 503);
    let health = server.get("/health").json();
    assert_ne!(health["status"], "read-only", "{health}");
    let journal = health["journal"].as_str().unwrap();
    assert!(journal.contains("next.segment"), "{journal}");
    let log = server.log().text();
    assert!(log.contains("next.segment"), "{log}");
    fs::remove_dir_all(place.ledger.join("next.segment")).unwrap();
    wait_until(NOTICED, "it is ready", || {
        server.get("/readyz").status == 200
    });
    assert_eq!(server.send(&deposit(account)).status, 200);
    assert_eq!(segments(&place.ledger).len(), 2);
}

/// Clients use up the descriptors that there are for clients, and the ledger has its own.
#[test]
fn with_few_descriptors_the_next_segment_is_made_all_the_same() {
    let place = Place::new();
    let (account, before) = filled(&place.ledger, NEARLY_HALF);
    let smallest = DurableConfig::SEGMENT_BYTES_MIN.to_string();
    let server = Launch::by_shell(r#"ulimit -n 160; exec "$@""#)
        .flag("--host", "127.0.0.1")
        .flag("--port", "0")
        .flag("--data", place.ledger.to_str().unwrap())
        .flag("--segment-bytes", &smallest)
        .start();
    let log = server.log().text();
    assert!(log.contains("limit of open files"), "{log}");
    // More than it may serve. Those that ask for something come last: nobody else then wants their seats.
    let idle: Vec<_> = (0..120).map(|_| server.connect()).collect();
    let load = Load::on(&server, account, 8);
    wait_until(PATIENCE, "the next segment is made", || {
        assert!(!load.is_over());
        names(&place.ledger).iter().any(|it| it == "next.segment")
    });
    load.wait_for(100);
    assert!(!load.is_over());
    let acknowledged = load.end() as i64;
    drop((server, idle));
    has_all(&place.ledger, account, before + acknowledged);
}

/// What was decided for a segment cannot be refused any more, so it is waited for, but not for ever.
#[test]
fn a_segment_that_never_gets_its_name_is_a_failure_and_told_as_one() {
    let place = Place::new();
    let (account, before) = filled(&place.ledger, NEARLY_FULL);
    let server = on(&place.ledger).start();
    // One caller's batches take a sector each, so the segment is used to its end.
    let next = format!("{:020}.journal", DurableConfig::SEGMENT_BYTES_MIN);
    let in_the_way = place.ledger.join(next);
    fs::create_dir(&in_the_way).unwrap();
    let load = Load::on(&server, account, 1);
    wait_until(PATIENCE, "it is given up", || load.is_over());
    let acknowledged = load.end() as i64;
    is_lost(&server, "File exists");
    wait_until(NOTICED, "it is logged", || {
        server.log().text().contains("the journal failed")
    });
    let log = server.log().text();
    assert!(!log.contains("changes are made"), "{log}");
    fs::remove_dir(&in_the_way).unwrap();
    drop(server);
    has_all(&place.ledger, account, before + acknowledged);
}
