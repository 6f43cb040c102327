//! Open accounts, by number: an index, and what is known of each, side by side.
//!
//! A hash table has up to twice as many places as entries. The index is small enough for that not to
//! matter, and what is known of an account takes one cache line of a table without gaps.

use std::collections::HashMap;
use std::hint;

use crate::engine::creation_index::CreationNumber;
use crate::journal::format::entry_links::EntryLinks;
use crate::values::account_number::{AccountNumber, AccountNumberHash};
use crate::values::money::Cents;
use crate::values::timestamp::Timestamp;

/// What is known of an open account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountState {
    pub(crate) balance: Cents,
    /// How many accounts had been opened with it: its place in the order of creation.
    pub(crate) created: CreationNumber,
    pub(crate) created_at: Timestamp,
    pub(crate) last_updated: Timestamp,
    pub(crate) links: EntryLinks,
}

/// All open accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    index: HashMap<AccountNumber, u32, AccountNumberHash>,
    states: Vec<AccountState>,
    /// Places of accounts that were closed.
    free: Vec<u32>,
}

impl Accounts {
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Makes room for so many more, if there is memory for it.
    pub(crate) fn make_room(&mut self, more: usize) {
        // Where there is none, it is made as it is needed.
        let _ = self.index.try_reserve(more);
        let _ = self.states.try_reserve_exact(more);
    }

    /// Removes all of them, and keeps the memory for others.
    pub(crate) fn clear(&mut self) {
        self.index.clear();
        self.states.clear();
        self.free.clear();
    }

    pub(crate) fn contains(&self, number: AccountNumber) -> bool {
        self.index.contains_key(&number)
    }

    pub(crate) fn get(&self, number: AccountNumber) -> Option<&AccountState> {
        self.states.get(*self.index.get(&number)? as usize)
    }

    pub(crate) fn get_mut(&mut self, number: AccountNumber) -> Option<&mut AccountState> {
        self.states.get_mut(*self.index.get(&number)? as usize)
    }

    /// Adds an account. Returns whether there was none of its number, and room for it: 4 billion are too many.
    #[must_use]
    pub(crate) fn insert(&mut self, number: AccountNumber, state: AccountState) -> bool {
        let place = match self.free.pop() {
            Some(place) => place,
            None => match u32::try_from(self.states.len()) {
                Ok(place) => place,
                Err(_) => return false,
            },
        };
        match self.states.get_mut(place as usize) {
            Some(free) => *free = state,
            None => self.states.push(state),
        }
        self.index.insert(number, place).is_none()
    }

    pub(crate) fn remove(&mut self, number: AccountNumber) {
        if let Some(place) = self.index.remove(&number) {
            self.free.push(place);
        }
    }

    /// Has the processor fetch these accounts into its caches. One after another, each lookup would wait for
    /// memory; nothing here depends on the one before, so the waits overlap.
    pub(crate) fn fetch(&self, numbers: impl Iterator<Item = AccountNumber>) {
        let places = numbers.filter_map(|number| self.index.get(&number).copied());
        let places: Vec<_> = places.collect();
        let states = places
            .iter()
            .filter_map(|place| self.states.get(*place as usize));
        hint::black_box(states.fold(0, |all, state| all ^ state.balance.get()));
    }

    /// All of them, in the order of their creation.
    pub(crate) fn by_creation(&self) -> impl Iterator<Item = (AccountNumber, &AccountState)> {
        let mut order: Vec<_> = self
            .index
            .iter()
            .filter_map(|(number, place)| {
                Some((self.states.get(*place as usize)?.created, *number, *place))
            })
            .collect();
        order.sort_unstable_by_key(|(created, ..)| *created);
        order
            .into_iter()
            .filter_map(|(_, number, place)| Some((number, self.states.get(place as usize)?)))
    }

    /// The sum of all balances, in cents.
    pub(crate) fn total_cents(&self) -> i128 {
        let places = self.index.values();
        let open = places.filter_map(|place| self.states.get(*place as usize));
        open.map(|it| i128::from(it.balance.get())).sum()
    }
}
