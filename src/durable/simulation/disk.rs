//! A disk that forgets what it may forget, and fails when it is told to.
//!
//! Of each file there are two: what the running system reads, and what is on the disk. A write changes the first,
//! in sectors of 512 bytes; a sync makes the second like it. Names are the same: a creation, a rename and a
//! removal are on the disk once the directory was synced.
//!
//! - The *process may be killed*: the system goes on with what it has, and what is not on the disk still is not.
//! - The *power may be lost*: then each sector that was not synced is as before or as written, each by itself, a
//!   length likewise, and each change of a name was made or was not.
//!
//! A call that fails, and one in whose midst the process ends, may have done any part of its work. A sync that
//! fails leaves behind what Linux may: sectors that read as written, count as synced, and are not on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Condvar, Mutex};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::journal::format::batch::SECTOR_BYTES;
use crate::journal::{Storage, StoredFile};

/// What is asked of a disk. Only what changes it has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Read,
    Create,
    Write,
    Sync,
    Rename,
    Remove,
    SyncNames,
}

/// What goes wrong, by the call and the name of the file that it was opened by.
pub(super) type Trouble = Arc<dyn Fn(Call, &str) -> Option<io::ErrorKind> + Send + Sync>;

/// What a call comes to.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Succeeds,
    /// It fails, and did part of its work.
    Fails(io::ErrorKind),
    /// Nobody is there to make it.
    Dead,
}

/// When something happens.
#[derive(Clone, Default)]
enum Plan {
    #[default]
    Nothing,
    /// The process ends in the midst of the call with this number.
    EndAt(usize),
    /// The call with this number fails, and those after it do not.
    FailAt(usize, io::ErrorKind),
    /// Calls fail for which this has an error.
    Trouble(Trouble),
}

#[derive(Clone, Debug, Default)]
struct File {
    /// What the running system reads.
    seen: Vec<u8>,
    on_disk: Vec<u8>,
    /// The sectors in which they may differ, and that the next sync writes.
    dirty: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Create(String, usize),
    Rename(String, String, usize),
    Remove(String, usize),
}

type Names = BTreeMap<String, usize>;

#[derive(Clone)]
struct State {
    files: BTreeMap<usize, File>,
    next_file: usize,
    names: Names,
    names_on_disk: Names,
    unsynced_names: Vec<NameChange>,
    calls: usize,
    plan: Plan,
    is_dead: bool,
    /// How often a process has begun. What an earlier one has open is of no use any more.
    process: usize,
    random: Xoshiro256PlusPlus,
}

/// Holds back syncs.
#[derive(Debug, Default)]
struct Gate {
    /// How the names of the files end whose syncs are held back.
    closed_to: Mutex<Option<&'static str>>,
    changed: Condvar,
}

/// Keeps syncs held back.
pub(super) struct Held(Arc<Gate>);

impl Drop for Held {
    fn drop(&mut self) {
        *self.0.closed_to.lock().unwrap() = None;
        self.0.changed.notify_all();
    }
}

