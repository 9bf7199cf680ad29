//! What two users are to each other: the state of a pair, what changes it, and how each of
//! the two sees it.
//!
//! Pure. The sequencer of the pair's timeline decides with it, so whatever two users do at
//! the same time happens in an order: of two applications the second accepts the first, an
//! application that was withdrawn can't be accepted, and nothing is accepted across a
//! block. What is seen of it goes to the personal timelines of those whose view changes;
//! a block changes nothing that the blocked one sees.

use bytes::Bytes;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Application, Contact, ContactAction, Direction};
use petrel_store::StoreError;
use petrel_types::limits::{
    APPLICATION_AGAIN_AFTER_MS, APPLICATION_LIFETIME_MS, APPLICATION_UTF16_UNITS_MAX,
    REMARK_UTF16_UNITS_MAX,
};
use petrel_types::{TimestampMs, UserId};
use serde::{Deserialize, Serialize};

use crate::Refusal;
use crate::profile::{decode, encode};
use crate::visible::is_blank;

/// A pair as it is stored. The sides are by user id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Pair {
    friend_since: Option<TimestampMs>,
    application: Option<Pending>,
    low: Side,
    high: Side,
}

/// An application that nobody has answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pending {
    by: UserId,
    message: Option<String>,
    ts: TimestampMs,
    expires: TimestampMs,
}

/// What belongs to one of the two alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Side {
    /// What this one calls the other.
    remark: Option<String>,
    /// This one lets nothing come from the other.
    blocks: bool,
    /// Before this, this one does not apply again.
    refused_until: Option<TimestampMs>,
}

/// A pair from the place of one of the two, who acts.
struct Seat<'a> {
    pair: &'a mut Pair,
    actor: UserId,
    other: UserId,
}

impl Pair {
    /// What the pair is after `actor` has done something, or why not.
    pub(crate) fn after(
        &self,
        actor: UserId,
        other: UserId,
        action: ContactAction,
        text: Option<&str>,
        now: TimestampMs,
    ) -> Result<Self, Refusal> {
        let mut pair = self.clone();
        // What is over goes with the next change that both see. With one of those that only
        // the actor sees, its going would show the other when that happened.
        if !is_secret(action) {
            pair.application.take_if(|pending| pending.expires <= now);
        }
        let mut seat = Seat { pair: &mut pair, actor, other };
        match action {
            ContactAction::Apply => seat.apply(text, now),
            ContactAction::Accept => seat.accept(now),
            ContactAction::Reject => seat.reject(now),
            ContactAction::Withdraw => seat.withdraw(),
            ContactAction::Remove => seat.remove(),
            ContactAction::Remark => seat.remark(text),
            ContactAction::Block => seat.block(),
            ContactAction::Unblock => seat.unblock(),
        }?;
        Ok(pair)
    }

    /// What `other` is to `user`.
    pub(crate) fn seen_by(&self, user: UserId, other: UserId) -> Contact {
        let own = self.side(user, other);
        let shown = |pending: &&Pending| pending.by == user || !own.blocks;
        let application = self.application.as_ref().filter(shown).map(|pending| Application {
            direction: match pending.by == user {
                true => Direction::Outgoing,
                false => Direction::Incoming,
            },
            message: pending.message.clone(),
            ts: pending.ts,
            expires_ts: pending.expires,
        });
        Contact {
            user: other,
            friend_since_ts: self.friend_since,
            remark: own.remark.clone(),
            blocked: own.blocks,
            application,
        }
    }

    /// Refuses what `actor` wants to reach `other` with, if one of them has blocked the
    /// other. What the blocked one is told does not say that.
    pub(crate) fn check_reach(&self, actor: UserId, other: UserId) -> Result<(), Refusal> {
        if self.side(actor, other).blocks {
            return Err(Refusal::new(
                ErrorReason::BlockedByYou,
                format!("you have blocked {other}; unblock the user first"),
            ));
        }
        if self.side(other, actor).blocks {
            return Err(not_reachable(other));
        }
        Ok(())
    }

    pub(crate) fn are_friends(&self) -> bool {
        self.friend_since.is_some()
    }

    fn side(&self, user: UserId, other: UserId) -> &Side {
        if user < other { &self.low } else { &self.high }
    }

    pub(crate) fn encode(&self) -> Bytes {
        encode(self)
    }

    pub(crate) fn decode(stored: &[u8]) -> Result<Self, StoreError> {
        decode(stored)
    }
}

