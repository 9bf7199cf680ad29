//! The truth about what users are to each other, as docs/protocol.md has it. It shares no
//! code with what it checks.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};
use petrel_protocol::frame::{Application, Contact, ContactAction, Direction};
use petrel_types::limits::{APPLICATION_AGAIN_AFTER_MS, APPLICATION_LIFETIME_MS};
use petrel_types::{TimestampMs, UserId};

/// Everybody, two by two.
#[derive(Clone, Default)]
pub(crate) struct Pairs {
    pairs: BTreeMap<(UserId, UserId), Pair>,
    /// What each has seen of each other, one after the other.
    views: BTreeMap<(UserId, UserId), Vec<Contact>>,
    /// What each was told last, by its place in `views`, if anything.
    told: BTreeMap<(UserId, UserId), usize>,
}

#[derive(Clone, Default)]
struct Pair {
    friends_since: Option<TimestampMs>,
    applied: Option<(UserId, Option<String>, TimestampMs)>,
    blocks: BTreeSet<UserId>,
    remarks: BTreeMap<UserId, String>,
    waits_until: BTreeMap<UserId, u64>,
}

impl Pairs {
    /// Somebody has done something, which must have been allowed. Returns what it was.
    pub(crate) fn happen(
        &mut self,
        actor: UserId,
        other: UserId,
        (action, text): (ContactAction, Option<&str>),
        now: TimestampMs,
    ) -> Result<&'static str> {
        ensure!(actor != other, "somebody is something to oneself");
        let before = [(actor, other), (other, actor)].map(|(user, peer)| self.view(user, peer));
        let pair = self.pairs.entry((actor.min(other), actor.max(other))).or_default();
        let what = pair.happen(actor, other, (action, text), now)?;
        for ((user, peer), before) in [(actor, other), (other, actor)].into_iter().zip(before) {
            let after = self.view(user, peer);
            if after != before {
                self.views.entry((user, peer)).or_default().push(after);
            }
        }
        Ok(what)
    }

    /// Whether what one sends comes through to the other.
    pub(crate) fn reaches(&self, from: UserId, to: UserId) -> bool {
        let pair = self.pairs.get(&(from.min(to), from.max(to)));
        pair.is_none_or(|pair| pair.blocks.is_empty())
    }

    pub(crate) fn are_friends(&self, one: UserId, other: UserId) -> bool {
        let pair = self.pairs.get(&(one.min(other), one.max(other)));
        pair.is_some_and(|pair| pair.friends_since.is_some())
    }

    /// A user is told, once and in order, what another is.
    pub(crate) fn tell(
        &mut self,
        user: UserId,
        from: UserId,
        contact: &Contact,
        action: ContactAction,
    ) -> Result<()> {
        let key = (user, contact.user);
        let next = self.told.get(&key).map_or(0, |told| told + 1);
        let views = self.views.get(&key).map_or(&[][..], Vec::as_slice);
        let Some(place) = views.iter().skip(next).position(|view| view == contact) else {
            bail!(
                "told what is not so, or again: {contact:?} to {user}, after {next} of {views:?}"
            );
        };
        self.told.insert(key, next + place);
        let is_secret =
            matches!(action, ContactAction::Block | ContactAction::Unblock | ContactAction::Remark);
        ensure!(from == user || !is_secret, "{user} is told that {from} did {action:?}");
        Ok(())
    }

    /// Everybody was told how it is now.
    pub(crate) fn check_told(&self) -> Result<()> {
        for (key, views) in &self.views {
            let told = self.told.get(key).and_then(|told| views.get(*told));
            ensure!(told == views.last(), "not told: {key:?} of {views:?}, but {told:?}");
        }
        Ok(())
    }

    fn view(&self, user: UserId, other: UserId) -> Contact {
        let nothing = Pair::default();
        let pair = self.pairs.get(&(user.min(other), user.max(other))).unwrap_or(&nothing);
        let blocked = pair.blocks.contains(&user);
        let application = pair.applied.as_ref().and_then(|(by, message, ts)| {
            let direction = if *by == user { Direction::Outgoing } else { Direction::Incoming };
            let expires_ts = TimestampMs::new(ts.get() + APPLICATION_LIFETIME_MS);
            let message = message.clone();
            let is_hidden = blocked && direction == Direction::Incoming;
            (!is_hidden).then_some(Application { direction, message, ts: *ts, expires_ts })
        });
        Contact {
            user: other,
            friend_since_ts: pair.friends_since,
            remark: pair.remarks.get(&user).cloned(),
            blocked,
            application,
        }
    }
}

impl Pair {
    fn happen(
        &mut self,
        actor: UserId,
        other: UserId,
        (action, text): (ContactAction, Option<&str>),
        now: TimestampMs,
    ) -> Result<&'static str> {
        // Whatever only one of them sees must not show the other anything.
        let is_open = !matches!(
            action,
            ContactAction::Block | ContactAction::Unblock | ContactAction::Remark
        );
        let over = |ts: &TimestampMs| now.get() >= ts.get() + APPLICATION_LIFETIME_MS;
        if is_open && self.applied.as_ref().is_some_and(|(_, _, ts)| over(ts)) {
            self.applied = None;
        }
        let applicant = self.applied.as_ref().map(|(by, ..)| *by);
        let text = text.map(str::to_owned);
        match action {
            ContactAction::Apply => {
                ensure!(self.blocks.is_empty(), "applied across a block");
                ensure!(self.friends_since.is_none(), "applied to a friend");
                ensure!(applicant != Some(actor), "applied twice");
                if applicant == Some(other) {
                    self.befriend(now);
                    return Ok("appliedMutually");
                }
                let until = self.waits_until.get(&actor).copied().unwrap_or(0);
                ensure!(until <= now.get(), "applied too soon after a refusal");
                self.applied = Some((actor, text, now));
                return Ok("applied");
            }
            ContactAction::Accept | ContactAction::Reject => {
                ensure!(applicant == Some(other), "answered no application");
                ensure!(!self.blocks.contains(&actor), "answered somebody blocked");
                if action == ContactAction::Accept {
                    self.befriend(now);
                    return Ok("accepted");
                }
                self.applied = None;
                self.waits_until.insert(other, now.get() + APPLICATION_AGAIN_AFTER_MS);
                return Ok("rejected");
            }
            ContactAction::Withdraw => {
                ensure!(applicant == Some(actor), "withdrew no application");
                self.applied = None;
                return Ok("withdrawn");
            }
            ContactAction::Remove => {
                ensure!(self.friends_since.take().is_some(), "removed no friend");
                self.remarks.clear();
                return Ok("removed");
            }
            ContactAction::Remark => {
                ensure!(self.friends_since.is_some(), "remarked on no friend");
                ensure!(self.remarks.get(&actor) != text.as_ref(), "remarked the same");
                match text {
                    Some(text) => self.remarks.insert(actor, text),
                    None => self.remarks.remove(&actor),
                };
                return Ok("remarked");
            }
            ContactAction::Block => {
                ensure!(self.blocks.insert(actor), "blocked twice");
                if applicant == Some(actor) {
                    self.applied = None;
                }
            }
            ContactAction::Unblock => {
                ensure!(self.blocks.remove(&actor), "unblocked nobody");
                return Ok("unblocked");
            }
        }
        Ok("blocked")
    }

    fn befriend(&mut self, now: TimestampMs) {
        (self.applied, self.friends_since) = (None, Some(now));
        self.waits_until.clear();
    }
}