/// A simulated disk. A clone is the same disk.
#[derive(Clone)]
pub(super) struct Disk {
    state: Arc<Mutex<State>>,
    gate: Arc<Gate>,
}

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        Self::with(State {
            files: BTreeMap::new(),
            next_file: 0,
            names: Names::new(),
            names_on_disk: Names::new(),
            unsynced_names: Vec::new(),
            calls: 0,
            plan: Plan::Nothing,
            is_dead: false,
            process: 0,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
        })
    }

    fn with(state: State) -> Self {
        Self {
            state: Arc::new(Mutex::new(state)),
            gate: Arc::default(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A test that has failed is no reason to say more than once why.
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Another disk with the same on it, on which nothing goes wrong.
    pub(super) fn copy(&self) -> Self {
        let mut state = self.state().clone();
        state.plan = Plan::Nothing;
        Self::with(state)
    }

    /// What a process that begins now sees of it.
    pub(super) fn mount(&self) -> Arc<dyn Storage> {
        let process = self.state().process;
        Arc::new(Mounted {
            disk: self.clone(),
            process,
        })
    }

    /// How many calls there were.
    pub(super) fn calls(&self) -> usize {
        self.state().calls
    }

    /// The process ends in the midst of the call with this number.
    pub(super) fn end_at(&self, call: usize) {
        self.state().plan = Plan::EndAt(call);
    }

    /// The call with this number fails.
    pub(super) fn fail_at(&self, call: usize, error: io::ErrorKind) {
        self.state().plan = Plan::FailAt(call, error);
    }

    /// From now on calls fail as this says.
    pub(super) fn trouble(
        &self,
        trouble: impl Fn(Call, &str) -> Option<io::ErrorKind> + Send + Sync + 'static,
    ) {
        self.state().plan = Plan::Trouble(Arc::new(trouble));
    }

    /// From now on nothing fails.
    pub(super) fn mend(&self) {
        self.state().plan = Plan::Nothing;
    }

    /// Lets no sync come to its end until what this returns is dropped.
    pub(super) fn hold_syncs(&self) -> Held {
        self.hold_syncs_of("")
    }

    /// The same, of files whose names end like this.
    pub(super) fn hold_syncs_of(&self, end: &'static str) -> Held {
        *self.gate.closed_to.lock().unwrap() = Some(end);
        Held(Arc::clone(&self.gate))
    }

    /// The process ends, and the system goes on.
    pub(super) fn kill(&self) {
        let state = &mut *self.state();
        state.process += 1;
        state.is_dead = false;
        state.plan = Plan::Nothing;
    }

    /// All that is left is what is on the disk.
    pub(super) fn lose_power(&self) {
        self.kill();
        self.state().lose_power();
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    /// What is in a file.
    pub(super) fn content(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.files[&state.names[name]].seen.clone()
    }

    /// Puts something else into a file, durably: damage.
    pub(super) fn overwrite(&self, name: &str, content: Vec<u8>) {
        let state = &mut *self.state();
        let file = state.files.get_mut(&state.names[name]).unwrap();
        *file = File {
            seen: content.clone(),
            on_disk: content,
            dirty: BTreeSet::new(),
        };
    }

    /// Takes a file away, durably.
    pub(super) fn lose(&self, name: &str) {
        let state = &mut *self.state();
        state.names.remove(name);
        state.names_on_disk.remove(name);
        state.unsynced_names.retain(|change| match change {
            NameChange::Create(it, _) | NameChange::Remove(it, _) => it != name,
            NameChange::Rename(_, to, _) => to != name,
        });
    }

    /// Fails in the name of a process that is not the one that runs.
    fn call<T>(
        &self,
        process: usize,
        call: Call,
        name: &str,
        work: impl FnOnce(&mut State, Fate) -> io::Result<T>,
    ) -> io::Result<T> {
        let state = &mut *self.state();
        let fate = state.fate(process, call, name);
        let result = match fate {
            Fate::Dead => Err(ended()),
            fate => work(state, fate),
        };
        match fate {
            Fate::Fails(error) => Err(error.into()),
            _ if state.is_dead => Err(ended()),
            _ => result,
        }
    }
}

fn ended() -> io::Error {
    io::Error::other("the process has ended")
}

impl State {
    fn fate(&mut self, process: usize, call: Call, name: &str) -> Fate {
        if self.is_dead || process != self.process {
            return Fate::Dead;
        }
        let number = self.calls;
        self.calls += 1;
        match &self.plan {
            Plan::EndAt(at) if *at == number => {
                self.is_dead = true;
                Fate::Fails(io::ErrorKind::Other)
            }
            Plan::FailAt(at, error) if *at == number => Fate::Fails(*error),
            Plan::Trouble(trouble) => trouble(call, name).map_or(Fate::Succeeds, Fate::Fails),
            _ => Fate::Succeeds,
        }
    }

    /// How likely each thing is done of a call that is not done as a whole, in percent.
    fn share(&mut self) -> u32 {
        [0, 10, 50, 90, 100][self.random.random_range(0..5)]
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    fn is_done(&mut self, fate: Fate) -> bool {
        match fate {
            Fate::Succeeds => true,
            // Refused before anything is done.
            Fate::Fails(io::ErrorKind::PermissionDenied) => false,
            _ => self.chance(50),
        }
    }

    fn create(&mut self, name: &str) -> usize {
        // One that had the name is removed, and after a crash may be there again.
        if let Some(file) = self.names.remove(name) {
            self.unsynced_names
                .push(NameChange::Remove(name.to_owned(), file));
        }
        let file = self.next_file;
        self.next_file += 1;
        self.files.insert(file, File::default());
        self.names.insert(name.to_owned(), file);
        self.unsynced_names
            .push(NameChange::Create(name.to_owned(), file));
        file
    }

    fn write(&mut self, file: usize, bytes: &[u8], offset: usize, fate: Fate) {
        let share = if matches!(fate, Fate::Succeeds) {
            100
        } else {
            self.share()
        };
        let mut file = self.files.remove(&file).map(|it| (file, it)).unwrap();
        let end = offset + bytes.len();
        for sector in offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            if share < 100 && !self.chance(share) {
                continue;
            }
            let from = offset.max(sector * SECTOR_BYTES);
            let to = end.min((sector + 1) * SECTOR_BYTES);
            let seen = &mut file.1.seen;
            seen.resize(seen.len().max(to), 0);
            seen[from..to].copy_from_slice(&bytes[from - offset..to - offset]);
            file.1.dirty.insert(sector);
        }
        self.files.insert(file.0, file.1);
    }

    fn sync(&mut self, id: usize, fate: Fate) {
        let mut file = self.files.remove(&id).unwrap();
        match fate {
            Fate::Succeeds => {
                file.keep_all();
            }
            _ => {
                let share = self.share();
                let written: Vec<usize> = file.dirty.iter().copied().collect();
                for sector in written {
                    if self.chance(share) {
                        file.keep(sector);
                        file.dirty.remove(&sector);
                    }
                }
                // What Linux may do: it does not try again.
                if self.chance(50) {
                    file.dirty.clear();
                }
            }
        }
        self.files.insert(id, file);
    }

    fn sync_names(&mut self, fate: Fate) {
        let share = match fate {
            Fate::Succeeds => 100,
            _ => self.share(),
        };
        // What failed is tried again by the next sync: a file system that cannot do that stops.
        for change in std::mem::take(&mut self.unsynced_names) {
            if self.chance(share) {
                self.change_on_disk(&change);
            } else {
                self.unsynced_names.push(change);
            }
        }
    }

    fn change_on_disk(&mut self, change: &NameChange) {
        let names = &mut self.names_on_disk;
        match change {
            NameChange::Create(name, file) => {
                names.insert(name.clone(), *file);
            }
            NameChange::Rename(from, to, file) => {
                if names.get(from) == Some(file) {
                    names.remove(from);
                }
                names.insert(to.clone(), *file);
                // A file that has its second name does not get its first one later.
                self.unsynced_names
                    .retain(|it| !matches!(it, NameChange::Create(_, created) if created == file));
            }
            NameChange::Remove(name, file) => {
                if names.get(name) == Some(file) {
                    names.remove(name);
                }
            }
        }
    }

    fn lose_power(&mut self) {
        let share = self.share();
        for (id, mut file) in std::mem::take(&mut self.files) {
            if self.chance(share) {
                file.on_disk.resize(file.seen.len(), 0);
            }
            for sector in std::mem::take(&mut file.dirty) {
                if self.chance(share) {
                    file.keep(sector);
                }
            }
            file.seen.clone_from(&file.on_disk);
            self.files.insert(id, file);
        }
        for change in std::mem::take(&mut self.unsynced_names) {
            if self.chance(share) {
                self.change_on_disk(&change);
            }
        }
        self.names = self.names_on_disk.clone();
        let names = &self.names;
        self.files
            .retain(|id, _| names.values().any(|named| named == id));
    }
}

impl File {
    /// Puts a sector on the disk.
    fn keep(&mut self, sector: usize) {
        let from = sector * SECTOR_BYTES;
        let to = self.seen.len().min(from + SECTOR_BYTES);
        if from < to {
            self.on_disk.resize(self.on_disk.len().max(to), 0);
            self.on_disk[from..to].copy_from_slice(&self.seen[from..to]);
        }
    }

    /// Puts the length on the disk, and the sectors that are not there.
    fn keep_all(&mut self) {
        self.on_disk.resize(self.seen.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            self.keep(sector);
        }
    }
}

/// What one process sees of the disk.
struct Mounted {
    disk: Disk,
    process: usize,
}

impl std::fmt::Debug for Mounted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mounted")
    }
}

impl Mounted {
    fn file(&self, name: &str, file: usize) -> Arc<dyn StoredFile> {
        Arc::new(Opened {
            disk: self.disk.clone(),
            process: self.process,
            name: name.to_owned(),
            file,
        })
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        let file = self.disk.state().names.get(name).copied();
        file.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Storage for Mounted {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.disk.names())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let call = Call::Create;
        self.disk.call(self.process, call, name, |state, fate| {
            if !state.is_done(fate) {
                return Err(ended());
            }
            let file = state.create(name);
            Ok(self.file(name, file))
        })
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        Ok(self.file(name, self.find(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let file = self.find(from)?;
        let call = Call::Rename;
        self.disk.call(self.process, call, from, |state, fate| {
            if state.is_done(fate) {
                state.names.remove(from);
                state.names.insert(to.to_owned(), file);
                let change = NameChange::Rename(from.to_owned(), to.to_owned(), file);
                state.unsynced_names.push(change);
            }
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let file = self.find(name)?;
        let call = Call::Remove;
        self.disk.call(self.process, call, name, |state, fate| {
            if state.is_done(fate) {
                state.names.remove(name);
                let change = NameChange::Remove(name.to_owned(), file);
                state.unsynced_names.push(change);
            }
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        let call = Call::SyncNames;
        self.disk.call(self.process, call, "", |state, fate| {
            state.sync_names(fate);
            Ok(())
        })
    }

    fn describe(&self) -> String {
        "simulated".to_owned()
    }
}

/// A file that a process has open.
struct Opened {
    disk: Disk,
    process: usize,
    name: String,
    file: usize,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Opened").field(&self.name).finish()
    }
}

impl StoredFile for Opened {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        if let Plan::Trouble(trouble) = &state.plan
            && let Some(error) = trouble(Call::Read, &self.name)
        {
            return Err(error.into());
        }
        let offset = usize::try_from(offset).unwrap();
        let seen = &state.files[&self.file].seen;
        let bytes = seen.get(offset..).unwrap_or_default();
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let (call, name) = (Call::Write, &self.name);
        self.disk.call(self.process, call, name, |state, fate| {
            state.write(self.file, bytes, offset, fate);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        let gate = &self.disk.gate;
        let closed_to = gate.closed_to.lock().unwrap();
        let is_held = |end: &mut Option<&str>| end.is_some_and(|end| self.name.ends_with(end));
        drop(gate.changed.wait_while(closed_to, is_held).unwrap());
        let (call, name) = (Call::Sync, &self.name);
        self.disk.call(self.process, call, name, |state, fate| {
            state.sync(self.file, fate);
            Ok(())
        })
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[&self.file].seen.len() as u64)
    }
}
