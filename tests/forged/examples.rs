//! What was found by hand, each with its kind.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::forger::{BEGIN_US, CLOSE, DEPOSIT, Head, Journal, LEDGER, Mend, OPEN, Record, number};
use crate::program::{Start, check, journal, serve};

fn written(journal: &Journal) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    journal.write(directory.path());
    directory
}

/// Neither `check` nor `serve` takes it, and both say this.
fn refused(directory: &Path, why: &str) {
    let (is_whole, report, said) = check(directory);
    assert!(!is_whole, "called whole: {report}");
    assert!(said.contains(why), "{why:?}: {said}");
    match serve(directory) {
        Start::Refused(said) => assert!(said.contains(why), "{why:?}: {said}"),
        Start::Lists(accounts) => panic!("served: {accounts:?}"),
    }
    for (what, arguments) in [
        ("show", &["--json"][..]),
        ("export", &["--format", "csv"]),
        ("export", &["--format", "jsonl"]),
    ] {
        journal(what, directory, arguments);
    }
}

/// Whether it is whole by `check`, whose account is listed by `serve`, with its balance.
fn served(directory: &Path) -> bool {
    let (is_whole, report, said) = check(directory);
    let Start::Lists(accounts) = serve(directory) else {
        panic!("serve refuses what check says this of: {report} {said}");
    };
    let listed: Vec<_> = accounts
        .iter()
        .map(|it| (it["account_number"].clone(), it["balance"].to_string()))
        .collect();
    let checked = report["accounts"].as_array().unwrap();
    let checked: Vec<_> = checked
        .iter()
        .map(|it| (it["account_number"].clone(), it["balance"].to_string()))
        .collect();
    assert_eq!(listed, checked, "{report}");
    is_whole
}

/// Three accounts, one of them closed, in three segments.
fn honest() -> Journal {
    let account = |index| Record::open(number(index), 1_000);
    let batches = |from: i64| -> Vec<Vec<Record>> {
        (from..from + 20)
            .map(|step| {
                let key = format!("key-{step}");
                vec![
                    Record::deposit(number(step as u64 % 2), step).with_key(&key),
                    Record::withdraw(number(0), 1),
                ]
            })
            .collect()
    };
    let mut first = vec![vec![account(0), account(1), account(2)]];
    first.extend(batches(1));
    let mut second = batches(21);
    second.push(vec![Record::close(number(2), 0)]);
    Journal::of(vec![first, second, batches(41)], 1 << 20)
}

#[test]
fn what_the_forger_writes_honestly_is_whole_and_served() {
    let mut journal = honest();
    journal.snapshots = vec![journal.snapshot_at(1), journal.snapshot_at(2)];
    assert!(served(written(&journal).path()));
    // Where the first segment was taken away, the snapshot is believed.
    journal.segments.remove(0);
    assert!(served(written(&journal).path()));
}

/// Makes a file as long as `length`, or as the file system allows, without storing anything.
fn stretch(path: &Path, length: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let lengths = (0..30).map(|halvings| length >> halvings);
    let stretched = lengths.clone().any(|length| file.set_len(length).is_ok());
    assert!(stretched, "{length} bytes");
}

#[test]
fn no_count_in_a_snapshot_takes_more_memory_than_the_snapshot() {
    let counts = [
        1_u64 << 20,
        1 << 33,
        1 << 40,
        1 << 58,
        1 << 62,
        u64::MAX / 24,
        u64::MAX,
    ];
    for kind in 0..3 {
        for count in counts {
            for is_sparse in [false, true] {
                let mut journal = honest();
                let mut snapshot = journal.snapshot_at(2);
                snapshot.claims[kind] = Some(count);
                let name = snapshot.name();
                journal.snapshots = vec![snapshot];
                let directory = written(&journal);
                if is_sparse {
                    let bytes = [72, 24, 88][kind];
                    let length = count.saturating_mul(bytes).min(1 << 62) + 4096;
                    stretch(&directory.path().join(name), length);
                }
                // A snapshot that is broken costs time and nothing else.
                assert!(!served(directory.path()), "{count} of kind {kind}");
            }
        }
    }
}

#[test]
fn a_snapshot_that_is_mostly_a_hole_takes_no_time() {
    for (version, is_served) in [(1, true), (2, false)] {
        let mut journal = honest();
        let mut snapshot = journal.snapshot_at(2);
        snapshot.version = version;
        // So it is read to its end for the hash.
        snapshot.claims[0] = Some(2);
        snapshot.accounts.reverse();
        let name = snapshot.name();
        journal.snapshots = vec![snapshot];
        let directory = written(&journal);
        stretch(&directory.path().join(name), 8 << 40);
        if is_served {
            assert!(!served(directory.path()));
        } else {
            refused(directory.path(), "version 2");
        }
    }
}

