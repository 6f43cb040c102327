//! A page of the creation index: some places in a row, each written once and cleared once.

use crate::engine::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::engine::sync::{AtomicU64, AtomicUsize};

/// A number of 128 bits in two halves, of which the first is never 0.
pub(crate) type Halves = (u64, u64);

/// So many places.
///
/// A place goes through three states, each once: not yet written, written, cleared. Readers see the
/// number in the second one, and nothing in the others.
#[derive(Debug)]
pub(crate) struct Page<const PLACES: usize> {
    places: [Place; PLACES],
    removed: AtomicUsize,
}

/// The first half says whether the place holds a number. The second is written before it, and never
/// again, so whoever sees the first reads the second that belongs to it.
#[derive(Debug)]
struct Place {
    first: AtomicU64,
    second: AtomicU64,
}

impl<const PLACES: usize> Page<PLACES> {
    pub(crate) fn new() -> Self {
        Self {
            places: std::array::from_fn(|_| Place {
                first: AtomicU64::new(0),
                second: AtomicU64::new(0),
            }),
            removed: AtomicUsize::new(0),
        }
    }

    /// Writes `number` to a place. To be called once for each.
    pub(crate) fn write(&self, place: usize, (first, second): Halves) {
        debug_assert_ne!(first, 0, "0 means that nothing is written");
        if let Some(place) = self.places.get(place) {
            // ORDERING: Relaxed, because Release below publishes it.
            place.second.store(second, Relaxed);
            place.first.store(first, Release);
        }
    }

    /// The number at a place, if it is written and not cleared.
    pub(crate) fn read(&self, place: usize) -> Option<Halves> {
        let place = self.places.get(place)?;
        // ORDERING: Acquire pairs with the Release of `write`, so that the second half is there.
        match place.first.load(Acquire) {
            0 => None,
            first => Some((first, place.second.load(Relaxed))),
        }
    }

    /// Clears a place that was written. To be called once for each. Returns whether that was the last one
    /// of the page: nothing will ever be on it again.
    #[must_use = "the page has to go when it is used up"]
    pub(crate) fn remove(&self, place: usize) -> bool {
        if let Some(place) = self.places.get(place) {
            // ORDERING: Release, so that who counts all places below has seen them cleared.
            place.first.store(0, Release);
        }
        // ORDERING: AcqRel. The one that comes to the full count has all other removals behind it.
        self.removed.fetch_add(1, AcqRel) + 1 == PLACES
    }
}
