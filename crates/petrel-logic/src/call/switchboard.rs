//! The calls of the moment, and what may become of each.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use lru::LruCache;
use petrel_types::{ClientMessageId, UserId};

use super::held::{AllHeld, Held};
use super::{
    Audience, CANDIDATE_BYTES_MAX, CANDIDATES_KEPT_MAX, DESCRIPTION_BYTES_MAX, Happened, Media,
    OVER_REMEMBERED_MAX, Offer, Outcome, Party, RESUME_TIME, RING_TIME, Reason, Record, Refused,
    Signal, What,
};

/// All calls that ring or are talked in, and those that were cut off and may go on.
///
/// Bounded by the users: each is in at most one call, and was cut off from at most one.
#[derive(Debug)]
pub struct Switchboard {
    calls: HashMap<ClientMessageId, Call>,
    /// Which call a user is in, as caller or callee.
    in_call: HashMap<UserId, ClientMessageId>,
    held: AllHeld,
    /// Until when each call rings, or may go on.
    deadlines: BTreeSet<(Instant, ClientMessageId)>,
    over: LruCache<ClientMessageId, ()>,
}

#[derive(Debug)]
struct Call {
    caller: Party,
    callee: UserId,
    media: Media,
    /// The first name of the call that goes on with this one, as the caller says.
    resumes: Option<ClientMessageId>,
    /// That call, if it is known here.
    resumed: Option<Held>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Ringing {
        until: Instant,
        offer: Arc<str>,
        /// The caller's, for devices that come while it rings and for the one that answers.
        candidates: Vec<Arc<str>>,
    },
    Talking {
        /// The callee's device.
        answered: Party,
        /// Since when they talk; with a call that goes on, since its beginning.
        since: Instant,
    },
}

/// Which side of a call somebody is on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Caller,
    Callee,
}

impl Default for Switchboard {
    fn default() -> Self {
        let remembered = NonZeroUsize::new(OVER_REMEMBERED_MAX).expect("not zero");
        Self {
            calls: HashMap::new(),
            in_call: HashMap::new(),
            held: AllHeld::default(),
            deadlines: BTreeSet::new(),
            over: LruCache::new(remembered),
        }
    }
}

impl Switchboard {
    /// Somebody calls. It rings on every device of the callee.
    ///
    /// The same offer again, by the same device while it rings, changes nothing. A call that
    /// either of the two was cut off from goes on with this one, or is over for good.
    pub fn offer(&mut self, offer: Offer, now: Instant) -> Result<Happened, Refused> {
        let Offer { call, caller, callee, media, description, resumes } = offer;
        bounded(&description, DESCRIPTION_BYTES_MAX)?;
        if caller.user == callee {
            return Err(Refused::Oneself);
        }
        if let Some(known) = self.calls.get(&call) {
            let again = known.caller == caller && known.callee == callee;
            return if again { Ok(Happened::default()) } else { Err(Refused::NameTaken) };
        }
        if self.over.contains(&call) || self.held.get(&call).is_some() {
            return Err(Refused::NameTaken);
        }
        if let Some(other) = self.in_call.get(&caller.user) {
            let rings_here = self.calls.get(other).is_some_and(|known| {
                known.caller.user == callee && matches!(known.phase, Phase::Ringing { .. })
            });
            return Err(if rings_here { Refused::Glare(other.clone()) } else { Refused::InCall });
        }
        if let Some(first) = &resumes {
            self.check_resumes(first, caller.user, callee)?;
        }
        if self.in_call.contains_key(&callee) {
            self.over.put(call.clone(), ());
            let outcome = Outcome::Busy;
            return Err(Refused::Busy(Record {
                call,
                caller: caller.user,
                callee,
                media,
                outcome,
            }));
        }
        let resumed = resumes.as_ref().and_then(|first| self.take_held(first));
        let records = [caller.user, callee].into_iter().filter_map(|user| self.settle(user));
        let records = records.collect();
        let until = now + RING_TIME;
        let ring = Signal {
            call: call.clone(),
            to: Audience::Everywhere(callee),
            what: What::Ring {
                caller: caller.user,
                media,
                description: description.clone(),
                remaining: RING_TIME,
                resumes: resumes.clone(),
            },
        };
        let phase = Phase::Ringing { until, offer: description, candidates: Vec::new() };
        self.in_call.insert(caller.user, call.clone());
        self.in_call.insert(callee, call.clone());
        self.deadlines.insert((until, call.clone()));
        self.calls.insert(call, Call { caller, callee, media, resumes, resumed, phase });
        Ok(Happened { signals: vec![ring], records })
    }

