//! Notices to everybody: what may be said, for how long it is told, and the record of it.
//!
//! One with an end, or until it is withdrawn, is in the store before it is said, and told to
//! everybody who connects meanwhile, after a restart as well. One without is said once and is
//! kept nowhere but in the audit log.

use bytes::Bytes;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Notice, NoticeWithdrawn, ServerFrame};
use petrel_protocol::http::admin::{
    AdminNotice, AdminNotices, AuditAction, NewNotice, NoticeSent, WordsMet,
};
use petrel_store::StoreError;
use petrel_types::{NoticeId, TimestampMs};
use tokio::sync::Mutex;

use super::{Administration, Operator, of_store, page_size};
use crate::Refusal;
use crate::notices::is_in_force;

/// Which list of the system's entries the notices are.
const NOTICES: u8 = 2;

/// How many may be in force at once: each is told to everybody who connects.
const IN_FORCE_MAX: usize = 20;

/// More than there ever are: those whose time is over go when the next one is said.
const READ_MAX: u32 = 200;

/// The longest text, in UTF-16 code units.
const TEXT_UTF16_UNITS_MAX: usize = 1000;

/// How far ahead an end may be, in milliseconds: a year.
const LASTS_MAX_MS: u64 = 366 * 24 * 60 * 60 * 1000;

/// One change of the notices at a time, and the last id that was given.
#[derive(Debug, Default)]
pub(super) struct NoticeTurn(Mutex<u64>);

impl Administration {
    /// Notices in force with ids below `before`, newest first.
    pub async fn notices(
        &self,
        before: Option<NoticeId>,
        limit: Option<u32>,
    ) -> Result<AdminNotices, Refusal> {
        let now = self.clock.now();
        let mut notices = self.stored_notices().await.map_err(of_store)?;
        notices.retain(|it| {
            is_in_force(it.until_ts, now) && before.is_none_or(|before| it.notice_id < before)
        });
        let limit = page_size(limit) as usize;
        let more = notices.len() > limit;
        notices.truncate(limit);
        let next = notices.last().filter(|_| more).map(|last| last.notice_id);
        Ok(AdminNotices { notices, next })
    }

    /// Says something to everybody. It is on disk, as far as it is to be, when this returns,
    /// and on its way to the sessions.
    pub async fn send_notice(
        &self,
        operator: &Operator,
        new: NewNotice,
    ) -> Result<NoticeSent, Refusal> {
        let now = self.clock.now();
        let is_kept = check_form(&new, now)?;
        let text = self.let_through(new.text).await?;
        if !is_kept {
            self.running()?;
        }
        let mut last = self.notice_turn.0.lock().await;
        let stored = self.stored_notices().await.map_err(of_store)?;
        let (mut in_force, over): (Vec<_>, Vec<_>) =
            stored.into_iter().partition(|notice| is_in_force(notice.until_ts, now));
        if is_kept && in_force.len() >= IN_FORCE_MAX {
            let message = format!("{IN_FORCE_MAX} notices are in force; withdraw one first");
            return Err(Refusal::new(ErrorReason::LimitReached, message));
        }
        let room = self.running.as_ref().map(|running| running.notices.room()).transpose()?;
        let newest = in_force.iter().chain(&over).map(|it| it.notice_id.get()).max().unwrap_or(0);
        let id = now.get().max(newest + 1).max(*last + 1);
        let notice = AdminNotice {
            notice_id: NoticeId::new(id),
            text,
            ts: now,
            until_ts: new.until_ts,
            by: operator.user,
        };
        let lasts = match new.until_ts {
            Some(until) => format!("until {until}"),
            None if is_kept => "until withdrawn".to_owned(),
            None => "once".to_owned(),
        };
        let detail = format!("{id}, {lasts}: {:?}", notice.text);
        let record = self.record(operator, AuditAction::NoticeSent, None, detail);
        if is_kept {
            let mut entries: Vec<_> =
                over.iter().map(|notice| (key_of(notice.notice_id), None)).collect();
            entries.push((key_of(notice.notice_id), Some(encode(&notice))));
            let put = self.store.put_system_entries(NOTICES, entries, Some(record)).await;
            put.map_err(of_store)?;
            in_force.insert(0, notice.clone());
        } else {
            self.store.keep_record(record).await.map_err(of_store)?;
        }
        *last = id;
        let mut sessions = 0;
        if let (Some(running), Some(room)) = (&self.running, room) {
            running.notices.replace(told(&in_force));
            room.say(ServerFrame::Notice(frame_of(&notice)));
            sessions = running.sessions.sessions();
        }
        Ok(NoticeSent { notice, sessions })
    }

