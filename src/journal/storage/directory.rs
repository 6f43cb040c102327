//! The real disk: a directory of the file system, locked against a second process.
//!
//! # Invariants
//!
//! 1. *The directory is a handle, not a path.* It is looked up once. Every file is opened, made, renamed, removed and
//!    listed relative to the open directory, so all of them are in one place, wherever that is moved to.
//! 2. *No lock hangs on a name that anybody may remove.* What is locked is the directory itself, and the segment that is
//!    written (by the [writer](crate::journal::Writer)): a copy by hard links is another directory with the same segment.
//! 3. *Locks are given back, not only let go of.* A child process that is being started holds a copy of every descriptor
//!    until it runs its own program, and with a copy the lock. So each lock is released before its file is closed.
//! 4. *Nothing is followed or taken over.* A new file is made with `O_EXCL`, and no symbolic link is followed within the
//!    directory.
//! 5. *Nobody else can change it.* A ledger that somebody else could write to, or put another in the place of, is not
//!    opened to write: [`custody`](super::custody) says who else is trusted.
//! 6. *Only regular files are read.* To open a named pipe or a device waits for nobody, and is refused.
//!
//! Earlier versions lock a file called `lock`. It is locked as well, so that they and this one keep each other out.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, SeekFrom, Stat};
use rustix::io::Errno;

use super::custody::{Findings, Ourselves, Rights};
use super::founding::{self, LOCK};
use super::{Identity, Storage, StoredFile};
use crate::journal::error::JournalError;

/// The rights of a new directory: nobody else may enter it.
const DIRECTORY_MODE: u32 = 0o700;

/// The rights of a new file.
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// The rights of others than the owner.
const OTHERS: u32 = 0o077;

/// A directory, for as long as this lives for nobody else.
#[derive(Debug)]
pub struct Directory {
    /// For messages, and to find out whether it still leads here. No file is ever looked for by it.
    path: PathBuf,
    handle: OpenFile,
    identity: Identity,
    /// Keeps earlier versions out.
    lock: Option<OpenFile>,
    /// What others can do to it, and is put up with.
    put_up_with: Vec<String>,
}

impl Directory {
    /// Opens a directory to write in it, and makes it first if it is not there. `insecure` puts up with what others can do
    /// to it.
    ///
    /// # Errors
    ///
    /// [`JournalError::Exposed`] if others can change it; [`JournalError::InUse`] if another process has it;
    /// [`JournalError::NotEmpty`] if it holds no ledger, and something else; [`JournalError::Io`] if the disk refuses.
    pub fn open(path: impl AsRef<Path>, insecure: bool) -> Result<Self, JournalError> {
        let path = path.as_ref();
        let looked = Ourselves::now().and_then(|ourselves| ourselves.way(path));
        let way = looked.map_err(|source| JournalError::io("look at the way to", path, source))?;
        if !insecure {
            refuse_exposed(path, &way.findings)?;
        }
        make(path).map_err(|source| JournalError::io("create the directory", path, source))?;
        let opened = Self::open_read_only(path)?;
        opened.in_custody(insecure)?.locked(false)
    }

