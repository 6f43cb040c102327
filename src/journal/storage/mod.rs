//! What the journal needs of a disk, and no more, so that tests can put a simulated one under it.

pub(super) mod custody;
pub(super) mod directory;
pub(crate) mod founding;
pub(crate) mod lookout;
pub(super) mod patience;
pub(super) mod window;

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

    /// Makes a new, empty file. One that has this name is removed first: whoever has it open is not touched.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>>;

    /// Opens a file that exists, to read it.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>>;

    /// Opens a file that exists, to read and write it.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    fn open_to_write(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        self.open(name)
    }

    /// Gives a file another name; a file that had it before is gone.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Gives a file another name that no file has.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if one has it, and those of the disk.
    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.rename(from, to)
    }

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

    /// Why `file`, which was made or opened here as `name`, is not found by that name any more. `None` if it is, or
    /// if that cannot be told now. It costs one look at a name: it is asked after each batch.
    fn misses(&self, name: &str, file: Identity) -> Option<String> {
        let _ = (name, file);
        None
    }

    /// Why whoever opens this again would come to another place. `None` if they would not, or if that cannot be told
    /// now.
    fn displaced(&self) -> Option<String> {
        None
    }

    /// What whoever keeps this should know and may mend, a sentence each.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Tells a file from all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The device that it is on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
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

    /// How many bytes the disk keeps for it: fewer than its length where the file has holes or is compressed.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    fn stored_bytes(&self) -> io::Result<u64> {
        self.length()
    }

    /// The first place, `offset` or behind it, that is not in a hole; `None` if nothing but holes is there. Where holes
    /// cannot be told from zeros that are stored, it is `offset`.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    fn data_from(&self, offset: u64) -> io::Result<Option<u64>> {
        Ok(Some(offset))
    }

    /// What tells it from all other files.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    fn identity(&self) -> io::Result<Identity> {
        Ok(Identity::default())
    }

    /// Locks it for as long as it is open. `false` if another process has it locked.
    ///
    /// # Errors
    ///
    /// Those of the disk.
    fn lock(&self) -> io::Result<bool> {
        Ok(true)
    }
}
