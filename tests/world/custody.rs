//! Other users of the machine, and their links: a ledger is not opened to write where they can change it, and no link in
//! its directory is followed. The tools that only read do not mind.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use cashpoint::durable::{DurableConfig, DurableLedger, SUBMISSION_MAX};
use cashpoint::{Amount, Change};

use crate::directory::{
    Load, NEARLY_FULL, Place, checked, deposit, filled, names, on, segments, wait_until,
};
use crate::support::{Launch, PATIENCE, cashpoint};
use crate::tell_skipped;

/// Somebody else.
const STRANGER: u32 = 12_345;

/// Who the service runs as in the image.
const NOBODY: u32 = 65_534;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Whether this may give files away; says that the test is skipped if not.
fn is_root(test: &str) -> bool {
    let place = tempfile::tempdir().unwrap();
    let is_root = chown(place.path(), Some(STRANGER), None).is_ok();
    if !is_root {
        tell_skipped(&format!("custody::{test}"), "only root gives files away");
    }
    is_root
}

/// A start is refused, with these words, and changes nothing.
fn is_refused(launch: Launch, ledger: &Path, words: &[&str]) {
    let state = || {
        let names = match ledger.is_dir() {
            true => names(ledger),
            false => Vec::new(),
        };
        let stats = names.iter().map(|name| {
            let stat = fs::symlink_metadata(ledger.join(name)).unwrap();
            (name.clone(), stat.len(), stat.mtime(), stat.mtime_nsec())
        });
        stats.collect::<Vec<_>>()
    };
    let before = state();
    let (status, said) = launch.run_to_exit();
    assert_eq!(status.code(), Some(1), "{said}");
    for word in words {
        assert!(said.contains(word), "no {word} in {said}");
    }
    assert_eq!(state(), before);
}

fn is_served(launch: Launch, words: &[&str]) {
    let server = launch.start();
    assert_eq!(server.get("/readyz").status, 200);
    let log = server.log().text();
    for word in words {
        let is_there = |line: &str| line.contains("WARN") && line.contains(word);
        assert!(log.lines().any(is_there), "no {word} in {log}");
    }
}

const ADVICE: [&str; 3] = [
    "others can change the ledger",
    "--insecure-data",
    "INSECURE_DATA",
];