#[test]
fn a_segment_that_was_stretched_takes_no_memory_and_no_time() {
    // Its header says how long it is.
    let journal = honest();
    for length in [3 << 30, 8 << 40] {
        for index in [0, 2] {
            let directory = written(&journal);
            stretch(
                &directory.path().join(journal.segments[index].name()),
                length,
            );
            refused(directory.path(), "its length differs");
        }
    }
    // The header says the same.
    for length in [3 << 30, 8 << 40, i64::MAX as u64] {
        let mut journal = honest();
        journal.segments[2].length = length;
        let directory = tempfile::tempdir().unwrap();
        for (name, (bytes, length)) in journal.files() {
            fs::write(directory.path().join(&name), bytes).unwrap();
            stretch(&directory.path().join(name), length);
        }
        refused(directory.path(), "longer than a segment may be");
    }
}

#[test]
fn a_batch_of_gigabytes_is_not_read_into_memory() {
    for records_bytes in [u32::MAX, 3 << 30, 900 << 20, 64 << 20] {
        let mut journal = honest();
        let segment = &mut journal.segments[2];
        segment.length = 1 << 30;
        segment.batches.last_mut().unwrap().records_bytes = Some(records_bytes);
        refused(written(&journal).path(), "longer than a batch may be");
    }
}

#[test]
fn a_torn_end_of_gigabytes_is_none() {
    let mut journal = honest();
    let segment = journal.segments.last_mut().unwrap();
    segment.length = 1 << 30;
    let name = segment.name();
    let directory = written(&journal);
    let file = OpenOptions::new()
        .write(true)
        .open(directory.path().join(name))
        .unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[7], (1 << 30) - 1).unwrap();
    refused(directory.path(), "longer than a batch may be");
}

/// Many segments of the largest length, with nothing in them but holes, are read in the time that their batches take.
#[test]
fn holes_are_passed_over() {
    let batches = (0..200).map(|step| match step {
        0 => vec![vec![Record::open(number(0), 0)]],
        _ => vec![vec![Record::deposit(number(0), 1)]],
    });
    let journal = Journal::of(batches.collect(), 1 << 30);
    let directory = written(&journal);
    let (is_whole, report, said) = check(directory.path());
    assert!(is_whole, "{report} {said}");
    assert_eq!(report["bytes"], 200_u64 << 30);
}

