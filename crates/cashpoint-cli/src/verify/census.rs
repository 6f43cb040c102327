//! How many accounts there are, as a subject says when nothing is under way: on its health page, and in a listing.

use super::report::{Finding, PhaseReport};
use super::subject::{Listed, Room, Subject};

/// How often it is asked for: an answer may get lost.
const TRIES: u32 = 4;

/// What was said of how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Census {
    room: Room,
    /// `None` if it could not be listed.
    pub(super) listed: Option<Listed>,
}

impl Census {
    /// Asks for it. `None` if nobody answers, or a page without figures.
    pub(super) fn take(subject: &dyn Subject) -> Option<Self> {
        let mut session = subject.session();
        let room = (0..TRIES).find_map(|_| subject.room().ok())?;
        let listed = (0..TRIES).find_map(|_| session.list());
        Some(Self { room, listed })
    }

    /// Holds it against the one of a time before, since when so many accounts were opened and not closed again, but for
    /// `loose` of which that is not known.
    pub(super) fn hold(
        &self,
        before: &Self,
        opened: i64,
        loose: u64,
        when: &str,
        report: &mut PhaseReport,
    ) {
        let Room { count, limit } = self.room;
        let expected = before.room.count + opened;
        if count.abs_diff(expected) > loose {
            report.finding(Finding::new(format!(
                "the health page counts {count} accounts {when}, where there are {expected}"
            )));
        }
        if loose == 0
            && let Some(Listed { total, .. }) = self.listed
            && Ok(total) != u64::try_from(count)
        {
            report.finding(Finding::new(format!(
                "the health page counts {count} accounts {when}, and a listing {total}"
            )));
        }
        // One that was started with a lower limit than it has accounts is no liar.
        if count < 0 || (count > limit && before.room.count <= before.room.limit) {
            report.finding(Finding::new(format!(
                "the health page counts {count} accounts {when}, of {limit} that may exist"
            )));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_do_not_fit_convict_unless_something_is_unknown() {
        let census = |count, limit, listed: Option<u64>| Census {
            room: Room { count, limit },
            listed: listed.map(|total| Listed {
                rows: Vec::new(),
                total,
            }),
        };
        let findings = |now: Census, before: Census, opened, loose| {
            let mut report = PhaseReport::new("test");
            now.hold(&before, opened, loose, "at the end", &mut report);
            report.findings.len()
        };
        let before = || census(2, 10, Some(2));
        assert_eq!(findings(census(5, 10, Some(5)), before(), 3, 0), 0);
        assert_eq!(findings(census(5, 10, None), before(), 3, 0), 0);
        assert_eq!(findings(census(4, 10, Some(4)), before(), 3, 0), 1);
        assert_eq!(findings(census(4, 10, Some(4)), before(), 3, 1), 0);
        assert_eq!(findings(census(5, 10, Some(4)), before(), 3, 0), 1);
        assert_eq!(findings(census(-1, 10, None), census(0, 10, None), 0, 1), 1);
        assert_eq!(findings(census(11, 10, None), before(), 9, 0), 1);
        assert_eq!(
            findings(census(11, 10, None), census(11, 10, None), 0, 0),
            0
        );
    }
}
