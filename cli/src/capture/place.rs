//! Where the bytes of files go: a file of its own, or a stream that somebody reads at the other end.

use super::direct::{BLOCK, Direct};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// An open file.
pub(crate) struct Place {
    file: File,
    /// As people know it.
    pub(crate) path: PathBuf,
    /// Bytes in it: what is behind them was cut off.
    pub(crate) len: u64,
    is_stream: bool,
    /// Past the page cache, where that goes.
    direct: Option<Direct>,
}

/// Why something was not written.
#[derive(Debug)]
pub(crate) struct Unwritten {
    /// How many bytes were, all the same.
    pub(crate) written: u64,
    /// What the system said.
    pub(crate) error: io::Error,
}

impl Unwritten {
    /// The reader of a stream has had enough: that is how it ends, and no error.
    pub(crate) fn is_reader_gone(&self) -> bool {
        self.error.kind() == ErrorKind::BrokenPipe
    }

    /// What that means, and how to mend it.
    pub(crate) fn told(&self) -> String {
        let known = self.error.raw_os_error().and_then(told);
        known.map_or_else(|| self.error.to_string(), str::to_owned)
    }
}

/// What a number of the system's means for who writes a file, and how to mend it; `None` for those that say it themselves.
pub(super) fn told(number: i32) -> Option<&'static str> {
    Some(match number {
        libc::ENOSPC => "the disk is full: make room, or keep fewer files (--keep)",
        libc::EDQUOT => "the user's quota on that disk is used up: make room, or keep fewer files (--keep)",
        libc::EFBIG => {
            "it has reached the largest size of a file (ulimit -f, or the file system's): rotate (--rotate-size)"
        }
        libc::EIO => "the disk fails: see the kernel's log",
        libc::EROFS => "the disk can only be read: the kernel may have made it so because it fails, see its log",
        libc::EPIPE => "its reader has gone",
        _ => return None,
    })
}

