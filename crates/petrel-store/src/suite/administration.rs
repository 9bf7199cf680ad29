//! What admins change, and the record of it.
#![allow(clippy::unwrap_used, reason = "a failure of a case is what a suite is for")]

use bytes::Bytes;
use petrel_types::{ConversationId, LoginId, TimestampMs, UserId};

use super::fixture::{ANN, BOB, CLEO, Owner, chat, group, id};
use super::{Place, files};
use crate::{
    AuditFilter, AuditRecord, Batch, ConversationKind, EndedLogin, KeptRecord, LoginDevice,
    LoginEnd, NewConversation, NewLogin, ProfileUpdate, RefreshTokens, Store, StoreErrorKind,
    UserChange, UserChanged, UserFilter, WhichLogins,
};

const END: LoginEnd =
    LoginEnd { at: TimestampMs::new(500), remembered_until: TimestampMs::new(600) };
const NOTHING: LoginId = LoginId::new(0);

fn at(milliseconds: u64) -> TimestampMs {
    TimestampMs::new(milliseconds)
}

fn record(action: &str, at_ms: u64, target: UserId) -> AuditRecord {
    AuditRecord {
        at: at(at_ms),
        actor: Some(ANN),
        source: "192.0.2.1".to_owned(),
        action: action.to_owned(),
        target: Some(("user".to_owned(), target.get())),
        detail: format!("{action} in the test"),
    }
}

fn new_login(user: UserId) -> NewLogin {
    let fill = u8::try_from(user.get() % 100).unwrap();
    let refresh = RefreshTokens { family: [fill; 32], current: [fill + 1; 32], previous: None };
    let device = LoginDevice::default();
    NewLogin { user, device, refresh, created: at(100), expires: at(1_000) }
}

async fn user(store: &dyn Store, name: &str) -> UserId {
    store.create_user(name, &format!("hash of {name}"), at(7)).await.unwrap().id
}

async fn change(store: &dyn Store, user: UserId, change: UserChange) -> UserChanged {
    store.change_user(user, change, record("changed", 500, user)).await.unwrap()
}

fn disable() -> UserChange {
    UserChange::Disable { reason: "spam".to_owned(), end: END }
}

async fn actions(store: &dyn Store) -> Vec<String> {
    let found = store.records_before(AuditFilter::default(), None, 100).await.unwrap();
    found.items.into_iter().map(|kept| kept.record.action).collect()
}

/// Nothing of the log-ins goes on, none begins, and those of others do.
pub async fn a_disabled_user_is_locked_out_and_let_in_again(store: &dyn Store) {
    let first = store.begin_login(new_login(ANN), 10, END).await.unwrap().id;
    let bobs = store.begin_login(new_login(BOB), 10, END).await.unwrap().id;
    assert_eq!(change(store, ANN, disable()).await, UserChanged::Done(vec![first]));
    assert_eq!(change(store, ANN, disable()).await, UserChanged::Already);
    let ended = [EndedLogin { id: first, end: END }];
    assert_eq!(store.ended_logins(NOTHING, 10).await.unwrap(), ended);
    assert_eq!(store.disabled_users(UserId::new(0), 10).await.unwrap(), [ANN]);
    assert_eq!(store.disabled_users(ANN, 10).await.unwrap(), []);

    // The log-in is there to be recognised, and can't be refreshed.
    let login = store.login(first).await.unwrap().unwrap();
    let (expected, refresh) = (login.refresh.current, login.refresh.clone());
    let replaced = store.replace_refresh_tokens(first, &expected, refresh, at(1), at(2)).await;
    assert!(!replaced.unwrap());
    let refused = store.begin_login(new_login(ANN), 10, END).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Conflict);
    // It is ended once more by whatever ends all of them, and is still ended once.
    let again = store.end_logins(ANN, WhichLogins::All, END).await.unwrap();
    assert_eq!((again, store.login(first).await.unwrap()), (vec![first], None));
    assert_eq!(store.ended_logins(NOTHING, 10).await.unwrap(), ended);

    assert_eq!(change(store, ANN, UserChange::Enable).await, UserChanged::Done(vec![]));
    assert_eq!(change(store, ANN, UserChange::Enable).await, UserChanged::Already);
    assert_eq!(store.disabled_users(UserId::new(0), 10).await.unwrap(), []);
    assert!(store.begin_login(new_login(ANN), 10, END).await.unwrap().id > first);
    assert!(store.login(bobs).await.unwrap().is_some());

    // What was kept of the log-ins of a disabled user is gone when the user is enabled.
    assert_eq!(change(store, BOB, disable()).await, UserChanged::Done(vec![bobs]));
    change(store, BOB, UserChange::Enable).await;
    assert_eq!(store.login(bobs).await.unwrap(), None);
}

