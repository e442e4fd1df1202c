//! Where the bytes of files go: a file of its own, or a stream that somebody reads at the other end.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// An open file.
pub(super) struct Place {
    file: File,
    /// As people know it.
    pub(super) path: PathBuf,
    /// Bytes in it: what is behind them was cut off.
    pub(super) len: u64,
    is_stream: bool,
}

/// Why something was not written.
#[derive(Debug)]
pub(super) struct Unwritten {
    /// How many bytes were, all the same.
    pub(super) written: u64,
    /// What the system said.
    pub(super) error: io::Error,
}

impl Unwritten {
    /// The reader of a stream has had enough: that is how it ends, and no error.
    pub(super) fn is_reader_gone(&self) -> bool {
        self.error.kind() == ErrorKind::BrokenPipe
    }

    /// What that means, and how to mend it.
    pub(super) fn told(&self) -> String {
        let what = match self.error.raw_os_error() {
            Some(libc::ENOSPC) => "the disk is full: make room, or keep fewer files (--keep)",
            Some(libc::EDQUOT) => "the user's quota on that disk is used up: make room, or keep fewer files (--keep)",
            Some(libc::EFBIG) => {
                "it has reached the largest size of a file (ulimit -f, or the file system's): rotate (--rotate-size)"
            }
            Some(libc::EIO) => "the disk fails: see the kernel's log",
            Some(libc::EPIPE) => "its reader has gone",
            _ => return self.error.to_string(),
        };
        what.to_owned()
    }
}

impl Place {
    /// Standard output.
    pub(super) fn stdout() -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let is_stream = !file.metadata()?.is_file();
        let len = if is_stream { 0 } else { file.metadata()?.len() };
        Ok(Self { file, path: PathBuf::from("standard output"), len, is_stream })
    }

    /// Whether somebody reads at the other end of what lies there: a FIFO, a device.
    pub(super) fn is_stream(path: &Path) -> bool {
        let kind = std::fs::symlink_metadata(path).map(|found| found.file_type());
        kind.is_ok_and(|kind| kind.is_fifo() || kind.is_char_device())
    }

    /// Opens what lies there and is a stream; of a FIFO, when somebody reads it.
    pub(super) fn open_stream(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
        if file.metadata()?.is_file() {
            return Err(io::Error::other("somebody has put a file in its place"));
        }
        Ok(Self { file, path: path.to_owned(), len: 0, is_stream: true })
    }

    /// Makes a file that only this user can read. No link is followed.
    pub(super) fn create(path: &Path, overwrite: bool) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file =
            if overwrite { options.create(true).truncate(false) } else { options.create_new(true) }.open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        file.set_len(0)?;
        Ok(Self { file, path: path.to_owned(), len: 0, is_stream: false })
    }

    /// Writes whole pieces, of which `ends` are the ends. Where not all can be written, those that were stay, and the part of one that
    /// may stand behind them is cut off.
    pub(super) fn write(&mut self, bytes: &[u8], ends: impl Iterator<Item = usize>) -> Result<(), Unwritten> {
        let mut at = 0;
        while at < bytes.len() {
            match self.file.write(&bytes[at..]) {
                Ok(0) => return Err(self.cut(at, ends, ErrorKind::WriteZero.into())),
                Ok(n) => at += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.cut(at, ends, error)),
            }
        }
        self.len += bytes.len() as u64;
        Ok(())
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
