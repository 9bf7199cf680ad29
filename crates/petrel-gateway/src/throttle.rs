//! What one session may ask for, and what happens beyond.
//!
//! Nothing that was sent is refused for coming too fast: a session that is over one of its
//! rates, or whose user is, is not read until there is room again. It is told so once, with
//! `too_many_requests`, until it has been quiet for a while. Two things are held against it
//! in the end: to go on like this for minutes, and frames that can't be read, again and
//! again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use petrel_logic::budget::{
    Bucket, Budget, Budgets, Costs, Meter, Moment, Rate, Rates, RatesInForce,
};
use petrel_protocol::frame::{Ack, ClientFrame, GroupAdd, GroupCreate, GroupRemove};
use petrel_types::{OperatingLimits, UserId};
use tokio::time::Instant;

/// How full a bucket may be when a socket is read again, in percent. Not quite full, so that
/// reading goes on for a stretch and not for one frame.
const RESUME_PERCENT: u32 = 95;

/// How full it may be when an episode of being over is past, in percent.
const QUIET_PERCENT: u32 = 50;

/// The longest time for which a socket is not read: it must not look dead.
const PAUSE_MAX_MS: u32 = 5_000;

/// The rates of all sessions of a gateway.
#[derive(Debug)]
pub(crate) struct Pace {
    users: Arc<Budgets<UserId>>,
    session: RatesInForce,
    malformed: Rate,
    flood_patience_ms: AtomicU32,
}

/// What one session has asked for.
#[derive(Debug)]
pub(crate) struct Throttle {
    user: Arc<Budget>,
    meter: Meter,
    malformed: Bucket,
    /// Since when it has been over, with no quiet time since.
    episode: Option<Moment>,
    paused_until: Option<Instant>,
}

/// What to do about a frame that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on.
    Fine,
    /// Go on, and read no more for a while. With a time, the session is to be told that it
    /// should send nothing for so long.
    Over { tell_retry_after_ms: Option<u64> },
    /// Send it away.
    Abuse,
}

impl Pace {
    pub(crate) fn new(users: Arc<Budgets<UserId>>, limits: &OperatingLimits) -> Self {
        // Buckets leak a number a second; a bucket of sixtieths leaks one a minute.
        let malformed = Rate::new(
            limits.malformed_frames_per_minute,
            limits.malformed_frames_burst.saturating_mul(MINUTE),
        );
        Self {
            users,
            session: RatesInForce::new(Rates::of_session(limits)),
            malformed,
            flood_patience_ms: AtomicU32::new(limits.flood_patience_ms),
        }
    }

    /// Has other rates of sessions in force from now on. Those of users are set where they are
    /// kept.
    pub(crate) fn set(&self, limits: &OperatingLimits) {
        self.session.set(Rates::of_session(limits));
        self.flood_patience_ms.store(limits.flood_patience_ms, Ordering::Relaxed);
    }

    /// What one session may do now.
    pub(crate) fn of_session(&self) -> Rates {
        self.session.get()
    }

    /// For a new session.
    pub(crate) fn throttle(&self, user: UserId, now: Instant) -> Throttle {
        let now = self.users.moment(now.into_std());
        Throttle {
            user: self.users.of(user, now),
            meter: Meter::default(),
            malformed: Bucket::default(),
            episode: None,
            paused_until: None,
        }
    }
}

const MINUTE: u32 = 60;

impl Throttle {
    /// Until when the socket is not to be read, if it isn't.
    pub(crate) fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }

    /// Whether the socket may be read. Ends a pause that is over.
    pub(crate) fn may_read(&mut self, now: Instant) -> bool {
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
        }
        self.paused_until.is_none()
    }

    /// A frame came.
    pub(crate) fn spend(&mut self, pace: &Pace, costs: Costs, now: Instant) -> Verdict {
        let moment = pace.users.moment(now.into_std());
        let over = self.meter.spend(&pace.session.get(), costs, moment);
        let over = pace.users.spend(&self.user, costs, moment) || over;
        if over {
            return self.over(pace, now, moment);
        }
        if self.episode.is_some() && self.until_ms(pace, QUIET_PERCENT, moment) == 0 {
            self.episode = None;
        }
        Verdict::Fine
    }

    /// A frame came that can't be read.
    pub(crate) fn spend_malformed(&mut self, pace: &Pace, now: Instant) -> Verdict {
        let moment = pace.users.moment(now.into_std());
        if self.malformed.spend(pace.malformed, MINUTE, moment) {
            return Verdict::Abuse;
        }
        self.spend(pace, ONE_FRAME, now)
    }

    fn over(&mut self, pace: &Pace, now: Instant, moment: Moment) -> Verdict {
        let pause_ms = self.until_ms(pace, RESUME_PERCENT, moment).clamp(1, PAUSE_MAX_MS);
        self.paused_until = Some(now + Duration::from_millis(pause_ms.into()));
        match self.episode {
            None => {
                self.episode = Some(moment);
                let quiet_ms = self.until_ms(pace, QUIET_PERCENT, moment);
                Verdict::Over { tell_retry_after_ms: Some(quiet_ms.into()) }
            }
            Some(since) => {
                let lasted_ms = moment.0.wrapping_sub(since.0);
                let patience_ms = pace.flood_patience_ms.load(Ordering::Relaxed);
                if patience_ms > 0 && lasted_ms >= patience_ms {
                    return Verdict::Abuse;
                }
                Verdict::Over { tell_retry_after_ms: None }
            }
        }
    }

    fn until_ms(&self, pace: &Pace, percent: u32, moment: Moment) -> u32 {
        let own = self.meter.until_ms(&pace.session.get(), percent, moment);
        own.max(pace.users.until_ms(&self.user, percent, moment))
    }
}

