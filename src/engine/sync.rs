//! The atomics that the engine is built on: the standard library's, unless a test needs others.
//!
//! This is the one place that knows `cfg(loom)`, `cfg(shuttle)` and the feature `yields`. The crates
//! `loom-tests` and `shuttle-tests` compile the engine's own source files against the sections below.

#[cfg(not(any(loom, shuttle, feature = "yields")))]
pub(crate) use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

#[cfg(loom)]
pub(crate) use modelled::{AtomicI64, AtomicU64, AtomicUsize, Loads, Ordering, model_loads_as};

#[cfg(all(not(loom), any(shuttle, feature = "yields")))]
pub(crate) use interrupted::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

/// Loom's atomics, with a choice of how a load is modelled.
///
/// Loom 0.7 remembers one last access per atomic. In a loop of load and compare-exchange, a thread's
/// own load can therefore hide an earlier access of another thread, and some interleavings are never
/// tried (loom issues 166 and 392). A load modelled as `fetch_add(0)` is a write to loom and hides
/// nothing, but it always reads the newest value, so it says nothing about weak memory. Each model
/// runs both ways: once for all interleavings, once for stale reads.
#[cfg(loom)]
mod modelled {
    use std::cell::Cell;

    pub(crate) use loom::sync::atomic::Ordering;

    /// How a load is shown to loom.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Loads {
        /// As a load: it may read any value that the memory model allows.
        Plain,
        /// As `fetch_add(0)`: it reads the newest value, and no interleaving is hidden.
        ReadModifyWrite,
    }

    std::thread_local! {
        // Loom runs all threads of a model as coroutines on the OS thread that called it.
        static LOADS: Cell<Loads> = const { Cell::new(Loads::Plain) };
    }

    /// Sets how loads are modelled from now on, on this OS thread.
    pub(crate) fn model_loads_as(loads: Loads) {
        LOADS.set(loads);
    }

    macro_rules! modelled_atomic {
        ($name:ident, $value:ty) => {
            #[derive(Debug)]
            pub(crate) struct $name(loom::sync::atomic::$name);

            impl $name {
                pub(crate) fn new(value: $value) -> Self {
                    Self(loom::sync::atomic::$name::new(value))
                }

                pub(crate) fn load(&self, order: Ordering) -> $value {
                    match LOADS.get() {
                        Loads::Plain => self.0.load(order),
                        Loads::ReadModifyWrite => self.0.fetch_add(0, order),
                    }
                }
            }
        };
    }

    macro_rules! modelled_compare_exchange {
        ($name:ident, $value:ty) => {
            impl $name {
                pub(crate) fn compare_exchange_weak(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    self.0.compare_exchange_weak(current, new, success, failure)
                }
            }
        };
    }

    modelled_atomic!(AtomicI64, i64);
    modelled_atomic!(AtomicU64, u64);
    modelled_atomic!(AtomicUsize, usize);
    modelled_compare_exchange!(AtomicI64, i64);
    modelled_compare_exchange!(AtomicUsize, usize);

    impl AtomicI64 {
        pub(crate) fn swap(&self, value: i64, order: Ordering) -> i64 {
            self.0.swap(value, order)
        }
    }

    impl AtomicU64 {
        /// While loads are read-modify-writes, so is this: loom orders a store before one that read what
        /// the store had overwritten, and its own thread would then read the old value again.
        pub(crate) fn store(&self, value: u64, order: Ordering) {
            match LOADS.get() {
                Loads::Plain => self.0.store(value, order),
                Loads::ReadModifyWrite => drop(self.0.swap(value, order)),
            }
        }

        pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
            self.0.fetch_add(value, order)
        }
    }

    impl AtomicUsize {
        pub(crate) fn fetch_add(&self, value: usize, order: Ordering) -> usize {
            self.0.fetch_add(value, order)
        }

        pub(crate) fn fetch_sub(&self, value: usize, order: Ordering) -> usize {
            self.0.fetch_sub(value, order)
        }
    }
}

/// Atomics at which other threads get their turn: before each access, and after each that changes
/// something without a condition.
///
/// The second is for what is no atomic of ours: the map and the skip list, whose operations are one step
/// each to shuttle. Between the swap that closes an account and its removal from the map, and between a
/// place in the creation index and the account's insertion into the map, others must be able to come.
#[cfg(all(not(loom), any(shuttle, feature = "yields")))]
mod interrupted {
    #[cfg(shuttle)]
    use shuttle::sync::atomic as inner;
    #[cfg(not(shuttle))]
    use std::sync::atomic as inner;

