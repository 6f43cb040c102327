//! The lines that wait to be written. Their number is bounded, and nobody waits for room: a line that finds none is
//! lost and counted.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// The most that the lines take while they wait.
pub(super) const QUEUE_MAX_BYTES: usize = 1 << 20;

/// How much of that only warnings and errors may use: a flood of refusals does not push out what ends the service.
const KEPT_FOR_WARNINGS_BYTES: usize = QUEUE_MAX_BYTES / 4;

/// What a line takes beside its text.
const LINE_OVERHEAD_BYTES: usize = 64;

/// What is sent to the thread that writes.
#[derive(Debug)]
pub(super) enum Entry {
    Line {
        text: Vec<u8>,
        /// How many lines were lost between the one before and this one.
        lost_before: u64,
    },
    /// Everything before this is to be written; then the sender is to be used or dropped.
    Flush(Sender<()>),
}

/// Where lines are put.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    entries: Sender<Entry>,
    counts: Arc<Counts>,
}

/// Where they are taken.
#[derive(Debug)]
pub(super) struct QueueEnd {
    entries: Receiver<Entry>,
    counts: Arc<Counts>,
}

/// Only counts: the channel orders what else there is. So `Relaxed` is enough.
#[derive(Debug, Default)]
struct Counts {
    waiting_bytes: AtomicUsize,
    /// Lines that found no room, since the last one that did.
    lost: AtomicU64,
}

/// A queue with nothing in it.
pub(super) fn queue() -> (Queue, QueueEnd) {
    let (sender, receiver) = unbounded();
    let counts = Arc::<Counts>::default();
    let queue = Queue {
        entries: sender,
        counts: Arc::clone(&counts),
    };
    let end = QueueEnd {
        entries: receiver,
        counts,
    };
    (queue, end)
}

impl Queue {
    /// Puts a line at the end. Never waits.
    pub(super) fn push(&self, text: &[u8], is_warning: bool) {
        let most = match is_warning {
            true => QUEUE_MAX_BYTES,
            false => QUEUE_MAX_BYTES - KEPT_FOR_WARNINGS_BYTES,
        };
        let Counts {
            waiting_bytes,
            lost,
        } = &*self.counts;
        let with_it = |waiting: usize| {
            let more = waiting.checked_add(size(text))?;
            (more <= most).then_some(more)
        };
        if waiting_bytes
            .fetch_update(Relaxed, Relaxed, with_it)
            .is_err()
        {
            lost.fetch_add(1, Relaxed);
            return;
        }
        // Without a thread that writes there is nobody to tell.
        let _ = self.entries.send(Entry::Line {
            text: text.to_vec(),
            lost_before: lost.swap(0, Relaxed),
        });
    }

    /// Waits until all lines so far have been written, but no longer than `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        let (written, is_written) = bounded(1);
        let _ = self.entries.send(Entry::Flush(written));
        let _ = is_written.recv_timeout(limit);
    }
}

impl QueueEnd {
    /// The next entry, waiting for it, but no longer than `limit` if there is one.
    pub(super) fn next(&self, limit: Option<Duration>) -> Result<Entry, RecvTimeoutError> {
        let entry = match limit {
            Some(limit) => self.entries.recv_timeout(limit)?,
            None => self
                .entries
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected)?,
        };
        if let Entry::Line { text, .. } = &entry {
            self.counts.waiting_bytes.fetch_sub(size(text), Relaxed);
        }
        Ok(entry)
    }

    /// How many lines were lost after the last one in the queue. They are the caller's to tell.
    pub(super) fn lost_at_the_end(&self) -> u64 {
        match self.entries.is_empty() {
            true => self.counts.lost.swap(0, Relaxed),
            // The next line says it: there is its place.
            false => 0,
        }
    }
}

fn size(text: &[u8]) -> usize {
    text.len().saturating_add(LINE_OVERHEAD_BYTES)
}

/// Puts what is written to it into a queue: each call of `write` is a line.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    queue: &'a Queue,
    is_warning: bool,
}

impl io::Write for Lines<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.queue.push(line, self.is_warning);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Lines<'a>;

    fn make_writer(&'a self) -> Lines<'a> {
        Lines {
            queue: self,
            is_warning: false,
        }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Lines<'a> {
        Lines {
            queue: self,
            is_warning: *event.level() <= Level::WARN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(end: &QueueEnd) -> (Vec<u8>, u64) {
        match end.next(Some(Duration::ZERO)) {
            Ok(Entry::Line { text, lost_before }) => (text, lost_before),
            other => panic!("no line: {other:?}"),
        }
    }

    #[test]
    fn what_finds_no_room_is_counted_at_its_place() {
        let (queue, end) = queue();
        let long = vec![b'x'; QUEUE_MAX_BYTES / 2 - LINE_OVERHEAD_BYTES];
        queue.push(&long, false);
        // The rest but for what is kept for warnings.
        queue.push(&long[KEPT_FOR_WARNINGS_BYTES..], false);
        queue.push(b"lost", false);
        queue.push(b"lost, too", false);
        queue.push(b"warning", true);
        queue.push(&long, true);
        assert_eq!(end.lost_at_the_end(), 0, "its place is not yet reached");
        assert_eq!(line(&end), (long.clone(), 0));
        queue.push(b"again", false);
        assert_eq!(line(&end).1, 0);
        assert_eq!(line(&end), (b"warning".to_vec(), 2));
        assert_eq!(line(&end), (b"again".to_vec(), 1));
        queue.push(&vec![0; QUEUE_MAX_BYTES], true);
        assert_eq!(end.lost_at_the_end(), 1);
        assert_eq!(end.lost_at_the_end(), 0);
        // All room is there again.
        assert_eq!(queue.counts.waiting_bytes.load(Relaxed), 0);
    }

    #[test]
    fn nobody_waits_for_a_log_that_is_not_written() {
        let (queue, end) = queue();
        queue.push(b"line", false);
        queue.flush(Duration::from_millis(1));
        drop(end);
        queue.push(b"line", false);
        queue.flush(Duration::from_secs(3600));
    }
}
