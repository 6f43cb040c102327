//! A durable server on real file systems at their worst: one that is full, copies with holes, and the power cut under
//! load, again and again.
//!
//! Most of it needs a mount, so root. Where that is not permitted a test prints that it was skipped, and why; with
//! `WORLD_MOUNTS=1` in the environment it fails instead. XFS needs `mkfs.xfs` (the package `xfsprogs`).

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cashpoint::AccountNumber;
use tempfile::TempDir;

use crate::directory::{
    Load, NEARLY_FULL, Place, cents_on, checked, deposit, filled, on, segments, wait_until,
};
use crate::skipped;
use crate::support::{PATIENCE, cashpoint};

/// How often the power is cut, without `POWER_CUTS`.
const POWER_CUTS: u64 = 6;

/// A file system, for as long as this lives.
struct Mount {
    at: TempDir,
    /// The file that it is in, if it is in one.
    _image: Option<TempDir>,
}

/// Runs a command. What it says if it fails.
fn run(command: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(command).args(arguments).output();
    let output = output.map_err(|error| format!("{command}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    output
        .status
        .success()
        .then_some(())
        .ok_or_else(|| format!("{command}: {said}"))
}

impl Mount {
    fn tmpfs(size: &str) -> Result<Self, String> {
        let at = tempfile::tempdir().unwrap();
        let size = format!("size={size}");
        run(
            "mount",
            &["-t", "tmpfs", "-o", &size, "tmpfs", text(at.path())],
        )?;
        Ok(Self { at, _image: None })
    }

    /// XFS in a file, for it can make copies that share their blocks.
    fn xfs(size: &str) -> Result<Self, String> {
        let image = tempfile::tempdir().unwrap();
        let file = image.path().join("xfs");
        Self::image(&file, size, "xfs")?;
        let mut mount = Self::of(&file)?;
        mount._image = Some(image);
        Ok(mount)
    }

    /// Makes a file system in a file.
    fn image(file: &Path, size: &str, kind: &str) -> Result<(), String> {
        run("truncate", &["-s", size, text(file)])?;
        run(&format!("mkfs.{kind}"), &["-q", text(file)])
    }

    /// Mounts the file system in a file; a copy of one that is mounted, too.
    fn of(file: &Path) -> Result<Self, String> {
        let at = tempfile::tempdir().unwrap();
        let mut magic = [0; 4];
        let read = fs::File::open(file).and_then(|mut file| file.read_exact(&mut magic));
        read.map_err(|error| error.to_string())?;
        let options = match &magic {
            b"XFSB" => "loop,nouuid",
            _ => "loop",
        };
        run("mount", &["-o", options, text(file), text(at.path())])?;
        Ok(Self { at, _image: None })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.at.path().join(name)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // A server that was just killed may still be on it.
        while run("umount", &[text(self.at.path())]).is_err() {
            std::thread::sleep(Duration::from_millis(50));
            if std::thread::panicking() {
                let _ = run("umount", &["-l", text(self.at.path())]);
                return;
            }
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The mount; or says why the test is skipped.
fn mounted(test: &str, mount: Result<Mount, String>) -> Option<Mount> {
    match mount {
        Ok(mount) => Some(mount),
        Err(why) => {
            without_mount(test, &why);
            None
        }
    }
}

fn without_mount(test: &str, why: &str) {
    let why = format!("it needs a mount, as root: {why}");
    skipped("WORLD_MOUNTS", &format!("disk::{test}"), &why);
}

/// Writes zeros until nothing more fits.
fn fill_up(file: &Path) {
    let mut file = fs::File::create(file).unwrap();
    for piece in [1 << 20, 4096, 1] {
        while file.write(&vec![0; piece]).is_ok_and(|written| written > 0) {}
    }
}

#[test]
fn a_full_disk_refuses_changes_until_there_is_room() {
    let test = "a_full_disk_refuses_changes_until_there_is_room";
    let Some(mount) = mounted(test, Mount::tmpfs("24m")) else {
        return;
    };
    let ledger = mount.path("ledger");
    let (account, before) = filled(&ledger, NEARLY_FULL);
    fs::remove_file(ledger.join("next.segment")).unwrap();
    fill_up(&mount.path("filler"));
    let server = on(&ledger).start();
    let load = Load::on(&server, account, 8);
    wait_until(PATIENCE, "the segment is full", || load.is_over());
    let acknowledged = load.end() as i64;
    assert!(acknowledged > 100, "the segment was used up");
    let refused = server.send(&deposit(account));
    assert_eq!(refused.status, 503);
    assert!(
        refused.text().contains("disk is full"),
        "{}",
        refused.text()
    );
    assert_eq!(server.get("/health").json()["status"], "disk full");
    assert_eq!(server.get("/readyz").status, 503);
    server.balance(&account.to_string());
    fs::remove_file(mount.path("filler")).unwrap();
    wait_until(PATIENCE, "there is room", || {
        server.get("/readyz").status == 200
    });
    assert_eq!(server.send(&deposit(account)).status, 200);
    drop(server);
    let report = checked(&ledger);
    assert_eq!(report["deposits"]["count"], before + acknowledged + 1);
}

/// A copy whose zeros are holes, as many backup tools make it, on a disk that is full then.
#[test]
fn a_copy_with_holes_gets_its_room_at_the_start() {
    let test = "a_copy_with_holes_gets_its_room_at_the_start";
    let Some(mount) = mounted(test, Mount::tmpfs("24m")) else {
        return;
    };
    let place = Place::new();
    let (account, _) = filled(&place.ledger, 1);
    let ledger = mount.path("ledger");
    let copy = || {
        let arguments = ["-a", "--sparse=always", text(&place.ledger), text(&ledger)];
        run("cp", &arguments).unwrap();
    };
    copy();
    let server = on(&ledger).start();
    fill_up(&mount.path("filler"));
    let load = Load::on(&server, account, 4);
    load.wait_for(1_000);
    assert!(!load.is_over(), "{}", server.get("/health").text());
    load.end();
    drop(server);
    // And if there is no room at the start, nothing fails for good.
    fs::remove_dir_all(&ledger).unwrap();
    fs::remove_file(mount.path("filler")).unwrap();
    copy();
    fill_up(&mount.path("filler"));
    let server = on(&ledger).start();
    assert_eq!(server.send(&deposit(account)).status, 503);
    assert_eq!(server.get("/health").json()["status"], "disk full");
    fs::remove_file(mount.path("filler")).unwrap();
    wait_until(PATIENCE, "there is room", || {
        server.get("/readyz").status == 200
    });
    assert_eq!(server.send(&deposit(account)).status, 200);
    drop(server);
    checked(&ledger);
}

/// A disk that another one is mounted over, and one that is not mounted.
#[test]
fn a_mount_that_comes_or_goes_is_noticed() {
    let test = "a_mount_that_comes_or_goes_is_noticed";
    let place = Place::new();
    let (account, _) = filled(&place.ledger, 0);
    let server = on(&place.ledger).start();
    assert_eq!(server.send(&deposit(account)).status, 200);
    let at = text(&place.ledger);
    if let Err(why) = run("mount", &["-t", "tmpfs", "-o", "size=1m", "tmpfs", at]) {
        return without_mount(test, &why);
    }
    let noticed = std::panic::catch_unwind(|| {
        wait_until(PATIENCE, "it is noticed", || {
            server.get("/readyz").status == 503
        });
        assert_eq!(server.send(&deposit(account)).status, 503);
        let (status, said) = on(&place.ledger).argument("--existing").run_to_exit();
        assert_eq!(status.code(), Some(1), "{said}");
    });
    run("umount", &[at]).unwrap();
    noticed.unwrap();
    drop(server);
    assert_eq!(checked(&place.ledger)["deposits"]["count"], 1);
}

/// What has to be so of a copy of the ledger that was made under load, when so much was acknowledged.
fn holds_all(copy: &Path, account: AccountNumber, acknowledged: i64, cut: u64) {
    let output = cashpoint()
        .args(["journal", "check", "--json"])
        .arg(copy)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cut {cut}: {said}");
    let server = on(copy).argument("--existing").start();
    let cents = cents_on(&server, account);
    assert!(
        cents >= acknowledged,
        "cut {cut}: {cents} of {acknowledged}"
    );
    assert_eq!(server.send(&deposit(account)).status, 200);
}

/// Cuts the power under load: `cut` makes what would be left, and hands it to what looks at it.
fn power_cuts(ledger: &Path, mut cut: impl FnMut(u64, &mut dyn FnMut(&Path))) {
    let cuts = std::env::var("POWER_CUTS").map_or(POWER_CUTS, |cuts| cuts.parse().unwrap());
    let (account, before) = filled(ledger, NEARLY_FULL);
    let server = on(ledger).start();
    let load = Load::on(&server, account, 16);
    for number in 0..cuts {
        load.wait_for(300);
        assert!(!load.is_over(), "{}", server.get("/health").text());
        let acknowledged = before + load.acknowledged() as i64;
        cut(number, &mut |left| {
            holds_all(left, account, acknowledged, number)
        });
    }
    wait_until(PATIENCE, "a segment begins under load", || {
        segments(ledger).len() > 1
    });
    let acknowledged = before + load.end() as i64;
    drop(server);
    assert_eq!(checked(ledger)["deposits"]["count"], acknowledged);
}

/// Copies of the files, each as it is at one moment. The head is first, so that it names no segment that is made later.
#[test]
fn copies_that_share_their_blocks_hold_what_was_acknowledged() {
    let test = "copies_that_share_their_blocks_hold_what_was_acknowledged";
    let Some(mount) = mounted(test, Mount::xfs("512M")) else {
        return;
    };
    let ledger = mount.path("ledger");
    power_cuts(&ledger, |number, look| {
        let copy = mount.path(&format!("copy-{number}"));
        fs::create_dir(&copy).unwrap();
        let clone = |name: &str| {
            let (from, to) = (ledger.join(name), copy.join(name));
            run("cp", &["--reflink=always", text(&from), text(&to)]).unwrap();
        };
        clone("head");
        for segment in segments(&ledger) {
            clone(segment.file_name().unwrap().to_str().unwrap());
        }
        look(&copy);
        fs::remove_dir_all(&copy).unwrap();
    });
}

/// The device itself at one moment: the file system of the ledger is in a file of another one, which is copied with its
/// blocks shared. What the inner one had in memory alone is lost, and its log is replayed when the copy is mounted.
fn cut_the_power_of(test: &str, inner: &str) {
    let Some(outer) = mounted(test, Mount::xfs("2G")) else {
        return;
    };
    let image = outer.path("image");
    let made = Mount::image(&image, "400M", inner).and_then(|()| Mount::of(&image));
    let Some(mount) = mounted(test, made) else {
        return;
    };
    power_cuts(&mount.path("ledger"), |number, look| {
        let copy = outer.path(&format!("copy-{number}"));
        run("cp", &["--reflink=always", text(&image), text(&copy)]).unwrap();
        look(&Mount::of(&copy).unwrap().path("ledger"));
        fs::remove_file(&copy).unwrap();
    });
}

#[test]
fn what_was_acknowledged_outlives_the_power_on_ext4() {
    cut_the_power_of("what_was_acknowledged_outlives_the_power_on_ext4", "ext4");
}

#[test]
fn what_was_acknowledged_outlives_the_power_on_xfs() {
    cut_the_power_of("what_was_acknowledged_outlives_the_power_on_xfs", "xfs");
}
