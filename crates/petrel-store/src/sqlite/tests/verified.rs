//! That `verify` notices what can be wrong, and nothing else.

use petrel_types::LoginId;

use super::model::{Change, Model};
use super::*;
use crate::{Invite, LoginDevice, LoginEnd, NewLogin, PreviousToken, RefreshTokens, WhichLogins};

/// A directory with two events and a cursor, in the indexes or not yet.
async fn directory(flushed: bool) -> TempDir {
    let place = TempDir::new().unwrap();
    let tail_rows = if flushed { 1 } else { 1000 };
    let options = Options { tail_rows, flush_idle_after: None, ..Options::default() };
    let store = SqliteStore::open_with(place.path(), options).unwrap();
    let owner_epoch = store.claim(PARTITION).await.unwrap().owner_epoch;
    Model::default().commit(&store, owner_epoch, &[(1, true), (1, false)]).await;
    for _ in 0..9 {
        store.write(|_| Ok(())).await.unwrap();
    }
    drop(store);
    place
}

#[tokio::test]
async fn a_sound_directory_has_no_problems() {
    for flushed in [false, true] {
        let report = verify(directory(flushed).await.path()).unwrap();
        assert_eq!(report.problems, [""; 0]);
        assert_eq!((report.events, report.conversations), (2, 1));
        assert_eq!(report.index_entries, if flushed { 4 } else { 0 });
    }
}

#[tokio::test]
async fn each_kind_of_damage_is_noticed() {
    let damages = [
        (true, "UPDATE events SET seq = 3 WHERE seq = 2"),
        (false, "UPDATE events SET seq = 3 WHERE seq = 2"),
        (false, "UPDATE events SET message_number = 3 WHERE seq = 2"),
        (false, "DELETE FROM events WHERE seq = 1"),
        (true, "DELETE FROM events WHERE seq = 2"),
        (false, "DELETE FROM conversations"),
        (true, "UPDATE conversations SET head_seq = 1"),
        (true, "UPDATE conversations SET head_message_number = 1"),
        (true, "DELETE FROM timeline WHERE seq = 1"),
        (true, "UPDATE timeline SET row_id = row_id + 1 WHERE seq = 1"),
        (true, "DELETE FROM idempotency WHERE row_id = 1"),
        (true, "UPDATE idempotency SET hash = hash + 1"),
        (true, "DELETE FROM idempotency_filters"),
        (true, "UPDATE events SET client_message_id = '1-1'"),
        (true, "UPDATE meta SET watermark_row = 1"),
        (false, "UPDATE meta SET watermark_row = 2"),
        (true, "UPDATE members SET read_seq = 3"),
        (true, "DELETE FROM members WHERE user = 1"),
        (true, "UPDATE meta SET generation = generation + 1"),
    ];
    for (flushed, damage) in damages {
        let place = directory(flushed).await;
        let database = Connection::open(place.path().join("petrel.db")).unwrap();
        assert!(database.execute(damage, []).unwrap() > 0, "{damage}");
        drop(database);
        match verify(place.path()) {
            Ok(report) => assert_ne!(report.problem_count, 0, "{damage} was not noticed"),
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{damage}"),
        }
    }
}

/// A directory with a group that people left, overwrites, trims and a derivation.
async fn rich_directory(flushed: bool) -> TempDir {
    let place = TempDir::new().unwrap();
    let tail_rows = if flushed { 1 } else { 1000 };
    let options = Options { tail_rows, flush_idle_after: None, ..Options::default() };
    let store = SqliteStore::open_with(place.path(), options).unwrap();
    let owner_epoch = store.claim(PARTITION).await.unwrap().owner_epoch;
    let mut model = Model::default();
    let say = |number| Change::Message { number, moves: false };
    let join = |user, joins| Change::JoinOrLeave { group: 0, user, joins };
    let overwrite = |back, length| Change::Overwrite { number: 10, back, length };
    let steps = [
        vec![say(1), say(10), say(10), say(10), join(2, true), join(3, true), join(4, true)],
        vec![say(10), say(10), join(2, false), join(3, false)],
        vec![say(10), join(2, true), overwrite(0, 7)],
        vec![say(10), overwrite(1, 3), overwrite(2, 5)],
        vec![say(10), Change::Trim { number: 10, kept: 5 }, overwrite(1, 4)],
        vec![Change::DeriveOrSettle { number: 10, settles: false }, say(10)],
    ];
    for step in steps {
        assert!(model.change(&store, owner_epoch, &step).await, "{step:?}");
        for _ in 0..if flushed { 30 } else { 0 } {
            store.write(|_| Ok(())).await.unwrap();
        }
    }
    drop(store);
    place
}

