//! Which accounts there are, as far as this run knows, and whether a listing is one of them.
//!
//! A listing shows accounts that were there before the run, and those that the run has opened, in the order of creation. A
//! number that nobody knows yet may be that of a creation which is on its way: it is kept, and asked about at the end.

use std::collections::{HashMap, HashSet};

use cashpoint::AccountNumber;

use super::subject::{Listed, Oddities};

/// Up to this many accounts a listing is one instant's also under load: those of more are sent as they are read.
const AT_ONCE_MAX: u64 = 1_000;

/// When an account was created: at one instant between the two, in nanoseconds since the beginning.
#[derive(Clone, Copy, Debug)]
struct Created {
    called: u64,
    answered: u64,
}

/// The accounts that are known.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Those that were there before. `None` if nobody told.
    before: Option<HashSet<AccountNumber>>,
    created: HashMap<AccountNumber, Created>,
    /// Listed, and known to nobody so far.
    strangers: HashSet<AccountNumber>,
}

impl Known {
    /// Begins with what a first listing shows, before anything is opened.
    pub(super) fn new(first: Option<&Listed>) -> Self {
        let numbers = |listed: &Listed| listed.rows.iter().map(|(number, _)| *number).collect();
        Self {
            before: first.map(numbers),
            ..Self::default()
        }
    }

    pub(super) fn opened(&mut self, number: AccountNumber, called: u64, answered: u64) {
        self.created.insert(number, Created { called, answered });
    }

    /// Looks at a listing. `is_quiet` if nothing was under way meanwhile.
    pub(super) fn look(&mut self, listed: &Listed, is_quiet: bool, oddities: &mut Oddities) {
        let (rows, total) = (listed.rows.len() as u64, listed.total);
        if rows != total && (is_quiet || rows.max(total) <= AT_ONCE_MAX) {
            oddities.wrong("a listing that has not as many accounts as it says", || {
                format!("GET /accounts: {rows} accounts, of {total} in all")
            });
        }
        // When the one of them was called for that was so last.
        let mut latest = None;
        for (number, _) in &listed.rows {
            match self.created.get(number) {
                Some(created) => {
                    if latest.is_some_and(|(called, _)| created.answered < called) {
                        oddities.wrong("a listing that is not in the order of creation", || {
                            let (_, earlier) = latest.unwrap_or((0, *number));
                            format!(
                                "GET /accounts: {number} stands behind {earlier}, and was there before that was \
                                 asked for"
                            )
                        });
                    }
                    latest = latest.max(Some((created.called, *number)));
                }
                None if self.before.as_ref().is_some_and(|it| it.contains(number)) => {
                    if let Some((_, earlier)) = latest {
                        oddities.wrong("a listing that is not in the order of creation", || {
                            format!(
                                "GET /accounts: {number} stands behind {earlier}, and was there before this run"
                            )
                        });
                    }
                }
                None => {
                    self.strangers.insert(*number);
                }
            }
        }
    }

    /// When every creation was answered but for so many: whether accounts were listed so far that nobody has opened.
    pub(super) fn tell_strangers(&mut self, unanswered: u64, oddities: &mut Oddities) {
        if self.before.is_none() {
            return;
        }
        let (created, mut count) = (&self.created, 0);
        for number in self
            .strangers
            .drain()
            .filter(|it| !created.contains_key(it))
        {
            count += 1;
            if count > unanswered {
                let example = || format!("GET /accounts: {number}");
                oddities.wrong("a listing with an account that nobody has opened", example);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with listings, each of some of the accounts 0 to 4. 0 was there before, 1 to 3 are created one after another,
    /// 4 is a stranger.
    fn wrong(listings: &[(&[usize], u64, bool)], unanswered: u64) -> Vec<String> {
        let numbers: Vec<_> = (0..5).map(|_| AccountNumber::random()).collect();
        let listed = |which: &[usize], total| Listed {
            rows: which.iter().map(|it| (numbers[*it], 0)).collect(),
            total,
        };
        let mut known = Known::new(Some(&listed(&[0], 1)));
        for (index, number) in numbers.iter().enumerate().take(4).skip(1) {
            known.opened(*number, 10 * index as u64, 10 * index as u64 + 5);
        }
        let mut oddities = Oddities::default();
        for (which, total, is_quiet) in listings {
            known.look(&listed(which, *total), *is_quiet, &mut oddities);
        }
        known.tell_strangers(unanswered, &mut oddities);
        oddities.wrong.into_keys().collect()
    }

    #[test]
    fn listings_are_complete_in_order_and_of_what_was_opened() {
        const COUNT: &str = "a listing that has not as many accounts as it says";
        const ORDER: &str = "a listing that is not in the order of creation";
        const STRANGER: &str = "a listing with an account that nobody has opened";
        let all: &[_] = &[0, 1, 2, 3];
        assert!(wrong(&[(all, 4, true), (&[1, 3], 2, false)], 0).is_empty());
        assert_eq!(wrong(&[(all, 5, false)], 0), [COUNT]);
        assert!(wrong(&[(all, 1_001, false)], 0).is_empty());
        assert_eq!(wrong(&[(all, 1_001, true)], 0), [COUNT]);
        assert_eq!(wrong(&[(&[0, 2, 1], 3, true)], 0), [ORDER]);
        assert_eq!(wrong(&[(&[1, 0], 2, true)], 0), [ORDER]);
        assert_eq!(wrong(&[(&[4], 1, true)], 0), [STRANGER]);
        assert!(wrong(&[(&[4], 1, true)], 1).is_empty());
    }
}
