//! Writes the log. Nothing that goes wrong here goes further: what cannot be written is counted, and told when lines
//! can be written again.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

use super::queue::{Entry, QueueEnd};

/// How long to wait where a write would have to wait: a pipe that is full and does not let its writers wait.
const AGAIN: Duration = Duration::from_millis(5);

/// How often to try what could not be written, if nothing new is to be written meanwhile.
const RETRY: Duration = Duration::from_secs(1);

/// Where lines go.
pub(super) struct Outlet<W, L> {
    out: W,
    /// The line that says how many lines are missing at its place.
    lost_line: L,
    /// How many lines could not be written since the last one that could.
    lost: u64,
    /// The rest of a line of which a part is written. It comes before everything else: lines stay whole.
    unfinished: Vec<u8>,
}

impl<W: Write, L: Fn(u64) -> Vec<u8>> Outlet<W, L> {
    pub(super) fn new(out: W, lost_line: L) -> Self {
        Self {
            out,
            lost_line,
            lost: 0,
            unfinished: Vec::new(),
        }
    }

    /// Writes what comes, for as long as somebody may send something.
    pub(super) fn run(mut self, lines: &QueueEnd) {
        loop {
            let is_behind = self.lost > 0 || !self.unfinished.is_empty();
            match lines.next(is_behind.then_some(RETRY)) {
                Ok(Entry::Line { text, lost_before }) => {
                    self.lost = self.lost.saturating_add(lost_before);
                    self.write(&text);
                    self.tell_lost_at_the_end(lines);
                }
                Ok(Entry::Flush(written)) => {
                    self.tell_lost_at_the_end(lines);
                    self.catch_up();
                    let _ = written.send(());
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.catch_up();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn write(&mut self, line: &[u8]) {
        if !(self.catch_up() && self.put(line)) {
            self.lost = self.lost.saturating_add(1);
        }
    }

    fn tell_lost_at_the_end(&mut self, lines: &QueueEnd) {
        let lost = lines.lost_at_the_end();
        if lost > 0 {
            self.lost = self.lost.saturating_add(lost);
            self.catch_up();
        }
    }

    /// Finishes the line that is begun and says what is missing. Whether that could be done, and the next line has
    /// its turn.
    fn catch_up(&mut self) -> bool {
        let rest = std::mem::take(&mut self.unfinished);
        let written = self.write_some(&rest);
        self.unfinished = rest.get(written..).unwrap_or_default().to_vec();
        if !self.unfinished.is_empty() {
            return false;
        }
        if self.lost > 0 {
            let line = (self.lost_line)(self.lost);
            if !self.put(&line) {
                return false;
            }
            self.lost = 0;
        }
        self.unfinished.is_empty()
    }

    /// Writes a line, or begins it. Nothing may be unfinished. Whether anything of it is written.
    fn put(&mut self, line: &[u8]) -> bool {
        let written = self.write_some(line);
        if written > 0 {
            self.unfinished = line.get(written..).unwrap_or_default().to_vec();
        }
        written > 0
    }

    /// How many bytes could be written.
    fn write_some(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.out.write(rest) {
                Ok(0) => break,
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(AGAIN),
                Err(_) => break,
            }
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io;

    use super::super::queue::queue;
    use super::*;

    /// Takes as many bytes of each write as it is told, or has it fail.
    #[derive(Default)]
    struct Disk {
        text: Vec<u8>,
        takes: VecDeque<Result<usize, ErrorKind>>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let takes = self.takes.pop_front().unwrap_or(Ok(bytes.len()))?;
            let taken = &bytes[..takes.min(bytes.len())];
            self.text.extend_from_slice(taken);
            Ok(taken.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is on the disk once `lines` were written.
    fn written(takes: &[Result<usize, ErrorKind>], lines: &[&str]) -> String {
        let mut disk = Disk {
            takes: takes.iter().copied().collect(),
            ..Disk::default()
        };
        let (queue, end) = queue();
        for line in lines {
            queue.push(line.as_bytes(), false);
        }
        drop(queue);
        Outlet::new(&mut disk, |lost| format!("{lost} lost\n").into_bytes()).run(&end);
        String::from_utf8(disk.text).unwrap()
    }

    const LINES: [&str; 3] = ["one\n", "two\n", "three\n"];

    #[test]
    fn what_is_interrupted_or_would_wait_is_tried_again() {
        let takes = [
            Err(ErrorKind::Interrupted),
            Ok(2),
            Err(ErrorKind::WouldBlock),
            Ok(1),
            Err(ErrorKind::WouldBlock),
        ];
        assert_eq!(written(&takes, &LINES), "one\ntwo\nthree\n");
    }

    #[test]
    fn a_line_that_fails_is_lost_and_counted_before_the_next() {
        let takes = [Err(ErrorKind::StorageFull)];
        assert_eq!(written(&takes, &LINES), "1 lost\ntwo\nthree\n");
        // The second fails at the line that tells of the first.
        let takes = [Err(ErrorKind::BrokenPipe), Ok(0)];
        assert_eq!(written(&takes, &LINES), "2 lost\nthree\n");
    }

    #[test]
    fn a_line_that_is_begun_is_finished_before_anything_else() {
        let takes = [Ok(2), Err(ErrorKind::StorageFull)];
        assert_eq!(written(&takes, &LINES), "one\ntwo\nthree\n");
        let takes = [
            Ok(2),
            Err(ErrorKind::StorageFull),
            Err(ErrorKind::StorageFull),
        ];
        assert_eq!(written(&takes, &LINES), "one\n1 lost\nthree\n");
        // Also the line that tells what was lost.
        let takes = [
            Err(ErrorKind::StorageFull),
            Ok(3),
            Err(ErrorKind::StorageFull),
        ];
        assert_eq!(written(&takes, &LINES), "1 lost\n1 lost\nthree\n");
    }
}