#[test]
fn only_regular_files_are_read() {
    let mut journal = honest();
    let snapshot = journal.snapshot_at(2);
    let names = [
        journal.segments[0].name(),
        journal.segments[2].name(),
        "head".to_owned(),
        snapshot.name(),
    ];
    type Replace = fn(&Path);
    let kinds: [(&str, Replace); 5] = [
        ("a named pipe", |path| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
        ("a socket", |path| drop(UnixListener::bind(path).unwrap())),
        ("a directory", |path| fs::create_dir(path).unwrap()),
        ("a symbolic link", |path| {
            symlink("/dev/zero", path).unwrap()
        }),
        ("a symbolic link", |path| symlink("/nowhere", path).unwrap()),
    ];
    for (kind, replace) in kinds {
        for name in &names {
            journal.snapshots.clear();
            if *name == snapshot.name() {
                journal.snapshots.push(snapshot.clone());
            }
            let directory = written(&journal);
            let path = directory.path().join(name);
            fs::remove_file(&path).unwrap();
            replace(&path);
            if name.ends_with(".snapshot") {
                // It is of no use, and its records tell the same.
                assert!(!served(directory.path()), "{kind} for {name}");
            } else {
                refused(directory.path(), kind);
            }
        }
    }
}

#[test]
fn what_is_made_anew_takes_the_place_of_whatever_is_there() {
    for name in ["next.segment", "next.snapshot", "next.head"] {
        let directory = written(&honest());
        let path = directory.path().join(name);
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        assert!(served(directory.path()), "{name}");
    }
}

#[test]
fn a_number_is_never_opened_twice() {
    let (one, two) = (number(0), number(1));
    // It is closed in the same segment, in an earlier one, in one that a snapshot stands for; or it is open.
    for segments in [
        vec![vec![
            vec![Record::open(one, 5), Record::open(two, 7)],
            vec![Record::close(one, 5)],
            vec![Record::open(one, 9)],
        ]],
        vec![
            vec![vec![Record::open(one, 5), Record::close(one, 5)]],
            vec![vec![Record::open(one, 9)]],
        ],
    ] {
        let mut journal = Journal::of(segments, 1 << 20);
        refused(written(&journal).path(), "never opened twice");
        if journal.segments.len() > 1 {
            journal.snapshots = vec![journal.snapshot_at(1)];
            refused(written(&journal).path(), "never opened twice");
            journal.segments.remove(0);
            refused(written(&journal).path(), "never opened twice");
        }
    }
    let journal = Journal::of_records(vec![Record::open(one, 5), Record::open(one, 9)]);
    refused(written(&journal).path(), "cannot have been opened");
}

#[test]
fn a_number_that_was_never_drawn_is_refused() {
    let drawn = number(5);
    for number in [
        (0, 0),
        (0, drawn.1),
        (drawn.0, 0),
        (u64::MAX, u64::MAX),
        (drawn.0 ^ 0x1000, drawn.1),
        (drawn.0, drawn.1 ^ (1 << 62)),
    ] {
        let opened = vec![Record::open(number, 5), Record::open(drawn, 5)];
        let journal = Journal::of_records(opened);
        refused(written(&journal).path(), "no UUID of version 4");
        // A snapshot that is believed, because what was before it was taken away.
        for kind in 0..2 {
            let mut journal = honest();
            let mut snapshot = journal.snapshot_at(2);
            match kind {
                0 => snapshot.accounts[0].number = number,
                _ => snapshot.closed[0].0 = number,
            }
            journal.snapshots = vec![snapshot];
            journal.segments.drain(..2);
            refused(written(&journal).path(), "is missing");
        }
    }
}

/// Numbers whose halves have one xor share one place of a table that takes that for their hash: it grows until there is no
/// memory. Other families are tried beside the hash itself.
#[test]
fn chosen_numbers_cost_no_more_than_others() {
    const OPEN_COUNT: u64 = 40_000;
    let chosen = |it: u64| (it << 16 | 0x4000, it << 16 | 0x4000 | 1 << 63);
    let opened = (0..OPEN_COUNT).map(|it| Record::open(chosen(it), 1));
    let others = (OPEN_COUNT..OPEN_COUNT + 5_000).map(chosen);
    let closed = others.flat_map(|it| [Record::open(it, 1), Record::close(it, 1)]);
    let records: Vec<_> = opened.chain(closed).collect();
    let batches = records.chunks(5_000).map(<[Record]>::to_vec).collect();
    let journal = Journal::of(vec![batches], 16 << 20);
    assert!(served(written(&journal).path()));
}

/// The last segment of a journal that begins at this position and with this sequence number, and a snapshot before it.
fn far_along(position: u64, sequence: u64) -> Journal {
    let mut journal = honest();
    let mut snapshot = journal.snapshot_at(2);
    (snapshot.named, snapshot.position) = (position, position);
    snapshot.next_sequence = sequence;
    journal.segments.drain(..2);
    let was = journal.segments[0].position;
    let mut next = sequence;
    for batch in &mut journal.segments[0].batches {
        for record in &mut batch.records {
            record.sequence = next;
            next = next.wrapping_add(1);
            for link in [&mut record.previous, &mut record.jump] {
                if *link > was {
                    *link = position.wrapping_add(*link - was);
                }
            }
        }
    }
    journal.mend_from((position, sequence, snapshot.chain), Mend::Chain);
    journal.head = Some(Head {
        ledger: LEDGER,
        newest: position,
    });
    journal.snapshots = vec![snapshot];
    journal
}

#[test]
fn positions_and_sequence_numbers_near_their_end_are_refused() {
    assert!(served(written(&far_along(1 << 61, 1 << 61)).path()));
    for end in [
        u64::MAX - 511,
        u64::MAX - 1023,
        u64::MAX - (1 << 20) + 1,
        1 << 63,
        (1 << 63) - 512,
        1 << 62,
    ] {
        refused(written(&far_along(end, 1000)).path(), "Restore");
        for sequence in [end + 1, end + 511] {
            refused(written(&far_along(1 << 30, sequence)).path(), "Restore");
        }
        let mut journal = Journal::of(vec![vec![]], 1 << 20);
        journal.segments[0].first_sequence = end;
        refused(written(&journal).path(), "damaged at byte 0");
        // A name alone.
        let mut journal = honest();
        journal.segments[2].named = end;
        journal.head = None;
        refused(written(&journal).path(), "damaged at byte");
    }
    // The last position before that ends within a segment.
    refused(
        written(&far_along((1 << 62) - 512, 1000)).path(),
        "gets that far",
    );
    // A journal does not begin in the middle.
    let mut journal = Journal::of(vec![vec![]], 1 << 20);
    journal.segments[0].first_sequence = 2;
    refused(written(&journal).path(), "does not begin as a journal does");
    journal.segments[0].first_sequence = 1;
    journal.segments[0].previous = [1; 32];
    refused(written(&journal).path(), "does not begin as a journal does");
    // Nor does a snapshot stand before all records.
    let mut journal = Journal::of(vec![vec![]], 1 << 20);
    let mut snapshot = honest().snapshot_at(1);
    (snapshot.named, snapshot.position) = (0, 0);
    (snapshot.next_sequence, snapshot.chain) = (1, [0; 32]);
    journal.snapshots = vec![snapshot];
    assert!(!served(written(&journal).path()));
}

#[test]
fn only_exact_names_count() {
    let mut journal = honest();
    let snapshot = journal.snapshot_at(2);
    let segment = &journal.segments[2];
    let forged = honest().snapshot_at(1).encode();
    let names = [
        "9.snapshot".to_owned(),
        "+7.snapshot".to_owned(),
        format!("{}.snapshot", segment.position),
        format!("0{}", snapshot.name()),
        snapshot.name().to_uppercase(),
        format!("+{:019}.journal", segment.position),
        format!("+{:019}.journal", 0),
        segment.name().to_uppercase(),
        format!("{}.journal", segment.position),
        format!("{}~", segment.name()),
        "99999999999999999999.snapshot".to_owned(),
        "99999999999999999999.journal".to_owned(),
    ];
    journal.others = names
        .iter()
        .map(|name| (name.clone(), forged.clone()))
        .collect();
    journal.snapshots = vec![snapshot.clone()];
    let directory = written(&journal);
    assert!(served(directory.path()));
    for name in names.iter().chain([&snapshot.name()]) {
        assert!(directory.path().join(name).exists(), "{name} was removed");
    }
    // What is called so makes no ledger of a directory.
    let strange = tempfile::tempdir().unwrap();
    fs::write(strange.path().join("9.snapshot"), "").unwrap();
    refused_to_begin(strange.path(), "9.snapshot");
}

/// A start says that the directory holds no ledger.
fn refused_to_begin(directory: &Path, why: &str) {
    match serve(directory) {
        Start::Refused(said) => assert!(said.contains(why), "{said}"),
        Start::Lists(_) => panic!("a ledger was begun beside {why}"),
    }
}

#[test]
fn names_of_others_are_printed_without_what_a_terminal_obeys() {
    for name in ["\u{1b}[2Jgone", "a\rb", "\u{202e}txt.exe", "two\nlines"] {
        let strange = tempfile::tempdir().unwrap();
        fs::write(strange.path().join(name), "").unwrap();
        match serve(strange.path()) {
            Start::Refused(said) => {
                let is_hostile = |char: char| {
                    char.is_control() && char != '\n' || ('\u{202a}'..='\u{202e}').contains(&char)
                };
                assert!(!said.contains(is_hostile), "{said:?}");
                assert!(!said.contains(name), "{said:?}");
            }
            Start::Lists(_) => panic!("a ledger was begun beside {name:?}"),
        }
    }
}

/// Refusals and fields that a record does not use say what they must.
#[test]
fn a_record_says_nothing_that_is_not_so() {
    let one = number(0);
    let refusal = |kind, outcome, amount, balance| Record {
        outcome,
        balance,
        ..Record::granted(kind, one, amount).with_key("k")
    };
    let honest = [
        refusal(crate::forger::WITHDRAW, 2, 11, 10),
        refusal(DEPOSIT, 3, 999_999_999_999_990, 10),
    ];
    let after = |record: &Record| Journal::of_records(vec![Record::open(one, 10), record.clone()]);
    for record in &honest {
        assert!(served(written(&after(record)).path()), "{record:?}");
    }
    let stranger = number(7);
    let unknown = |kind, amount| Record {
        number: stranger,
        ..refusal(kind, 1, amount, 0)
    };
    assert!(served(written(&after(&unknown(CLOSE, 0))).path()));
    for (record, why) in [
        (
            refusal(crate::forger::WITHDRAW, 2, 11, 9),
            "cannot have been refused",
        ),
        (
            refusal(crate::forger::WITHDRAW, 2, 10, 10),
            "cannot have been refused",
        ),
        (refusal(DEPOSIT, 3, 1, 10), "cannot have been refused"),
        (refusal(DEPOSIT, 2, 11, 10), "cannot have"),
        (refusal(OPEN, 1, 0, 0), "does not use"),
        (refusal(CLOSE, 1, 0, 0), "cannot have been refused"),
        (unknown(CLOSE, 5), "does not use"),
        (
            Record {
                balance: 1,
                ..unknown(DEPOSIT, 5)
            },
            "does not use",
        ),
        (
            Record {
                entry: 2,
                ..honest[0].clone()
            },
            "is no entry",
        ),
        (
            Record {
                reserved: [0, 0, 0, 0, 1],
                ..honest[0].clone()
            },
            "nothing may be",
        ),
    ] {
        refused(written(&after(&record)).path(), why);
    }
    let mut journal = after(&Record::close(one, 10));
    journal.segments[0].batches[1].records[0].balance = 10;
    refused(written(&journal).path(), "a closed account has a balance");
}

/// What a snapshot can be seen to lie about where nothing else is left to hold it against.
#[test]
fn a_snapshot_that_is_believed_is_one_that_a_ledger_can_have_written() {
    type Forge = fn(&mut crate::forger::Snapshot);
    let forgeries: [(&str, Forge); 22] = [
        ("one account twice", |it| {
            it.accounts[1] = it.accounts[0].clone()
        }),
        ("one number twice", |it| {
            it.accounts[1].number = it.accounts[0].number
        }),
        ("one place twice", |it| {
            it.accounts[1].created = it.accounts[0].created
        }),
        ("place 0", |it| it.accounts[0].created = 0),
        ("a place behind all", |it| it.accounts[1].created = 4),
        ("a place of the end", |it| it.accounts[1].created = u64::MAX),
        ("open and closed", |it| {
            it.closed[0].0 = it.accounts[0].number
        }),
        ("closed twice", |it| it.closed.push(it.closed[0])),
        ("a debt", |it| it.accounts[0].balance = -1),
        ("too much", |it| {
            it.accounts[0].balance = 1_000_000_000_000_000
        }),
        ("an entry behind it", |it| it.accounts[0].last = it.position),
        ("an entry nowhere", |it| it.accounts[0].last = 0),
        ("no entry", |it| {
            it.accounts[0].entries = 0;
            it.accounts[0].milestones.clear();
        }),
        ("entries to the end", |it| {
            it.accounts[0].entries = u64::MAX;
            it.accounts[0].milestones = vec![600; 15];
        }),
        ("too many milestones", |it| {
            it.accounts[0].milestones.push(600)
        }),
        ("a milestone behind", |it| {
            it.accounts[0].milestones[0] = it.position - 1
        }),
        ("created later", |it| {
            it.accounts[0].created_at = BEGIN_US + 1
        }),
        ("changed in the future", |it| {
            it.accounts[0].updated_at = i64::MAX
        }),
        ("before all time", |it| it.last_at = -1),
        ("a key of the future", |it| {
            it.keys.last_mut().unwrap().at = i64::MAX
        }),
        ("one key twice", |it| it.keys.push(it.keys[0].clone())),
        ("closed nowhere", |it| it.closed[0].1 = u64::MAX),
    ];
    for (what, forge) in forgeries {
        let mut journal = honest();
        let mut snapshot = journal.snapshot_at(2);
        forge(&mut snapshot);
        journal.snapshots = vec![snapshot];
        // Beside its records it is passed over; without them nothing is left.
        let (is_whole, report, _) = check(written(&journal).path());
        assert!(!is_whole, "{what}: {report}");
        assert!(!served(written(&journal).path()), "{what}");
        journal.segments.drain(..2);
        refused(written(&journal).path(), "is missing");
    }
}

/// A snapshot with a key of which no record tells is not what the records say, though how long keys are kept is unknown.
#[test]
fn a_key_that_no_record_has_is_found() {
    let mut journal = honest();
    let mut snapshot = journal.snapshot_at(2);
    let forged = snapshot.keys[0].clone().with_key("forged");
    snapshot.keys.insert(0, forged);
    journal.snapshots = vec![snapshot];
    let (is_whole, report, said) = check(written(&journal).path());
    assert!(!is_whole, "{report}");
    assert!(said.contains("a key that no record has: forged"), "{said}");
}
