//! The atomics that the engine is built on: the standard library's, or loom's while a model runs.
//!
//! This is the one place that knows `cfg(loom)`. The `loom-tests` crate compiles the engine's own
//! source files against the second half of this one.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

#[cfg(loom)]
pub(crate) use modelled::{AtomicI64, AtomicU64, AtomicUsize, Loads, Ordering, model_loads_as};

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
