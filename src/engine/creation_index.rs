//! The order of creation: which account came after which, so that a listing can be resumed anywhere.
//!
//! The map of accounts has no order, and walking it cannot be resumed. The creation index is an ordered index
//! beside it: account numbers in the order of their creation, on pages of a fixed size, with the pages in a
//! lock-free skip list (crossbeam-skiplist). Only creation, closing and listing touch it; no balance
//! operation does.
//!
//! Creation numbers are handed out one by one and never again, so each has its page and its place there.
//! The page appears with the first account on it, and goes with the last:
//!
//! 1. A page is in the skip list before anything is written to it.
//! 2. It is taken out once each of its places has been written and cleared. Nobody looks for a place on
//!    it after that, so it never comes back.
//!
//! A skip list with a node for each account was half of the memory that an account took.

// The path is spelled out because the shuttle tests include this file from elsewhere.
pub(crate) mod page;

use std::iter;
use std::ops::Bound;

use crossbeam_skiplist::SkipMap;

use self::page::Page;
use super::sync::{AtomicU64, Ordering};
use crate::values::account_number::AccountNumber;

/// How many accounts share a page. A page lives for as long as one of them, so an account that outlives its
/// neighbours holds 520 bytes.
const PLACES: usize = 32;

/// An account's place in the order of creation: later accounts have larger numbers, none is ever used
/// again, and there are gaps. It serves as a cursor that stays good when its account is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CreationNumber(u64);

impl CreationNumber {
    /// The creation number of this value, to come back to a place in a listing.
    #[must_use]
    pub const fn from_u64(value: u64) -> Self {
        Self(value)
    }

    /// This number's value.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Account numbers in the order of their creation.
#[derive(Debug)]
pub(crate) struct CreationIndex {
    next: AtomicU64,
    pages: SkipMap<u64, Page<PLACES>>,
}

impl CreationIndex {
    pub(crate) fn new() -> Self {
        Self {
            next: AtomicU64::new(1),
            pages: SkipMap::new(),
        }
    }

    /// Puts `number` at the end.
    pub(crate) fn insert(&self, number: AccountNumber) -> CreationNumber {
        // ORDERING: Release, pairs with the Acquire in `last`. The entry is published by its page.
        let created = CreationNumber(self.next.fetch_add(1, Ordering::Release));
        let (page, place) = created.position();
        let page = self.pages.get_or_insert_with(page, Page::new);
        page.value().write(place, number.halves());
        created
    }

    /// Puts `number` at a place that it had elsewhere. To be followed by [`go_on_after`](Self::go_on_after).
    #[cfg(feature = "durable")]
    pub(crate) fn insert_at(&self, created: CreationNumber, number: AccountNumber) {
        let (page, place) = created.position();
        let page = self.pages.get_or_insert_with(page, Page::new);
        page.value().write(place, number.halves());
    }

    /// The next creation number is the one after `last`, and of those up to it that nobody was
    /// [put at](Self::insert_at) the accounts are closed. To be called by one thread alone.
    #[cfg(feature = "durable")]
    pub(crate) fn go_on_after(&self, last: CreationNumber) {
        for page in &self.pages {
            for place in 0..PLACES {
                let created = page.key() * PLACES as u64 + place as u64;
                let is_given = (1..=last.0).contains(&created);
                if is_given && page.value().read(place).is_none() {
                    self.remove(CreationNumber(created));
                }
            }
        }
        // ORDERING: Relaxed. No other thread has the creation index yet.
        self.next.store(last.0 + 1, Ordering::Relaxed);
    }

    /// The last number that was handed out; 0 if there is none.
    ///
    /// # Memory ordering
    ///
    /// `Acquire`: whoever reads a number also sees what came before it was handed out, such as the slot that its account
    /// holds of the limit. Whoever was told a number by a listing finds that number here, because the counter only grows.
    pub(crate) fn last(&self) -> CreationNumber {
        // ORDERING: Acquire, pairs with the Release in `insert`.
        CreationNumber(self.next.load(Ordering::Acquire) - 1)
    }

