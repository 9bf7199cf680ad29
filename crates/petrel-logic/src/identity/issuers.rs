//! Whose tokens are believed, and about whom.
//!
//! Our own issuer vouches for registered users, the bench issuer for the ids below them,
//! an external one for the users it brought (`mapped`) or for a range of ids (`trusted`).
//! No two can speak for the same user: what would let them is refused at the start.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;
use petrel_protocol::token::{
    BENCH_ISSUER, ExternalClaims, KeyAlgorithm, LOCAL_ISSUER, Secret, TokenError, UserClaim,
    VerifyingKey,
};
use petrel_store::{SUBJECT_BYTES_MAX, Store, StoreError};
use petrel_types::{TimestampMs, UserId};

use super::settings::{ExternalIssuer, IssuerIds, Registration};

/// How many users of external issuers are known without asking the store.
const MAPPED_CACHED_MAX: NonZeroUsize = NonZeroUsize::new(100_000).expect("not zero");

/// The keys of the trusted issuers.
#[derive(Debug)]
pub struct Issuers {
    /// Signs tokens of registered users.
    pub local: Secret,
    /// Vouches for load-test users, if they are allowed.
    pub bench: Option<Secret>,
    /// The others.
    pub external: ExternalIssuers,
}

/// The external issuers, checked.
#[derive(Debug)]
pub struct ExternalIssuers {
    trusted: Vec<Trusted>,
    mapped: Mutex<LruCache<(usize, Box<str>), UserId>>,
}

/// What issuers must fit together with.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// Who may register.
    pub registration: Registration,
    /// Whether the bench issuer is trusted.
    pub bench: bool,
    /// Whether all listeners are on loopback.
    pub loopback: bool,
}

/// The list of issuers can't be used. Says which one, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IssuerError(String);

#[derive(Debug)]
struct Trusted {
    name: String,
    iss: String,
    key: VerifyingKey,
    user_claim: UserClaim,
    ids: IssuerIds,
}

impl ExternalIssuers {
    /// Checks a list of issuers against each other and against what else is configured.
    pub fn new(
        issuers: Vec<ExternalIssuer>,
        surroundings: Surroundings,
    ) -> Result<Self, IssuerError> {
        for (index, issuer) in issuers.iter().enumerate() {
            check_names(issuer, &issuers[..index])?;
            check_ids(issuer, &issuers[..index], surroundings)?;
        }
        check_shared_range(&issuers)?;
        let trusted = issuers.into_iter().map(|issuer| {
            let key = key_of(&issuer, surroundings)?;
            let ExternalIssuer { name, iss, user_claim, ids, .. } = issuer;
            Ok(Trusted { name, iss, key, user_claim, ids })
        });
        Ok(Self {
            trusted: trusted.collect::<Result<_, _>>()?,
            mapped: Mutex::new(LruCache::new(MAPPED_CACHED_MAX)),
        })
    }

    /// None at all.
    pub fn none() -> Self {
        Self { trusted: Vec::new(), mapped: Mutex::new(LruCache::new(MAPPED_CACHED_MAX)) }
    }

    /// Whether users may exist whom no store knows: below the ids of registered users, and
    /// among them.
    pub fn unstored_users(&self) -> (bool, bool) {
        let ranges = self.trusted.iter().filter_map(|issuer| match issuer.ids {
            IssuerIds::Mapped => None,
            IssuerIds::Trusted { first, last } => Some((!first.is_local(), last.is_local())),
        });
        ranges.fold((false, false), |all, one| (all.0 || one.0, all.1 || one.1))
    }

    /// Which of them says this in `iss`.
    pub(super) fn find(&self, iss: &str) -> Option<usize> {
        self.trusted.iter().position(|issuer| issuer.iss == iss)
    }

    /// Checks a token of one of them.
    pub(super) fn verify(
        &self,
        issuer: usize,
        token: &str,
        now: TimestampMs,
    ) -> Result<ExternalClaims, TokenError> {
        let Trusted { iss, key, user_claim, ids, .. } = &self.trusted[issuer];
        let claims = key.verify_external(token, iss, *user_claim, now)?;
        let fits = match ids {
            IssuerIds::Mapped => claims.subject.len() <= SUBJECT_BYTES_MAX,
            IssuerIds::Trusted { .. } => self.trusted_user(issuer, &claims.subject).is_some(),
        };
        if fits { Ok(claims) } else { Err(TokenError::Invalid) }
    }

    /// Whom one of them means. The user appears at first sight.
    pub(super) async fn user(
        &self,
        issuer: usize,
        subject: &str,
        store: &dyn Store,
        now: TimestampMs,
    ) -> Result<Option<UserId>, StoreError> {
        if let IssuerIds::Trusted { .. } = self.trusted[issuer].ids {
            return Ok(self.trusted_user(issuer, subject));
        }
        let key = (issuer, Box::from(subject));
        let cached = || self.mapped.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(user) = cached().get(&key) {
            return Ok(Some(*user));
        }
        let name = &self.trusted[issuer].name;
        let user = match store.external_user(name, subject).await? {
            Some(user) => user,
            None => {
                let user = store.map_external_user(name, subject, now).await?;
                tracing::info!(%user, issuer = name, "a user of an external issuer appeared");
                user
            }
        };
        cached().put(key, user);
        Ok(Some(user))
    }

