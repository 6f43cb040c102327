//! A page of the creation index: readers see a number whole or not at all, and the page is used up exactly once.
//!
//! The skip list that holds the pages is not modelled: its atomics are not loom's. Two threads, without a
//! bound on preemption.

use std::collections::BTreeSet;

use crate::outcomes::{assert_outcomes_also_of_stale_reads, concurrently};
use loom::sync::Arc;
use loom_tests::Page;

const NUMBER: (u64, u64) = (1, 7);
const OTHER: (u64, u64) = (2, 8);

type Thread<T> = Box<dyn FnOnce() -> T + Send>;

/// A page with as many of its two places written as `written` says.
fn page(written: usize) -> Arc<Page<2>> {
    let page = Page::new();
    for (place, number) in [NUMBER, OTHER].into_iter().enumerate().take(written) {
        page.write(place, number);
    }
    Arc::new(page)
}

#[test]
fn a_number_is_read_whole_or_not_at_all() {
    assert_outcomes_also_of_stale_reads(
        || {
            let page = page(0);
            let of_reader = Arc::clone(&page);
            let read = concurrently([
                Box::new(move || {
                    page.write(0, NUMBER);
                    None
                }) as Thread<_>,
                Box::new(move || of_reader.read(0)),
            ]);
            read[1]
        },
        &BTreeSet::from([None, Some(NUMBER)]),
    );
}

#[test]
fn numbers_written_at_the_same_time_are_both_there() {
    assert_outcomes_also_of_stale_reads(
        || {
            let page = page(0);
            let (one, other) = (Arc::clone(&page), Arc::clone(&page));
            concurrently([
                Box::new(move || one.write(0, NUMBER)) as Thread<()>,
                Box::new(move || other.write(1, OTHER)),
            ]);
            [page.read(0), page.read(1)]
        },
        &BTreeSet::from([[Some(NUMBER), Some(OTHER)]]),
    );
}

#[test]
fn a_number_is_read_until_it_is_removed_and_its_neighbour_stays() {
    assert_outcomes_also_of_stale_reads(
        || {
            let page = page(2);
            let of_reader = Arc::clone(&page);
            concurrently([
                Box::new(move || {
                    let used_up = page.remove(0);
                    (used_up, page.read(0), page.read(1))
                }) as Thread<_>,
                Box::new(move || (false, of_reader.read(0), of_reader.read(1))),
            ])
        },
        &BTreeSet::from([
            vec![
                (false, None, Some(OTHER)),
                (false, Some(NUMBER), Some(OTHER)),
            ],
            vec![(false, None, Some(OTHER)), (false, None, Some(OTHER))],
        ]),
    );
}

#[test]
fn the_last_removal_and_no_other_uses_the_page_up_and_finds_it_empty() {
    assert_outcomes_also_of_stale_reads(
        || {
            let page = page(2);
            let remove = |place| {
                let page = Arc::clone(&page);
                let remove = move || page.remove(place).then(|| [page.read(0), page.read(1)]);
                Box::new(remove) as Thread<_>
            };
            concurrently([remove(0), remove(1)])
        },
        &BTreeSet::from([
            vec![Some([None, None]), None],
            vec![None, Some([None, None])],
        ]),
    );
}

#[test]
fn a_page_that_is_still_written_to_is_not_used_up() {
    assert_outcomes_also_of_stale_reads(
        || {
            let page = page(1);
            let of_writer = Arc::clone(&page);
            let used_up = concurrently([
                Box::new(move || page.remove(0)) as Thread<bool>,
                Box::new(move || {
                    of_writer.write(1, OTHER);
                    of_writer.remove(1)
                }),
            ]);
            used_up.into_iter().filter(|used_up| *used_up).count()
        },
        &BTreeSet::from([1]),
    );
}