    /// The callee takes the call on a device. The first one wins.
    pub fn answer(
        &mut self,
        call: &ClientMessageId,
        by: Party,
        description: Arc<str>,
        now: Instant,
    ) -> Result<Happened, Refused> {
        bounded(&description, DESCRIPTION_BYTES_MAX)?;
        let (known, side) = self.known(call, by.user)?;
        if side == Side::Caller {
            return Err(Refused::OutOfTurn("the other side answers"));
        }
        let until = match &known.phase {
            Phase::Ringing { until, .. } => *until,
            Phase::Talking { answered, .. } if *answered == by => return Ok(Happened::default()),
            Phase::Talking { .. } => return Err(Refused::ElsewhereTaken),
        };
        let since = known.resumed.as_ref().map_or(now, |resumed| resumed.since);
        known.phase = Phase::Talking { answered: by, since };
        let caller = known.caller;
        self.deadlines.remove(&(until, call.clone()));
        let signals = vec![
            signal(call, Audience::Here(caller), What::Answer { description }),
            signal(call, Audience::Elsewhere(by), What::Over(Reason::AnsweredElsewhere)),
        ];
        Ok(Happened { signals, records: Vec::new() })
    }

    /// A way to reach one side. The caller's go to every device that rings, until one of
    /// them has answered; the callee's are taken from that device only.
    pub fn candidate(
        &mut self,
        call: &ClientMessageId,
        from: Party,
        candidate: Arc<str>,
    ) -> Result<Happened, Refused> {
        bounded(&candidate, CANDIDATE_BYTES_MAX)?;
        let (known, side) = self.known(call, from.user)?;
        let caller = known.caller;
        let to = match (side, &mut known.phase) {
            (Side::Caller, _) if from != caller => return Err(Refused::ElsewhereTaken),
            (Side::Caller, Phase::Ringing { candidates, .. }) => {
                if candidates.len() == CANDIDATES_KEPT_MAX {
                    return Err(Refused::OutOfTurn(
                        "so many candidates are enough until somebody answers",
                    ));
                }
                candidates.push(candidate.clone());
                Audience::Everywhere(known.callee)
            }
            (Side::Caller, Phase::Talking { answered, .. }) => Audience::Here(*answered),
            (Side::Callee, Phase::Ringing { .. }) => {
                return Err(Refused::OutOfTurn("answer the call first"));
            }
            (Side::Callee, Phase::Talking { answered, .. }) if *answered != from => {
                return Err(Refused::ElsewhereTaken);
            }
            (Side::Callee, Phase::Talking { .. }) => Audience::Here(caller),
        };
        let signals = vec![signal(call, to, What::Candidate { candidate })];
        Ok(Happened { signals, records: Vec::new() })
    }

    /// The callee does not want to, on any device.
    pub fn reject(&mut self, call: &ClientMessageId, by: Party) -> Result<Happened, Refused> {
        let (known, side) = self.known(call, by.user)?;
        match (side, &known.phase) {
            (Side::Caller, _) => Err(Refused::OutOfTurn("hang up instead")),
            (Side::Callee, Phase::Talking { .. }) => {
                Err(Refused::OutOfTurn("the call is answered; hang up instead"))
            }
            (Side::Callee, Phase::Ringing { .. }) => {
                Ok(self.end(call, Some(by), Reason::Rejected, Outcome::Rejected))
            }
        }
    }

    /// One side hangs up: the caller while it rings, both while they talk. While it rings,
    /// it is the callee's way to reject, too. Of a call that was cut off both may say that it
    /// is not to go on.
    pub fn hang_up(
        &mut self,
        call: &ClientMessageId,
        by: Party,
        now: Instant,
    ) -> Result<Happened, Refused> {
        if self.held.of(by.user) == Some(call) {
            let records = self.settle(by.user).into_iter().collect();
            return Ok(Happened { signals: Vec::new(), records });
        }
        let (known, side) = self.known(call, by.user)?;
        let (reason, outcome) = match (side, &known.phase) {
            (Side::Caller, _) if by != known.caller => return Err(Refused::ElsewhereTaken),
            (Side::Caller, Phase::Ringing { .. }) => (Reason::Cancelled, Outcome::Cancelled),
            (Side::Callee, Phase::Ringing { .. }) => (Reason::Rejected, Outcome::Rejected),
            (Side::Callee, Phase::Talking { answered, .. }) if *answered != by => {
                return Err(Refused::ElsewhereTaken);
            }
            (_, Phase::Talking { since, .. }) => {
                (Reason::HungUp, Outcome::Talked(now.saturating_duration_since(*since)))
            }
        };
        Ok(self.end(call, Some(by), reason, outcome))
    }

