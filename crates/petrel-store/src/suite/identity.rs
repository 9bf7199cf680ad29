//! Log-ins, users of external issuers, invites and admins.
#![allow(clippy::unwrap_used, reason = "a failure of a case is what a suite is for")]

use petrel_types::{LoginId, TimestampMs, UserId};

use super::Place;
use super::fixture::{ANN, BOB};
use crate::{
    EndedLogin, Invite, Login, LoginDevice, LoginEnd, NewLogin, PreviousToken, RefreshTokens,
    SUBJECT_BYTES_MAX, Store, StoreErrorKind, WhichLogins,
};

const END: LoginEnd =
    LoginEnd { at: TimestampMs::new(500), remembered_until: TimestampMs::new(600) };
const NOBODY: LoginId = LoginId::new(999);

fn tokens(fill: u8) -> RefreshTokens {
    RefreshTokens { family: [fill; 32], current: [fill + 1; 32], previous: None }
}

fn new_login(user: UserId, fill: u8) -> NewLogin {
    let device = LoginDevice {
        id: Some(format!("device {fill}")),
        platform: (fill.is_multiple_of(2)).then(|| "web".to_owned()),
        client: None,
    };
    let (created, expires) = (TimestampMs::new(100), TimestampMs::new(1000));
    NewLogin { user, device, refresh: tokens(fill), created, expires }
}

async fn begin(store: &dyn Store, user: UserId, fill: u8) -> LoginId {
    let begun = store.begin_login(new_login(user, fill), 10, END).await.unwrap();
    assert_eq!(begun.ended, []);
    begun.id
}

/// Everything of it comes back, under an id of its own.
pub async fn a_log_in_is_what_it_began_as(store: &dyn Store) {
    let (first, second) = (begin(store, ANN, 1).await, begin(store, ANN, 2).await);
    assert!(second > first);
    let NewLogin { user, device, refresh, created, expires } = new_login(ANN, 2);
    let expected = Login { id: second, user, device, refresh, created, seen: created, expires };
    assert_eq!(store.login(second).await.unwrap(), Some(expected));
    assert_eq!(store.login(NOBODY).await.unwrap(), None);
    assert_eq!(store.login(LoginId::new(u64::MAX)).await.unwrap(), None);
}

/// Who expects a token that is no longer the current one changes nothing.
pub async fn refresh_tokens_are_replaced_once(store: &dyn Store) {
    let id = begin(store, ANN, 1).await;
    let before = store.login(id).await.unwrap().unwrap();
    let expected = before.refresh.current;
    let previous =
        PreviousToken { digest: expected, nonce: [77; 32], replaced: TimestampMs::new(200) };
    let refresh = RefreshTokens { current: [9; 32], previous: Some(previous), ..tokens(1) };
    let (seen, expires) = (TimestampMs::new(200), TimestampMs::new(1200));
    let replace = |login, expected| {
        let refresh = refresh.clone();
        async move { store.replace_refresh_tokens(login, &expected, refresh, seen, expires).await }
    };
    assert!(!replace(NOBODY, expected).await.unwrap());
    assert!(!replace(id, [8; 32]).await.unwrap());
    assert_eq!(store.login(id).await.unwrap(), Some(before.clone()));
    assert!(replace(id, expected).await.unwrap());
    assert!(!replace(id, expected).await.unwrap());
    let after = Login { refresh: refresh.clone(), seen, expires, ..before };
    assert_eq!(store.login(id).await.unwrap(), Some(after));
}

/// A user has at most so many; the new one stays, whatever the clock says.
pub async fn the_log_ins_seen_longest_ago_make_room(store: &dyn Store) {
    let (first, second) = (begin(store, ANN, 1).await, begin(store, ANN, 2).await);
    let bobs = begin(store, BOB, 3).await;
    let expected = tokens(1).current;
    let refresh = RefreshTokens { current: [9; 32], ..tokens(1) };
    let seen = TimestampMs::new(300);
    assert!(store.replace_refresh_tokens(first, &expected, refresh, seen, seen).await.unwrap());

    let old = NewLogin { created: TimestampMs::new(1), ..new_login(ANN, 4) };
    let begun = store.begin_login(old, 2, END).await.unwrap();
    assert_eq!(begun.ended, [second]);
    let left = store.logins_of(ANN, None, 10).await.unwrap();
    assert_eq!(left.iter().map(|login| login.id).collect::<Vec<_>>(), [begun.id, first]);
    assert!(store.login(bobs).await.unwrap().is_some());
    let ended = store.ended_logins(LoginId::new(0), 10).await.unwrap();
    assert_eq!(ended, [EndedLogin { id: second, end: END }]);
}

