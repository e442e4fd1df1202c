//! Files that net_pcap writes. The driver empties them when it is made, long before it is known whether the run starts, and
//! never looks whether the disk took what it wrote. So it is made on files in memory; when all else has started, the real
//! files take their place below it. From then on both have one place in the file, which says how much arrived.

use super::{PcapDevice, kernel};
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of a capture's header, and of each packet's.
const HEADER: u64 = 24;
const RECORD: u64 = 16;

/// The files that a port writes.
#[derive(Debug, Default)]
pub struct Outputs {
    files: Vec<Output>,
    /// Pipes and devices: nobody can say what they took.
    unchecked: bool,
    is_committed: AtomicBool,
    /// That the disk does not take it has been told.
    is_told: AtomicBool,
}

#[derive(Debug)]
struct Output {
    path: PathBuf,
    file: File,
    /// It was not there before.
    is_new: bool,
    /// What the driver was made on, until the real file takes its place.
    stand_in: File,
    /// The driver's descriptor of it.
    driver: Option<RawFd>,
}

/// What a driver wrote, and is not in its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unwritten {
    pub packets: u64,
    pub bytes: u64,
    /// Which file, and why.
    pub what: String,
}

impl Outputs {
    /// Opens what a device will write, without changing what is in it. Returns the device as its driver is to be made.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn open(device: &str) -> std::result::Result<(Self, String), String> {
        let mut outputs = Self::default();
        let written = PcapDevice::of(device).map(|found| found.tx_files).unwrap_or_default();
        let mut arguments = Vec::new();
        for argument in device.split(',') {
            let name = argument.strip_prefix("tx_pcap=").filter(|name| written.contains(name));
            let Some(name) = name else {
                arguments.push(argument.to_owned());
                continue;
            };
            let output = Output::open(Path::new(name)).map_err(|e| format!("tx_pcap={name} {}", why_not(&e)))?;
            outputs.unchecked |= output.is_none();
            let stand_in = output.as_ref().map(|output| format!("tx_pcap={}", own_path(output.stand_in.as_raw_fd())));
            arguments.push(stand_in.unwrap_or_else(|| argument.to_owned()));
            outputs.files.extend(output);
        }
        Ok((outputs, arguments.join(",")))
    }

    /// Looks for the descriptors of the driver that was just made.
    ///
    /// # Errors
    /// One is not found.
    pub fn find(&mut self) -> std::result::Result<(), String> {
        for output in &mut self.files {
            output.driver = output.find().map_err(|e| format!("{}: {e}", output.path.display()))?;
            if output.driver.is_none() {
                return Err(format!("{}: net_pcap has not opened it", output.path.display()));
            }
        }
        Ok(())
    }

    /// Puts the real files in their places: what was in them is gone from now on.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn commit(&self) -> std::result::Result<(), String> {
        for output in &self.files {
            output.commit().map_err(|e| format!("tx_pcap={} {}", output.path.display(), why_not(&e)))?;
        }
        self.is_committed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// It writes files whose length can be looked at.
    pub fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// It writes to what is no plain file, so that nobody knows what arrived.
    pub fn is_unchecked(&self) -> bool {
        self.unchecked
    }

    /// Bytes that are missing in the files, of so many packets with so many bytes that the driver says it has written.
    /// `packets` and `bytes` were read before.
    pub fn missing(&self, packets: u64, bytes: u64) -> u64 {
        if self.files.is_empty() || self.unchecked || !self.is_committed.load(Ordering::Relaxed) {
            return 0;
        }
        let arrived: u64 = self.files.iter().map(|output| output.position().saturating_sub(HEADER)).sum();
        (packets * RECORD + bytes).saturating_sub(arrived)
    }

    /// As [`Self::missing`], where it is the first time that some are.
    pub fn first_missing(&self, packets: u64, bytes: u64) -> Option<u64> {
        let missing = self.missing(packets, bytes);
        (missing > 0 && !self.is_told.swap(true, Ordering::Relaxed)).then_some(missing)
    }

    /// What the files lack, once the driver has closed them. A packet that is not whole is taken off a file's end, so that the
    /// file can be read.
    pub fn unwritten(&self, packets: u64, bytes: u64) -> Option<Unwritten> {
        if self.missing(packets, bytes) == 0 {
            return None;
        }
        let whole: Vec<Whole> = self.files.iter().map(Output::whole).collect();
        let there = whole.iter().fold((0, 0), |(packets, bytes), whole| (packets + whole.packets, bytes + whole.bytes));
        let why = self.files.iter().map(Output::why);
        let files: Vec<String> =
            self.files.iter().zip(why).map(|(output, why)| format!("{}{why}", output.path.display())).collect();
        for (output, whole) in self.files.iter().zip(&whole).filter(|(_, whole)| whole.is_torn) {
            if let Err(e) = output.file.set_len(HEADER + whole.packets * RECORD + whole.bytes) {
                tracing::warn!("{}: its last packet is not whole: {e}", output.path.display());
            }
        }
        Some(Unwritten {
            packets: packets.saturating_sub(there.0),
            bytes: bytes.saturating_sub(there.1),
            what: files.join(", "),
        })
    }
}

