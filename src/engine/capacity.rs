//! The exact limit on how many accounts there may be.

use crossbeam_utils::CachePadded;

use super::sync::AtomicUsize;
use super::sync::Ordering::{AcqRel, Acquire, Release};
use crate::values::error::CreateError;

/// A number of slots, of which each account holds one for as long as it can be seen.
///
/// A slot is reserved before an account becomes visible and released after it is gone, so there are
/// never more accounts than slots, under any race. The price: while a closing is still under way, or a
/// creation about to fail, its slot counts, and another creation may be refused.
///
/// # Memory ordering
///
/// A release is seen by the reservation that reuses the slot (`Release`/`Acquire`): whoever gets the
/// slot of a closed account also sees that the account is gone.
#[derive(Debug)]
pub(crate) struct Capacity {
    limit: usize,
    // On a cache line of its own: creations change it, while every operation reads its neighbours.
    in_use: CachePadded<AtomicUsize>,
}

impl Capacity {
    /// Makes `limit` free slots.
    #[must_use]
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            in_use: CachePadded::new(AtomicUsize::new(0)),
        }
    }

    /// The number of slots.
    #[must_use]
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// The number of slots that are reserved now, `0..=limit`.
    #[must_use]
    pub(crate) fn in_use(&self) -> usize {
        // ORDERING: Acquire, pairs with the changes below.
        self.in_use.load(Acquire)
    }

    /// Reserves a slot. Lock-free. Unless it is kept for an account, it is released on drop, so that a
    /// creation that fails midway leaks nothing.
    ///
    /// # Linearization
    ///
    /// At the compare-exchange; a refusal, at the read that found every slot taken.
    ///
    /// # Errors
    ///
    /// [`CreateError::LimitReached`] if every slot is taken.
    pub(crate) fn reserve(&self) -> Result<Reservation<'_>, CreateError> {
        // ORDERING: Acquire here and on failure, because a refusal is decided on what was read.
        let mut observed = self.in_use.load(Acquire);
        loop {
            if observed >= self.limit {
                return Err(CreateError::LimitReached { limit: self.limit });
            }
            // ORDERING: Acquire pairs with the Release in `release`; Release with the Acquire loads.
            match self
                .in_use
                .compare_exchange_weak(observed, observed + 1, AcqRel, Acquire)
            {
                Ok(_) => return Ok(Reservation { capacity: self }),
                Err(newer) => observed = newer,
            }
        }
    }

    /// Gives back the slot of an account that is gone. Wait-free.
    ///
    /// To be called once for each slot that was [kept](Reservation::keep).
    pub(crate) fn release(&self) {
        // ORDERING: Release, pairs with the Acquire in `reserve`: who reuses the slot sees that the
        // account is gone.
        let before = self.in_use.fetch_sub(1, Release);
        debug_assert!(before > 0, "a slot was released that nobody held");
    }
}

/// A slot that is being filled. Dropped, it is free again.
#[derive(Debug)]
#[must_use = "a reservation that is dropped is released"]
pub(crate) struct Reservation<'capacity> {
    capacity: &'capacity Capacity,
}

impl Reservation<'_> {
    /// Keeps the slot beyond this value, for an account that has become visible.
    pub(crate) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.capacity.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_slots_are_reserved_than_there_are() {
        let capacity = Capacity::new(2);
        capacity.reserve().unwrap().keep();
        capacity.reserve().unwrap().keep();
        assert_eq!(
            capacity.reserve().unwrap_err(),
            CreateError::LimitReached { limit: 2 }
        );
        assert_eq!(capacity.in_use(), 2);
        capacity.release();
        assert!(capacity.reserve().is_ok());
    }

    #[test]
    fn a_reservation_that_is_dropped_leaks_nothing() {
        let capacity = Capacity::new(1);
        drop(capacity.reserve().unwrap());
        assert_eq!(capacity.in_use(), 0);
    }

    #[test]
    fn a_limit_of_zero_admits_nobody() {
        assert!(Capacity::new(0).reserve().is_err());
    }
}