/// A search reads an index and then each message that it shows.
const READS_OF_A_SEARCH: usize = 20;

/// A frame that asks for nothing.
pub(crate) const ONE_FRAME: Costs = Costs { frames: 1, sends: 0, reads: 0, requests: 0 };

/// What is counted elsewhere.
pub(crate) const NOTHING: Costs = Costs { frames: 0, sends: 0, reads: 0, requests: 0 };

/// What a frame asks for.
pub(crate) fn costs_of(frame: &ClientFrame) -> Costs {
    let one = ONE_FRAME;
    let sends = |sends: usize| Costs { sends: count(sends), ..one };
    let reads = |reads: usize| Costs { reads: count(reads), ..one };
    match frame {
        ClientFrame::Auth(_) | ClientFrame::Ping(_) => one,
        ClientFrame::Ack(Ack { items, server_msg_id, .. }) => Costs {
            frames: count(items.len()),
            // The message's place has to be looked up.
            reads: u32::from(server_msg_id.is_some()),
            ..one
        },
        // A token of another issuer takes public-key arithmetic, and perhaps the store.
        ClientFrame::Reauth(_)
        | ClientFrame::Sync(_)
        | ClientFrame::Pull(_)
        | ClientFrame::Conversation(_)
        | ClientFrame::Contacts(_)
        | ClientFrame::GroupRequests(_)
        | ClientFrame::GroupInvitations(_)
        | ClientFrame::GroupInvited(_)
        | ClientFrame::Readers(_) => reads(1),
        ClientFrame::Search(_) => reads(READS_OF_A_SEARCH),
        // The code has to be looked up.
        ClientFrame::GroupJoin(_) => Costs { reads: 1, ..sends(1) },
        ClientFrame::Focus(focus) => reads(focus.conversation_ids.len()),
        ClientFrame::PresenceSubscribe(frame) => reads(frame.users.len()),
        ClientFrame::PresenceQuery(frame) => reads(frame.users.len()),
        // Who may be called has to be looked up.
        ClientFrame::Typing(_) | ClientFrame::CallOffer(_) => reads(1),
        ClientFrame::CallAnswer(_)
        | ClientFrame::CallIce(_)
        | ClientFrame::CallHangup(_)
        | ClientFrame::CallReject(_)
        | ClientFrame::Turn(_) => one,
        ClientFrame::MessageRevoke(frame) => {
            Costs { reads: u32::from(frame.server_msg_id.is_some()), ..sends(1) }
        }
        ClientFrame::MessageEdit(frame) => {
            Costs { reads: u32::from(frame.server_msg_id.is_some()), ..sends(1) }
        }
        ClientFrame::Reaction(frame) => {
            Costs { reads: u32::from(frame.server_msg_id.is_some()), ..sends(1) }
        }
        ClientFrame::MessagePin(frame) => {
            Costs { reads: u32::from(frame.server_msg_id.is_some()), ..sends(1) }
        }
        // Each message has to be looked up.
        ClientFrame::MessageHide(frame) => {
            Costs { reads: u32::try_from(frame.msg_seqs.len()).unwrap_or(u32::MAX), ..sends(1) }
        }
        // Each user gets an entry in the own timeline, too.
        ClientFrame::GroupCreate(GroupCreate { members, .. })
        | ClientFrame::GroupAdd(GroupAdd { members, .. })
        | ClientFrame::GroupRemove(GroupRemove { members, .. }) => sends(members.len()),
        ClientFrame::SingleChat(_)
        | ClientFrame::GroupChat(_)
        | ClientFrame::GroupLeave(_)
        | ClientFrame::GroupRole(_)
        | ClientFrame::GroupTitle(_)
        | ClientFrame::GroupDissolve(_)
        | ClientFrame::GroupSettings(_)
        | ClientFrame::GroupMember(_)
        | ClientFrame::GroupAnswer(_)
        | ClientFrame::GroupInvitation(_)
        | ClientFrame::GroupWithdraw(_)
        | ClientFrame::ConversationSettings(_)
        | ClientFrame::Contact(_) => sends(1),
    }
}

