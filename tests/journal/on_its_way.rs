//! Reading beside a writer: what is seen of a batch that is on its way is no damage, whatever it looks like.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use cashpoint::journal::{Audit, Directory, Storage, StoredFile, audit};

use crate::written::written;

const SECTOR: usize = 512;

/// How the bytes from the last but one batch on look to whoever reads too early.
type Veil = fn(&mut [u8], last_batch: usize);

/// A disk on which the end looks otherwise for the first few reads of where it begins.
#[derive(Debug)]
struct Veiled {
    disk: Directory,
    veil: Veil,
    /// Where the last two batches begin.
    begins: [usize; 2],
    reads_left: Arc<AtomicU32>,
}

#[derive(Debug)]
struct VeiledFile {
    file: Arc<dyn StoredFile>,
    veil: Veil,
    begins: [usize; 2],
    reads_left: Arc<AtomicU32>,
}

impl Storage for Veiled {
    fn names(&self) -> io::Result<Vec<String>> {
        self.disk.names()
    }

    fn create(&self, _: &str) -> io::Result<Arc<dyn StoredFile>> {
        unreachable!("an audit only reads")
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let file = self.disk.open(name)?;
        if !name.ends_with(".journal") {
            return Ok(file);
        }
        Ok(Arc::new(VeiledFile {
            file,
            veil: self.veil,
            begins: self.begins,
            reads_left: Arc::clone(&self.reads_left),
        }))
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        unreachable!("an audit only reads")
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        unreachable!("an audit only reads")
    }

    fn sync(&self) -> io::Result<()> {
        unreachable!("an audit only reads")
    }

    fn describe(&self) -> String {
        self.disk.describe()
    }
}

impl StoredFile for VeiledFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.file.read_at(buffer, offset)?;
        let [begin, last] = self.begins;
        let start = usize::try_from(offset).unwrap();
        let is_early = if (start..start + read).contains(&begin) {
            let left = &self.reads_left;
            let early = left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
            early.is_ok()
        } else {
            // Another part of what the read before was about.
            self.reads_left.load(Relaxed) > 0
        };
        if is_early && start + read > begin {
            let mut end = vec![0; usize::try_from(self.file.length()?).unwrap() - begin];
            self.file.read_at(&mut end, begin as u64)?;
            (self.veil)(&mut end, last - begin);
            let covered = begin.saturating_sub(start);
            let end = &end[(start + covered) - begin..];
            for (byte, veiled) in buffer[covered..read].iter_mut().zip(end) {
                *byte = *veiled;
            }
        }
        Ok(read)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        unreachable!("an audit only reads")
    }

    fn sync(&self) -> io::Result<()> {
        unreachable!("an audit only reads")
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}

/// The audit of a journal whose end looks like this for some reads, and how many records there are.
fn audited(veil: Veil, early_reads: u32) -> (Audit, u64) {
    let (directory, known) = written(41, 500, 50);
    let bytes = std::fs::read(directory.file(".journal")).unwrap();
    let sectors = bytes.chunks(SECTOR).enumerate();
    let batches: Vec<_> = sectors
        .filter(|(_, sector)| sector.starts_with(b"BTCH"))
        .map(|(index, _)| index * SECTOR)
        .collect();
    let storage = Veiled {
        disk: Directory::open_read_only(&directory.0).unwrap(),
        veil,
        begins: *batches.last_chunk().unwrap(),
        reads_left: Arc::new(AtomicU32::new(early_reads)),
    };
    let audit = audit(&storage, None, &mut |_| {}).unwrap().unwrap();
    (audit, known.entries.len() as u64)
}

/// The batch looks torn: its last sectors are not there yet.
fn is_torn(bytes: &mut [u8], last_batch: usize) {
    bytes[2 * SECTOR..].fill(0);
    assert!(last_batch > 2 * SECTOR);
}

/// A sector is there by half: no crash leaves that.
fn is_half_a_sector(bytes: &mut [u8], _: usize) {
    bytes[SECTOR + 200..2 * SECTOR].fill(0);
}

/// The reader was there before the first of two batches, and behind it after the second.
fn is_overtaken(bytes: &mut [u8], last_batch: usize) {
    bytes[..last_batch].fill(0);
}

#[test]
fn what_is_on_its_way_is_waited_for() {
    for veil in [is_torn, is_half_a_sector, is_overtaken] {
        for early_reads in 1..=3 {
            let (audit, records) = audited(veil, early_reads);
            assert!(audit.is_whole(), "{:?}", audit.damage);
            assert_eq!(audit.torn, None);
            assert_eq!(audit.totals.records(), records);
        }
    }
}

#[test]
fn what_stays_as_it_is_is_judged() {
    let (audit, records) = audited(is_torn, u32::MAX);
    assert!(audit.is_whole() && audit.torn.is_some());
    assert!(audit.totals.records() < records);
    for veil in [is_half_a_sector, is_overtaken] {
        let (audit, _) = audited(veil, u32::MAX);
        assert!(audit.damage.is_some());
    }
}
