//! Identity over the store in memory, with the clock in the test's hand.

use petrel_protocol::http::NewInvite;
use petrel_protocol::token::{KeyAlgorithm, UserClaim};
use petrel_store::memory::MemoryStore;
use petrel_store::{IdentityStore, LoginEnd, WhichLogins};
use petrel_types::{Epoch, ManualClock};

use super::*;

const NOW_MS: u64 = 1_800_000_000_000;
const MINUTE_MS: u64 = 60_000;
const HERE: Source = Source(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

struct World {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    identity: Identity,
}

fn settings() -> IdentitySettings {
    IdentitySettings { registration: Registration::Open, ..IdentitySettings::default() }
}

fn issuers(external: ExternalIssuers) -> Issuers {
    let secret = |fill| Secret::new(&[fill; 32]).unwrap();
    Issuers { local: secret(1), bench: Some(secret(2)), external }
}

impl World {
    async fn new() -> Self {
        Self::with(settings(), ExternalIssuers::none()).await
    }

    async fn with(settings: IdentitySettings, external: ExternalIssuers) -> Self {
        let store = Arc::new(MemoryStore::new(Epoch::new(1)));
        let clock = Arc::new(ManualClock::new(TimestampMs::new(NOW_MS)));
        let (stored, time) = (Arc::clone(&store) as Arc<dyn Store>, Arc::clone(&clock));
        let identity = Identity::open(stored, time, issuers(external), settings).await.unwrap();
        Self { store, clock, identity }
    }

    fn pass(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    async fn register(&self, username: &str) -> LoggedIn {
        self.identity.register(credentials(username), HERE).await.unwrap()
    }

    async fn login(&self, username: &str) -> LoggedIn {
        let source = Source("192.0.2.1".parse().unwrap());
        self.identity.login(credentials(username), source).await.unwrap()
    }

    async fn refresh(&self, token: &str) -> Result<LoggedIn, ErrorReason> {
        self.identity.refresh(token).await.map_err(|refusal| refusal.reason)
    }

    async fn who(&self, token: &str) -> Result<Authenticated, ErrorReason> {
        self.identity.authenticate(token).await.map_err(|refusal| refusal.reason)
    }
}

fn credentials(username: &str) -> Credentials {
    Credentials {
        username: username.to_owned(),
        password: "a long password".to_owned(),
        ..Credentials::default()
    }
}

fn token_of(logged_in: &LoggedIn) -> String {
    logged_in.refresh_token.clone().unwrap()
}

#[tokio::test]
async fn an_access_token_lasts_a_quarter_of_an_hour_and_is_refreshed() {
    let world = World::new().await;
    let ann = world.register("ann").await;
    let who = world.who(&ann.access_token).await.unwrap();
    assert_eq!((who.user, who.login), (ann.user_id, Some(ann.login_id)));
    world.pass(15 * MINUTE_MS);
    assert_eq!(world.who(&ann.access_token).await, Err(ErrorReason::TokenExpired));

    let next = world.refresh(&token_of(&ann)).await.unwrap();
    assert_eq!((next.user_id, next.login_id), (ann.user_id, ann.login_id));
    assert_ne!(next.refresh_token, ann.refresh_token);
    assert_eq!(world.who(&next.access_token).await.unwrap().login, Some(ann.login_id));
    // Neither token is good for what the other is for.
    assert_eq!(world.who(&token_of(&next)).await, Err(ErrorReason::InvalidToken));
    let refused = world.refresh(&next.access_token).await;
    assert_eq!(refused.unwrap_err(), ErrorReason::InvalidRefreshToken);
}

#[tokio::test]
async fn a_lost_answer_is_given_again_and_makes_no_branch() {
    let world = World::new().await;
    let first = token_of(&world.register("ann").await);
    let second = token_of(&world.refresh(&first).await.unwrap());
    world.pass(MINUTE_MS - 1);
    assert_eq!(token_of(&world.refresh(&first).await.unwrap()), second);
    let third = token_of(&world.refresh(&second).await.unwrap());
    assert!(world.refresh(&third).await.is_ok());
}

#[tokio::test]
async fn later_reuse_ends_the_log_in_and_its_access_tokens() {
    for wait_ms in [0, MINUTE_MS] {
        let world = World::new().await;
        let ann = world.register("ann").await;
        let other = world.login("ann").await;
        let second = world.refresh(&token_of(&ann)).await.unwrap();
        let newest = match wait_ms {
            // Used too early for the time, but its successor is in use.
            0 => world.refresh(&token_of(&second)).await.unwrap(),
            _ => second,
        };
        world.pass(wait_ms);
        assert_eq!(
            world.refresh(&token_of(&ann)).await.unwrap_err(),
            ErrorReason::InvalidRefreshToken
        );
        assert!(world.refresh(&token_of(&newest)).await.is_err(), "after {wait_ms} ms");
        assert_eq!(world.who(&newest.access_token).await, Err(ErrorReason::LoginRevoked));
        // Another log-in of the user is not concerned.
        assert!(world.who(&other.access_token).await.is_ok());
        assert!(world.refresh(&token_of(&other)).await.is_ok());
    }
}

#[tokio::test]
async fn two_who_refresh_at_once_get_the_same() {
    let world = World::new().await;
    let first = token_of(&world.register("ann").await);
    let (one, other) = tokio::join!(world.refresh(&first), world.refresh(&first));
    assert_eq!(token_of(&one.unwrap()), token_of(&other.unwrap()));
}

#[tokio::test]
async fn a_log_in_that_is_not_refreshed_ends() {
    let world = World::new().await;
    let ann = world.register("ann").await;
    world.pass(29 * 24 * 60 * MINUTE_MS);
    let next = world.refresh(&token_of(&ann)).await.unwrap();
    world.pass(30 * 24 * 60 * MINUTE_MS);
    assert!(world.refresh(&token_of(&next)).await.is_err());
    let who = Authenticated {
        user: ann.user_id,
        expires: TimestampMs::default(),
        login: Some(ann.login_id),
    };
    assert_eq!(world.identity.devices(who, None, None).await.unwrap().devices, []);
}

#[tokio::test]
async fn revocations_are_told_and_outlive_a_restart() {
    let world = World::new().await;
    let ann = world.register("ann").await;
    let laptop = world.login("ann").await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    world.identity.tell_revocations(move |user, login| {
        telling.lock().unwrap().push((user, login));
    });
    let who = world.who(&laptop.access_token).await.unwrap();
    world.identity.revoke(who, ann.login_id).await.unwrap();
    assert_eq!(*told.lock().unwrap(), [(ann.user_id, Ended::Login(ann.login_id))]);
    assert_eq!(world.who(&ann.access_token).await, Err(ErrorReason::LoginRevoked));
    assert!(world.refresh(&token_of(&ann)).await.is_err());
    let again = world.identity.revoke(who, ann.login_id).await.unwrap_err();
    assert_eq!(again.reason, ErrorReason::DeviceNotFound);

    let store = Arc::new(world.store.reopen());
    let clock = Arc::clone(&world.clock);
    let external = issuers(ExternalIssuers::none());
    let identity = Identity::open(store, clock, external, settings()).await.unwrap();
    let refused = identity.authenticate(&ann.access_token).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::LoginRevoked);
    assert!(identity.authenticate(&laptop.access_token).await.is_ok());
}

#[tokio::test]
async fn somebody_elses_log_in_is_not_found() {
    let world = World::new().await;
    let ann = world.register("ann").await;
    let eve = world.register("eve").await;
    let who = world.who(&eve.access_token).await.unwrap();
    let refused = world.identity.revoke(who, ann.login_id).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::DeviceNotFound);
    assert_eq!(world.identity.revoke_others(who).await.unwrap().revoked, 0);
    assert!(world.who(&ann.access_token).await.is_ok());
}

