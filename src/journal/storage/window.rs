//! A file, read through a buffer that holds a part of it.

use std::io;
use std::sync::Arc;

use super::{Storage, StoredFile};

/// How much of a file is read or written at a time, unless more is asked for.
///
/// It is a multiple of a sector, and longer than a record. In tests it is short, so that each of them meets what lies
/// across the end of a piece.
pub(in crate::journal) const PIECE_BYTES: usize = if cfg!(test) { 512 } else { 1 << 20 };

/// A part of a file, in memory. What is in it stays as it was read until something outside it is asked for.
#[derive(Debug)]
pub(in crate::journal) struct Window {
    file: Arc<dyn StoredFile>,
    length: u64,
    /// Where in the file the part begins.
    from: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// Opens the file called `name`. Nothing of it is read yet.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    pub(in crate::journal) fn open(storage: &dyn Storage, name: &str) -> io::Result<Self> {
        let file = storage.open(name)?;
        let length = file.length()?;
        Ok(Self {
            file,
            length,
            from: 0,
            bytes: Vec::new(),
        })
    }

    /// How long the file was when it was opened.
    pub(in crate::journal) fn length(&self) -> u64 {
        self.length
    }

    /// The first place, `offset` or behind it, that is not in a hole. See [`StoredFile::data_from`].
    ///
    /// # Errors
    ///
    /// Those of the disk.
    pub(in crate::journal) fn data_from(&self, offset: u64) -> io::Result<Option<u64>> {
        self.file.data_from(offset)
    }

    /// The `count` bytes from `offset` on; fewer at the end that the file had when it was opened.
    ///
    /// # Errors
    ///
    /// Those of the disk; [`io::ErrorKind::UnexpectedEof`] if the file has become shorter since.
    pub(in crate::journal) fn get(&mut self, offset: u64, count: usize) -> io::Result<&[u8]> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = count.min(left);
        if self.held(offset, count).is_none() {
            self.read(offset, count.max(PIECE_BYTES).min(left))?;
        }
        self.held(offset, count).ok_or_else(cut_short)
    }

    /// Forgets what has been read, so that it is read again.
    pub(in crate::journal) fn forget(&mut self) {
        self.bytes.clear();
    }

    fn held(&self, offset: u64, count: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset.checked_sub(self.from)?).ok()?;
        self.bytes.get(start..start.checked_add(count)?)
    }

    fn read(&mut self, offset: u64, count: usize) -> io::Result<()> {
        self.from = offset;
        self.bytes.resize(count, 0);
        let read = self.file.read_at(&mut self.bytes, offset);
        if matches!(read, Ok(read) if read == count) {
            return Ok(());
        }
        // Nothing is held that was not read.
        self.bytes.clear();
        read.and(Err(cut_short()))
    }
}

fn cut_short() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "it became shorter while it was read",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Directory;

    #[test]
    fn any_part_is_read_as_it_is_in_the_file() {
        let place = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..3 * PIECE_BYTES + 5).map(|at| (at / 7) as u8).collect();
        std::fs::write(place.path().join("file"), &content).unwrap();
        let storage = Directory::open_read_only(place.path()).unwrap();
        let mut window = Window::open(&storage, "file").unwrap();
        assert_eq!(window.length(), content.len() as u64);
        let most = content.len();
        for offset in [
            0,
            1,
            PIECE_BYTES - 1,
            PIECE_BYTES,
            5,
            most - 1,
            most,
            most + 9,
        ] {
            for count in [0, 1, 512, PIECE_BYTES, PIECE_BYTES + 1, most, most + 1] {
                let start = offset.min(most);
                let expected = &content[start..(start + count).min(most)];
                let got = window.get(offset as u64, count).unwrap();
                assert!(got == expected, "{count} bytes at {offset}");
            }
        }
    }
}