    /// A device has come. If somebody calls its user, it rings there as well.
    pub fn device_came(&self, device: Party, now: Instant) -> Vec<Signal> {
        let Some(call) = self.in_call.get(&device.user) else { return Vec::new() };
        let Some(known) = self.calls.get(call) else { return Vec::new() };
        let Phase::Ringing { until, offer, candidates } = &known.phase else { return Vec::new() };
        if known.callee != device.user {
            return Vec::new();
        }
        let ring = What::Ring {
            caller: known.caller.user,
            media: known.media,
            description: offer.clone(),
            remaining: until.saturating_duration_since(now),
            resumes: known.resumes.clone(),
        };
        let kept = candidates.iter().map(|kept| What::Candidate { candidate: kept.clone() });
        let to = Audience::Here(device);
        std::iter::once(ring).chain(kept).map(|what| signal(call, to, what)).collect()
    }

    /// A device is gone. A call that it was in is over, unless the two call each other again
    /// ([`Offer::resumes`]); a call that rang on it goes on ringing elsewhere, or until nobody
    /// answers.
    pub fn device_gone(&mut self, device: Party, now: Instant) -> Happened {
        let Some(call) = self.in_call.get(&device.user).cloned() else {
            return Happened::default();
        };
        let Some(known) = self.calls.get(&call) else { return Happened::default() };
        let (reason, outcome, held) = match &known.phase {
            Phase::Ringing { .. } if known.caller == device => {
                let held = known.resumed.as_ref().map(|resumed| (resumed.since, resumed.until));
                (Reason::Cancelled, Outcome::Cancelled, held)
            }
            Phase::Talking { answered, since } if [known.caller, *answered].contains(&device) => {
                let talked = now.saturating_duration_since(*since);
                let held = Some((*since, now + RESUME_TIME));
                (Reason::Disconnected, Outcome::Talked(talked), held)
            }
            _ => return Happened::default(),
        };
        let mut happened = self.end(&call, Some(device), reason, outcome);
        if let Some((since, until)) = held.filter(|(_, until)| *until > now) {
            for record in happened.records.drain(..) {
                self.deadlines.insert((until, record.call.clone()));
                self.held.hold(Held { record, since, until });
            }
        }
        happened
    }

    /// Ends the call between two users because one of them lets nothing more come from the
    /// other. To both it looks as if that one had hung up.
    pub fn part(&mut self, blocker: UserId, other: UserId, now: Instant) -> Happened {
        if !self.are_in_call(blocker, other) {
            return Happened::default();
        }
        let call = self.in_call[&blocker].clone();
        let (reason, outcome) = match &self.calls[&call] {
            Call { phase: Phase::Talking { since, .. }, .. } => {
                (Reason::HungUp, Outcome::Talked(now.saturating_duration_since(*since)))
            }
            Call { caller, .. } if caller.user == blocker => {
                (Reason::Cancelled, Outcome::Cancelled)
            }
            Call { .. } => (Reason::Rejected, Outcome::Rejected),
        };
        self.end(&call, None, reason, outcome)
    }

    /// Whether two users are in a call with each other.
    pub fn are_in_call(&self, one: UserId, other: UserId) -> bool {
        let call = self.in_call.get(&one);
        one != other && call.is_some() && call == self.in_call.get(&other)
    }

    /// Whether it is one with which another goes on.
    pub fn goes_on(&self, call: &ClientMessageId) -> bool {
        self.calls.get(call).is_some_and(|known| known.resumed.is_some())
    }