impl Place {
    /// Standard output.
    pub(crate) fn stdout() -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let is_stream = !file.metadata()?.is_file();
        let len = if is_stream { 0 } else { file.metadata()?.len() };
        Ok(Self { file, path: PathBuf::from("standard output"), len, is_stream, direct: None })
    }

    /// Whether somebody reads at the other end of what lies there: a FIFO, a device.
    pub(crate) fn is_stream(path: &Path) -> bool {
        let kind = std::fs::symlink_metadata(path).map(|found| found.file_type());
        kind.is_ok_and(|kind| kind.is_fifo() || kind.is_char_device())
    }

    /// Opens what lies there and is a stream; of a FIFO, when somebody reads it.
    pub(crate) fn open_stream(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
        if file.metadata()?.is_file() {
            return Err(io::Error::other("somebody has put a file in its place"));
        }
        Ok(Self { file, path: path.to_owned(), len: 0, is_stream: true, direct: None })
    }

    /// Makes a file that only this user can read. No link is followed.
    pub(crate) fn create(path: &Path, overwrite: bool) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file =
            if overwrite { options.create(true).truncate(false) } else { options.create_new(true) }.open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        file.set_len(0)?;
        let direct = Direct::open(path, &file);
        Ok(Self { file, path: path.to_owned(), len: 0, is_stream: false, direct })
    }

    /// What the system knows of it.
    pub(crate) fn metadata(&self) -> io::Result<std::fs::Metadata> {
        self.file.metadata()
    }

    /// Writes whole pieces, of which `ends` are the ends. Where not all can be written, those that were stay, and the part of one that
    /// may stand behind them is cut off.
    pub(crate) fn write(&mut self, bytes: &[u8], ends: impl Iterator<Item = usize>) -> Result<(), Unwritten> {
        let written = self.plainly(bytes).map_err(|(at, error)| self.cut(at, ends, error))?;
        self.len += written;
        Ok(())
    }

    /// As [`Self::write`], of as many bytes as suit the disk best, from the first one on: how many those were.
    pub(super) fn write_blocks(&mut self, bytes: &[u8], ends: impl Iterator<Item = usize>) -> Result<usize, Unwritten> {
        let to_block = usize::try_from(self.len.next_multiple_of(BLOCK as u64) - self.len).unwrap_or(0);
        let whole = bytes.len().saturating_sub(to_block) / BLOCK * BLOCK;
        if whole == 0 || self.direct.is_none() {
            return self.write(bytes, ends).map(|()| bytes.len());
        }
        let (first, blocks) = (&bytes[..to_block], &bytes[to_block..to_block + whole]);
        if let Err((at, error)) = self.plainly(first) {
            return Err(self.cut(at, ends, error));
        }
        let at = self.len + to_block as u64;
        let done = self.direct.as_mut().map_or(Ok(()), |direct| direct.write(blocks, at));
        let done = done.and_then(|()| self.file.seek(SeekFrom::Start(at + whole as u64)));
        if done.is_err() {
            // Whatever it is, the usual way writes as much as goes, and says what is wrong.
            self.direct = None;
            return match self.seek_end() {
                Ok(()) => self.write(bytes, ends).map(|()| bytes.len()),
                Err(error) => Err(self.cut(0, ends, error)),
            };
        }
        self.len = at + whole as u64;
        Ok(to_block + whole)
    }

    /// Writes all of it by the page cache; or how far that went, and why not further.
    fn plainly(&mut self, bytes: &[u8]) -> Result<u64, (usize, io::Error)> {
        let mut at = 0;
        while at < bytes.len() {
            match self.file.write(&bytes[at..]) {
                Ok(0) => return Err((at, ErrorKind::WriteZero.into())),
                Ok(n) => at += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err((at, error)),
            }
        }
        Ok(bytes.len() as u64)
    }

    fn cut(&mut self, at: usize, ends: impl Iterator<Item = usize>, error: io::Error) -> Unwritten {
        let whole = ends.take_while(|end| *end <= at).last().unwrap_or(0) as u64;
        self.len += whole;
        if !self.is_stream
            && let Err(error) = self.file.set_len(self.len).and_then(|()| self.seek_end())
        {
            // The file can be read up to there all the same.
            tracing::warn!("{}: the part of a packet at its end stays: {error}", self.path.display());
        }
        Unwritten { written: whole, error }
    }

    fn seek_end(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.len)).map(drop)
    }
}

