//! What `cashpoint journal check` says of journals that are not what they were.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::written::{Directory, JournalAuthor, Known, written};
use crate::{errors, journal};

const SECTOR: usize = 512;

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

/// The report on a journal that is damaged, and what is said.
fn convicted(directory: &Directory) -> (Value, String) {
    let output = journal("check", &directory.0, &["--json"]);
    let errors = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["whole"], false, "{report}");
    (report, errors)
}

#[test]
fn a_flipped_bit_is_found_where_it_is() {
    // A batch a sector: the sector of a record is known.
    let (directory, known) = written(11, 60, 1);
    let file = directory.file(".journal");
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    for batch in [0, 1, 17, known.entries.len() - 1] {
        let offset = (batch + 1) * SECTOR;
        // In the header of a batch, its hash, the time of a record, its amount, and the fill.
        for byte in [0, 9, 40, 64 + 17, 64 + 41, SECTOR - 1] {
            flip(&file, offset + byte);
            let (report, errors) = convicted(&directory);
            assert_eq!(report["damage"]["segment"], name.as_str());
            assert_eq!(
                report["damage"]["offset"], offset,
                "byte {byte} of batch {batch}"
            );
            assert!(
                errors.contains(&format!("{name} is damaged at byte {offset}: ")),
                "{errors}"
            );
            assert!(
                errors.contains("Restore this file from a backup"),
                "{errors}"
            );
            assert_eq!(report["records"], batch, "what is whole before it");
            flip(&file, offset + byte);
        }
    }
    flip(&file, 100);
    let (report, _) = convicted(&directory);
    assert_eq!(report["damage"]["offset"], 0, "the first sector");
}

#[test]
fn damage_is_told_by_show_and_export_as_well_after_what_is_whole() {
    let (directory, _) = written(12, 60, 1);
    let file = directory.file(".journal");
    flip(&file, 21 * SECTOR + 100);
    let output = journal("show", &directory.0, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stdout.clone())
            .unwrap()
            .lines()
            .count(),
        1 + 20
    );
    assert!(
        errors(&output).contains("is damaged at byte 10752"),
        "{}",
        errors(&output)
    );

    let exported = directory.0.join("books.csv");
    let output = journal(
        "export",
        &directory.0,
        &["--format", "csv", "--output", exported.to_str().unwrap()],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors(&output).contains("is damaged at byte 10752"),
        "{}",
        errors(&output)
    );
    assert_eq!(
        directory.files(".csv").len(),
        0,
        "no export is there that is not whole"
    );
    assert_eq!(directory.files(".unfinished").len(), 0);
}

#[test]
fn a_torn_end_is_no_damage() {
    let (directory, known) = written(13, 60, 1);
    let file = directory.file(".journal");
    let mut bytes = fs::read(&file).unwrap();
    let end = (known.entries.len() + 1) * SECTOR;
    bytes[end + SECTOR + 5] = 7;
    fs::write(&file, &bytes).unwrap();
    let output = journal("check", &directory.0, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["torn"]["offset"], end);
    assert_eq!(report["torn"]["bytes"], SECTOR + 6);
    assert_eq!(report["records"], known.entries.len());
    let text = journal("check", &directory.0, &[]).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("If a server is writing now, they are just what is on its way"),
        "{text}"
    );
    assert_eq!(fs::read(&file).unwrap(), bytes, "nothing has been changed");
}

/// A journal of several segments, with a snapshot.
fn with_snapshot(seed: u64) -> (Directory, Known) {
    let directory = Directory::new();
    let mut author = JournalAuthor::new(&directory.0, seed);
    let deadline = Instant::now() + Duration::from_secs(60);
    while directory.files(".snapshot").is_empty() || directory.files("next.snapshot").len() == 1 {
        assert!(Instant::now() < deadline, "there never was a snapshot");
        author.write(4_000, 4_000);
    }
    (directory, author.close())
}

