//! Forgeries at random: an honest journal, of which a few fields are changed and as much of the rest is mended as it takes
//! to be believed for a while.

use super::{
    Account, BEGIN_US, Batch, Head, Journal, Mend, Number, Record, Segment, Snapshot, number,
    version_4,
};

/// Random numbers that a seed repeats (SplitMix64, by Steele, Lea and Flood).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    pub(crate) fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// One of them, unless there is none.
    fn pick<'a, T>(&mut self, from: &'a mut [T]) -> Option<&'a mut T> {
        let count = from.len();
        (count > 0)
            .then(|| self.below(count))
            .map(|index| &mut from[index])
    }
}

/// The outcome of a withdrawal that was refused.
const INSUFFICIENT_FUNDS: u8 = 2;

/// An honest journal of a few segments, with snapshots or without, the older segments taken away or not.
pub(crate) fn honest(dice: &mut Dice) -> Journal {
    let mut accounts: Vec<(Number, i64)> = Vec::new();
    let mut opened = 0;
    let mut at = BEGIN_US;
    let mut segments = Vec::new();
    for _ in 0..1 + dice.below(4) {
        let mut batches = Vec::new();
        for _ in 0..1 + dice.below(12) {
            let records = (0..1 + dice.below(4)).map(|_| {
                at += dice.below(3) as i64;
                let mut record = honest_record(dice, &mut accounts, &mut opened);
                record.at = at;
                match dice.once_in(3) {
                    true => record.with_key(&format!("key-{}", dice.below(40))),
                    false => record,
                }
            });
            batches.push(records.collect());
        }
        segments.push(batches);
    }
    let mut journal = Journal::of(segments, 1 << 16);
    once_per_key(&mut journal);
    for segment in 1..journal.segments.len() {
        if dice.once_in(2) {
            journal.snapshots.push(journal.snapshot_at(segment));
        }
    }
    let oldest = journal.snapshots.first().map(|it| it.position);
    if let Some(oldest) = oldest.filter(|_| dice.once_in(3)) {
        journal.segments.retain(|it| it.position >= oldest);
    }
    journal
}

/// Within its time a key is used once.
fn once_per_key(journal: &mut Journal) {
    let mut seen = std::collections::BTreeSet::new();
    let batches = journal.segments.iter_mut().flat_map(|it| &mut it.batches);
    for record in batches.flat_map(|it| &mut it.records) {
        if !seen.insert(record.key.clone()) {
            record.key.clear();
        }
    }
    journal.mend(Mend::Balances);
}

fn honest_record(dice: &mut Dice, accounts: &mut Vec<(Number, i64)>, opened: &mut u64) -> Record {
    let amount = 1 + dice.below(1_000) as i64;
    if accounts.is_empty() || dice.once_in(5) {
        let number = number(*opened);
        *opened += 1;
        accounts.push((number, amount));
        return Record::open(number, amount);
    }
    let index = dice.below(accounts.len());
    let (number, balance) = accounts[index];
    match dice.below(9) {
        8 => Record {
            outcome: INSUFFICIENT_FUNDS,
            balance,
            ..Record::withdraw(number, balance + amount)
        },
        0 => {
            accounts.swap_remove(index);
            Record::close(number, balance)
        }
        1..=3 if balance > 0 => {
            let amount = 1 + dice.below(balance as usize) as i64;
            accounts[index].1 -= amount;
            Record::withdraw(number, amount)
        }
        _ => {
            accounts[index].1 += amount;
            Record::deposit(number, amount)
        }
    }
}

/// A few changes to a journal, mended so far as chance will have it.
pub(crate) fn forge(dice: &mut Dice, journal: &mut Journal) {
    let begin = journal
        .segments
        .first()
        .map(|first| (first.position, first.first_sequence, first.previous));
    let is_whole = begin.is_some_and(|(position, ..)| position == 0);
    for _ in 0..dice.below(3) {
        forge_records(dice, journal);
    }
    let how = [Mend::Checksums, Mend::Chain, Mend::Links, Mend::Balances][dice.below(4)];
    // Where the beginning is missing, nobody knows the links and balances.
    let how = if is_whole { how } else { how.min(Mend::Chain) };
    journal.mend_from(begin.unwrap_or((0, 1, [0; 32])), how);
    if is_whole && dice.once_in(2) {
        for index in 0..journal.snapshots.len() {
            let named = journal.snapshots[index].named;
            let segment = journal.segments.iter().position(|it| it.named == named);
            let segment = segment.unwrap_or(journal.segments.len().saturating_sub(1));
            if segment > 0 {
                journal.snapshots[index] = journal.snapshot_at(segment);
            }
        }
    }
    for _ in 0..dice.below(3) {
        match dice.below(8) {
            0 => forge_segment(dice, journal),
            1 => forge_batch(dice, journal),
            2 => forge_head(dice, journal),
            3 => forge_names(dice, journal),
            _ => forge_snapshot(dice, journal),
        }
    }
    // What a snapshot says of a place that does not fit is found at once: so it mostly fits.
    if dice.once_in(2) {
        follow_segments(dice, journal);
    }
}