impl Seat<'_> {
    fn own(&mut self) -> &mut Side {
        if self.actor < self.other { &mut self.pair.low } else { &mut self.pair.high }
    }

    fn others(&mut self) -> &mut Side {
        if self.actor < self.other { &mut self.pair.high } else { &mut self.pair.low }
    }

    fn apply(&mut self, message: Option<&str>, now: TimestampMs) -> Result<(), Refusal> {
        let message = checked("message", message, APPLICATION_UTF16_UNITS_MAX)?;
        self.pair.check_reach(self.actor, self.other)?;
        if self.pair.are_friends() {
            return Err(nothing_to_change("you are friends already"));
        }
        match &self.pair.application {
            Some(pending) if pending.by == self.actor => {
                return Err(nothing_to_change("you have applied already; wait for the answer"));
            }
            // Both want the same.
            Some(_) => {
                self.befriend(now);
                return Ok(());
            }
            None => {}
        }
        if let Some(until) = self.own().refused_until.filter(|until| *until > now) {
            return Err(Refusal::new(
                ErrorReason::TooManyRequests,
                "your last application was refused; wait before you apply again",
            )
            .retry_after(until.get() - now.get()));
        }
        self.pair.application = Some(Pending {
            by: self.actor,
            message,
            ts: now,
            expires: TimestampMs::new(now.get() + APPLICATION_LIFETIME_MS),
        });
        Ok(())
    }

    fn accept(&mut self, now: TimestampMs) -> Result<(), Refusal> {
        self.incoming()?;
        self.befriend(now);
        Ok(())
    }

    fn reject(&mut self, now: TimestampMs) -> Result<(), Refusal> {
        self.incoming()?;
        self.pair.application = None;
        let until = TimestampMs::new(now.get() + APPLICATION_AGAIN_AFTER_MS);
        self.others().refused_until = Some(until);
        Ok(())
    }

    fn withdraw(&mut self) -> Result<(), Refusal> {
        match &self.pair.application {
            Some(pending) if pending.by == self.actor => {
                self.pair.application = None;
                Ok(())
            }
            _ => Err(no_application()),
        }
    }

    fn remove(&mut self) -> Result<(), Refusal> {
        if !self.pair.are_friends() {
            return Err(nothing_to_change("you are no friends"));
        }
        self.pair.friend_since = None;
        self.own().remark = None;
        self.others().remark = None;
        Ok(())
    }

    fn remark(&mut self, remark: Option<&str>) -> Result<(), Refusal> {
        let remark = checked("remark", remark, REMARK_UTF16_UNITS_MAX)?;
        if !self.pair.are_friends() {
            return Err(Refusal::new(
                ErrorReason::NotFriends,
                format!("{} is no friend of yours", self.other),
            ));
        }
        if self.own().remark == remark {
            return Err(nothing_to_change("the remark says so already"));
        }
        self.own().remark = remark;
        Ok(())
    }

    fn block(&mut self) -> Result<(), Refusal> {
        if self.own().blocks {
            return Err(nothing_to_change("the user is blocked already"));
        }
        self.own().blocks = true;
        // Nobody waits to be the friend of somebody blocked.
        let actor = self.actor;
        self.pair.application.take_if(|pending| pending.by == actor);
        Ok(())
    }

    fn unblock(&mut self) -> Result<(), Refusal> {
        if !self.own().blocks {
            return Err(nothing_to_change("the user is not blocked"));
        }
        self.own().blocks = false;
        Ok(())
    }

    /// Checks that the other has applied, as far as the actor sees.
    fn incoming(&mut self) -> Result<(), Refusal> {
        let blocks = self.own().blocks;
        match &self.pair.application {
            Some(pending) if pending.by == self.other && !blocks => Ok(()),
            _ => Err(no_application()),
        }
    }

    fn befriend(&mut self, now: TimestampMs) {
        self.pair.application = None;
        self.pair.friend_since = Some(now);
        self.own().refused_until = None;
        self.others().refused_until = None;
    }
}

/// Whether a change is nothing to the other.
fn is_secret(action: ContactAction) -> bool {
    matches!(action, ContactAction::Block | ContactAction::Unblock | ContactAction::Remark)
}

/// What somebody is told whom another does not let through, whatever the reason.
pub(crate) fn not_reachable(other: UserId) -> Refusal {
    Refusal::new(ErrorReason::NotReachable, format!("{other} does not take this from you"))
}

pub(crate) fn no_application() -> Refusal {
    Refusal::new(
        ErrorReason::ApplicationNotFound,
        "no such application waits; perhaps it was answered or withdrawn, or its time is over",
    )
}

fn nothing_to_change(message: &str) -> Refusal {
    Refusal::new(ErrorReason::NothingToChange, message)
}

/// A text that may be missing; a blank one counts as missing.
pub(crate) fn checked(
    name: &str,
    text: Option<&str>,
    units_max: usize,
) -> Result<Option<String>, Refusal> {
    let Some(text) = text.map(str::trim).filter(|text| !is_blank(text)) else {
        return Ok(None);
    };
    if text.encode_utf16().count() > units_max || text.contains(char::is_control) {
        return Err(Refusal::new(
            ErrorReason::InvalidField,
            format!(
                "`{name}` must not be longer than {units_max} UTF-16 units, and must have no \
                 control characters"
            ),
        ));
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests;