#[test]
fn a_directory_that_every_user_may_write_to_is_refused() {
    let place = Place::new();
    filled(&place.ledger, 0);
    for mode in [0o777, 0o1777, 0o707] {
        set_mode(&place.ledger, mode);
        let bits = format!("(mode {mode:04o}");
        let told = ["every user may write to", &bits, "chmod o-w"];
        is_refused(
            on(&place.ledger),
            &place.ledger,
            &[&told[..], &ADVICE].concat(),
        );
        is_refused(
            on(&place.ledger).argument("--existing"),
            &place.ledger,
            &told,
        );
        // The tools only read.
        checked(&place.ledger);
        for arguments in [&["show"][..], &["export", "--format", "csv"]] {
            let mut tool = cashpoint();
            tool.arg("journal").args(arguments).arg(&place.ledger);
            let output = tool.output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
        let told = ["every user may write to", "used all the same"];
        is_served(on(&place.ledger).argument("--insecure-data"), &told);
        is_served(on(&place.ledger).env("INSECURE_DATA", "true"), &told);
    }
    set_mode(&place.ledger, 0o700);
    is_served(on(&place.ledger), &[]);
}

#[test]
fn nothing_is_made_where_every_user_may_write() {
    let place = Place::new();
    let open = place.beside("open");
    fs::create_dir(&open).unwrap();
    set_mode(&open, 0o777);
    for ledger in [open.join("ledger"), open.join("far/below"), open.clone()] {
        is_refused(on(&ledger), &open, &ADVICE);
        assert_eq!(names(&open), [""; 0]);
    }
    // As in /tmp: nobody else can take away the name.
    set_mode(&open, 0o1777);
    is_served(on(&open.join("ledger")), &[]);
}

#[test]
fn a_way_that_others_can_turn_elsewhere_is_refused() {
    let place = Place::new();
    let (above, elsewhere) = (place.beside("above"), place.beside("elsewhere"));
    fs::create_dir(&above).unwrap();
    filled(&above.join("ledger"), 0);
    fs::create_dir(&elsewhere).unwrap();
    symlink(above.join("ledger"), elsewhere.join("link")).unwrap();
    for (open, ledger) in [
        (&above, above.join("ledger")),
        (&above, elsewhere.join("link")),
        (&elsewhere, elsewhere.join("link")),
        (&elsewhere, elsewhere.join("../above/ledger")),
    ] {
        set_mode(open, 0o777);
        let told = format!("every user may write to {} (mode 0777", open.display());
        is_refused(on(&ledger), &above.join("ledger"), &[&told]);
        set_mode(open, 0o755);
        is_served(on(&ledger), &[]);
    }
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    if !is_root("what_belongs_to_another_user_is_refused") {
        return;
    }
    let place = Place::new();
    let above = place.beside("above");
    let ledger = above.join("ledger");
    fs::create_dir(&above).unwrap();
    filled(&ledger, 0);
    let segment = segments(&ledger).remove(0);
    let link = place.beside("link");
    symlink(&ledger, &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(STRANGER), None).unwrap();
    is_refused(
        on(&link),
        &ledger,
        &[&format!("{} belongs to user 12345", link.display())],
    );
    for given in [
        &above,
        &ledger,
        &segment,
        &ledger.join("lock"),
        &ledger.join("head"),
    ] {
        chown(given, Some(STRANGER), None).unwrap();
        let told = format!("{} belongs to user 12345", given.display());
        let mend = format!("`chown 0 {}`", given.display());
        is_refused(
            on(&ledger),
            &ledger,
            &[&[&*told, &mend], &ADVICE[..]].concat(),
        );
        checked(&ledger);
        is_served(on(&ledger).argument("--insecure-data"), &[&told]);
        chown(given, Some(0), None).unwrap();
    }
    set_mode(&segment, 0o666);
    let told = format!("every user may write to {}", segment.display());
    is_refused(on(&ledger), &ledger, &[&told]);
    set_mode(&segment, 0o644);
    is_served(on(&ledger), &[]);
}

#[test]
fn a_group_that_is_not_ours_may_not_write() {
    if !is_root("a_group_that_is_not_ours_may_not_write") {
        return;
    }
    let place = Place::new();
    filled(&place.ledger, 0);
    chown(&place.ledger, None, Some(STRANGER)).unwrap();
    set_mode(&place.ledger, 0o770);
    let told = ["group 12345 may write to", "(mode 0770", "chmod g-w"];
    is_refused(
        on(&place.ledger),
        &place.ledger,
        &[&told[..], &ADVICE].concat(),
    );
    set_mode(&place.ledger, 0o750);
    is_served(on(&place.ledger), &["other users may enter"]);
}

/// The server as another user with other groups, as a container runs it.
fn as_user(place: &Place, user: u32, groups: &[u32]) -> Option<Launch> {
    let program = place.beside("cashpoint");
    if !program.exists() {
        set_mode(place.around.path(), 0o755);
        fs::copy(env!("CARGO_BIN_EXE_cashpoint"), &program).unwrap();
    }
    let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
    let change = format!(
        "setpriv --reuid {user} --regid {} --groups {}",
        groups[0],
        groups.join(",")
    );
    let works = std::process::Command::new("sh")
        .args(["-c", &format!("{change} true")])
        .status();
    if !works.is_ok_and(|status| status.success()) {
        return None;
    }
    let script = format!(r#"shift; exec {change} "{}" "$@""#, program.display());
    Some(
        Launch::by_shell(&script)
            .flag("--host", "127.0.0.1")
            .flag("--port", "0"),
    )
}

/// Kubernetes gives a volume to the group `fsGroup` of a pod: what root made stays root's, and the group may write.
#[test]
fn a_volume_of_a_pod_is_used_as_it_is() {
    let test = "a_volume_of_a_pod_is_used_as_it_is";
    if !is_root(test) {
        return;
    }
    let place = Place::new();
    let volume = place.beside("volume");
    fs::create_dir(&volume).unwrap();
    let data = volume.to_str().unwrap().to_owned();
    let Some(launch) = as_user(&place, 1000, &[3000, 2000]) else {
        return tell_skipped(&format!("custody::{test}"), "there is no setpriv");
    };
    chown(&volume, Some(0), Some(2000)).unwrap();
    set_mode(&volume, 0o2775);
    let told = "group 2000, with which this process runs, may write to";
    is_served(launch.flag("--data", &data), &[told]);
    // The next pod: the files are given to the group as well.
    for name in names(&volume) {
        chown(volume.join(&name), None, Some(2000)).unwrap();
        set_mode(&volume.join(&name), 0o660);
    }
    let next = |user| {
        as_user(&place, user, &[3000, 2000])
            .unwrap()
            .flag("--data", &data)
    };
    is_served(next(1000).argument("--existing"), &[told]);
    // In a directory below, and as the user of the image, with a group for all.
    let below = volume.join("below");
    let launch = as_user(&place, NOBODY, &[NOBODY, 2000]).unwrap();
    is_served(launch.flag("--data", below.to_str().unwrap()), &[told]);
    // A user who comes later meets files of the one before.
    is_refused(
        next(1001),
        &volume,
        &["belongs to user 1000, and this process runs as user 1001"],
    );
}

/// A new volume is root's, and the service is not root.
#[test]
fn a_volume_that_cannot_be_written_says_how_to_give_it_away() {
    let test = "a_volume_that_cannot_be_written_says_how_to_give_it_away";
    if !is_root(test) {
        return;
    }
    let place = Place::new();
    let volume = place.beside("volume");
    fs::create_dir(&volume).unwrap();
    set_mode(&volume, 0o755);
    let data = volume.to_str().unwrap();
    let Some(launch) = as_user(&place, NOBODY, &[NOBODY]) else {
        return tell_skipped(&format!("custody::{test}"), "there is no setpriv");
    };
    let told = format!(
        "may not write to {data}, which belongs to user 0 (mode 0755): `chown -R 65534 {data}`"
    );
    is_refused(
        launch.flag("--data", data),
        &volume,
        &["runs as user 65534", &told],
    );
    chown(&volume, Some(NOBODY), None).unwrap();
    let again = as_user(&place, NOBODY, &[NOBODY]).unwrap();
    is_served(again.flag("--data", data), &[]);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Link,
    Dangling,
    Hard,
}

const KINDS: [Kind; 3] = [Kind::Link, Kind::Dangling, Kind::Hard];

/// A file of somebody's, and what leads to it: a link to the file, one to nothing beside it, and a hard link.
struct Victim {
    file: PathBuf,
    missing: PathBuf,
}

impl Victim {
    const CONTENT: &str = "the victim's\n";

    fn new(place: &Place) -> Self {
        let file = place.beside("victim");
        fs::write(&file, Self::CONTENT).unwrap();
        let missing = place.beside("missing");
        Self { file, missing }
    }

    /// Puts one of the three at `path`.
    fn lead(&self, kind: Kind, path: &Path) {
        match kind {
            Kind::Link => symlink(&self.file, path).unwrap(),
            Kind::Dangling => symlink(&self.missing, path).unwrap(),
            Kind::Hard => fs::hard_link(&self.file, path).unwrap(),
        }
    }

    fn is_well(&self) {
        assert_eq!(fs::read_to_string(&self.file).unwrap(), Self::CONTENT);
        assert!(!self.missing.exists());
    }
}

/// What is made anew is made with no name that is there already, and so in nobody's file.
#[test]
fn no_link_in_the_place_of_a_new_file_is_followed() {
    for kind in KINDS {
        let place = Place::new();
        let victim = Victim::new(&place);
        let (number, _) = filled(&place.ledger, NEARLY_FULL);
        for name in ["next.segment", "next.head", "next.snapshot"] {
            let path = place.ledger.join(name);
            let _ = fs::remove_file(&path);
            victim.lead(kind, &path);
        }
        // Into a second segment, and to a snapshot at its begin.
        let mut config = DurableConfig::new(1_000);
        config.segment_bytes = DurableConfig::SEGMENT_BYTES_MIN;
        config.snapshot_bytes = 1;
        let ledger = DurableLedger::open(&place.ledger, config).unwrap();
        let amount = Amount::from_cents(1).unwrap();
        for _ in 0..2 {
            let deposit = Change::Deposit { number, amount };
            let answers = ledger.submit(vec![deposit.into(); SUBMISSION_MAX]).wait();
            assert!(answers.iter().all(Result::is_ok));
        }
        wait_until(PATIENCE, "a snapshot is taken", || {
            names(&place.ledger)
                .iter()
                .any(|name| name.ends_with(".snapshot") && !name.starts_with("next"))
        });
        drop(ledger);
        assert_eq!(segments(&place.ledger).len(), 2);
        victim.is_well();
        checked(&place.ledger);
    }
}

/// A link in the place of a file that is there is an error with its name, for the service and for the tools.
#[test]
fn no_link_in_the_place_of_a_file_is_followed() {
    let place = Place::new();
    filled(&place.ledger, NEARLY_FULL + 2);
    let victim = Victim::new(&place);
    for name in names(&place.ledger) {
        if name.starts_with("next.") {
            continue;
        }
        let (path, kept) = (place.ledger.join(&name), place.beside("kept"));
        fs::rename(&path, &kept).unwrap();
        // Also to what is whole.
        symlink(&kept, &path).unwrap();
        let told = [&name, "it is a symbolic link"];
        is_refused(on(&place.ledger), &place.ledger, &told);
        if name != "lock" {
            let output = cashpoint()
                .args(["journal", "check"])
                .arg(&place.ledger)
                .output()
                .unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(
                !output.status.success() && said.contains("it is a symbolic link"),
                "{said}"
            );
        }
        fs::remove_file(&path).unwrap();
        for kind in KINDS {
            victim.lead(kind, &path);
            match (name.as_str(), kind) {
                // To lock it changes nothing.
                ("lock", Kind::Hard) => is_served(on(&place.ledger), &[]),
                (_, Kind::Hard) => is_refused(on(&place.ledger), &place.ledger, &[&name]),
                _ => is_refused(on(&place.ledger), &place.ledger, &told),
            }
            victim.is_well();
            fs::remove_file(&path).unwrap();
        }
        fs::rename(&kept, &path).unwrap();
    }
    is_served(on(&place.ledger), &[]);
}

/// Nor of a name that is planted while the service runs.
#[test]
fn a_link_that_is_planted_under_a_running_service_is_not_followed() {
    let place = Place::new();
    let victim = Victim::new(&place);
    let (account, _) = filled(&place.ledger, NEARLY_FULL);
    let server = on(&place.ledger).start();
    assert_eq!(server.send(&deposit(account)).status, 200);
    thread::sleep(Duration::from_millis(200));
    let next = format!("{:020}.journal", 8 << 20);
    for name in ["next.head", "next.snapshot", &next] {
        let _ = fs::remove_file(place.ledger.join(name));
        symlink(&victim.file, place.ledger.join(name)).unwrap();
    }
    let load = Load::on(&server, account, 8);
    load.wait_for(1_000);
    load.end();
    victim.is_well();
}