#[tokio::test]
async fn damage_to_groups_and_to_what_was_changed_is_noticed() {
    let damages = [
        "UPDATE conversations SET member_count = member_count + 1 WHERE kind = 2",
        "UPDATE conversations SET kind = 2, low = NULL, high = NULL, member_count = 3 WHERE kind = 1",
        "UPDATE members SET left_seq = 99 WHERE left_seq IS NOT NULL",
        "UPDATE members SET left_seq = joined_seq - 1 WHERE left_seq IS NOT NULL",
        "UPDATE members SET left_seq = NULL",
        "UPDATE members SET membership_row = 1000 WHERE membership_row > 0",
        "UPDATE members SET conversation = 77 WHERE user = 4",
        "DELETE FROM members WHERE left_seq IS NOT NULL",
        "DELETE FROM departures",
        "UPDATE departures SET user = user + 1",
        "UPDATE intervals SET last_seq = last_seq + 50",
        "UPDATE intervals SET first_seq = last_seq + 1",
        "UPDATE intervals SET user = user + 50",
        "UPDATE derivations SET home = 5",
        "DELETE FROM overwritten",
        "DELETE FROM replacements",
        "UPDATE replacements SET row_id = 1",
        "UPDATE events SET payload = x'0001' WHERE row_id IN (SELECT row_id FROM overwritten)",
        "UPDATE conversations SET trimmed_before = trimmed_before + 100 WHERE trimmed_before > 1",
        "UPDATE conversations SET trimmed_before = 1",
        "UPDATE conversations SET trimmed_before = 0 WHERE kind = 2",
        "UPDATE conversations SET trimmed_message_number = 0 WHERE kind = 2",
        "DELETE FROM trims",
        "UPDATE trims SET before_seq = before_seq + 1",
        "UPDATE meta SET oldest_generation = oldest_generation + 1",
    ];
    for flushed in [false, true] {
        let place = rich_directory(flushed).await;
        assert_eq!(verify(place.path()).unwrap().problems, [""; 0]);
        for damage in damages {
            let copy = TempDir::new().unwrap();
            fs::copy(place.path().join("petrel.db"), copy.path().join("petrel.db")).unwrap();
            let database = Connection::open(copy.path().join("petrel.db")).unwrap();
            let damaged = database.execute(damage, []).unwrap();
            drop(database);
            // What is trimmed is deleted once it is flushed.
            assert!(damaged > 0 || (flushed && damage.contains(" trims")), "{damage}");
            let is_moot = damaged == 0
                // Without its first event nobody can tell how many messages there were.
                || (!flushed && damage.contains("trimmed_message_number"));
            match verify(copy.path()) {
                Ok(_) if is_moot => {}
                Ok(report) => assert_ne!(report.problem_count, 0, "{damage}, flushed {flushed}"),
                Err(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{damage}"),
            }
        }
    }
}

#[tokio::test]
async fn a_directory_that_is_missing_or_in_use_is_not_verified() {
    let place = TempDir::new().unwrap();
    let missing = verify(&place.path().join("missing")).unwrap_err();
    assert_eq!(missing.kind(), StoreErrorKind::Unavailable);
    let _store = open(place.path());
    assert_eq!(verify(place.path()).unwrap_err().kind(), StoreErrorKind::Locked);
}

/// A directory with every kind of thing that has to do with identity.
async fn directory_of_identities() -> TempDir {
    let place = TempDir::new().unwrap();
    let store = open(place.path());
    let now = TimestampMs::new(1);
    let ann = store.create_user("ann", "hash", now).await.unwrap().id;
    store.map_external_user("one", "7", now).await.unwrap();
    let end = LoginEnd { at: now, remembered_until: TimestampMs::new(9) };
    let previous = PreviousToken { digest: [3; 32], nonce: [4; 32], replaced: now };
    for previous in [None, Some(previous)] {
        let refresh = RefreshTokens { family: [1; 32], current: [2; 32], previous };
        let (device, expires) = (LoginDevice::default(), TimestampMs::new(5));
        let login = NewLogin { user: ann, device, refresh, created: now, expires };
        store.begin_login(login, 9, end).await.unwrap();
    }
    store.end_logins(ann, WhichLogins::One(LoginId::new(1)), end).await.unwrap();
    let expires = TimestampMs::new(5);
    let invite = Invite { digest: [1; 32], uses_left: 1, created: now, expires };
    store.create_invite(invite).await.unwrap();
    store.close().await.unwrap();
    place
}

#[tokio::test]
async fn damage_to_identities_is_noticed() {
    let damages = [
        "UPDATE external_users SET user = user + 1",
        "UPDATE external_users SET user = user - 1",
        "UPDATE external_users SET subject = ''",
        "UPDATE logins SET user = user + 9",
        "UPDATE logins SET current = x'01'",
        "UPDATE logins SET family = x'01'",
        "UPDATE logins SET nonce = NULL",
        "UPDATE logins SET previous = NULL",
        "UPDATE logins SET previous = current",
        "UPDATE logins SET seen_ms = expires_ms + 1",
        "UPDATE logins SET id = 1",
        "UPDATE ended_logins SET id = 3",
        "UPDATE invites SET uses_left = -1",
        "UPDATE invites SET digest = x'01'",
    ];
    let place = directory_of_identities().await;
    assert_eq!(verify(place.path()).unwrap().problems, [""; 0]);
    for damage in damages {
        let copy = TempDir::new().unwrap();
        fs::copy(place.path().join("petrel.db"), copy.path().join("petrel.db")).unwrap();
        let database = Connection::open(copy.path().join("petrel.db")).unwrap();
        assert!(database.execute(damage, []).unwrap() > 0, "{damage}");
        drop(database);
        assert_ne!(verify(copy.path()).unwrap().problem_count, 0, "{damage} was not noticed");
    }
}
