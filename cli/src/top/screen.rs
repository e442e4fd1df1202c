//! The terminal while the view has it, and that it is given back as it was, however the view ends.

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::{Frame, Terminal};
use std::io::{self, BufWriter, Stderr};

/// What Rust's programs end with when they have panicked.
const PANICKED: i32 = 101;

/// The screen, until dropped. A picture goes out at once, and not cell by cell: that counts over ssh.
pub(super) struct Screen(Terminal<CrosstermBackend<BufWriter<Stderr>>>);

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
            // Whichever thread it was, the others are no view without it.
            std::process::exit(PANICKED);
        }));
        enable_raw_mode()?;
        let opened = execute!(io::stderr(), EnterAlternateScreen, EnableBracketedPaste)
            .and_then(|()| Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stderr()))));
        if opened.is_err() {
            restore();
        }
        opened.map(Self)
    }

    /// Draws one picture; what has not changed since the last one is not sent.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(draw).map(drop)
    }

    /// Forgets what is shown: the next picture is sent whole.
    pub(super) fn redraw(&mut self) {
        // Where the terminal is gone, the next picture tells.
        let _ = self.0.clear();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// A terminal that is gone needs nothing any more, so no failure is told.
fn restore() {
    let _ = execute!(io::stderr(), DisableBracketedPaste, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}