    /// Takes an account off. Its creation number is not used again.
    pub(crate) fn remove(&self, created: CreationNumber) {
        let (page, place) = created.position();
        if let Some(page) = self.pages.get(&page)
            && page.value().remove(place)
        {
            page.remove();
        }
    }

    /// The accounts created after `cursor`, in order; all of them without one. It takes a logarithm to
    /// get to the first, wherever it is. What is inserted throughout appears exactly once; what comes or
    /// goes meanwhile, at most once.
    pub(crate) fn after(
        &self,
        cursor: Option<CreationNumber>,
    ) -> impl Iterator<Item = (CreationNumber, AccountNumber)> {
        let (first_page, _) = cursor.unwrap_or(CreationNumber(0)).position();
        let first_page = self.pages.lower_bound(Bound::Included(&first_page));
        // Not by `range`: in crossbeam-skiplist 0.1.3 that keeps a count on pages it has passed (its issue 1178),
        // which are then never freed.
        iter::successors(first_page, |page| page.next())
            .flat_map(|page| {
                let first = CreationNumber(page.key() * PLACES as u64);
                (0..PLACES).filter_map(move |place| {
                    let number = AccountNumber::from_halves(page.value().read(place)?);
                    Some((CreationNumber(first.0 + place as u64), number))
                })
            })
            .skip_while(move |(created, _)| Some(*created) <= cursor)
    }
}

impl CreationNumber {
    /// The page that it is on, and its place there.
    fn position(self) -> (u64, usize) {
        let places = PLACES as u64;
        // Below `PLACES`, so it fits.
        (self.0 / places, (self.0 % places) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(
        creation_index: &CreationIndex,
        cursor: Option<CreationNumber>,
    ) -> Vec<AccountNumber> {
        creation_index
            .after(cursor)
            .map(|(_, number)| number)
            .collect()
    }

    #[test]
    fn a_listing_goes_on_anywhere_also_at_the_edge_of_a_page() {
        let creation_index = CreationIndex::new();
        let numbers: Vec<_> = (0..3 * PLACES).map(|_| AccountNumber::random()).collect();
        let created: Vec<_> = numbers
            .iter()
            .map(|it| creation_index.insert(*it))
            .collect();
        assert_eq!(listed(&creation_index, None), numbers);
        for (place, created) in created.iter().enumerate() {
            assert_eq!(
                listed(&creation_index, Some(*created)),
                numbers[place + 1..]
            );
        }
        assert_eq!(listed(&creation_index, Some(CreationNumber(u64::MAX))), []);
    }

    #[cfg(feature = "durable")]
    #[test]
    fn what_was_enrolled_elsewhere_keeps_its_places_and_pages_go_as_they_would_have() {
        let creation_index = CreationIndex::new();
        let first = PLACES as u64 + 3;
        let last = CreationNumber(3 * PLACES as u64);
        let number = AccountNumber::random();
        creation_index.insert_at(CreationNumber(first), number);
        creation_index.go_on_after(last);
        assert_eq!(listed(&creation_index, None), [number]);
        assert_eq!(
            creation_index.insert(AccountNumber::random()),
            CreationNumber(last.0 + 1)
        );
        assert_eq!(creation_index.pages.len(), 2);
        creation_index.remove(CreationNumber(first));
        assert_eq!(creation_index.pages.len(), 1);
    }

    #[test]
    fn a_page_goes_with_its_last_account_and_not_before() {
        let creation_index = CreationIndex::new();
        let created: Vec<_> = (0..3 * PLACES)
            .map(|_| creation_index.insert(AccountNumber::random()))
            .collect();
        // Creation numbers begin at 1, so the first place of page 0 stays empty, and page 3 has one account.
        assert_eq!(creation_index.pages.len(), 4);
        let (last, others) = created[PLACES - 1..2 * PLACES - 1].split_last().unwrap();
        for created in others {
            creation_index.remove(*created);
        }
        assert_eq!(creation_index.pages.len(), 4);
        creation_index.remove(*last);
        assert_eq!(creation_index.pages.len(), 3);
        assert_eq!(listed(&creation_index, None).len(), 2 * PLACES);
    }
}