/// Name of file number `number` of those that follow each other: `NAME-00001.pcapng`.
pub(super) fn numbered(path: &Path, number: u64) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default();
    let mut name = stem.to_owned();
    name.push(format!("-{number:05}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// The number of the last one that is there of files that follow each other; 0 where there is none.
pub(super) fn last_number(path: &Path) -> io::Result<u64> {
    /// Longer numbers are somebody else's.
    const MOST_DIGITS: usize = 10;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stem = [path.file_stem().unwrap_or_default().as_encoded_bytes(), b"-"].concat();
    let extension = path.extension().map(|end| [b".", end.as_encoded_bytes()].concat()).unwrap_or_default();
    let number = |name: &std::ffi::OsStr| {
        let digits = name.as_encoded_bytes().strip_prefix(&stem[..])?.strip_suffix(&extension[..])?;
        let digits = str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        (5..=MOST_DIGITS).contains(&digits.len()).then(|| digits.parse().ok()).flatten()
    };
    let mut last = 0;
    for entry in std::fs::read_dir(folder)? {
        last = last.max(number(&entry?.file_name()).unwrap_or(0));
    }
    Ok(last)
}

#[cfg(test)]
mod test {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn files_that_follow_each_other_are_numbered_before_their_end() {
        let of = |path: &str| numbered(Path::new(path), 7).display().to_string();
        assert_eq!(of("a/b.pcapng"), "a/b-00007.pcapng");
        assert_eq!(of("b"), "b-00007");
        assert_eq!(of("a.b/c.d.pcap"), "a.b/c.d-00007.pcap");
    }

    #[test]
    fn numbers_go_on_behind_those_that_are_there() {
        let home = tempfile::tempdir().expect("a folder");
        let last = || last_number(&home.path().join("a.pcapng")).expect("a folder");
        assert_eq!(last(), 0);
        for name in
            ["a-00003.pcapng", "a-00012.pcapng", "b-00099.pcapng", "a-00099.pcap", "a-99.pcapng", "a-0009x.pcapng"]
        {
            std::fs::write(home.path().join(name), "").expect("a file");
        }
        std::fs::write(home.path().join("a-00000000099.pcapng"), "").expect("a file");
        std::fs::write(home.path().join("a-00012.pcapng.index"), "").expect("a file");
        assert_eq!(last(), 12);
        std::fs::write(home.path().join("a-123456.pcapng"), "").expect("a file");
        assert_eq!(last(), 123_456);
        assert_eq!(last_number(&home.path().join("b")).expect("a folder"), 0);
    }

    #[test]
    fn disks_that_are_full_used_up_and_broken_are_told_apart() {
        let of = |number: i32| Unwritten { written: 0, error: io::Error::from_raw_os_error(number) }.told();
        for (number, expected) in [
            (libc::ENOSPC, "the disk is full"),
            (libc::EDQUOT, "quota on that disk is used up"),
            (libc::EIO, "the disk fails: see the kernel's log"),
            (libc::EROFS, "can only be read"),
            (libc::EFBIG, "largest size of a file"),
            (libc::EPERM, "Operation not permitted"),
        ] {
            assert!(of(number).contains(expected), "{number}: {}", of(number));
        }
    }

    #[test]
    fn what_is_there_is_not_written_over_and_no_link_followed() {
        let home = tempfile::tempdir().expect("a folder");
        let (file, link) = (home.path().join("file"), home.path().join("link"));
        drop(Place::create(&file, false).expect("a new file"));
        assert_eq!(file.metadata().expect("it").permissions().mode() & 0o777, 0o600);
        assert_eq!(Place::create(&file, false).err().expect("it is there").kind(), ErrorKind::AlreadyExists);
        std::fs::write(&file, "old").expect("something in it");
        symlink(&file, &link).expect("a link");
        Place::create(&link, true).err().expect("a link");
        Place::create(&link, false).err().expect("a link");
        assert_eq!(std::fs::read(&file).expect("it"), b"old");
        Place::create(&file, true).expect("written over").write(b"new", [3].into_iter()).expect("written");
        assert_eq!(std::fs::read(&file).expect("it"), b"new");
    }

    #[test]
    fn blocks_go_past_the_cache_and_all_bytes_are_where_they_belong() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("file");
        let mut place = Place::create(&path, false).expect("a file");
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[usize::from(n % 3 == 0)]).collect();
        let mut at = 0;
        // Lengths that fit no block, by turns in both ways, and less than a block.
        for len in [7, 1_500_000, 100, 5_000, 1_000_001, 4_096].into_iter().cycle() {
            let piece = &bytes[at..bytes.len().min(at + len)];
            let ends = [piece.len()].into_iter();
            at += if len == 100 {
                place.write(piece, ends).map(|()| piece.len()).expect("written")
            } else {
                place.write_blocks(piece, ends).expect("written")
            };
            assert_eq!(place.len, at as u64);
            if piece.len() < 4_096 && at == bytes.len() {
                break;
            }
        }
        assert!(std::fs::read(&path).expect("it") == bytes, "as it was given");
    }

    #[test]
    fn of_what_does_not_fit_whole_pieces_stay() {
        let home = tempfile::tempdir().expect("a folder");
        let mut place = Place::create(&home.path().join("file"), false).expect("a file");
        place.write(b"head", [4].into_iter()).expect("written");
        place.file.write_all(b"whole, and a pa").expect("written");
        let unwritten = place.cut(15, [5, 11, 22].into_iter(), io::Error::from_raw_os_error(libc::ENOSPC));
        assert_eq!((unwritten.written, place.len), (11, 15));
        assert!(unwritten.told().contains("disk is full"));
        place.write(b"!", [1].into_iter()).expect("written");
        assert_eq!(std::fs::read(home.path().join("file")).expect("it"), b"headwhole, and !");
    }
}