/// The last one who can act is neither disabled nor made an ordinary user.
pub async fn an_admin_is_always_left(store: &dyn Store) {
    let (ann, bob) = (user(store, "ann").await, user(store, "bob").await);
    let make = |user, admin| change(store, user, UserChange::SetAdmin(admin));
    assert_eq!(make(ann, true).await, UserChanged::Done(vec![]));
    assert_eq!(make(ann, true).await, UserChanged::Already);
    assert_eq!(make(bob, false).await, UserChanged::Already);
    assert_eq!(make(CLEO, true).await, UserChanged::Nobody);
    assert_eq!(make(ann, false).await, UserChanged::LastAdmin);
    assert_eq!(change(store, ann, disable()).await, UserChanged::LastAdmin);

    make(bob, true).await;
    assert_eq!(change(store, bob, disable()).await, UserChanged::Done(vec![]));
    assert_eq!(make(ann, false).await, UserChanged::LastAdmin, "the other one is disabled");
    change(store, bob, UserChange::Enable).await;
    assert_eq!(make(ann, false).await, UserChanged::Done(vec![]));
    assert!(!store.user(ann).await.unwrap().unwrap().is_admin);
    assert!(store.user(bob).await.unwrap().unwrap().is_admin);
}

/// With the code that was given last.
pub async fn a_password_reset_is_good_once_and_for_a_time(store: &dyn Store) {
    let ann = user(store, "ann").await;
    let login = store.begin_login(new_login(ann), 10, END).await.unwrap().id;
    let reset = |fill| UserChange::ResetPassword { code: [fill; 32], expires: at(1_000), end: END };
    assert_eq!(change(store, CLEO, reset(1)).await, UserChanged::Nobody);
    assert_eq!(change(store, ann, reset(1)).await, UserChanged::Done(vec![login]));
    assert_eq!(store.user(ann).await.unwrap().unwrap().password_hash, "");
    assert_eq!(store.login(login).await.unwrap(), None);
    assert_eq!(change(store, ann, reset(2)).await, UserChanged::Done(vec![]));

    let redeem = |fill, now| {
        let record = record("redeemed", now, ann);
        async move { store.redeem_password_reset(ann, [fill; 32], "new", END, record).await.unwrap() }
    };
    assert_eq!(redeem(1, 600).await, None, "another code was given since");
    assert_eq!(redeem(2, 1_000).await, None, "its time is over");
    assert_eq!(store.user(ann).await.unwrap().unwrap().password_hash, "");
    let between = store.begin_login(new_login(ann), 10, END).await.unwrap().id;
    assert_eq!(redeem(2, 999).await, Some(vec![between]));
    assert_eq!(store.user(ann).await.unwrap().unwrap().password_hash, "new");
    assert_eq!(redeem(2, 999).await, None, "it was used");
    assert_eq!(actions(store).await, ["redeemed", "changed", "changed"]);

    change(store, ann, reset(3)).await;
    assert!(store.remove_expired_logins(at(1_000), 10).await.unwrap() > 0);
    assert_eq!(redeem(3, 900).await, None, "it was removed");
}

/// Who knows another one than the present one changes nothing.
pub async fn a_password_is_replaced_by_who_knows_it(store: &dyn Store) {
    let ann = user(store, "ann").await;
    let kept = store.begin_login(new_login(ann), 10, END).await.unwrap().id;
    let other = store.begin_login(new_login(ann), 10, END).await.unwrap().id;
    let replace = |user, expected: &'static str| {
        store.replace_password(user, expected, "new", Some(kept), END)
    };
    assert_eq!(replace(ann, "wrong").await.unwrap(), None);
    assert_eq!(replace(CLEO, "hash of ann").await.unwrap(), None);
    assert_eq!(store.user(ann).await.unwrap().unwrap().password_hash, "hash of ann");
    assert_eq!(replace(ann, "hash of ann").await.unwrap(), Some(vec![other]));
    assert_eq!(store.user(ann).await.unwrap().unwrap().password_hash, "new");
    assert!(store.login(kept).await.unwrap().is_some());
    assert_eq!(replace(ann, "hash of ann").await.unwrap(), None);
}