/// One, all but one, all.
pub async fn ended_log_ins_are_gone_and_remembered(store: &dyn Store) {
    let mut ids = Vec::new();
    for fill in 1..=5 {
        ids.push(begin(store, ANN, fill).await);
    }
    let end = |which| store.end_logins(ANN, which, END);
    assert_eq!(end(WhichLogins::One(ids[1])).await.unwrap(), [ids[1]]);
    assert_eq!(end(WhichLogins::One(ids[1])).await.unwrap(), []);
    assert_eq!(store.login(ids[1]).await.unwrap(), None);
    assert_eq!(end(WhichLogins::AllBut(ids[3])).await.unwrap(), [ids[0], ids[2], ids[4]]);
    assert!(store.login(ids[3]).await.unwrap().is_some());
    assert_eq!(end(WhichLogins::All).await.unwrap(), [ids[3]]);
    assert_eq!(store.logins_of(ANN, None, 10).await.unwrap(), []);

    let all: Vec<_> = ids.iter().map(|id| EndedLogin { id: *id, end: END }).collect();
    assert_eq!(store.ended_logins(LoginId::new(0), 10).await.unwrap(), all);
    assert_eq!(store.ended_logins(LoginId::new(0), 2).await.unwrap(), all[..2]);
    assert_eq!(store.ended_logins(ids[1], 10).await.unwrap(), all[2..]);
    // An id that was ended never names another log-in.
    assert!(begin(store, ANN, 6).await > ids[4]);
}

/// Somebody else's log-in is none of one's own.
pub async fn only_ones_own_log_ins_are_ended(store: &dyn Store) {
    let anns = begin(store, ANN, 1).await;
    for which in [WhichLogins::One(anns), WhichLogins::AllBut(NOBODY), WhichLogins::All] {
        assert_eq!(store.end_logins(BOB, which, END).await.unwrap(), []);
    }
    assert!(store.login(anns).await.unwrap().is_some());
}

/// The id of the last one continues the page.
pub async fn log_ins_come_in_pages_newest_first(store: &dyn Store) {
    let mut ids = Vec::new();
    for fill in 1..=3 {
        ids.push(begin(store, ANN, fill).await);
        begin(store, BOB, fill).await;
    }
    let page = async |before, limit| {
        let page = store.logins_of(ANN, before, limit).await.unwrap();
        page.into_iter().map(|login| login.id).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2).await, [ids[2], ids[1]]);
    assert_eq!(page(Some(ids[1]), 2).await, [ids[0]]);
    assert_eq!(page(Some(ids[0]), 2).await, []);
}

/// Log-ins, invites, and what is remembered of ended ones.
pub async fn what_has_expired_is_removed(store: &dyn Store) {
    let (first, second) = (begin(store, ANN, 1).await, begin(store, ANN, 2).await);
    let late = NewLogin { expires: TimestampMs::new(1001), ..new_login(ANN, 3) };
    let third = store.begin_login(late, 10, END).await.unwrap().id;
    store.end_logins(ANN, WhichLogins::One(second), END).await.unwrap();
    let remove = |now, limit| store.remove_expired_logins(TimestampMs::new(now), limit);
    assert_eq!(remove(599, 10).await.unwrap(), 0);
    assert_eq!(store.ended_logins(LoginId::new(0), 10).await.unwrap().len(), 1);
    assert_eq!(remove(600, 10).await.unwrap(), 1);
    assert_eq!(store.ended_logins(LoginId::new(0), 10).await.unwrap(), []);
    assert_eq!(remove(1000, 1).await.unwrap(), 1);
    assert_eq!(store.login(first).await.unwrap(), None);
    assert!(store.login(third).await.unwrap().is_some());
    // One that has expired was not ended.
    assert_eq!(store.ended_logins(LoginId::new(0), 10).await.unwrap(), []);
}

