//! What the journal needs of a disk, and no more, so that tests can put a simulated one under it.

use std::fmt;
use std::io;
use std::sync::Arc;

/// A flat directory of files.
///
/// A new name, a rename and a removal are durable once [`sync`](Storage::sync) has returned, and may or may
/// not be before.
pub trait Storage: fmt::Debug + Send + Sync {
    /// The names of all files, in no order.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Makes a new, empty file, in the place of an old one of this name.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>>;

    /// Opens a file that exists.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>>;

    /// Gives a file another name; a file that had it before is gone.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes all names durable.
    ///
    /// # Errors
    ///
    /// Those of the disk. What is durable then is not known, and never will be by asking again.
    fn sync(&self) -> io::Result<()>;

    /// Where this is, for messages.
    fn describe(&self) -> String;
}

/// A file. What was written is durable once [`sync`](StoredFile::sync) has returned; before, any sector of it
/// may be or not, in any order.
pub trait StoredFile: fmt::Debug + Send + Sync {
    /// Reads up to `buffer.len()` bytes from `offset`; fewer only at the end of the file.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all `bytes` from `offset` on.
    ///
    /// # Errors
    ///
    /// Those of the disk. Any part may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything that was written durable.
    ///
    /// # Errors
    ///
    /// Those of the disk. What is durable then is not known, and never will be by asking again.
    fn sync(&self) -> io::Result<()>;

    /// The length in bytes.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    fn length(&self) -> io::Result<u64>;
}