    fn trusted_user(&self, issuer: usize, subject: &str) -> Option<UserId> {
        let IssuerIds::Trusted { first, last } = self.trusted[issuer].ids else { return None };
        let user = UserId::new(subject.parse().ok()?);
        // Only the usual spelling: `+7` and `007` are nobody.
        (user.to_string() == subject && (first..=last).contains(&user)).then_some(user)
    }
}

fn check_names(issuer: &ExternalIssuer, others: &[ExternalIssuer]) -> Result<(), IssuerError> {
    let ExternalIssuer { name, iss, .. } = issuer;
    if name.is_empty() || name.len() > SUBJECT_BYTES_MAX || iss.is_empty() {
        return Err(IssuerError(format!(
            "the issuer {name:?} needs a name of 1 to {SUBJECT_BYTES_MAX} bytes and an `iss`"
        )));
    }
    if [LOCAL_ISSUER, BENCH_ISSUER].contains(&iss.as_str()) {
        return Err(IssuerError(format!(
            "the issuer {name:?} can't have the `iss` {iss:?}, which is Petrel's own: give it \
             another one, there and here"
        )));
    }
    if others.iter().any(|other| other.name == *name || other.iss == *iss) {
        return Err(IssuerError(format!(
            "there are two issuers with the name {name:?} or the `iss` {iss:?}: each needs its own"
        )));
    }
    Ok(())
}

fn check_ids(
    issuer: &ExternalIssuer,
    others: &[ExternalIssuer],
    Surroundings { registration, bench, .. }: Surroundings,
) -> Result<(), IssuerError> {
    let IssuerIds::Trusted { first, last } = issuer.ids else { return Ok(()) };
    let name = &issuer.name;
    let first_local = UserId::LOCAL_FIRST;
    if first.get() == 0 || first > last || i64::try_from(last.get()).is_err() {
        return Err(IssuerError(format!(
            "the range of ids of the issuer {name:?}, {first} to {last}, is none: ids are from 1 \
             to 9223372036854775807"
        )));
    }
    if last.is_local() && registration != Registration::Closed {
        return Err(IssuerError(format!(
            "the ids of the issuer {name:?} can't be trusted up to {last}: from {first_local} on \
             they are those of people who register here, whom it could then pretend to be. Close \
             the registration, end the range at {}, or take its ids as mapped",
            first_local.get() - 1
        )));
    }
    if !first.is_local() && bench {
        return Err(IssuerError(format!(
            "the ids of the issuer {name:?} can't be trusted while there is a bench issuer, which \
             can pretend to be any user below {first_local}: leave one of the two out"
        )));
    }
    for other in others {
        if let IssuerIds::Trusted { first: other_first, last: other_last } = other.ids
            && first <= other_last
            && other_first <= last
        {
            return Err(IssuerError(format!(
                "the ranges of ids of the issuers {:?} and {name:?} overlap, so that each could \
                 pretend to be users of the other: give them ranges apart, or take their ids as \
                 mapped",
                other.name
            )));
        }
    }
    Ok(())
}

/// Mapped users get ids of the same range as registered ones.
fn check_shared_range(issuers: &[ExternalIssuer]) -> Result<(), IssuerError> {
    let is_mapped = |issuer: &&ExternalIssuer| issuer.ids == IssuerIds::Mapped;
    let reaches = |issuer: &&ExternalIssuer| match issuer.ids {
        IssuerIds::Mapped => false,
        IssuerIds::Trusted { last, .. } => last.is_local(),
    };
    let (mapped, trusted) = (issuers.iter().find(is_mapped), issuers.iter().find(reaches));
    match mapped.zip(trusted) {
        None => Ok(()),
        Some((mapped, trusted)) => Err(IssuerError(format!(
            "the ids of the issuer {:?} can't be trusted from {} on while those of {:?} are \
             mapped, whose users get ids from there: end its range before, or take both as mapped",
            trusted.name,
            UserId::LOCAL_FIRST,
            mapped.name
        ))),
    }
}

