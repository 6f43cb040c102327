//! The real disk: a directory of the file system, locked against a second process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::JournalError;
use super::storage::{Storage, StoredFile};

/// The file whose lock tells that the directory is in use. It stays when the process goes; its lock does not.
const LOCK: &str = "lock";

/// A directory, for as long as this lives for nobody else.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Opened to make names durable.
    handle: File,
    /// Keeps the lock, if this one may write.
    _lock: Option<File>,
}

impl Directory {
    /// Opens a directory to write in it, and makes it first if it is not there.
    ///
    /// # Errors
    ///
    /// [`JournalError::InUse`] if another process has it; [`JournalError::Io`] if the disk refuses.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let io = |what| move |source| JournalError::io(what, path, source);
        make(path).map_err(io("create the directory"))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK))
            .map_err(io("write to the directory"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => JournalError::InUse {
                path: path.to_owned(),
            },
            TryLockError::Error(source) => io("lock the directory")(source),
        })?;
        Ok(Self {
            _lock: Some(lock),
            ..Self::open_read_only(path)?
        })
    }

    /// Opens a directory to read in it, also while another process writes.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`] if the disk refuses.
    pub fn open_read_only(path: &Path) -> Result<Self, JournalError> {
        let handle = File::open(path)
            .map_err(|source| JournalError::io("open the directory", path, source))?;
        Ok(Self {
            path: path.to_owned(),
            handle,
            _lock: None,
        })
    }
}

/// Makes a directory, and those above it that are not there, and makes their names durable: a journal that is
/// synced is of no use in a directory that is gone.
fn make(path: &Path) -> io::Result<()> {
    let ancestors = path.ancestors().filter(|it| !it.as_os_str().is_empty());
    let missing: Vec<_> = ancestors.take_while(|it| !it.exists()).collect();
    fs::create_dir_all(path)?;
    for directory in missing {
        let above = directory.parent().filter(|it| !it.as_os_str().is_empty());
        File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

impl Storage for Directory {
    fn names(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(self.path.join(name))?;
        Ok(Arc::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let path = self.path.join(name);
        let file = match self._lock {
            Some(_) => OpenOptions::new().read(true).write(true).open(path)?,
            None => File::open(path)?,
        };
        Ok(Arc::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    fn describe(&self) -> String {
        self.path.display().to_string()
    }
}

impl StoredFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut read = 0;
        while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match FileExt::read_at(self, rest, offset + read as u64) {
                Ok(0) => break,
                Ok(bytes) => read += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        // The file has its final length before anything that matters is written to it, so there is no more
        // to make durable than data.
        self.sync_data()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}