    /// When the next call stops ringing, or may go on no more.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(until, _)| *until)
    }

    /// Ends the calls that rang for too long, and those that have not gone on.
    pub fn expire(&mut self, now: Instant) -> Happened {
        let mut happened = Happened::default();
        while let Some((until, call)) = self.deadlines.first().cloned()
            && until <= now
        {
            if let Some(held) = self.take_held(&call) {
                happened.records.push(held.record);
                continue;
            }
            let ended = self.end(&call, None, Reason::NoAnswer, Outcome::Missed);
            happened.signals.extend(ended.signals);
            happened.records.extend(ended.records);
        }
        happened
    }

    /// Ends every call, because the server stops.
    pub fn stop(&mut self, now: Instant) -> Happened {
        let mut happened = Happened::default();
        let mut calls: Vec<_> = self.calls.keys().chain(self.held.names()).cloned().collect();
        calls.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        for call in calls {
            if let Some(held) = self.take_held(&call) {
                happened.records.push(held.record);
                continue;
            }
            let outcome = match self.calls.get(&call).map(|known| &known.phase) {
                Some(Phase::Talking { since, .. }) => {
                    Outcome::Talked(now.saturating_duration_since(*since))
                }
                _ => Outcome::Cancelled,
            };
            let ended = self.end(&call, None, Reason::ServerStopped, outcome);
            happened.signals.extend(ended.signals);
            happened.records.extend(ended.records);
        }
        happened
    }

    /// How many calls ring or are talked in.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// How many calls were cut off and may go on.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Whether there are none that ring or are talked in.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// A call goes on between the same two. Of one that this node knows nothing of the callee's
    /// device has to judge: it may have been another node's, which was killed.
    fn check_resumes(
        &self,
        first: &ClientMessageId,
        caller: UserId,
        callee: UserId,
    ) -> Result<(), Refused> {
        match self.held.get(first) {
            Some(held) if held.is_between(caller, callee) => Ok(()),
            None if !self.over.contains(first) && !self.calls.contains_key(first) => Ok(()),
            _ => Err(Refused::Unknown),
        }
    }

    fn take_held(&mut self, call: &ClientMessageId) -> Option<Held> {
        let held = self.held.take(call)?;
        self.deadlines.remove(&(held.until, call.clone()));
        Some(held)
    }

    /// The call that `user` was cut off from does not go on.
    fn settle(&mut self, user: UserId) -> Option<Record> {
        let call = self.held.of(user)?.clone();
        self.take_held(&call).map(|held| held.record)
    }

    /// A call that `user` is in, and on which side.
    fn known(
        &mut self,
        call: &ClientMessageId,
        user: UserId,
    ) -> Result<(&mut Call, Side), Refused> {
        let known = self.calls.get_mut(call).ok_or(Refused::Unknown)?;
        if known.caller.user == user {
            Ok((known, Side::Caller))
        } else if known.callee == user {
            Ok((known, Side::Callee))
        } else {
            Err(Refused::Unknown)
        }
    }

    /// Takes a call out, and tells everybody who has to do with it but `by`.
    fn end(
        &mut self,
        call: &ClientMessageId,
        by: Option<Party>,
        reason: Reason,
        outcome: Outcome,
    ) -> Happened {
        let Some((call, known)) = self.calls.remove_entry(call) else { return Happened::default() };
        let Call { caller, callee, media, resumed, phase, .. } = known;
        self.in_call.remove(&caller.user);
        self.in_call.remove(&callee);
        self.over.put(call.clone(), ());
        let is_answered = matches!(phase, Phase::Talking { .. });
        let callee_side = match phase {
            Phase::Ringing { until, .. } => {
                self.deadlines.remove(&(until, call.clone()));
                match by {
                    // It rings on the other devices of whoever rejected it.
                    Some(by) if by.user == callee => Audience::Elsewhere(by),
                    _ => Audience::Everywhere(callee),
                }
            }
            Phase::Talking { answered, .. } => Audience::Here(answered),
        };
        let told = [Audience::Here(caller), callee_side].into_iter();
        let signals = told
            .filter(|to| by.is_none_or(|by| *to != Audience::Here(by)))
            .map(|to| signal(&call, to, What::Over(reason)))
            .collect();
        let record = match resumed {
            // To the two it is the call that it was, however long the attempt rang.
            Some(Held { record, .. }) if is_answered => Record { outcome, ..record },
            Some(Held { record, .. }) => record,
            None => Record { call, caller: caller.user, callee, media, outcome },
        };
        Happened { signals, records: vec![record] }
    }
}

fn signal(call: &ClientMessageId, to: Audience, what: What) -> Signal {
    Signal { call: call.clone(), to, what }
}

fn bounded(text: &str, bytes_max: usize) -> Result<(), Refused> {
    if text.len() > bytes_max { Err(Refused::TooLong(bytes_max)) } else { Ok(()) }
}