/// Registered, mapped, or only disabled: everybody once, by id.
pub async fn users_are_found_in_pages(store: &dyn Store) {
    let ann = user(store, "Ann").await;
    let mapped = store.map_external_user("company", "hannah", at(8)).await.unwrap();
    let bob = user(store, "bob").await;
    change(store, ann, UserChange::SetAdmin(true)).await;
    for disabled in [CLEO, mapped, bob] {
        change(store, disabled, disable()).await;
    }
    let find = |filter: UserFilter, after: UserId, limit| async move {
        let found = store.users_after(filter, after, limit).await.unwrap();
        (found.items.iter().map(|user| user.id).collect::<Vec<_>>(), found.next)
    };
    let (all, nobody) = (UserFilter::default(), UserId::new(0));
    assert_eq!(find(all, nobody, 10).await, (vec![CLEO, ann, mapped, bob], None));
    assert_eq!(find(all, nobody, 2).await, (vec![CLEO, ann], Some(ann)));
    assert_eq!(find(all, ann, 2).await, (vec![mapped, bob], None));
    assert_eq!(find(all, UserId::new(u64::MAX), 2).await, (vec![], None));
    let enabled = UserFilter { is_disabled: Some(false), ..UserFilter::default() };
    assert_eq!(find(enabled, nobody, 10).await.0, [ann]);
    let admins = UserFilter { is_admin: Some(true), ..UserFilter::default() };
    assert_eq!(find(admins, nobody, 10).await.0, [ann]);
    let disabled = UserFilter { is_disabled: Some(true), ..UserFilter::default() };
    assert_eq!(find(disabled, nobody, 10).await.0, [CLEO, mapped, bob]);

    let known = store.known_user(mapped).await.unwrap().unwrap();
    assert_eq!(known.external, Some(("company".to_owned(), "hannah".to_owned())));
    assert_eq!((known.username, known.created), (None, Some(at(8))));
    assert_eq!(known.disabled, Some((at(500), "spam".to_owned())));
    let known = store.known_user(ann).await.unwrap().unwrap();
    assert_eq!((known.username.as_deref(), known.created), (Some("Ann"), Some(at(7))));
    assert!(known.is_admin && known.disabled.is_none() && known.external.is_none());
    assert_eq!(store.known_user(CLEO).await.unwrap().unwrap().created, None);
    assert_eq!(store.known_user(ANN).await.unwrap(), None);
    assert_eq!(store.known_user(UserId::new(u64::MAX)).await.unwrap(), None);
}

/// However the user came to be known, and as soon as it is there.
pub async fn a_known_user_has_the_profile_of_the_personal_timeline(store: &dyn Store) {
    let ann = user(store, "ann").await;
    let mapped = store.map_external_user("company", "hannah", at(8)).await.unwrap();
    change(store, CLEO, disable()).await;
    let mut owner = Owner::claim(store, 1).await;
    // A chat with oneself is something else.
    owner.commit(chat(9, ann, ann, 1)).await;
    for (number, (user, profile)) in (1..).zip([(ann, "a"), (mapped, "b"), (CLEO, "c")]) {
        assert_eq!(store.known_user(user).await.unwrap().unwrap().personal, "");
        let kind = ConversationKind::Personal { user };
        let profile = Bytes::from_static(profile.as_bytes());
        let conversations = vec![NewConversation { id: id(number), kind, profile }];
        owner.commit(Batch { conversations, ..Batch::default() }).await;
    }
    let profiles = vec![ProfileUpdate { conversation: id(2), profile: Bytes::from_static(b"B") }];
    owner.commit(Batch { profiles, ..Batch::default() }).await;
    for (user, profile) in [(ann, "a"), (mapped, "B"), (CLEO, "c")] {
        assert_eq!(store.known_user(user).await.unwrap().unwrap().personal, profile);
    }
    let all = store.users_after(UserFilter::default(), UserId::new(0), 10).await.unwrap();
    let profiles: Vec<_> = all.items.iter().map(|user| user.personal.clone()).collect();
    assert_eq!(profiles, ["c", "a", "B"]);
}