#[tokio::test]
async fn the_oldest_log_in_makes_room() {
    let few = IdentitySettings { logins_per_user_max: 2, ..settings() };
    let world = World::with(few, ExternalIssuers::none()).await;
    let first = world.register("ann").await;
    world.pass(1);
    let second = world.login("ann").await;
    world.pass(1);
    world.login("ann").await;
    assert_eq!(world.who(&first.access_token).await, Err(ErrorReason::LoginRevoked));
    assert!(world.who(&second.access_token).await.is_ok());
}

#[tokio::test]
async fn a_wrong_password_costs_time_where_it_comes_from() {
    let world = World::new().await;
    world.register("ann").await;
    let (eve, ann) = (Source("192.0.2.66".parse().unwrap()), Source("192.0.2.1".parse().unwrap()));
    let wrong = Credentials { password: "a wrong password".to_owned(), ..credentials("ann") };
    for _ in 0..6 {
        let refused = world.identity.login(wrong.clone(), eve).await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::BadCredentials);
    }
    // Not even the right one is looked at now.
    let refused = world.identity.login(credentials("ann"), eve).await.unwrap_err();
    assert_eq!(refused.reason, ErrorReason::TooManyRequests);
    assert_eq!(refused.retry_after_ms, Some(1000));
    assert!(world.identity.login(credentials("ann"), ann).await.is_ok());
    world.pass(1000);
    assert!(world.identity.login(credentials("ann"), eve).await.is_ok());
}