    /// Opens a directory that holds a ledger, to write in it.
    ///
    /// # Errors
    ///
    /// [`JournalError::NoLedger`] if it holds none or is not there: nothing is made then. And those of
    /// [`open`](Self::open).
    pub fn open_existing(path: impl AsRef<Path>, insecure: bool) -> Result<Self, JournalError> {
        let path = path.as_ref();
        match Self::open_read_only(path) {
            Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(JournalError::NoLedger {
                    path: path.to_owned(),
                })
            }
            opened => opened?.in_custody(insecure)?.locked(true),
        }
    }

    /// Opens a directory to read in it, also while another process writes.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`] if the disk refuses.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        let path = path.as_ref();
        let open = || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let handle = OpenFile(rustix::fs::open(path, flags, Mode::empty())?.into());
            let identity = handle.identity()?;
            Ok((handle, identity))
        };
        let (handle, identity) =
            open().map_err(|source| JournalError::io("open the directory", path, source))?;
        Ok(Self {
            path: path.to_owned(),
            handle,
            identity,
            lock: None,
            put_up_with: Vec::new(),
        })
    }

    /// Refuses it if others can change it; or keeps what they can do for [`warnings`](Storage::warnings).
    fn in_custody(mut self, insecure: bool) -> Result<Self, JournalError> {
        let look = || {
            let ourselves = Ourselves::now()?;
            let mut way = ourselves.way(&self.path)?;
            if way.end != Some(self.identity) {
                return Err(io::Error::other("another one has just taken its place"));
            }
            self.look_at_files(&ourselves, &mut way.findings)?;
            Ok(way.findings)
        };
        let found =
            look().map_err(|source| JournalError::io("look at the way to", &self.path, source))?;
        if !insecure {
            refuse_exposed(&self.path, &found)?;
        }
        let Findings { exposed, shared } = found;
        let insisted = exposed
            .into_iter()
            .map(|it| format!("{it}. It is used all the same, with --insecure-data"));
        self.put_up_with = insisted.chain(shared).collect();
        Ok(self)
    }

    /// The first of the ledger's files that others can change stands for all of them.
    fn look_at_files(&self, ourselves: &Ourselves, found: &mut Findings) -> io::Result<()> {
        let mut names = Storage::names(self)?;
        names.retain(|name| founding::is_ours(name) || name == LOCK);
        names.sort_unstable();
        let mut exposed = 0_usize;
        for name in names {
            let stat = match self.stat(&name) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            };
            // To open it says that it is none, and that no link is followed.
            if !FileType::from_raw_mode(stat.st_mode).is_file() {
                continue;
            }
            let mut of_file = Findings::default();
            let path = self.path.join(&name).display().to_string();
            ourselves.look(&path, rights(&stat), &mut of_file);
            match of_file.exposed.is_empty() {
                true => {}
                false if exposed > 0 => exposed += 1,
                false => {
                    found.exposed.append(&mut of_file.exposed);
                    exposed = 1;
                }
            }
        }
        if exposed > 1 {
            found
                .exposed
                .push(format!("so it is with {} more of its files", exposed - 1));
        }
        Ok(())
    }

    /// Locks it, if a ledger is in it or may be begun.
    fn locked(mut self, must_exist: bool) -> Result<Self, JournalError> {
        match self.handle.0.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(self.in_use()),
            // Network file systems lock only what is open for writing, which no directory is. The files are left.
            Err(TryLockError::Error(error)) if is_unsupported(&error) => {}
            Err(TryLockError::Error(error)) => {
                return Err(JournalError::io("lock the directory", &self.path, error));
            }
        }
        founding::check(&self, must_exist)?;
        let lock = self
            .open_file(LOCK, OFlags::RDWR | OFlags::CREATE)
            .map_err(|error| self.unwritable(error))?;
        match lock.0.try_lock() {
            Ok(()) => self.lock = Some(lock),
            Err(TryLockError::WouldBlock) => return Err(self.in_use()),
            Err(TryLockError::Error(error)) => {
                return Err(JournalError::file("lock", &self, LOCK)(error));
            }
        }
        Ok(self)
    }

    /// Why the lock file cannot be written: mostly because the directory, or what is in it, is another user's.
    fn unwritable(&self, error: io::Error) -> JournalError {
        let directory = self.describe();
        let (path, found) = match self.stat(LOCK) {
            Ok(found) => (format!("{directory}/{LOCK}"), Ok(rights(&found))),
            Err(_) => (
                directory.clone(),
                self.handle.0.metadata().map(|it| Rights::of(&it)),
            ),
        };
        match (error.kind(), Ourselves::now(), found) {
            (io::ErrorKind::PermissionDenied, Ok(ourselves), Ok(found)) => {
                JournalError::NotWritable {
                    directory,
                    path,
                    user: ourselves.user(),
                    owner: found.user,
                    mode: found.mode & 0o7777,
                }
            }
            _ => JournalError::file("write to", self, LOCK)(error),
        }
    }

    fn in_use(&self) -> JournalError {
        JournalError::InUse {
            path: self.path.clone(),
        }
    }

    fn open_file(&self, name: &str, flags: OFlags) -> io::Result<OpenFile> {
        // Without `NONBLOCK` a named pipe would wait for somebody at its other end. To a regular file it means nothing.
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = rustix::io::retry_on_intr(|| {
            rustix::fs::openat(&self.handle.0, name, flags, FILE_MODE)
        });
        let stat = match &opened {
            Ok(file) => rustix::fs::fstat(file)?,
            // A socket cannot be opened at all; a link is not followed.
            Err(error) => self.stat(name).map_err(|_| *error)?,
        };
        match kind(&stat) {
            None => Ok(OpenFile(opened?.into())),
            Some(kind) => Err(io::Error::other(format!(
                "it is {kind}, and no regular file"
            ))),
        }
    }

    fn stat(&self, name: &str) -> Result<Stat, Errno> {
        rustix::fs::statat(&self.handle.0, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// How many of the ledger's files others than the owner may read or write.
    fn open_to_others(&self) -> usize {
        let names = Storage::names(self).unwrap_or_default();
        let ours = names.iter().filter(|name| founding::is_ours(name));
        let stats = ours.filter_map(|name| self.stat(name).ok());
        stats.filter(|stat| stat.st_mode & OTHERS != 0).count()
    }
}

/// Refuses a directory that others can change.
fn refuse_exposed(path: &Path, found: &Findings) -> Result<(), JournalError> {
    match found.exposed.is_empty() {
        true => Ok(()),
        false => Err(JournalError::Exposed {
            path: path.to_owned(),
            what: found.exposed.join("; "),
        }),
    }
}

fn rights(stat: &Stat) -> Rights {
    Rights {
        user: stat.st_uid,
        group: stat.st_gid,
        mode: stat.st_mode,
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|errno| {
        [Errno::BADF, Errno::INVAL, Errno::ISDIR, Errno::OPNOTSUPP].contains(&errno)
    })
}

/// Makes a directory, and those above it that are not there, and makes their names durable: a journal that is
/// synced is of no use in a directory that is gone.
fn make(path: &Path) -> io::Result<()> {
    let ancestors = path.ancestors().filter(|it| !it.as_os_str().is_empty());
    let missing: Vec<_> = ancestors.take_while(|it| !it.exists()).collect();
    let mut builder = DirBuilder::new();
    match builder.recursive(true).mode(DIRECTORY_MODE).create(path) {
        // A file, or a link that leads nowhere: to open it tells which.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    for directory in missing {
        let above = directory.parent().filter(|it| !it.as_os_str().is_empty());
        File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// What a file is, if it is no regular one.
fn kind(stat: &Stat) -> Option<&'static str> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => None,
        FileType::Directory => Some("a directory"),
        FileType::Symlink => Some("a symbolic link"),
        FileType::Fifo => Some("a named pipe"),
        FileType::Socket => Some("a socket"),
        FileType::CharacterDevice | FileType::BlockDevice => Some("a device"),
        _ => Some("something else"),
    }
}

/// A number whose width depends on the system.
fn wide(number: impl TryInto<u64>) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}