/// Changes a snapshot, and mends its hash.
fn forge(file: &Path, change: impl FnOnce(&mut [u8])) {
    let mut bytes = fs::read(file).unwrap();
    let (content, hash) = bytes.split_last_chunk_mut::<32>().unwrap();
    change(content);
    *hash = *blake3::hash(content).as_bytes();
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_snapshot_is_held_against_the_records() {
    const HEADER: usize = 112;
    let (directory, known) = with_snapshot(14);
    let snapshot = directory.files(".snapshot").pop().unwrap();
    let name = snapshot.file_name().unwrap().to_str().unwrap().to_owned();
    let output = journal("check", &directory.0, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["records"], known.entries.len());
    assert!(report["segments"].as_u64().unwrap() > 1);
    assert_eq!(report["snapshots"][0]["verdict"], "equal");

    let honest = fs::read(&snapshot).unwrap();
    let end = honest.len() - 32;
    // The ledger, the chain, the time, the first account's number, balance and entries, and the last key's answer.
    for (at, said) in [
        (16, "another ledger"),
        (48, "its place"),
        (80, "its place"),
        (HEADER, "in the place of"),
        (HEADER + 16, " on account "),
        (HEADER + 32, "other times or entries"),
        (HEADER + 48, "other times or entries"),
        (end - 8, "other keys"),
    ] {
        forge(&snapshot, |content| content[at] ^= 1);
        let (report, errors) = convicted(&directory);
        assert_eq!(report["snapshots"][0]["verdict"], "different", "byte {at}");
        assert!(report["damage"].is_null(), "the records are whole");
        assert!(
            errors.contains(&name) && errors.contains(said),
            "byte {at}: {errors}"
        );
        fs::write(&snapshot, &honest).unwrap();
    }
    flip(&snapshot, HEADER + 16);
    let (report, said) = convicted(&directory);
    assert_eq!(report["snapshots"][0]["verdict"], "broken");
    assert!(
        said.contains(&format!("snapshot {name} is of no use")),
        "{said}"
    );
    fs::write(&snapshot, &honest).unwrap();

    // One of a later format is not broken, and not to be removed.
    forge(&snapshot, |content| content[8] = 2);
    let (report, said) = convicted(&directory);
    assert_eq!(report["snapshots"][0]["verdict"], "foreign");
    assert!(
        said.contains(&format!("snapshot {name} has format version 2")) && !said.contains("Remove"),
        "{said}"
    );
    fs::write(&snapshot, &honest).unwrap();

    // Damage before it leaves nothing to compare it with.
    let first = directory.file(".journal");
    flip(&first, 700);
    let (report, _) = convicted(&directory);
    assert_eq!(report["snapshots"][0]["verdict"], "unknown");
    // Without the segments before it there is nothing to compare it with either, and that is no damage.
    let between = directory.files(".journal").into_iter();
    for segment in between.filter(|segment| segment.file_stem() < snapshot.file_stem()) {
        fs::remove_file(segment).unwrap();
    }
    let output = journal("check", &directory.0, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let last = report["snapshots"].as_array().unwrap().last().unwrap();
    assert_eq!(last["verdict"], "believed");
    for segment in directory.files(".journal") {
        fs::remove_file(segment).unwrap();
    }
    let (_, said) = convicted(&directory);
    assert!(said.contains("which the file `head` names"), "{said}");
    fs::remove_file(directory.0.join("head")).unwrap();
    let (_, said) = convicted(&directory);
    assert!(said.contains("there are snapshots without any"), "{said}");
}

#[test]
fn damage_in_a_later_segment_is_named_by_its_file() {
    let (directory, _) = with_snapshot(15);
    let second = directory.files(".journal").remove(1);
    flip(&second, 700);
    let (report, _) = convicted(&directory);
    assert_eq!(
        report["damage"]["segment"],
        second.file_name().unwrap().to_str().unwrap()
    );
    assert_eq!(report["damage"]["offset"], SECTOR);
}
