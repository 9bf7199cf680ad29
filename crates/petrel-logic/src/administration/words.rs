//! The words of the filter: those that admins keep in the store, and those of a file.

use std::sync::PoisonError;
use std::time::Duration;

use petrel_protocol::ErrorReason;
use petrel_protocol::http::admin::{
    AuditAction, FilterWord, FilterWords, NewFilterWords, WordMode, WordsMet,
};
use tokio::sync::Mutex;

use super::{Administration, Operator, of_store, page_size};
use crate::Refusal;
use crate::words::{Compiled, Verdict, WordFile};

/// Which list of the system's entries the words are.
const WORDS: u8 = 1;

/// How many words admins may keep, how many they change at once, and how many are read at once.
const WORDS_MAX: usize = 100_000;
const CHANGED_AT_ONCE_MAX: usize = 500;
const READ_AT_ONCE: u32 = 1_000;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What is in force besides the store's.
#[derive(Default)]
pub(super) struct WordLists {
    of_file: std::sync::Mutex<Vec<(String, WordMode)>>,
    /// Of several changes at once, each is in force when it is answered.
    compiling: Mutex<()>,
}

impl Administration {
    /// Words that admins have put in, by their letters.
    pub async fn words(
        &self,
        after: Option<String>,
        limit: Option<u32>,
    ) -> Result<FilterWords, Refusal> {
        let limit = page_size(limit);
        let read = self.store.system_entries_after(WORDS, after.as_deref(), limit + 1).await;
        let mut stored = read.map_err(of_store)?;
        let more = stored.len() > limit as usize;
        stored.truncate(limit as usize);
        let words: Vec<_> = stored.into_iter().map(word).collect();
        let next = words.last().filter(|_| more).map(|last| last.word.clone());
        let words_of_file = self.words_of_file().len() as u64;
        Ok(FilterWords { words, next, words_of_file })
    }

    /// Puts words in, which are in force when this returns.
    pub async fn put_words(&self, operator: &Operator, new: NewFilterWords) -> Result<(), Refusal> {
        let words: Vec<_> = new.words.into_iter().map(|it| (it.word, Some(it.mode))).collect();
        self.change_words(operator, words).await
    }

    /// Takes words out.
    pub async fn remove_words(
        &self,
        operator: &Operator,
        words: Vec<String>,
    ) -> Result<(), Refusal> {
        self.change_words(operator, words.into_iter().map(|word| (word, None)).collect()).await
    }

    /// What would come of a text.
    pub async fn try_words(&self, text: &str) -> Result<WordsMet, Refusal> {
        let Verdict { refused, replaced, flagged } = match &self.running {
            Some(running) => running.words.look(text),
            None => self.compile(&[]).await?.look(text),
        };
        Ok(WordsMet { refused, replaced, flagged })
    }

    /// Has the words of the store in force, and those of a file if there is one, now and
    /// whenever the file changes, for ever. What is wrong with the file is told in the log,
    /// and leaves the words as they are.
    pub async fn keep_up_with_words(&self, mut file: Option<WordFile>) {
        let mut told = String::new();
        let mut is_first = true;
        loop {
            let read = match file.take() {
                None => Ok(None),
                Some(mut known) => {
                    let read = tokio::task::spawn_blocking(move || {
                        let words = known.read_if_changed();
                        (known, words)
                    });
                    let (known, words) = read.await.expect("reading a file doesn't panic");
                    file = Some(known);
                    words
                }
            };
            match read {
                Ok(Some(words)) => {
                    tracing::info!(words = words.len(), "words were read");
                    told.clear();
                    *self.words.of_file.lock().unwrap_or_else(PoisonError::into_inner) = words;
                    self.force_words().await;
                }
                Ok(None) if is_first => self.force_words().await,
                Ok(None) => {}
                Err(error) if error != told => {
                    tracing::warn!(error, "the words stay as they are");
                    told = error;
                    if is_first {
                        self.force_words().await;
                    }
                }
                Err(_) => {}
            }
            is_first = false;
            if file.is_none() {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn force_words(&self) {
        let _turn = self.words.compiling.lock().await;
        let Some(running) = &self.running else { return };
        match self.compile(&[]).await {
            Ok(compiled) => running.words.replace(compiled),
            Err(refusal) => tracing::warn!(%refusal, "the words stay as they are"),
        }
    }

    async fn change_words(
        &self,
        operator: &Operator,
        changes: Vec<(String, Option<WordMode>)>,
    ) -> Result<(), Refusal> {
        if changes.is_empty() || changes.len() > CHANGED_AT_ONCE_MAX {
            let message = format!("give 1 to {CHANGED_AT_ONCE_MAX} words at once");
            return Err(Refusal::new(ErrorReason::InvalidField, message));
        }
        let _turn = self.words.compiling.lock().await;
        // What can't be compiled must not be stored.
        let compiled = self.compile(&changes).await?;
        let (put, removed) = changes.iter().fold((0, 0), |(put, removed), (_, mode)| match mode {
            Some(_) => (put + 1, removed),
            None => (put, removed + 1),
        });
        let detail = format!("{put} put in, {removed} taken out");
        let record = self.record(operator, AuditAction::WordsChanged, None, detail);
        let entries = changes.into_iter().map(|(word, mode)| {
            (word, mode.map(|mode| bytes::Bytes::from_static(mode.as_str().as_bytes())))
        });
        let put = self.store.put_system_entries(WORDS, entries.collect(), Some(record)).await;
        put.map_err(of_store)?;
        if let Some(running) = &self.running {
            running.words.replace(compiled);
        }
        Ok(())
    }

    /// All words as they would be after some changes, compiled off the async threads.
    async fn compile(&self, changes: &[(String, Option<WordMode>)]) -> Result<Compiled, Refusal> {
        let mut words = std::collections::BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.system_entries_after(WORDS, after.as_deref(), READ_AT_ONCE);
            let page = page.await.map_err(of_store)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            words.extend(page.into_iter().map(word).map(|it| (it.word, it.mode)));
        }
        for (word, mode) in changes {
            match mode {
                Some(mode) => words.insert(word.clone(), *mode),
                None => words.remove(word),
            };
        }
        if words.len() > WORDS_MAX {
            let message = format!("that would be more than {WORDS_MAX} words");
            return Err(Refusal::new(ErrorReason::InvalidField, message));
        }
        let all: Vec<_> = self.words_of_file().into_iter().chain(words).collect();
        let compiled = tokio::task::spawn_blocking(move || Compiled::new(all)).await;
        let compiled = compiled.expect("compiling doesn't panic");
        compiled.map_err(|error| Refusal::new(ErrorReason::InvalidField, error.to_string()))
    }

    fn words_of_file(&self) -> Vec<(String, WordMode)> {
        self.words.of_file.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn word((word, mode): (String, bytes::Bytes)) -> FilterWord {
    let known = WordMode::ALL.iter().find(|known| known.as_str().as_bytes() == &mode[..]);
    FilterWord { word, mode: known.copied().unwrap_or_default() }
}