    /// Takes a notice back that is in force. Those who were told are told that, too.
    pub async fn withdraw_notice(
        &self,
        operator: &Operator,
        notice_id: NoticeId,
    ) -> Result<(), Refusal> {
        let _turn = self.notice_turn.0.lock().await;
        let now = self.clock.now();
        let mut in_force = self.stored_notices().await.map_err(of_store)?;
        in_force.retain(|notice| is_in_force(notice.until_ts, now));
        let before = in_force.len();
        in_force.retain(|notice| notice.notice_id != notice_id);
        if in_force.len() == before {
            return Err(Refusal::new(
                ErrorReason::NoticeNotFound,
                "no such notice is in force: it was withdrawn, its time is over, or it was said \
                 once and is kept nowhere",
            ));
        }
        let room = self.running.as_ref().map(|running| running.notices.room()).transpose()?;
        let detail = notice_id.to_string();
        let record = self.record(operator, AuditAction::NoticeWithdrawn, None, detail);
        let entries = vec![(key_of(notice_id), None)];
        let removed = self.store.put_system_entries(NOTICES, entries, Some(record)).await;
        removed.map_err(of_store)?;
        if let (Some(running), Some(room)) = (&self.running, room) {
            running.notices.replace(told(&in_force));
            room.say(ServerFrame::NoticeWithdrawn(NoticeWithdrawn { notice_id }));
        }
        Ok(())
    }

    /// Has the notices of the store in force, for those who connect from now on.
    pub async fn recall_notices(&self) -> Result<(), StoreError> {
        let _turn = self.notice_turn.0.lock().await;
        let stored = self.stored_notices().await?;
        if let Some(running) = &self.running {
            running.notices.replace(told(&stored));
        }
        Ok(())
    }

    /// All that are stored, newest first, those whose time is over among them.
    async fn stored_notices(&self) -> Result<Vec<AdminNotice>, StoreError> {
        let entries = self.store.system_entries_after(NOTICES, None, READ_MAX).await?;
        let notices = entries.into_iter().filter_map(|(key, stored)| match decode(&stored) {
            Ok(notice) => Some(notice),
            Err(error) => {
                tracing::error!(%error, key, "a stored notice can't be read");
                None
            }
        });
        Ok(notices.collect())
    }

    /// What the word filter makes of a text, which holds for admins as for everybody.
    async fn let_through(&self, text: String) -> Result<String, Refusal> {
        let WordsMet { refused, replaced, .. } = self.try_words(&text).await?;
        match refused {
            // An admin may read the list.
            Some(word) => Err(Refusal::new(
                ErrorReason::WordRefused,
                format!("`text` has {word:?}, which the word filter does not let through"),
            )),
            None => Ok(replaced.unwrap_or(text)),
        }
    }
}

/// Refuses what can't be said. Returns whether it is to be kept.
fn check_form(new: &NewNotice, now: TimestampMs) -> Result<bool, Refusal> {
    let wrong = |message: String| Err(Refusal::new(ErrorReason::InvalidField, message));
    let text = &new.text;
    if text.trim().is_empty() {
        return wrong("`text` is missing or blank".to_owned());
    }
    if text.encode_utf16().count() > TEXT_UTF16_UNITS_MAX {
        return wrong(format!("`text` is longer than {TEXT_UTF16_UNITS_MAX} UTF-16 code units"));
    }
    if text.contains(|letter: char| letter.is_control() && letter != '\n') {
        return wrong("`text` has control characters other than line feeds".to_owned());
    }
    let Some(until) = new.until_ts else { return Ok(new.until_withdrawn) };
    if new.until_withdrawn {
        return wrong("give either `untilTs` or `untilWithdrawn`, not both".to_owned());
    }
    if until <= now {
        return wrong(format!("`untilTs` is not ahead: it is {now} now, in milliseconds"));
    }
    if until.get() - now.get() > LASTS_MAX_MS {
        return wrong("`untilTs` is more than a year ahead; use `untilWithdrawn`".to_owned());
    }
    Ok(true)
}

