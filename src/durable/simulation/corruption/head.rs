//! Damage to the head, and what a crash or an earlier version leaves of it.

use super::*;

#[test]
fn a_head_that_is_not_as_it_was_written_is_refused() {
    let journal = journal();
    let content = journal.disk.content("head");
    for byte in 0..content.len() {
        let verdict = journal.forged("head", |content| content[byte] ^= 1 << (byte % 8));
        assert_eq!(verdict, Verdict::Refused, "byte {byte}");
    }
    for length in 0..content.len() {
        let verdict = journal.with("head", content[..length].to_vec());
        assert_eq!(verdict, Verdict::Refused, "{length} bytes");
    }
    let longer = [content.clone(), vec![0; SECTOR_BYTES]].concat();
    assert_eq!(journal.with("head", longer), Verdict::Refused);
    // Of another ledger, with the right checksum.
    let verdict = journal.forged("head", |content| {
        content[16] ^= 1;
        mend(content, 12, 64);
    });
    assert_eq!(verdict, Verdict::Refused);
    // Of a segment that never was.
    let disk = journal.disk.copy();
    let mut strange = content;
    strange[32] ^= 1;
    mend(&mut strange, 12, 64);
    disk.overwrite("head", strange);
    assert!(matches!(open(&disk), Err(JournalError::Missing { .. })));
}

#[test]
fn a_head_that_is_not_there_or_one_behind_is_written_anew() {
    let journal = journal();
    let content = journal.disk.content("head");
    let names = segments(&journal.disk);
    let second: Position = names[1].strip_suffix(".journal").unwrap().parse().unwrap();
    // A crash came between the segment and the head.
    let mut behind = content.clone();
    behind[32..40].copy_from_slice(&second.to_le_bytes());
    mend(&mut behind, 12, 64);
    assert_eq!(journal.with("head", behind.clone()), Verdict::Same);
    for seed in 0..20 {
        let disk = write(&Disk::new(seed), &batches()).disk;
        let content = disk.content("head");
        match seed % 2 {
            0 => disk.lose("head"),
            _ => {
                let mut behind = behind.clone();
                behind[16..32].copy_from_slice(&content[16..32]);
                mend(&mut behind, 12, 64);
                disk.overwrite("head", behind);
            }
        }
        open(&disk).unwrap();
        disk.lose_power();
        assert_eq!(disk.content("head"), content, "and that is durable");
    }
}

#[test]
fn a_head_never_names_a_segment_that_is_not_durable() {
    for (seed, call) in (0..40).flat_map(|seed| (0..12).map(move |call| (seed, call))) {
        let disk = with_a_segment_named_in_memory_alone(seed);
        // A start takes the segment over, and loses the power on the way.
        disk.end_at(disk.calls() + call);
        let _ = open(&disk);
        disk.lose_power();
        open(&disk).unwrap();
    }
}