impl Storage for Directory {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle.0)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            if !matches!(&*name, "." | "..") {
                names.push(name.into_owned());
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        match rustix::fs::unlinkat(&self.handle.0, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        Ok(Arc::new(self.open_file(name, flags)?))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        Ok(Arc::new(self.open_file(name, OFlags::RDONLY)?))
    }

    fn open_to_write(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        Ok(Arc::new(self.open_file(name, OFlags::RDWR)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(
            &self.handle.0,
            from,
            &self.handle.0,
            to,
        )?)
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        let flags = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(&self.handle.0, from, &self.handle.0, to, flags) {
            Ok(()) => Ok(()),
            // Not every file system can do that. Nobody else makes files here, so a look before it is enough.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match self.stat(to) {
                Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
                Err(Errno::NOENT) => self.rename(from, to),
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(
            &self.handle.0,
            name,
            AtFlags::empty(),
        )?)
    }

    fn sync(&self) -> io::Result<()> {
        self.handle.0.sync_all()
    }

    fn describe(&self) -> String {
        self.path.display().to_string()
    }

    fn misses(&self, name: &str, file: Identity) -> Option<String> {
        match self.stat(name) {
            Ok(stat) => {
                let found = Identity {
                    device: wide(stat.st_dev),
                    inode: wide(stat.st_ino),
                };
                (found != file).then(|| format!("another file is in the place of {name}"))
            }
            Err(Errno::NOENT | Errno::STALE) => Some(format!("{name} was removed or renamed")),
            Err(_) => None,
        }
    }

    fn displaced(&self) -> Option<String> {
        let gone = || Some("the directory was moved or removed".to_owned());
        match fs::metadata(&self.path) {
            Ok(found) if identity(&found) == self.identity => None,
            Ok(_) => Some("another directory is in its place".to_owned()),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::NOENT | Errno::NOTDIR | Errno::STALE) => gone(),
                _ => None,
            },
        }
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.put_up_with.clone();
        let mode = match self.handle.0.metadata() {
            Ok(metadata) => metadata.mode() & 0o7777,
            Err(_) => 0,
        };
        if mode & OTHERS == 0 {
            return warnings;
        }
        let path = self.path.display();
        let (files, all) = match self.open_to_others() {
            0 => (String::new(), ""),
            files => (format!(" and open {files} of the ledger's files"), "-R "),
        };
        warnings.push(format!(
            "other users may enter {path} (mode {mode:04o}){files}: `chmod {all}go-rwx {path}` keeps them out"
        ));
        warnings
    }
}

fn identity(metadata: &fs::Metadata) -> Identity {
    Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
    }
}

/// An open file or directory. Whatever lock it has goes with it.
#[derive(Debug)]
struct OpenFile(File);

impl Drop for OpenFile {
    fn drop(&mut self) {
        // Nothing is lost where this fails: closing it releases the lock as well, once every copy is closed.
        let _ = self.0.unlock();
    }
}

impl StoredFile for OpenFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut read = 0;
        while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset + read as u64) {
                Ok(0) => break,
                Ok(bytes) => read += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        // The file has its final length before anything that matters is written to it, so there is no more
        // to make durable than data.
        self.0.sync_data()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn stored_bytes(&self) -> io::Result<u64> {
        /// The unit of `st_blocks`, whatever the blocks of the file system are.
        const BLOCK_BYTES: u64 = 512;
        Ok(self.0.metadata()?.blocks().saturating_mul(BLOCK_BYTES))
    }

    fn data_from(&self, offset: u64) -> io::Result<Option<u64>> {
        match rustix::fs::seek(&self.0, SeekFrom::Data(offset)) {
            Ok(place) => Ok(Some(place)),
            Err(Errno::NXIO) => Ok(None),
            // Not every file system knows its holes.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(Some(offset)),
            Err(error) => Err(error.into()),
        }
    }

    fn identity(&self) -> io::Result<Identity> {
        Ok(identity(&self.0.metadata()?))
    }

    fn lock(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