/// Has the snapshots and the head say again what the segments say of their places.
fn follow_segments(dice: &mut Dice, journal: &mut Journal) {
    let places: Vec<_> = journal
        .segments
        .iter()
        .map(|it| (it.position, it.first_sequence, it.previous))
        .collect();
    for snapshot in &mut journal.snapshots {
        if places
            .iter()
            .all(|(position, ..)| *position != snapshot.position)
            && let Some((position, ..)) = places.get(dice.below(places.len().max(1)))
        {
            snapshot.position = *position;
        }
        snapshot.named = snapshot.position;
        let place = places
            .iter()
            .find(|(position, ..)| *position == snapshot.position);
        if let Some((_, sequence, previous)) = place {
            (snapshot.next_sequence, snapshot.chain) = (*sequence, *previous);
        }
    }
    if let (Some(head), Some((newest, ..))) = (&mut journal.head, places.last()) {
        head.newest = *newest;
    }
}

fn forge_records(dice: &mut Dice, journal: &mut Journal) {
    let all = journal.segments.iter().flat_map(|it| &it.batches);
    let mut all: Vec<_> = all.flat_map(|it| &it.records).cloned().collect();
    let some = dice.pick(&mut all).cloned();
    let Some(segment) = dice.pick(&mut journal.segments) else {
        return;
    };
    let Some(batch) = dice.pick(&mut segment.batches) else {
        return;
    };
    let records = &mut batch.records;
    if records.is_empty() {
        return;
    }
    let index = dice.below(records.len());
    match dice.below(7) {
        0 => {
            records.remove(index);
        }
        1 => records.insert(index, records[index].clone()),
        // One of another account or time, such as an opening behind the closing.
        6 => records.extend(some),
        2 => {
            let other = dice.below(records.len());
            records.swap(index, other);
        }
        _ => forge_record(dice, &mut records[index]),
    }
}

fn forge_record(dice: &mut Dice, record: &mut Record) {
    let word = |dice: &mut Dice, it: &mut i64| *it = near(dice, it.cast_unsigned()).cast_signed();
    match dice.below(14) {
        0 => record.kind = dice.below(7) as u8,
        1 => record.outcome = dice.below(8) as u8,
        2 => record.reserved[dice.below(5)] = dice.next() as u8,
        3 => record.sequence = near(dice, record.sequence),
        4 => word(dice, &mut record.at),
        5 => record.number = forged_number(dice, record.number),
        6 => record.number = number(dice.below(6) as u64),
        7 => word(dice, &mut record.amount),
        8 => word(dice, &mut record.balance),
        9 => record.entry = near(dice, record.entry),
        10 => record.previous = near(dice, record.previous),
        11 => record.jump = near(dice, record.jump),
        // A refusal, with what it was refused for.
        12 => (record.outcome, record.kind) = (1 + dice.below(4) as u8, 1 + dice.below(4) as u8),
        _ => record.key = forged_key(dice),
    }
}

fn forge_batch(dice: &mut Dice, journal: &mut Journal) {
    let Some(segment) = dice.pick(&mut journal.segments) else {
        return;
    };
    let batches = &mut segment.batches;
    if batches.is_empty() {
        return;
    }
    let index = dice.below(batches.len());
    match dice.below(8) {
        0 => {
            batches.remove(index);
        }
        1 => batches.insert(index, batches[index].clone()),
        2 => {
            let other = dice.below(batches.len());
            batches.swap(index, other);
        }
        3 => {
            let right = batches[index].records.len() as u64 * 88;
            batches[index].records_bytes = Some(near(dice, right) as u32);
        }
        4 => batches[index].more = vec![dice.next() as u8; dice.below(600)],
        5 => batches[index].position = near(dice, batches[index].position),
        6 => batches[index].first_sequence = near(dice, batches[index].first_sequence),
        _ => batches[index] = Batch::of(Vec::new()),
    }
}

fn forge_segment(dice: &mut Dice, journal: &mut Journal) {
    let segments = &mut journal.segments;
    if segments.is_empty() {
        return;
    }
    let index = dice.below(segments.len());
    let Segment {
        named,
        position,
        first_sequence,
        length,
        ..
    } = segments[index];
    match dice.below(9) {
        0 => {
            segments.remove(index);
        }
        1 => {
            let mut twin = segments[index].clone();
            twin.named = near(dice, named);
            segments.push(twin);
        }
        2 => segments[index].named = near(dice, named),
        3 => segments[index].position = near(dice, position),
        4 => segments[index].first_sequence = near(dice, first_sequence),
        5 => segments[index].length = near(dice, length),
        6 => segments[index].version = near(dice, 1) as u32,
        7 => segments[index].ledger[0] = dice.next() as u8,
        _ => segments[index].tail = vec![dice.next() as u8; dice.below(2_000)],
    }
}

fn forge_head(dice: &mut Dice, journal: &mut Journal) {
    match &mut journal.head {
        Some(head) if dice.once_in(2) => head.newest = near(dice, head.newest),
        Some(head) if dice.once_in(2) => head.ledger[dice.below(16)] ^= 1,
        head => {
            *head = dice.once_in(2).then_some(Head {
                ledger: super::LEDGER,
                newest: 0,
            })
        }
    }
}