/// Two issuers mean two users by the same name, each the same one for ever.
pub async fn an_issuers_name_for_a_user_is_one_user(store: &dyn Store) {
    let now = TimestampMs::new(1);
    let registered = store.create_user("7", "hash", now).await.unwrap().id;
    let first = store.map_external_user("one", "7", now).await.unwrap();
    let second = store.map_external_user("two", "7", now).await.unwrap();
    let third = store.map_external_user("one", "07", now).await.unwrap();
    assert!(registered < first && first < second && second < third);
    assert_eq!(store.map_external_user("one", "7", now).await.unwrap(), first);
    assert_eq!(store.external_user("two", "7").await.unwrap(), Some(second));
    assert_eq!(store.external_user("two", "8").await.unwrap(), None);
    assert!(store.create_user("eve", "hash", now).await.unwrap().id > third);
    for user in [registered, first, second, third] {
        assert!(store.has_user(user).await.unwrap());
    }
    assert!(!store.has_user(UserId::new(third.get() + 2)).await.unwrap());
    assert!(!store.has_user(UserId::new(7)).await.unwrap());
    assert_eq!(store.user(first).await.unwrap(), None);

    let long = "x".repeat(SUBJECT_BYTES_MAX + 1);
    let refused = store.map_external_user("one", &long, now).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Invalid);
}

/// And only as long as it lasts. A taken name costs nothing.
pub async fn an_invite_is_good_so_many_times(store: &dyn Store) {
    let invite = |fill, uses_left| Invite {
        digest: [fill; 32],
        uses_left,
        created: TimestampMs::new(1),
        expires: TimestampMs::new(100),
    };
    store.create_invite(invite(1, 2)).await.unwrap();
    let again = store.create_invite(invite(1, 9)).await.unwrap_err();
    assert_eq!(again.kind(), StoreErrorKind::Conflict);

    let redeem = |name: &'static str, fill: u8, now| async move {
        store.create_invited_user(name, "hash", &[fill; 32], TimestampMs::new(now)).await
    };
    assert_eq!(redeem("ann", 2, 50).await.unwrap(), None);
    assert_eq!(redeem("ann", 1, 100).await.unwrap(), None);
    assert_eq!(store.user_by_name("ann").await.unwrap(), None);
    let ann = redeem("ann", 1, 50).await.unwrap().unwrap();
    assert_eq!(store.user_by_name("ann").await.unwrap(), Some(ann));
    assert_eq!(redeem("ANN", 1, 50).await.unwrap_err().kind(), StoreErrorKind::Conflict);
    assert!(redeem("bob", 1, 99).await.unwrap().is_some());
    assert_eq!(redeem("cleo", 1, 99).await.unwrap(), None);
    assert_eq!(store.user_by_name("cleo").await.unwrap(), None);
}

/// Nobody else is one.
pub async fn an_admin_is_made_of_a_registered_user(store: &dyn Store) {
    let now = TimestampMs::new(1);
    let ann = store.create_user("ann", "hash", now).await.unwrap();
    let bob = store.create_user("bob", "hash", now).await.unwrap();
    assert!(!ann.is_admin);
    assert!(store.make_admin(ann.id).await.unwrap());
    assert!(store.user(ann.id).await.unwrap().unwrap().is_admin);
    assert!(!store.user(bob.id).await.unwrap().unwrap().is_admin);
    let external = store.map_external_user("one", "7", now).await.unwrap();
    assert!(!store.make_admin(external).await.unwrap());
}

/// All of it is durable on return.
pub async fn identities_outlive_a_restart(place: &dyn Place) {
    let store = place.open().await;
    let now = TimestampMs::new(1);
    let kept = begin(&*store, ANN, 1).await;
    let ended = begin(&*store, ANN, 2).await;
    store.end_logins(ANN, WhichLogins::One(ended), END).await.unwrap();
    let login = store.login(kept).await.unwrap();
    let external = store.map_external_user("one", "7", now).await.unwrap();
    let invite =
        Invite { digest: [1; 32], uses_left: 1, created: now, expires: TimestampMs::new(100) };
    store.create_invite(invite).await.unwrap();
    let ann = store.create_user("ann", "hash", now).await.unwrap().id;
    store.make_admin(ann).await.unwrap();
    store.close().await.unwrap();
    drop(store);

    let store = place.open().await;
    assert_eq!(store.login(kept).await.unwrap(), login);
    assert_eq!(store.login(ended).await.unwrap(), None);
    let remembered = store.ended_logins(LoginId::new(0), 10).await.unwrap();
    assert_eq!(remembered, [EndedLogin { id: ended, end: END }]);
    assert_eq!(store.map_external_user("one", "7", now).await.unwrap(), external);
    assert!(store.user(ann).await.unwrap().unwrap().is_admin);
    let bob = store.create_invited_user("bob", "hash", &[1; 32], now).await.unwrap();
    assert!(bob.is_some());
    assert!(begin(&*store, ANN, 3).await > ended);
    store.close().await.unwrap();
}
