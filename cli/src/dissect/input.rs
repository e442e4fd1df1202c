//! Where captures come from, and where what is shown of them goes: what is known is shown before more is waited for.

use super::line::Line;
use anyhow::{Context, Result, bail};
use perigee_pcap::file::STREAM;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Result as IoResult, Stdin, Stdout, Write};
use std::path::Path;
use std::rc::Rc;

/// Bytes that are read, and written, at once.
const AT_ONCE: usize = 1 << 16;

/// Standard output, with what waits for it.
#[derive(Clone)]
pub(super) struct Shown(Rc<Waiting>);

struct Waiting {
    line: RefCell<Line>,
    to: Stdout,
    /// Who was to read it has gone, or it cannot be written.
    error: Cell<Option<ErrorKind>>,
}

impl Shown {
    /// With nothing that waits.
    pub(super) fn stdout() -> Self {
        let line = RefCell::new(Line::with_capacity(2 * AT_ONCE));
        Self(Rc::new(Waiting { line, to: std::io::stdout(), error: Cell::new(None) }))
    }

    /// Adds what `write` writes.
    pub(super) fn with(&self, write: impl FnOnce(&mut Line)) {
        let mut line = self.0.line.borrow_mut();
        write(&mut line);
        if line.bytes().len() >= AT_ONCE {
            drop(line);
            // Whoever comes next asks whether it could be written.
            let _ = self.flush();
        }
    }

    /// Writes what waits.
    pub(super) fn flush(&self) -> IoResult<()> {
        let mut line = self.0.line.borrow_mut();
        let mut to = self.0.to.lock();
        let written = match self.0.error.get() {
            Some(kind) => Err(kind.into()),
            None => to.write_all(line.bytes()).and_then(|()| to.flush()),
        };
        line.clear();
        if let Err(error) = &written {
            self.0.error.set(Some(error.kind()));
        }
        written
    }

    /// Whether nobody reads it any more, which is no error (`| head`).
    pub(super) fn is_closed(&self) -> bool {
        self.0.error.get() == Some(ErrorKind::BrokenPipe)
    }
}

/// A file, or standard input.
enum Origin {
    File(File),
    Stdin(Stdin),
}

/// Who reads may wait, so what is known is shown before.
pub(super) struct Source {
    from: Origin,
    shown: Shown,
}

impl Read for Source {
    fn read(&mut self, to: &mut [u8]) -> IoResult<usize> {
        // An error shows when more is written.
        let _ = self.shown.flush();
        match &mut self.from {
            Origin::File(file) => file.read(to),
            Origin::Stdin(stdin) => stdin.read(to),
        }
    }
}

/// Opens a capture; with the bytes that it has, where that is known.
pub(super) fn open(path: &Path, shown: &Shown) -> Result<(BufReader<Source>, u64)> {
    let read = |from| BufReader::with_capacity(AT_ONCE, Source { from, shown: shown.clone() });
    if path.as_os_str() == "-" {
        return Ok((read(Origin::Stdin(std::io::stdin())), STREAM));
    }
    let cannot = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(cannot)?;
    let metadata = file.metadata().with_context(cannot)?;
    if metadata.is_dir() {
        bail!("{}: is a directory", cannot());
    }
    let len = if metadata.is_file() { metadata.len() } else { STREAM };
    Ok((read(Origin::File(file)), len))
}
