//! What users have to do with each other.
#![allow(clippy::unwrap_used, reason = "a failure of a case is what a suite is for")]

use bytes::Bytes;
use petrel_types::UserId;

use super::fixture::{ANN, BOB, CLEO, Owner, chat, group, id, members, membership};
use crate::{
    Batch, ConversationKind, Entry, EntryUpdate, NewConversation, ProfileUpdate, Relation, Store,
};

const STRANGER: UserId = UserId::new(44);

fn with_profile(number: u64, kind: ConversationKind, profile: &'static str) -> Batch {
    let profile = Bytes::from_static(profile.as_bytes());
    Batch {
        conversations: vec![NewConversation { id: id(number), kind, profile }],
        ..Batch::default()
    }
}

/// Each side of a pair sees the same, and what comes later is seen at once.
pub async fn a_relation_is_the_pair_and_the_others_own_profile(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    let pair = ConversationKind::Pair { low: ANN, high: BOB };
    owner.commit(with_profile(1, pair, "friends")).await;
    owner.commit(with_profile(2, ConversationKind::Personal { user: BOB }, "hides")).await;
    // A chat of the two is something else.
    owner.commit(chat(3, ANN, CLEO, 1)).await;

    let relation = |pair: &'static str, personal: &'static str| Relation {
        pair: Bytes::from_static(pair.as_bytes()),
        personal: Bytes::from_static(personal.as_bytes()),
    };
    let seen = store.relations(ANN, &[STRANGER, BOB, CLEO, ANN]).await.unwrap();
    let nothing = Relation::default();
    assert_eq!(seen, [nothing.clone(), relation("friends", "hides"), nothing.clone(), nothing]);
    assert_eq!(store.relations(BOB, &[ANN]).await.unwrap(), [relation("friends", "")]);

    let profiles = vec![
        ProfileUpdate { conversation: id(1), profile: Bytes::from_static(b"blocked") },
        ProfileUpdate { conversation: id(2), profile: Bytes::from_static(b"shows") },
    ];
    owner.commit(Batch { profiles, ..Batch::default() }).await;
    assert_eq!(store.relations(ANN, &[BOB]).await.unwrap(), [relation("blocked", "shows")]);
    assert_eq!(store.relations(ANN, &[]).await.unwrap(), []);
}

/// Of those who have one, and of this list alone.
pub async fn a_list_of_personal_timelines_is_read_for_many_at_once(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(with_profile(1, ConversationKind::Personal { user: ANN }, "")).await;
    owner.commit(with_profile(2, ConversationKind::Personal { user: BOB }, "")).await;
    owner.commit(chat(3, CLEO, CLEO, 1)).await;
    let entry = |number, list, key, value: &'static str| EntryUpdate {
        conversation: id(number),
        list,
        key,
        value: Some(Bytes::from_static(value.as_bytes())),
    };
    let entries = vec![
        entry(1, 4, 7, "a7"),
        entry(1, 4, 2, "a2"),
        entry(1, 4, 9, "a9"),
        entry(1, 5, 1, "another list"),
        entry(2, 4, 3, "b3"),
        entry(3, 4, 3, "no personal timeline"),
    ];
    owner.commit(Batch { entries, ..Batch::default() }).await;
    let users = [STRANGER, BOB, ANN, CLEO, BOB];
    let listed = store.personal_lists(4, &users, 2).await.unwrap();
    let values = listed.into_iter().map(|entries| {
        let value = |entry: &Entry| (entry.key, entry.value.clone());
        entries.iter().map(value).collect::<Vec<_>>()
    });
    let bobs = vec![(3, Bytes::from_static(b"b3"))];
    let anns = vec![(2, Bytes::from_static(b"a2")), (7, Bytes::from_static(b"a7"))];
    assert_eq!(values.collect::<Vec<_>>(), [vec![], bobs.clone(), anns, vec![], bobs]);
    assert!(store.personal_lists(4, &[], 2).await.unwrap().is_empty());
}

/// Neither a chat nor a former membership makes a peer.
pub async fn those_share_a_group_who_are_in_it_now(store: &dyn Store) {
    let mut owner = Owner::claim(store, 1).await;
    owner.commit(chat(1, ANN, CLEO, 1)).await;
    owner.commit(group(2, &[ANN, BOB], 3)).await;
    owner.commit(group(3, &[CLEO, BOB], 3)).await;
    let others = [CLEO, BOB, STRANGER];
    assert_eq!(store.share_group(ANN, &others).await.unwrap(), [false, true, false]);
    assert_eq!(store.share_group(BOB, &[ANN, CLEO]).await.unwrap(), [true, true]);

    owner.commit(members([membership(id(2), BOB, &[(1, 3)])])).await;
    assert_eq!(store.share_group(ANN, &others).await.unwrap(), [false, false, false]);
    assert_eq!(store.share_group(BOB, &[ANN, CLEO]).await.unwrap(), [false, true]);
    owner.commit(members([membership(id(3), ANN, &[(2, 0)])])).await;
    assert_eq!(store.share_group(ANN, &others).await.unwrap(), [true, true, false]);
}