/// Files of other names, among them such that are nearly those of a journal, and such that a terminal obeys.
fn forge_names(dice: &mut Dice, journal: &mut Journal) {
    let names = [
        "9.snapshot",
        "+0000000000000000007.snapshot",
        "18446744073709551616.journal",
        "\u{1b}[2J.journal",
        "00000000000000000000.journal\n",
        "next.segment",
        "next.snapshot",
        "lock",
    ];
    let name = names[dice.below(names.len())].to_owned();
    let content = vec![dice.next() as u8; dice.below(1_000)];
    journal.others.insert(name, content);
}

fn forge_snapshot(dice: &mut Dice, journal: &mut Journal) {
    let Some(snapshot) = dice.pick(&mut journal.snapshots) else {
        return;
    };
    match dice.below(14) {
        0 => snapshot.named = near(dice, snapshot.named),
        1 => snapshot.version = near(dice, 1) as u32,
        2 => snapshot.ledger[dice.below(16)] ^= 1,
        3 => snapshot.position = near(dice, snapshot.position),
        4 => snapshot.next_sequence = near(dice, snapshot.next_sequence),
        5 => snapshot.chain[dice.below(32)] ^= 1,
        6 => snapshot.last_at = near(dice, snapshot.last_at.cast_unsigned()).cast_signed(),
        7 => {
            let which = dice.below(3);
            let right = [
                snapshot.accounts.len(),
                snapshot.closed.len(),
                snapshot.keys.len(),
            ][which];
            snapshot.claims[which] = Some(near(dice, right as u64));
        }
        8 => snapshot.tail = vec![dice.next() as u8; dice.below(500)],
        9 => forge_lists(dice, snapshot),
        10 => {
            if let Some((number, position)) = dice.pick(&mut snapshot.closed) {
                *number = forged_number(dice, *number);
                *position = near(dice, *position);
            }
        }
        11 => {
            if let Some(key) = dice.pick(&mut snapshot.keys) {
                forge_record(dice, key);
            }
        }
        _ => {
            if let Some(account) = dice.pick(&mut snapshot.accounts) {
                forge_account(dice, account);
            }
        }
    }
}

/// Leaves one out, or has one twice.
fn forge_lists(dice: &mut Dice, snapshot: &mut Snapshot) {
    fn one<T: Clone>(dice: &mut Dice, list: &mut Vec<T>) {
        if list.is_empty() {
            return;
        }
        let index = dice.below(list.len());
        match dice.once_in(2) {
            true => drop(list.remove(index)),
            false => list.push(list[index].clone()),
        }
    }
    match dice.below(3) {
        0 => one(dice, &mut snapshot.accounts),
        1 => one(dice, &mut snapshot.closed),
        _ => one(dice, &mut snapshot.keys),
    }
}

fn forge_account(dice: &mut Dice, account: &mut Account) {
    let word = |dice: &mut Dice, it: &mut i64| *it = near(dice, it.cast_unsigned()).cast_signed();
    match dice.below(10) {
        0 => account.number = forged_number(dice, account.number),
        1 => word(dice, &mut account.balance),
        2 => account.created = near(dice, account.created),
        3 => word(dice, &mut account.created_at),
        4 => word(dice, &mut account.updated_at),
        5 => account.entries = near(dice, account.entries),
        6 => account.last = near(dice, account.last),
        7 => account.claimed = Some(near(dice, account.milestones.len() as u64)),
        8 => account.milestones.push(near(dice, account.last)),
        _ => {
            if let Some(milestone) = dice.pick(&mut account.milestones) {
                *milestone = near(dice, *milestone);
            }
        }
    }
}

/// A number that is likely to be taken for `right`, or to be at the edge of something.
fn near(dice: &mut Dice, right: u64) -> u64 {
    let power = 1_u64 << dice.below(64);
    match dice.below(10) {
        0 => 0,
        1 => u64::MAX,
        2 => power,
        3 => power.wrapping_sub(1),
        4 => u64::MAX - power,
        5 => right.wrapping_add(1),
        6 => right.wrapping_sub(1),
        7 => right.wrapping_add(512),
        8 => right.wrapping_sub(512),
        _ => right ^ power,
    }
}

fn forged_number(dice: &mut Dice, right: Number) -> Number {
    match dice.below(3) {
        0 => (near(dice, right.0), right.1),
        1 => version_4((dice.next(), dice.next())),
        _ => number(dice.below(6) as u64),
    }
}

/// A key, or what is none.
fn forged_key(dice: &mut Dice) -> Vec<u8> {
    match dice.below(4) {
        0 => format!("key-{}", dice.below(40)).into_bytes(),
        1 => b"\x1b]0;owned\x07\r\n".to_vec(),
        2 => vec![b'~'; dice.below(256)],
        _ => (0..dice.below(20)).map(|_| dice.next() as u8).collect(),
    }
}