    pub(crate) use inner::Ordering;

    #[cfg(not(shuttle))]
    use super::pause::{exchange_fails, pause};

    /// Under shuttle each access begins with a scheduling point of its own.
    #[cfg(shuttle)]
    const fn pause() {}

    /// Shuttle's weak exchange is as good as a strong one.
    #[cfg(shuttle)]
    const fn exchange_fails() -> bool {
        false
    }

    macro_rules! interrupted_atomic {
        ($name:ident, $value:ty) => {
            #[derive(Debug)]
            pub(crate) struct $name(inner::$name);

            impl $name {
                pub(crate) const fn new(value: $value) -> Self {
                    Self(inner::$name::new(value))
                }

                pub(crate) fn load(&self, order: Ordering) -> $value {
                    pause();
                    self.0.load(order)
                }

                /// Others come, if it is their turn. Under shuttle, any access lets them.
                fn let_others_come(&self) {
                    pause();
                    #[cfg(shuttle)]
                    let _ = self.0.load(Ordering::SeqCst);
                }
            }
        };
    }

    macro_rules! interrupted_compare_exchange {
        ($name:ident, $value:ty) => {
            impl $name {
                /// As weak as it may be: now and then it fails for no reason.
                pub(crate) fn compare_exchange_weak(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    pause();
                    if exchange_fails() {
                        return Err(self.0.load(failure));
                    }
                    self.0.compare_exchange_weak(current, new, success, failure)
                }
            }
        };
    }

    macro_rules! interrupted_change {
        ($name:ident, $value:ty, $change:ident) => {
            impl $name {
                pub(crate) fn $change(&self, value: $value, order: Ordering) -> $value {
                    pause();
                    let before = self.0.$change(value, order);
                    self.let_others_come();
                    before
                }
            }
        };
    }

    interrupted_atomic!(AtomicI64, i64);
    interrupted_atomic!(AtomicU64, u64);
    interrupted_atomic!(AtomicUsize, usize);
    interrupted_compare_exchange!(AtomicI64, i64);
    interrupted_compare_exchange!(AtomicUsize, usize);
    interrupted_change!(AtomicI64, i64, swap);
    interrupted_change!(AtomicU64, u64, fetch_add);
    interrupted_change!(AtomicUsize, usize, fetch_add);

    impl AtomicUsize {
        /// Nothing follows in the map.
        pub(crate) fn fetch_sub(&self, value: usize, order: Ordering) -> usize {
            pause();
            self.0.fetch_sub(value, order)
        }
    }

    impl AtomicU64 {
        pub(crate) fn store(&self, value: u64, order: Ordering) {
            pause();
            self.0.store(value, order);
            self.let_others_come();
        }
    }
}

/// Pauses at random, for real threads: without them a thread is hardly ever stopped between a load and the
/// exchange that follows, and races that are a few nanoseconds wide go unseen in a million operations.
#[cfg(all(not(any(loom, shuttle)), feature = "yields"))]
mod pause {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    /// One access out of so many gives up the processor.
    const ACCESSES_PER_YIELD: u64 = 16;

    /// One weak exchange out of so many fails for no reason.
    const EXCHANGES_PER_FAILURE: u64 = 32;

    static THREADS: AtomicU64 = AtomicU64::new(0);

    std::thread_local! {
        /// Each thread has a sequence of its own (splitmix64).
        static RANDOM: Cell<u64> = Cell::new(THREADS.fetch_add(1, Relaxed) << 32);
    }

    /// Whether it is the one time out of `many`.
    fn is_one_of(many: u64) -> bool {
        RANDOM.with(|random| {
            let state = random.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
            random.set(state);
            let bits = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (bits ^ (bits >> 31)).is_multiple_of(many)
        })
    }

    /// Lets another thread run, now and then.
    pub(super) fn pause() {
        if is_one_of(ACCESSES_PER_YIELD) {
            std::thread::yield_now();
        }
    }

    /// Whether this weak exchange is one that fails.
    pub(super) fn exchange_fails() -> bool {
        is_one_of(EXCHANGES_PER_FAILURE)
    }
}