/// A list counts for its length, and at least for one.
fn count(length: usize) -> u32 {
    u32::try_from(length.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Costs = ONE_FRAME;

    fn limits() -> OperatingLimits {
        OperatingLimits {
            session_frames_per_second: 10,
            session_frames_burst: 20,
            user_sessions_worth: 1,
            malformed_frames_burst: 3,
            malformed_frames_per_minute: 1,
            flood_patience_ms: 60_000,
            ..OperatingLimits::default()
        }
    }

    fn pace(start: Instant) -> Pace {
        let limits = limits();
        let users = Budgets::new(Rates::of_user(&limits), start.into_std());
        Pace::new(Arc::new(users), &limits)
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn who_is_over_is_told_once_and_not_read_until_there_is_room() {
        let start = Instant::now();
        let pace = pace(start);
        let mut throttle = pace.throttle(UserId::new(1), start);
        for _ in 0..20 {
            assert_eq!(throttle.spend(&pace, FRAME, start), Verdict::Fine);
            assert!(throttle.may_read(start));
        }
        // One over: half of twenty is left after 1.1 seconds.
        let told = Verdict::Over { tell_retry_after_ms: Some(1_100) };
        assert_eq!(throttle.spend(&pace, FRAME, start), told);
        assert!(!throttle.may_read(start + ms(199)));
        assert!(throttle.may_read(start + ms(200)));

        // It goes on as fast as it can, and is not told again.
        let mut now = start + ms(200);
        for _ in 0..100 {
            while throttle.may_read(now) {
                let verdict = throttle.spend(&pace, FRAME, now);
                assert!(
                    matches!(verdict, Verdict::Fine | Verdict::Over { tell_retry_after_ms: None }),
                    "{verdict:?}"
                );
            }
            now += ms(200);
        }
        // After some quiet it may be told anew.
        now += ms(2_000);
        assert_eq!(throttle.spend(&pace, FRAME, now), Verdict::Fine);
        let verdicts: Vec<_> = (0..30).map(|_| throttle.spend(&pace, FRAME, now)).collect();
        let told =
            |verdict: &&Verdict| matches!(verdict, Verdict::Over { tell_retry_after_ms: Some(_) });
        assert_eq!(verdicts.iter().filter(told).count(), 1);
    }

    #[test]
    fn a_flood_without_end_is_abuse_and_one_that_rests_is_not() {
        for (rest, is_abuse) in [(false, true), (true, false)] {
            let start = Instant::now();
            let pace = pace(start);
            let mut throttle = pace.throttle(UserId::new(1), start);
            let mut abused_at = None;
            let mut now = start;
            while abused_at.is_none() && now < start + ms(200_000) {
                while throttle.may_read(now) && abused_at.is_none() {
                    if throttle.spend(&pace, FRAME, now) == Verdict::Abuse {
                        abused_at = Some(now - start);
                    }
                }
                now += ms(100);
                // A rest of two seconds, once in half a minute.
                if rest && (now - start).as_millis().is_multiple_of(30_000) {
                    now += ms(2_000);
                }
            }
            assert_eq!(abused_at.is_some(), is_abuse, "{abused_at:?}");
            assert!(abused_at.is_none_or(|at| at >= ms(60_000)), "{abused_at:?}");
        }
    }

    #[test]
    fn frames_that_cannot_be_read_are_forgiven_slowly() {
        let start = Instant::now();
        let pace = pace(start);
        let mut throttle = pace.throttle(UserId::new(1), start);
        for _ in 0..3 {
            assert_eq!(throttle.spend_malformed(&pace, start), Verdict::Fine);
        }
        assert_eq!(throttle.spend_malformed(&pace, start), Verdict::Abuse);

        let mut patient = pace.throttle(UserId::new(2), start);
        for minute in 0..100 {
            let now = start + Duration::from_secs(61 * minute);
            assert_eq!(patient.spend_malformed(&pace, now), Verdict::Fine);
        }
    }

    #[test]
    fn sessions_of_one_user_hold_each_other_up() {
        let start = Instant::now();
        let pace = pace(start);
        let mut phone = pace.throttle(UserId::new(1), start);
        let mut laptop = pace.throttle(UserId::new(1), start);
        let mut other = pace.throttle(UserId::new(2), start);
        for _ in 0..20 {
            phone.spend(&pace, FRAME, start);
        }
        assert!(matches!(laptop.spend(&pace, FRAME, start), Verdict::Over { .. }));
        assert_eq!(other.spend(&pace, FRAME, start), Verdict::Fine);
    }

    #[test]
    fn a_throttle_is_small() {
        assert!(size_of::<Throttle>() <= 96, "{} bytes", size_of::<Throttle>());
    }
}