/// Keys sort by their bytes, and newer notices come first.
fn key_of(notice: NoticeId) -> String {
    format!("{:020}", u64::MAX - notice.get())
}

fn encode(notice: &AdminNotice) -> Bytes {
    serde_json::to_vec(notice).expect("notices hold only strings and numbers").into()
}

fn decode(stored: &[u8]) -> Result<AdminNotice, serde_json::Error> {
    serde_json::from_slice(stored)
}

/// As everybody is told of them, oldest first.
fn told(newest_first: &[AdminNotice]) -> Vec<Notice> {
    newest_first.iter().rev().map(frame_of).collect()
}

fn frame_of(notice: &AdminNotice) -> Notice {
    let AdminNotice { notice_id, text, ts, until_ts, by: _ } = notice.clone();
    Notice { notice_id, text, ts, until_ts }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use petrel_store::AdministrationStore;
    use petrel_store::memory::MemoryStore;
    use petrel_types::{Epoch, ManualClock};

    use super::*;

    fn check(text: &str, until: Option<u64>, until_withdrawn: bool) -> Result<bool, ErrorReason> {
        let until_ts = until.map(TimestampMs::new);
        let new = NewNotice { text: text.to_owned(), until_ts, until_withdrawn };
        check_form(&new, TimestampMs::new(1000)).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn only_what_has_an_end_is_kept_and_nonsense_is_refused() {
        assert_eq!(check("two\nlines", None, false), Ok(false));
        assert_eq!(check("t", None, true), Ok(true));
        assert_eq!(check("t", Some(1001), false), Ok(true));
        assert_eq!(check(&"𝄞".repeat(500), None, false), Ok(false));
        let wrong = Err(ErrorReason::InvalidField);
        assert_eq!(check(" \n", None, false), wrong);
        assert_eq!(check(&"𝄞".repeat(501), None, false), wrong);
        assert_eq!(check("bell\u{7}", None, false), wrong);
        assert_eq!(check("t", Some(1001), true), wrong);
        assert_eq!(check("t", Some(1000), false), wrong);
        assert_eq!(check("t", Some(1001 + LASTS_MAX_MS), false), wrong);
    }

    #[test]
    fn newer_notices_have_smaller_keys() {
        let keys = [u64::MAX, 10, 9, 1].map(|id| key_of(NoticeId::new(id)));
        assert!(keys.is_sorted(), "{keys:?}");
    }

    /// What is over would otherwise be read in the place of what is in force, in the end.
    #[tokio::test]
    async fn what_is_over_goes_when_something_is_said_and_ids_rise_though_the_clock_stands() {
        let store = Arc::new(MemoryStore::new(Epoch::new(1)));
        let clock = Arc::new(ManualClock::new(TimestampMs::new(1_000)));
        let administration = Administration::new(store.clone(), clock.clone(), None);
        let operator = Operator { user: None, source: "a test".to_owned() };
        let until = |until_ts: Option<u64>| NewNotice {
            text: "t".to_owned(),
            until_ts: until_ts.map(TimestampMs::new),
            until_withdrawn: until_ts.is_none(),
        };
        let mut ids = Vec::new();
        for lasts in [None, Some(2_000), Some(3_000)] {
            let sent = administration.send_notice(&operator, until(lasts)).await.unwrap();
            ids.push(sent.notice.notice_id);
        }
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
        clock.advance(Duration::from_secs(1));
        let newest = administration.send_notice(&operator, until(None)).await.unwrap();
        let kept = store.system_entries_after(NOTICES, None, READ_MAX).await.unwrap();
        let kept: Vec<_> = kept.into_iter().map(|(key, _)| key).collect();
        let expected = [newest.notice.notice_id, ids[2], ids[0]].map(key_of);
        assert_eq!(kept, expected);
    }
}