impl Output {
    /// `None` for what is no plain file.
    fn open(path: &Path) -> Result<Option<Self>> {
        let is_new = match std::fs::metadata(path) {
            Ok(facts) if facts.is_file() => false,
            Ok(facts) if facts.is_dir() => return Err(Error::from(ErrorKind::IsADirectory)),
            Ok(facts) => {
                if facts.file_type().is_char_device() || facts.file_type().is_block_device() {
                    // It takes nothing, or anything: /dev/full and /dev/null.
                    let taken = File::options().write(true).open(path)?.write(&[]);
                    taken?;
                }
                return Ok(None);
            }
            Err(error) if error.kind() == ErrorKind::NotFound && path != Path::new("-") => true,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let options = File::options().write(true).create(true).truncate(false).clone();
        // Read it is at the end alone, to count what is in it.
        let file = options.clone().read(true).open(path).or_else(|_| options.open(path))?;
        Ok(Some(Self { path: path.to_owned(), file, is_new, stand_in: kernel::memory_file()?, driver: None }))
    }

    fn find(&self) -> Result<Option<RawFd>> {
        let wanted = self.stand_in.metadata()?;
        let own = self.stand_in.as_raw_fd();
        let entries = std::fs::read_dir("/proc/self/fd")?.flatten();
        let mut numbers = entries.filter_map(|entry| entry.file_name().to_string_lossy().parse::<RawFd>().ok());
        Ok(numbers.find(|&number| {
            number != own
                && std::fs::metadata(own_path(number))
                    .is_ok_and(|facts| (facts.dev(), facts.ino()) == (wanted.dev(), wanted.ino()))
        }))
    }

    fn commit(&self) -> Result<()> {
        let Some(driver) = self.driver else { return Ok(()) };
        // The header, where the driver has written it already.
        let mut written = Vec::new();
        (&self.stand_in).seek(SeekFrom::Start(0))?;
        (&self.stand_in).read_to_end(&mut written)?;
        self.file.set_len(0)?;
        (&self.file).seek(SeekFrom::Start(0))?;
        (&self.file).write_all(&written)?;
        kernel::replace(driver, &self.file)
    }

    /// How far the driver has written.
    fn position(&self) -> u64 {
        (&self.file).stream_position().unwrap_or(0)
    }

    /// The packets that are whole in the file.
    fn whole(&self) -> Whole {
        whole(&self.file, self.position())
    }

    /// Why the next byte would not be taken, as the system says it.
    fn why(&self) -> String {
        let end = self.position();
        match self.file.write_all_at(&[0], end) {
            Err(error) => format!(" ({error})"),
            // There is place again.
            Ok(()) => {
                let _ = self.file.set_len(end);
                String::new()
            }
        }
    }
}

/// A file that was made for a run that did not start goes again, where that is still allowed.
impl Drop for Outputs {
    fn drop(&mut self) {
        if self.is_committed.load(Ordering::Relaxed) {
            return;
        }
        for output in self.files.iter().filter(|output| output.is_new) {
            if output.file.metadata().is_ok_and(|facts| facts.len() == 0) {
                let _ = std::fs::remove_file(&output.path);
            }
        }
    }
}

/// The whole packets of a capture.
#[derive(Debug, Default, PartialEq, Eq)]
struct Whole {
    packets: u64,
    bytes: u64,
    /// Behind them is the beginning of another one.
    is_torn: bool,
}

/// Counts packets that the driver wrote, up to a place in the file.
fn whole(file: &(impl FileExt + ?Sized), end: u64) -> Whole {
    let mut found = Whole::default();
    let mut at = HEADER;
    let mut block = vec![0; 1 << 20];
    let (mut block_at, mut block_len) = (0, 0);
    while at + RECORD <= end {
        if at < block_at || at + RECORD > block_at + block_len {
            block_at = at;
            block_len = file.read_at(&mut block, at).map_or(0, |len| len as u64);
            if block_len < RECORD {
                break;
            }
        }
        let start = usize::try_from(at - block_at).unwrap_or(0) + 8;
        let len: [u8; 4] = block[start..start + 4].try_into().unwrap_or_default();
        let len = u64::from(u32::from_ne_bytes(len));
        if at + RECORD + len > end {
            break;
        }
        at += RECORD + len;
        found.packets += 1;
        found.bytes += len;
    }
    found.is_torn = at < end;
    found
}

fn own_path(descriptor: RawFd) -> String {
    format!("/proc/self/fd/{descriptor}")
}

fn why_not(error: &Error) -> String {
    format!("cannot be written: {error}")
}

/// What would keep a file from being written, asked without writing.
pub fn why_not_written(path: &Path) -> Option<String> {
    let error = match std::fs::metadata(path) {
        Ok(facts) if facts.is_dir() => Some(Error::from(ErrorKind::IsADirectory)),
        Ok(_) => kernel::may_write(path).err(),
        Err(error) if error.kind() == ErrorKind::NotFound && path != Path::new("-") => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            kernel::may_write(parent).err()
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => Some(error),
    };
    error.map(|error| why_not(&error))
}

#[cfg(test)]
mod test {
    use super::*;

