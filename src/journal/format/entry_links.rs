//! Where an account's entries are in the journal.
//!
//! Each entry carries the position of the one before it, and of one further back: of the last entry before
//! it whose number is a multiple of a power of 16. An entry whose own number is a multiple of 16 to the
//! power k points to one of 16 to the power k + 1. So any earlier entry is found in a number of steps that
//! grows with the logarithm of the history, and nothing has to be kept but a few positions for an account.
//!
//! Bitcoin's block index has skew-binary jump pointers for the same purpose. Those need the pointers of the
//! entry pointed to when the next one is written, which is a read of the disk; a larger base costs some
//! more steps and needs none.

use super::record::Link;
use crate::journal::Position;

/// The base of the numbers, as a power of two.
const BASE_BITS: u32 = 4;

/// What is to be known of an account's entries to write the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EntryLinks {
    entries: u64,
    last: Position,
    /// At index k, where the last entry is whose number is a multiple of 16 to the power k + 1.
    milestones: Box<[Position]>,
}

/// The largest power of 16, as its exponent, that divides `entry`.
fn level(entry: u64) -> usize {
    (entry.trailing_zeros() / BASE_BITS) as usize
}

/// The number of the entry that `entry` has a jump to; 0 if it has none.
pub(crate) fn jump_from(entry: u64) -> u64 {
    let power = u64::try_from(level(entry) + 1)
        .ok()
        .and_then(|level| 1_u64.checked_shl(u32::try_from(level).ok()? * BASE_BITS));
    match power {
        Some(power) => (entry.saturating_sub(1) / power) * power,
        None => 0,
    }
}

impl EntryLinks {
    /// Puts them together again.
    pub(in crate::journal) fn from_parts(
        entries: u64,
        last: Position,
        milestones: Box<[Position]>,
    ) -> Self {
        Self {
            entries,
            last,
            milestones,
        }
    }

    /// Whether entries may have led to it: there is at least one, it has as many milestones as follow from how many there
    /// are, and none is behind the one before it.
    pub(in crate::journal) fn may_be(&self) -> bool {
        let expected = self
            .entries
            .checked_ilog2()
            .map(|log| (log / BASE_BITS) as usize);
        let mut later = self.last;
        expected == Some(self.milestones.len())
            && self.milestones.iter().all(|milestone| {
                let is_there = *milestone > 0 && *milestone <= later;
                later = *milestone;
                is_there
            })
    }

    pub(in crate::journal) fn milestones(&self) -> &[Position] {
        &self.milestones
    }

    /// How many entries there are.
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    /// Where the last one is.
    pub(crate) fn last(&self) -> Position {
        self.last
    }

    /// The link of the next entry.
    pub(crate) fn next(&self) -> Link {
        let entry = self.entries + 1;
        Link {
            entry,
            previous: self.last,
            jump: self.milestones.get(level(entry)).copied().unwrap_or(0),
        }
    }

    /// The next entry is at `position`.
    pub(crate) fn advance(&mut self, position: Position) {
        self.entries += 1;
        self.last = position;
        let level = level(self.entries);
        if level > self.milestones.len() {
            let mut more = self.milestones.to_vec();
            more.resize(level, 0);
            self.milestones = more.into();
        }
        for milestone in self.milestones.iter_mut().take(level) {
            *milestone = position;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_earlier_entry_is_reached_in_a_logarithm_of_steps() {
        const ENTRIES: u64 = 70_000;
        // An entry's position is its number, shifted so that no two are taken for one another.
        let position = |entry: u64| if entry == 0 { 0 } else { entry + 1_000_000 };
        let mut links = EntryLinks::default();
        for entry in 1..=ENTRIES {
            let link = links.next();
            assert_eq!(link.entry, entry);
            assert_eq!(link.previous, position(entry - 1));
            assert_eq!(link.jump, position(jump_from(entry)), "entry {entry}");
            links.advance(position(entry));
        }
        for wanted in (1..=ENTRIES).step_by(97) {
            let (mut at, mut steps) = (ENTRIES, 0);
            while at > wanted {
                let jump = jump_from(at);
                at = if jump >= wanted { jump } else { at - 1 };
                steps += 1;
            }
            assert_eq!(at, wanted);
            // At most twice 15 for each of five digits, and one more to get to a multiple.
            assert!(steps <= 5 * 31, "{steps} steps to {wanted}");
        }
    }
}