#[tokio::test]
async fn the_same_number_from_two_issuers_is_two_users() {
    let issuer = |name: &str, key: &[u8]| ExternalIssuer {
        name: name.to_owned(),
        iss: name.to_owned(),
        algorithm: KeyAlgorithm::Hs256,
        key: key.to_vec(),
        weak_secret: false,
        user_claim: UserClaim::Uid,
        ids: IssuerIds::Mapped,
    };
    let keys = [b"k3Jq9xVt7ZbW2mNc8RfL5hGd1PsYtUaE", b"ZbW2mNc8RfL5hGd1PsYtUaEk3Jq9xVt7"];
    let list = vec![issuer("one", keys[0]), issuer("two", keys[1])];
    let around = Surroundings { registration: Registration::Open, bench: true, loopback: true };
    let external = ExternalIssuers::new(list, around).unwrap();
    let world = World::with(settings(), external).await;
    let token = |iss: &str, key: &[u8]| {
        let claims = Claims::access(iss, UserId::new(7), world.clock.now(), 60);
        Secret::new(key).unwrap().sign(&claims)
    };
    let one = world.who(&token("one", keys[0])).await.unwrap();
    let two = world.who(&token("two", keys[1])).await.unwrap();
    assert_ne!(one.user, two.user);
    assert!(one.user.is_local() && one.login.is_none());
    assert_eq!(world.who(&token("one", keys[0])).await.unwrap().user, one.user);
    // One can't speak in the name of the other.
    assert_eq!(world.who(&token("two", keys[0])).await, Err(ErrorReason::InvalidToken));
    world.pass(MINUTE_MS);
    let late = TimestampMs::new(NOW_MS);
    let claims = Claims::access("one", UserId::new(7), late, 60);
    let expired = Secret::new(keys[0]).unwrap().sign(&claims);
    assert_eq!(world.who(&expired).await, Err(ErrorReason::TokenExpired));
}

#[tokio::test]
async fn an_invite_opens_the_door_once() {
    let invite = IdentitySettings { registration: Registration::Invite, ..settings() };
    let world = World::with(invite, ExternalIssuers::none()).await;
    let invite = NewInvite { uses: 1, days: 1 };
    let made = admin::create_invite(&*world.store, &*world.clock, invite).await.unwrap();
    let with = |invite: Option<&str>, name: &str| {
        let invite = invite.map(str::to_owned);
        world.identity.register(Credentials { invite, ..credentials(name) }, HERE)
    };
    for wrong in [None, Some("AAAAA-AAAAA-AAAAA-AAAAA")] {
        assert_eq!(with(wrong, "ann").await.unwrap_err().reason, ErrorReason::InvalidInvite);
    }
    let typed = made.code.to_lowercase().replace('-', " ");
    with(Some(&typed), "ann").await.unwrap();
    assert_eq!(with(Some(&typed), "ben").await.unwrap_err().reason, ErrorReason::InvalidInvite);
}

#[tokio::test]
async fn what_an_end_remembers_covers_every_access_token() {
    let world = World::new().await;
    let ann = world.register("ann").await;
    world.pass(999);
    let ended = world.store.end_logins(ann.user_id, WhichLogins::All, world.identity.end_now());
    assert_eq!(ended.await.unwrap(), [ann.login_id]);
    let LoginEnd { at, remembered_until } = world.identity.end_now();
    assert!(remembered_until.get() >= at.get() + 15 * MINUTE_MS);
}