fn key_of(
    issuer: &ExternalIssuer,
    surroundings: Surroundings,
) -> Result<VerifyingKey, IssuerError> {
    let name = &issuer.name;
    let error = |what: String| IssuerError(format!("the key of the issuer {name:?}: {what}"));
    if issuer.algorithm != KeyAlgorithm::Hs256 {
        return VerifyingKey::public(issuer.algorithm, &issuer.key)
            .map_err(|why| error(why.to_string()));
    }
    match VerifyingKey::strong_secret(&issuer.key) {
        Ok(key) => Ok(key),
        Err(_) if issuer.weak_secret && surroundings.loopback && !issuer.key.is_empty() => {
            tracing::warn!(issuer = name, "a weak secret is trusted, on loopback only");
            Ok(VerifyingKey::secret(&issuer.key))
        }
        Err(why) if issuer.weak_secret && !surroundings.loopback => Err(error(format!(
            "{why}, and a weak secret is trusted on loopback addresses only: whoever guesses it is \
             anybody. Draw one at random, there and here"
        ))),
        Err(why) => Err(error(format!(
            "{why}. Whoever guesses it is anybody: draw one at random, there and here, for \
             instance with `openssl rand -base64 32`. To try things on loopback, allow weak secrets"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRONG: &[u8] = b"k3Jq9xVt7ZbW2mNc8RfL5hGd1PsYtUaE";

    fn issuer(name: &str, ids: IssuerIds) -> ExternalIssuer {
        ExternalIssuer {
            name: name.to_owned(),
            iss: format!("https://{name}.example"),
            algorithm: KeyAlgorithm::Hs256,
            key: STRONG.to_vec(),
            weak_secret: false,
            user_claim: UserClaim::Uid,
            ids,
        }
    }

    fn trusted(first: u64, last: u64) -> IssuerIds {
        IssuerIds::Trusted { first: UserId::new(first), last: UserId::new(last) }
    }

    const OPEN: Surroundings =
        Surroundings { registration: Registration::Open, bench: false, loopback: true };
    const CLOSED: Surroundings = Surroundings { registration: Registration::Closed, ..OPEN };

    fn refused(issuers: Vec<ExternalIssuer>, surroundings: Surroundings) -> String {
        ExternalIssuers::new(issuers, surroundings).unwrap_err().to_string()
    }

    fn accepted(issuers: Vec<ExternalIssuer>, surroundings: Surroundings) -> ExternalIssuers {
        ExternalIssuers::new(issuers, surroundings).unwrap()
    }

    #[test]
    fn nobody_can_speak_for_the_users_of_another() {
        let one = |ids| vec![issuer("one", ids)];
        let everybody = trusted(1, i64::MAX as u64);
        assert!(refused(one(everybody), OPEN).contains("Close the registration"));
        let invite = Surroundings { registration: Registration::Invite, ..OPEN };
        assert!(refused(one(everybody), invite).contains("Close the registration"));
        assert_eq!(accepted(one(everybody), CLOSED).unstored_users(), (true, true));
        assert_eq!(accepted(one(trusted(1, 10_000_000_000)), OPEN).unstored_users(), (true, false));
        assert!(refused(one(trusted(1, 10_000_000_001)), OPEN).contains("10000000000"));
        let bench = Surroundings { bench: true, ..CLOSED };
        assert!(refused(one(trusted(1, 5)), bench).contains("bench"));
        for none in [trusted(0, 5), trusted(6, 5), trusted(1, u64::MAX)] {
            assert!(refused(one(none), CLOSED).contains("is none"));
        }
        let both = |ids, other| vec![issuer("one", ids), issuer("two", other)];
        assert!(refused(both(trusted(1, 5), trusted(5, 9)), OPEN).contains("overlap"));
        accepted(both(trusted(1, 5), trusted(6, 9)), OPEN);
        assert!(refused(both(IssuerIds::Mapped, everybody), CLOSED).contains("are mapped"));
        accepted(both(IssuerIds::Mapped, IssuerIds::Mapped), Surroundings { bench: true, ..OPEN });
    }

    #[test]
    fn names_are_ones_own() {
        let mapped = |name: &str, iss: &str| ExternalIssuer {
            iss: iss.to_owned(),
            ..issuer(name, IssuerIds::Mapped)
        };
        assert!(refused(vec![mapped("a", "petrel")], OPEN).contains("Petrel's own"));
        assert!(refused(vec![mapped("a", "petrel-bench")], OPEN).contains("Petrel's own"));
        assert!(refused(vec![mapped("a", "x"), mapped("b", "x")], OPEN).contains("two issuers"));
        assert!(refused(vec![mapped("a", "x"), mapped("a", "y")], OPEN).contains("two issuers"));
        assert!(refused(vec![mapped("", "x")], OPEN).contains("needs a name"));
    }

    #[test]
    fn weak_secrets_are_trusted_on_loopback_only_and_when_told() {
        let weak = b"change-me-please-change-me-please-change-me";
        let with = |key: &[u8], weak_secret| {
            let issuer = issuer("one", IssuerIds::Mapped);
            vec![ExternalIssuer { key: key.to_vec(), weak_secret, ..issuer }]
        };
        for key in [&weak[..], b"short", &[b'x'; 64], b"abcabcabcabcabcabcabcabcabcabcabcabc"] {
            assert!(refused(with(key, false), OPEN).contains("openssl rand"));
            accepted(with(key, true), OPEN);
            let exposed = Surroundings { loopback: false, ..OPEN };
            assert!(refused(with(key, true), exposed).contains("loopback addresses only"));
        }
        assert!(refused(with(b"", true), OPEN).contains("0 bytes"));
        accepted(with(STRONG, false), Surroundings { loopback: false, ..OPEN });
    }
}
