//! Notices: what admins of the system say to everybody.
//!
//! Those in force are kept here, where a session that begins reads them, and what is new goes
//! through a bounded queue to whoever brings it to the sessions. What may be said, and where
//! it is stored, is decided in [`administration`](crate::administration).
//!
//! A notice is put among those in force before it is put into the queue, and a session is
//! known to the gateway before it reads those in force. So nobody who is to be told misses
//! one; somebody may be told twice, and knows it by the notice's id. The queue keeps the order,
//! so that a withdrawal never comes before what it withdraws.

use std::sync::{Arc, PoisonError, RwLock};

use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Notice, ServerFrame};
use petrel_types::TimestampMs;
use tokio::sync::mpsc;

use crate::Refusal;

/// How much may be on its way to the sessions before admins have to wait.
const QUEUED_MAX: usize = 16;

/// The notices in force, and the way to those who are connected.
#[derive(Debug)]
pub struct Notices {
    in_force: RwLock<Arc<[Notice]>>,
    said: mpsc::Sender<ServerFrame>,
}

/// What is said, in its order, on its way to the sessions.
#[derive(Debug)]
pub struct NoticeQueue(mpsc::Receiver<ServerFrame>);

/// Room for one thing to be said.
#[derive(Debug)]
pub(crate) struct Room<'a>(mpsc::Permit<'a, ServerFrame>);

impl Notices {
    /// Without notices, and the queue of what will be said.
    pub fn new() -> (Arc<Self>, NoticeQueue) {
        let (said, queue) = mpsc::channel(QUEUED_MAX);
        let in_force = RwLock::new(Arc::from([]));
        (Arc::new(Self { in_force, said }), NoticeQueue(queue))
    }

    /// Those who begin now are to be told of these, oldest first.
    pub fn in_force(&self, now: TimestampMs) -> Vec<Notice> {
        let all = Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner));
        all.iter().filter(|notice| is_in_force(notice.until_ts, now)).cloned().collect()
    }

    /// Has others in force from now on, oldest first.
    pub(crate) fn replace(&self, notices: Vec<Notice>) {
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = notices.into();
    }

    /// Room in the queue, so that nothing is stored that can't be said.
    pub(crate) fn room(&self) -> Result<Room<'_>, Refusal> {
        self.said.try_reserve().map(Room).map_err(|_| {
            Refusal::new(
                ErrorReason::ServerBusy,
                "what was said before is still on its way; nothing was said now, try again in a \
                 moment",
            )
        })
    }
}

impl Room<'_> {
    pub(crate) fn say(self, frame: ServerFrame) {
        self.0.send(frame);
    }
}

impl NoticeQueue {
    /// Waits for the next thing to say; `None` when nobody can say anything any more.
    pub async fn next(&mut self) -> Option<ServerFrame> {
        self.0.recv().await
    }
}

/// Whether something holds that ends at a time.
pub(crate) fn is_in_force(until: Option<TimestampMs>, now: TimestampMs) -> bool {
    until.is_none_or(|until| now < until)
}

#[cfg(test)]
mod tests {
    use petrel_protocol::frame::NoticeWithdrawn;
    use petrel_types::NoticeId;

    use super::*;

    #[test]
    fn what_ends_is_told_to_nobody_from_that_moment_on() {
        let (notices, _queue) = Notices::new();
        let notice = |id, until: Option<u64>| Notice {
            notice_id: NoticeId::new(id),
            text: "t".to_owned(),
            ts: TimestampMs::new(1),
            until_ts: until.map(TimestampMs::new),
        };
        notices.replace(vec![notice(1, Some(10)), notice(2, None), notice(3, Some(20))]);
        let told = |now| {
            let told = notices.in_force(TimestampMs::new(now)).into_iter();
            told.map(|notice| notice.notice_id.get()).collect::<Vec<_>>()
        };
        assert_eq!(told(9), [1, 2, 3]);
        assert_eq!(told(10), [2, 3]);
        assert_eq!(told(20), [2]);
    }

    #[tokio::test]
    async fn what_cannot_be_said_is_refused_before_and_the_order_is_kept() {
        let (notices, mut queue) = Notices::new();
        let frame =
            |id| ServerFrame::NoticeWithdrawn(NoticeWithdrawn { notice_id: NoticeId::new(id) });
        for id in 0..QUEUED_MAX as u64 {
            notices.room().unwrap().say(frame(id));
        }
        assert_eq!(notices.room().unwrap_err().reason, ErrorReason::ServerBusy);
        for id in 0..QUEUED_MAX as u64 {
            assert_eq!(queue.next().await, Some(frame(id)));
        }
        // Room that is not used is room again.
        for _ in 0..=QUEUED_MAX {
            drop(notices.room().unwrap());
        }
    }
}
