//! The terminal view while a run goes on: connections, rates, percentiles, errors with
//! their cures, the server, and what it would come to if it ended now.
//!
//! It is drawn on standard error, so that standard output has the report and nothing
//! else. [`screen`] takes the terminal and gives it back, whatever happens; [`draw`] turns
//! what is known into a picture and knows no terminal; [`Live`] is in between. The
//! conductor's thread draws, several times a second: it does nothing else while a run goes
//! on.

mod draw;
mod latency;
mod screen;
mod view;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use crate::clock::{self, MILLISECOND, Nanos};
use crate::conductor::Audience;
use crate::plan::{Language, Plan};
use crate::seconds::Seconds;
use crate::watch::Watch;

pub use screen::{Screen, is_wanted};
pub use view::View;

/// How often it is drawn anew when nothing else happens.
const EVERY: Nanos = 200 * MILLISECOND;
/// Keys that are read at once, at most: a pasted text must not hold the conductor up.
const KEYS_MAX: usize = 64;

/// The view of one run.
pub struct Live<'a> {
    screen: Screen,
    plan: &'a Plan,
    language: Language,
    began: Nanos,
    ramped: Option<Nanos>,
    next: Nanos,
    /// Raised to end the run, as a signal would.
    interrupts: Arc<AtomicU32>,
}

impl<'a> Live<'a> {
    /// Takes the terminal. It is given back when this is dropped.
    pub fn new(plan: &'a Plan, language: Language, interrupts: Arc<AtomicU32>) -> io::Result<Self> {
        let screen = Screen::take()?;
        let began = clock::now();
        Ok(Self { screen, plan, language, began, ramped: None, next: 0, interrupts })
    }

    fn read_keys(&mut self) -> io::Result<bool> {
        let mut something = false;
        for _ in 0..KEYS_MAX {
            if !event::poll(std::time::Duration::ZERO)? {
                break;
            }
            something = true;
            if let Event::Key(key) = event::read()?
                && key.kind != KeyEventKind::Release
            {
                let control = key.modifiers.contains(KeyModifiers::CONTROL);
                match key.code {
                    KeyCode::Char('q' | 'Q') if self.interrupts.load(Ordering::Relaxed) == 0 => {
                        self.interrupts.fetch_add(1, Ordering::Relaxed);
                    }
                    // As the signal that it would be in a terminal that is not ours.
                    KeyCode::Char('c' | 'C') if control => {
                        self.interrupts.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => {}
                }
            }
        }
        Ok(something)
    }
}

impl Audience for Live<'_> {
    fn second(&mut self, _: &Seconds) {
        self.next = 0;
    }

    fn ramped(&mut self, _: &Seconds) {
        self.ramped = Some(clock::now());
        self.next = 0;
    }

    fn moment(&mut self, seconds: &Seconds, watch: &Watch) {
        // A terminal that went away is no reason to end a run.
        let touched = self.read_keys().unwrap_or(false);
        let now = clock::now();
        if now < self.next && !touched {
            return;
        }
        self.next = now + EVERY;
        let since = |from: Nanos| now.saturating_sub(from) as f64 / 1e9;
        let view = View {
            plan: self.plan,
            language: self.language,
            seconds,
            samples: watch.samples(),
            elapsed_seconds: since(self.began),
            ramped_at_seconds: self.ramped.map(|at| at.saturating_sub(self.began) as f64 / 1e9),
            is_stopping: self.interrupts.load(Ordering::Relaxed) > 0,
            colour: self.screen.colour,
        };
        // As above.
        let _ = self.screen.draw(&view);
    }
}