/// By who, what, to whom and when; what is old is removed, and no number comes again.
pub async fn records_are_found_in_pages_newest_first(store: &dyn Store) {
    let mut kept = Vec::new();
    for (at_ms, target) in [(10, ANN), (20, BOB), (30, ANN), (40, BOB)] {
        let mut record = record(&format!("at {at_ms}"), at_ms, target);
        if at_ms == 30 {
            (record.actor, record.target) = (None, None);
        }
        let number = store.keep_record(record.clone()).await.unwrap();
        kept.push(KeptRecord { number, record });
    }
    kept.reverse();
    let find = |filter: AuditFilter, before, limit| async move {
        let found = store.records_before(filter, before, limit).await.unwrap();
        (found.items, found.next)
    };
    let all = AuditFilter::default;
    assert_eq!(find(all(), None, 10).await, (kept.clone(), None));
    assert_eq!(find(all(), None, 3).await, (kept[..3].to_vec(), Some(kept[2].number)));
    assert_eq!(find(all(), Some(kept[2].number), 3).await, (kept[3..].to_vec(), None));
    let by_ann = AuditFilter { actor: Some(ANN), ..all() };
    assert_eq!(find(by_ann, None, 10).await.0, [&kept[0], &kept[2], &kept[3]].map(Clone::clone));
    let to_bob = AuditFilter { target: Some(("user".to_owned(), BOB.get())), ..all() };
    assert_eq!(find(to_bob, None, 10).await.0, [&kept[0], &kept[2]].map(Clone::clone));
    let to_group = AuditFilter { target: Some(("group".to_owned(), BOB.get())), ..all() };
    assert_eq!(find(to_group, None, 10).await.0, []);
    let called = AuditFilter { action: Some("at 30".to_owned()), ..all() };
    assert_eq!(find(called, None, 10).await.0, kept[1..2]);
    let then = AuditFilter { from: Some(at(20)), until: Some(at(40)), ..all() };
    assert_eq!(find(then, None, 10).await.0, kept[1..3]);

    assert_eq!(store.remove_records(at(30), 1).await.unwrap(), 1);
    assert_eq!(store.remove_records(at(30), 10).await.unwrap(), 1);
    assert_eq!(store.remove_records(at(30), 10).await.unwrap(), 0);
    assert_eq!(find(all(), None, 10).await.0, kept[..2]);
    assert_eq!(store.remove_records(at(1_000), 10).await.unwrap(), 2);
    assert!(store.keep_record(record("later", 50, ANN)).await.unwrap() > kept[0].number);
}

/// The record is of the same commit.
pub async fn what_is_not_done_is_not_recorded(store: &dyn Store) {
    assert_eq!(change(store, CLEO, UserChange::SetAdmin(true)).await, UserChanged::Nobody);
    assert_eq!(change(store, CLEO, UserChange::Enable).await, UserChanged::Already);
    assert_eq!(actions(store).await, [""; 0]);
    let ended = change(store, CLEO, UserChange::EndLogins(END)).await;
    assert_eq!(ended, UserChanged::Done(vec![]));
    assert_eq!(actions(store).await, ["changed"]);
}

/// Neither single chats nor personal timelines.
pub async fn groups_come_by_id_and_alone(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    for batch in [group(1, &[ANN, BOB], 1), chat(2, ANN, BOB, 1), group(3, &[ANN], 2)] {
        owner.commit(batch).await;
    }
    let find = |after: ConversationId, limit| async move {
        let groups = store.groups_after(after, limit).await.unwrap();
        groups.iter().map(|group| group.conversation.id).collect::<Vec<_>>()
    };
    assert_eq!(find(ConversationId::new(0), 10).await, [id(1), id(3)]);
    assert_eq!(find(ConversationId::new(0), 1).await, [id(1)]);
    assert_eq!(find(id(1), 10).await, [id(3)]);
    let groups = store.groups_after(id(1), 10).await.unwrap();
    assert_eq!(groups, [store.summary(id(3)).await.unwrap().unwrap()]);
}

