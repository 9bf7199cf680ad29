//! Who writes to an upload: one at a time, the latest to ask.
//!
//! A device whose connection broke comes back before the server has noticed. So whoever asks
//! for an upload interrupts whoever has it, who keeps what has come and lets go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use petrel_types::FileId;
use tokio::sync::{OwnedMutexGuard, watch};

/// How long to wait for whoever has an upload to let go: for a large file, as long as it may
/// take to keep it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The uploads that somebody has or waits for.
#[derive(Default)]
pub(crate) struct Turns(Arc<Mutex<HashMap<FileId, Arc<Place>>>>);

#[derive(Default)]
struct Place {
    lock: Arc<tokio::sync::Mutex<()>>,
    asked: watch::Sender<u64>,
}

/// An upload that is one's own for as long as this lives.
pub(crate) struct Turn {
    file: FileId,
    turns: Arc<Mutex<HashMap<FileId, Arc<Place>>>>,
    place: Option<Arc<Place>>,
    guard: Option<OwnedMutexGuard<()>>,
    asked: watch::Receiver<u64>,
}

impl Turns {
    /// Takes an upload. `None` if whoever has it does not let go in time.
    pub(crate) async fn take(&self, file: FileId) -> Option<Turn> {
        let place = {
            let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(places.entry(file).or_default())
        };
        place.asked.send_modify(|count| *count += 1);
        let asked = place.asked.subscribe();
        // Made before the wait, so that one that is given up leaves nothing behind.
        let mut turn = Turn {
            file,
            turns: Arc::clone(&self.0),
            place: Some(Arc::clone(&place)),
            guard: None,
            asked,
        };
        let lock = Arc::clone(&place.lock);
        drop(place);
        turn.guard = Some(tokio::time::timeout(PATIENCE, lock.lock_owned()).await.ok()?);
        Some(turn)
    }
}

impl Turn {
    /// Waits until somebody else wants the upload.
    pub(crate) async fn interrupted(&mut self) {
        if self.asked.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.guard = None;
        let mut places = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        self.place = None;
        // Nobody takes another handle while the map is locked.
        if places.get(&self.file).is_some_and(|place| Arc::strong_count(place) == 1) {
            places.remove(&self.file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileId = FileId::new(7);

    #[tokio::test]
    async fn who_comes_later_interrupts_and_follows() {
        let turns = Turns::default();
        let mut first = turns.take(FILE).await.unwrap();
        let other = turns.take(FileId::new(8)).await.unwrap();
        let second = async { turns.take(FILE).await.unwrap() };
        let leaves = async {
            first.interrupted().await;
            drop(first);
        };
        let (second, ()) = tokio::join!(second, leaves);
        assert_eq!(turns.0.lock().unwrap().len(), 2);
        drop((second, other));
        assert!(turns.0.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_let_go_is_waited_for_so_long() {
        let turns = Turns::default();
        let _first = turns.take(FILE).await.unwrap();
        assert!(turns.take(FILE).await.is_none());
        assert_eq!(turns.0.lock().unwrap().len(), 1);
    }
}
