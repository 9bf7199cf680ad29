//! Words that users must not send, or that somebody wants to know of.
//!
//! The filter looks at what clients send before it becomes a command: in the session's own
//! task, never in the sequencer. All words are one automaton (`aho-corasick`), so that a
//! text is read once however many words there are; another list is compiled aside and
//! takes the place of the old one at once, while texts under way see either. Nothing that is
//! stored is looked at again.
//!
//! How words are written and compared is in [`folding`] and [`list`]; which texts of a
//! command are looked at in [`sent`].

mod flagged;
mod folding;
mod list;
mod metrics;
mod sent;
mod source;

use std::sync::{Arc, PoisonError, RwLock};

use petrel_protocol::ErrorReason;
use petrel_protocol::http::admin::WordMode;
use petrel_types::UserId;
use tokio::sync::mpsc;

pub use self::flagged::record_flagged;
use self::flagged::{FLAGGED_QUEUED_MAX, Flagged};
pub use self::list::{Compiled, WORD_CHARS_MAX, WordError, parse_file};
pub use self::metrics::Metrics;
pub use self::source::WordFile;
use crate::Refusal;

/// The words in force, and what is done about them.
pub struct WordFilter {
    /// None while there are no words, which then cost nothing.
    compiled: RwLock<Option<Arc<Compiled>>>,
    flagged: mpsc::Sender<Flagged>,
    metrics: Metrics,
}

/// What has come of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The word for which it is refused.
    pub refused: Option<String>,
    /// The text with other letters in the place of words, if it has such words.
    pub replaced: Option<String>,
    /// Words that somebody wants to know of.
    pub flagged: Vec<String>,
}

/// The flagged texts on their way to the audit log.
pub struct FlaggedQueue(mpsc::Receiver<Flagged>);

impl WordFilter {
    /// Without words, and the queue of what is flagged.
    pub fn new(metrics: Metrics) -> (Arc<Self>, FlaggedQueue) {
        let (flagged, queue) = mpsc::channel(FLAGGED_QUEUED_MAX);
        let filter = Self { compiled: RwLock::new(None), flagged, metrics };
        (Arc::new(filter), FlaggedQueue(queue))
    }

    /// Lets everything through.
    pub fn none() -> Arc<Self> {
        Self::new(Metrics::default()).0
    }

    /// Has other words from now on.
    pub fn replace(&self, compiled: Compiled) {
        self.metrics.words.set(i64::try_from(compiled.len()).unwrap_or(i64::MAX));
        let compiled = (!compiled.is_empty()).then(|| Arc::new(compiled));
        *self.compiled.write().unwrap_or_else(PoisonError::into_inner) = compiled;
    }

    /// What would come of a text, without anything coming of it.
    pub fn look(&self, text: &str) -> Verdict {
        self.compiled().map_or_else(Verdict::default, |compiled| compiled.look(text))
    }

    /// Refuses a name that has a word in it, whatever is done about that word in texts but
    /// for those that are only flagged: a name can't be replaced for its bearer.
    pub fn check_name(&self, name: &str) -> Result<(), Refusal> {
        let Verdict { refused, replaced, .. } = self.look(name);
        if refused.is_some() || replaced.is_some() {
            self.metrics.met(WordMode::Refuse);
            return Err(refusal("the name"));
        }
        Ok(())
    }

    /// Looks at a text that a user sends, and puts another in its place if that is called
    /// for.
    fn check_text(&self, actor: UserId, what: &str, text: &mut String) -> Result<(), Refusal> {
        let Some(compiled) = self.compiled() else { return Ok(()) };
        let Verdict { refused, replaced, flagged } = compiled.look(text);
        if refused.is_some() {
            self.metrics.met(WordMode::Refuse);
            return Err(refusal(what));
        }
        if let Some(replaced) = replaced {
            self.metrics.met(WordMode::Replace);
            *text = replaced;
        }
        if !flagged.is_empty() {
            self.metrics.met(WordMode::Flag);
            let flagged = Flagged { actor, what: what.to_owned(), words: flagged };
            if self.flagged.try_send(flagged).is_err() {
                self.metrics.flagged_dropped.inc();
            }
        }
        Ok(())
    }

    fn compiled(&self) -> Option<Arc<Compiled>> {
        self.compiled.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Does not name the word: whoever tries would learn the list by it.
fn refusal(what: &str) -> Refusal {
    let message =
        format!("{what} has a word that this server does not let through; write it another way");
    Refusal::new(ErrorReason::WordRefused, message)
}

#[cfg(test)]
mod tests;