/// In lists that know nothing of each other.
pub async fn entries_of_the_system_are_replaced_and_removed(store: &dyn Store) {
    let put = |list, entries: &[(&str, Option<&'static str>)]| {
        let value = |value: &'static str| Bytes::from_static(value.as_bytes());
        let entries = entries.iter().map(|(key, it)| ((*key).to_owned(), it.map(value))).collect();
        store.put_system_entries(list, entries, Some(record("put", 1, ANN)))
    };
    put(1, &[("b", Some("1")), ("a", Some("2")), ("字", Some("3"))]).await.unwrap();
    put(2, &[("a", Some("other"))]).await.unwrap();
    put(1, &[("a", Some("4")), ("b", None), ("never was", None)]).await.unwrap();
    let read = |list, after, limit| async move {
        let entries = store.system_entries_after(list, after, limit).await.unwrap();
        let text = |value: Bytes| String::from_utf8(value.to_vec()).unwrap();
        entries.into_iter().map(|(key, value)| (key, text(value))).collect::<Vec<_>>()
    };
    let entry = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(read(1, None, 10).await, [entry("a", "4"), entry("字", "3")]);
    assert_eq!(read(1, None, 1).await, [entry("a", "4")]);
    assert_eq!(read(1, Some("a"), 10).await, [entry("字", "3")]);
    assert_eq!(read(2, None, 10).await, [entry("a", "other")]);
    assert_eq!(read(3, None, 10).await, []);
    assert_eq!(actions(store).await, ["put", "put", "put"]);
    store.put_system_entries(3, vec![("a".to_owned(), None)], None).await.unwrap();
    assert_eq!(actions(store).await.len(), 3);
}

/// Of every kind.
pub async fn figures_count_what_there_is(store: &dyn Store) {
    let ann = user(store, "ann").await;
    store.map_external_user("company", "7", at(1)).await.unwrap();
    store.begin_login(new_login(ann), 10, END).await.unwrap();
    change(store, CLEO, disable()).await;
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(group(1, &[ANN], 3)).await;
    owner.commit(chat(2, ANN, BOB, 1)).await;
    // Two files, of which one is there only in part.
    let file = files::begin(store, ann, "one", None).await;
    assert!(store.complete_upload(file, files::facts(1234), at(1_000), files::ROOM).await.unwrap());
    files::begin(store, ann, "two", Some(77)).await;
    let figures = store.figures().await.unwrap();
    assert_eq!((figures.files, figures.file_bytes), (1, 1234));
    assert_eq!((figures.users, figures.disabled_users), (2, 1));
    assert_eq!((figures.groups, figures.logins), (1, 1));
    assert!(figures.rows >= 4);
    assert!(figures.free_bytes <= figures.bytes);
}

/// Who is disabled, what was recorded, what waits to be redeemed, and the system's entries.
pub async fn what_admins_did_outlives_a_restart(place: &dyn Place) {
    let store = place.open().await;
    let ann = user(&*store, "ann").await;
    change(&*store, CLEO, disable()).await;
    let reset = UserChange::ResetPassword { code: [1; 32], expires: at(1_000), end: END };
    change(&*store, ann, reset).await;
    let entry = vec![("key".to_owned(), Some(Bytes::from_static(b"value")))];
    store.put_system_entries(1, entry.clone(), None).await.unwrap();
    let records = store.records_before(AuditFilter::default(), None, 10).await.unwrap();
    assert_eq!(records.items.len(), 2);
    store.close().await.unwrap();
    drop(store);

    let store = place.open().await;
    assert_eq!(store.disabled_users(UserId::new(0), 10).await.unwrap(), [CLEO]);
    assert_eq!(store.records_before(AuditFilter::default(), None, 10).await.unwrap(), records);
    let entries = store.system_entries_after(1, None, 10).await.unwrap();
    assert_eq!(entries, [("key".to_owned(), Bytes::from_static(b"value"))]);
    let redeemed =
        store.redeem_password_reset(ann, [1; 32], "new", END, record("redeemed", 1, ann)).await;
    assert_eq!(redeemed.unwrap(), Some(vec![]));
}