    fn record(len: u32) -> Vec<u8> {
        [&[0; 8][..], &len.to_ne_bytes(), &len.to_ne_bytes(), &vec![7; len as usize]].concat()
    }

    #[test]
    fn whole_packets_are_counted_up_to_a_torn_one() {
        let mut file = tempfile::tempfile().unwrap();
        let packets = [60, 0, 1_500, 60].map(record).concat();
        file.write_all(&[&[0; 24][..], &packets].concat()).unwrap();
        let end = 24 + packets.len() as u64;
        assert_eq!(whole(&file, end), Whole { packets: 4, bytes: 1_620, is_torn: false });
        for cut in 1..76 {
            assert_eq!(whole(&file, end - cut), Whole { packets: 3, bytes: 1_560, is_torn: cut != 76 }, "{cut}");
        }
        assert_eq!(whole(&file, 24), Whole::default());
        assert_eq!(whole(&file, 0), Whole::default());
    }

    #[test]
    fn many_packets_are_counted_block_by_block() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[0; 24]).unwrap();
        for _ in 0..3 {
            file.write_all(&record(60).repeat(20_000)).unwrap();
        }
        let end = file.stream_position().unwrap();
        assert_eq!(whole(&file, end), Whole { packets: 60_000, bytes: 3_600_000, is_torn: false });
    }

    #[test]
    fn opening_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old.pcap"), dir.path().join("new.pcap"));
        std::fs::write(&old, "precious").unwrap();
        let device = format!("net_pcap0,rx_pcap=in.pcap,tx_pcap={},tx_pcap={}", old.display(), new.display());
        let (outputs, driver) = Outputs::open(&device).unwrap();
        assert!(driver.starts_with("net_pcap0,rx_pcap=in.pcap,tx_pcap=/proc/self/fd/"), "{driver}");
        assert_eq!(driver.matches("/proc/self/fd/").count(), 2);
        drop(outputs);
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "precious");
        assert!(!new.exists(), "a file that was made for nothing is gone");
    }

    #[test]
    fn what_cannot_be_written_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |path: &str| Outputs::open(&format!("net_pcap0,tx_pcap={path}")).unwrap_err();
        assert_eq!(refused("/dev/full"), "tx_pcap=/dev/full cannot be written: No space left on device (os error 28)");
        let nowhere = dir.path().join("no/out.pcap").display().to_string();
        assert_eq!(
            refused(&nowhere),
            format!("tx_pcap={nowhere} cannot be written: No such file or directory (os error 2)")
        );
        let directory = dir.path().display().to_string();
        assert_eq!(refused(&directory), format!("tx_pcap={directory} cannot be written: is a directory"));
        assert!(Outputs::open("net_pcap0,tx_pcap=/dev/null").unwrap().0.is_unchecked());
        assert_eq!(why_not_written(Path::new(&directory)), Some("cannot be written: is a directory".to_owned()));
        assert!(why_not_written(Path::new(&nowhere)).is_some());
        assert_eq!(why_not_written(&dir.path().join("out.pcap")), None);
    }

    #[test]
    fn missing_bytes_are_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let (mut outputs, _) = Outputs::open(&format!("net_pcap0,tx_pcap={}", dir.path().join("a").display())).unwrap();
        assert_eq!(outputs.missing(1, 60), 0, "the real file is not there yet");
        // As if the driver had it: its descriptor is another one of the same file.
        let driver = outputs.files[0].stand_in.try_clone().unwrap();
        outputs.find().unwrap();
        assert_eq!(outputs.files[0].driver, Some(driver.as_raw_fd()));
        outputs.commit().unwrap();
        (&driver).write_all(&[&[0; 24][..], &record(60)].concat()).unwrap();
        assert_eq!((outputs.missing(1, 60), outputs.first_missing(1, 60)), (0, None));
        assert_eq!((outputs.first_missing(2, 120), outputs.first_missing(2, 120)), (Some(76), None));
        (&driver).write_all(&record(60)[..50]).unwrap();
        let unwritten = outputs.unwritten(3, 180).unwrap();
        assert_eq!((unwritten.packets, unwritten.bytes), (2, 120));
        assert_eq!(std::fs::metadata(dir.path().join("a")).unwrap().len(), 100, "the torn packet is taken off");
    }
}
