//! Locally registered users.
#![allow(clippy::unwrap_used, reason = "a failure of a case is what a suite is for")]

use petrel_types::{TimestampMs, UserId};

use crate::{Store, StoreErrorKind, User};

/// Ids begin where those of external issuers end, and rise.
pub async fn users_get_local_ids_in_order(store: &dyn Store) {
    let ann = store.create_user("Ann", "hash of ann", TimestampMs::new(5)).await.unwrap();
    let bob = store.create_user("bob", "hash of bob", TimestampMs::new(6)).await.unwrap();
    let expected = User {
        id: UserId::LOCAL_FIRST,
        username: "Ann".to_owned(),
        password_hash: "hash of ann".to_owned(),
        created: TimestampMs::new(5),
        is_admin: false,
    };
    assert_eq!(ann, expected);
    assert!(bob.id > ann.id);
    assert_eq!(store.user(ann.id).await.unwrap().as_ref(), Some(&ann));
    assert_eq!(store.user(bob.id).await.unwrap().as_ref(), Some(&bob));
    assert_eq!(store.user(UserId::new(bob.id.get() + 1)).await.unwrap(), None);
    assert_eq!(store.user_by_name("bob").await.unwrap(), Some(bob));
    assert_eq!(store.user_by_name("cleo").await.unwrap(), None);
}

/// Names differ by more than the case of ASCII letters, and are kept as written.
pub async fn names_are_taken_ignoring_ascii_case(store: &dyn Store) {
    let now = TimestampMs::new(1);
    let ann = store.create_user("Ann_É", "first", now).await.unwrap();
    for taken in ["Ann_É", "ann_É", "ANN_É"] {
        let error = store.create_user(taken, "second", now).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Conflict, "{taken}: {error}");
        assert_eq!(store.user_by_name(taken).await.unwrap().as_ref(), Some(&ann));
    }
    assert_ne!(store.create_user("ann_é", "third", now).await.unwrap().id, ann.id);
    assert_eq!(store.user(ann.id).await.unwrap(), Some(ann));
}
