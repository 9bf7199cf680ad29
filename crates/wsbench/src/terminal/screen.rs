//! Takes the terminal, and gives it back: at the end, when the run fails, and when the
//! program panics.

use std::io::{self, IsTerminal, Stderr};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use super::{View, draw};

/// The terminal is ours: what a panic must undo.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// The terminal, while it is ours.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    /// Colours may be used.
    pub colour: bool,
}

/// Whether this run is to be shown: standard error is a terminal that can be drawn on, and
/// this program is in its foreground. `plain` is what the user said.
pub fn is_wanted(plain: bool) -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    !plain && !dumb && io::stderr().is_terminal() && is_in_foreground()
}

/// A program in the background would be stopped for changing the terminal's mode.
fn is_in_foreground() -> bool {
    rustix::termios::tcgetpgrp(io::stderr()).is_ok_and(|group| group == rustix::process::getpgrp())
}

impl Screen {
    /// Takes the terminal.
    pub fn take() -> io::Result<Self> {
        HOOK.call_once(|| {
            let report = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                report(panic);
            }));
        });
        enable_raw_mode()?;
        IS_TAKEN.store(true, Ordering::SeqCst);
        let entered = execute!(io::stderr(), EnterAlternateScreen)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stderr())));
        match entered {
            Ok(terminal) => {
                let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
                Ok(Self { terminal, colour })
            }
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Draws.
    pub fn draw(&mut self, view: &View<'_>) -> io::Result<()> {
        self.terminal.draw(|frame| draw::draw(frame, view)).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, once.
fn give_back() {
    if IS_TAKEN.swap(false, Ordering::SeqCst) {
        // If the terminal is gone there is nothing to give back.
        let _ = execute!(io::stderr(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}
