//! Databases of earlier versions. `tests/fixtures/README.md` tells what is in them.

use super::*;
use crate::{AdministrationStore as _, AuditFilter, AuditRecord, Cursors, Interval};

fn fixture() -> TempDir {
    fixture_of("schema-2")
}

fn fixture_of(schema: &str) -> TempDir {
    let place = TempDir::new().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fs::copy(fixtures.join(schema).join("petrel.db"), place.path().join("petrel.db")).unwrap();
    place
}

fn chat(number: u64) -> ConversationId {
    new_chat(number).conversations[0].id
}

fn schema_of(directory: &Path) -> Vec<(String, String)> {
    let database = Connection::open(directory.join("petrel.db")).unwrap();
    let mut columns = database
        .prepare(
            "SELECT tables.name, format('%s %s %s %s %s', columns.name, columns.type, \"notnull\",
                                        dflt_value, pk)
             FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns
             UNION ALL
             SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL
             ORDER BY 1, 2",
        )
        .unwrap();
    let rows = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_database_of_version_2_goes_on_as_it_was() {
    let place = fixture();
    let store = open(place.path());
    assert_eq!(store.epoch(), Epoch::new(5_164_281_572_556_609_958));
    for (number, last) in [(1, 4), (2, 2), (3, 1)] {
        let page = store.events_after(chat(number), Seq::ZERO, 10).await.unwrap();
        assert_eq!((page.head.seq.get(), page.events.len() as u64), (last, last));
        for event in page.events {
            assert_eq!(event.payload, format!("payload {number}-{}", event.seq));
            let name = event.client_message_id.clone().unwrap();
            assert_eq!(name.as_str(), format!("{number}-{}", event.seq));
            let found = store.find_message(chat(number), event.sender, &name).await.unwrap();
            assert_eq!(found, Some(event));
        }
        assert_eq!(store.summary(chat(number)).await.unwrap().unwrap().trimmed_before.get(), 1);
    }
    let state = store.conversation(chat(1)).await.unwrap().unwrap();
    let low_high = (UserId::new(11), UserId::new(22));
    let kind = ConversationKind::Single { low: low_high.0, high: low_high.1 };
    assert_eq!((state.summary.conversation.kind, state.summary.member_count), (kind, 2));
    let cursors =
        |delivered, read| Cursors { delivered: Seq::new(delivered), read: Seq::new(read) };
    let for_ever = vec![Interval { first: Seq::new(1), last: None }];
    let members: Vec<_> =
        state.members.into_iter().map(|it| (it.user.get(), it.cursors, it.intervals)).collect();
    assert_eq!(members, [(11, cursors(4, 4), for_ever.clone()), (22, cursors(3, 2), for_ever)]);
    assert_eq!(store.summary(chat(3)).await.unwrap().unwrap().member_count, 1);
    assert_eq!(store.single_chat(low_high.1, low_high.0).await.unwrap(), Some(chat(1)));
    let page = store.sync_page(UserId::new(11), RowId::new(0), None, 10).await.unwrap();
    let stamps: Vec<_> =
        page.entries.iter().map(|it| (it.conversation.id, it.stamp.get())).collect();
    assert_eq!(stamps, [(chat(1), 13), (chat(2), 12), (chat(3), 8)]);
    assert!(store.user_by_name("ann").await.unwrap().is_some());

    let claim = store.claim(PARTITION).await.unwrap();
    assert_eq!((claim.next_position.get(), claim.conversation_number), (5, 3));
    let again = Batch { events: vec![message(1, 5, "1-1")], ..Batch::default() };
    let mut again = again;
    again.events[0].sender = UserId::new(11);
    let refused = store.commit(PARTITION, again, claim.next_position, claim.owner_epoch).await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Invalid);
    let mut batch = new_chat(4);
    batch.events = vec![message(4, 1, "new"), message(1, 5, "new")];
    store.commit(PARTITION, batch, claim.next_position, claim.owner_epoch).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(verify(place.path()).unwrap().problems, [""; 0]);
}

#[tokio::test]
async fn a_database_of_version_3_goes_on_as_it_was() {
    let place = fixture_of("schema-3");
    let store = open(place.path());
    let ann = store.user_by_name("ann").await.unwrap().unwrap();
    assert_eq!((ann.id, ann.is_admin), (UserId::LOCAL_FIRST, false));
    let ben = store.user_by_name("BEN").await.unwrap().unwrap().id;
    let chat = store.single_chat(ann.id, ben).await.unwrap().unwrap();
    let page = store.events_after(chat, Seq::ZERO, 10).await.unwrap();
    assert_eq!((page.head.seq.get(), page.events.len()), (1, 1));
    let conversations = store.conversations_after(ConversationId::new(0), 10).await.unwrap();
    assert_eq!(conversations.len(), 4);
    assert!(store.make_admin(ann.id).await.unwrap());
    let external = store.map_external_user("one", "7", TimestampMs::new(1)).await.unwrap();
    assert!(external > ben);
    store.close().await.unwrap();
    assert_eq!(verify(place.path()).unwrap().problems, [""; 0]);
}

#[tokio::test]
async fn a_database_of_version_4_goes_on_as_it_was() {
    let place = fixture_of("schema-4");
    let store = open(place.path());
    let ann = store.user_by_name("ann").await.unwrap().unwrap().id;
    let ben = store.user_by_name("ben").await.unwrap().unwrap().id;
    let chat = store.single_chat(ann, ben).await.unwrap().unwrap();
    assert_eq!(store.summary(chat).await.unwrap().unwrap().head.seq.get(), 1);
    assert_eq!(store.logins_of(ann, None, 10).await.unwrap().len(), 1);
    assert_eq!(store.conversations_after(ConversationId::new(0), 10).await.unwrap().len(), 4);
    assert_eq!(store.pair(ann, ben).await.unwrap(), None);
    assert_eq!(store.entry(chat, 0, ben.get()).await.unwrap(), None);
    assert_eq!(store.code_holder("CODE").await.unwrap(), None);

    let claim = store.claim(PARTITION).await.unwrap();
    let id = ConversationId::compose(Slot::from_low_bits(1), 1_000);
    let batch = Batch {
        conversations: vec![NewConversation {
            id,
            kind: ConversationKind::Pair { low: ann, high: ben },
            profile: Bytes::new(),
        }],
        ..Batch::default()
    };
    store.commit(PARTITION, batch, claim.next_position, claim.owner_epoch).await.unwrap();
    assert_eq!(store.pair(ben, ann).await.unwrap(), Some(id));
    store.close().await.unwrap();
    assert_eq!(verify(place.path()).unwrap().problems, [""; 0]);
}

#[tokio::test]
async fn a_database_of_version_5_goes_on_as_it_was() {
    let place = fixture_of("schema-5");
    let store = open(place.path());
    let ann = store.user_by_name("ann").await.unwrap().unwrap().id;
    let ben = store.user_by_name("ben").await.unwrap().unwrap().id;
    let chat = store.single_chat(ann, ben).await.unwrap().unwrap();
    assert_eq!(store.summary(chat).await.unwrap().unwrap().head.seq.get(), 1);
    assert_eq!(store.conversations_after(ConversationId::new(0), 10).await.unwrap().len(), 4);
    assert_eq!(store.files_of(ann, None, 10).await.unwrap(), []);
    assert_eq!(store.garbage(10).await.unwrap(), [""; 0]);
    // What version 6 has brought begins empty, and works.
    assert_eq!(store.disabled_users(UserId::new(0), 10).await.unwrap(), []);
    assert_eq!(store.system_entries_after(1, None, 10).await.unwrap(), []);
    let record = |action: &str| AuditRecord {
        at: TimestampMs::new(7),
        actor: None,
        source: "local".to_owned(),
        action: action.to_owned(),
        target: Some(("user".to_owned(), ann.get())),
        detail: String::new(),
    };
    let entries = vec![("key".to_owned(), Some(Bytes::from_static(b"value")))];
    store.put_system_entries(1, entries.clone(), Some(record("changed"))).await.unwrap();
    let groups = store.groups_after(ConversationId::new(0), 10).await.unwrap();
    assert_eq!(groups.len(), 1, "groups from before are found");
    store.close().await.unwrap();
    assert_eq!(verify(place.path()).unwrap().problems, [""; 0]);
    let store = open(place.path());
    let kept = store.records_before(AuditFilter::default(), None, 10).await.unwrap();
    assert_eq!(kept.items.into_iter().map(|it| it.record).collect::<Vec<_>>(), [record("changed")]);
    let listed = store.system_entries_after(1, None, 10).await.unwrap();
    assert_eq!(listed, [("key".to_owned(), Bytes::from_static(b"value"))]);
}

/// A database of version 6: that of version 5 with the tables that version 6 added, and
/// something in each of them that lasts.
fn of_version_6() -> TempDir {
    let place = fixture_of("schema-5");
    let database = Connection::open(place.path().join("petrel.db")).unwrap();
    database.execute_batch(tables::ADDED_IN_6).unwrap();
    let filled = "
        INSERT INTO disabled_users VALUES (10000000002, 5, 'spam');
        INSERT INTO audit VALUES (41, 5, NULL, 'local:0', 'userDisabled', 'user', 10000000002, 'd');
        INSERT INTO system_entries VALUES (1, 'spam', 'refuse');
        PRAGMA user_version = 6;";
    // A value is a blob.
    let filled = filled.replace("'refuse'", "CAST('refuse' AS BLOB)");
    database.execute_batch(&filled).unwrap();
    place
}

#[tokio::test]
async fn a_database_of_version_6_goes_on_as_it_was() {
    let place = of_version_6();
    let store = open(place.path());
    let ben = UserId::new(10_000_000_002);
    assert_eq!(store.disabled_users(UserId::new(0), 10).await.unwrap(), [ben]);
    assert_eq!(store.known_user(ben).await.unwrap().unwrap().id, ben);
    let words = store.system_entries_after(1, None, 10).await.unwrap();
    assert_eq!(words, [("spam".to_owned(), Bytes::from_static(b"refuse"))]);
    let kept = store.records_before(AuditFilter::default(), None, 10).await.unwrap().items;
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].number, kept[0].record.detail.as_str()), (41, "d"));
    // Numbers of records go on where they were, and files begin.
    let again = store.keep_record(kept[0].record.clone()).await.unwrap();
    assert!(again > 41, "{again}");
    assert_eq!(store.files_of(ben, None, 10).await.unwrap(), []);
    let chat = store.single_chat(UserId::new(10_000_000_001), ben).await.unwrap().unwrap();
    let page = store.events_after(chat, Seq::ZERO, 10).await.unwrap();
    assert_eq!((page.head.seq.get(), page.events.len()), (1, 1));
    store.close().await.unwrap();
    assert_eq!(verify(place.path()).unwrap().problems, [""; 0]);
}

#[test]
fn a_migrated_database_has_the_tables_of_a_new_one() {
    let new = TempDir::new().unwrap();
    drop(open(new.path()));
    for schema in ["schema-2", "schema-3", "schema-4", "schema-5"] {
        let migrated = fixture_of(schema);
        drop(open(migrated.path()));
        assert_eq!(schema_of(migrated.path()), schema_of(new.path()), "{schema}");
    }
    let migrated = of_version_6();
    drop(open(migrated.path()));
    assert_eq!(schema_of(migrated.path()), schema_of(new.path()), "version 6");
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    let place = fixture();
    let path = place.path().join("petrel.db");
    // A table that the migration is going to create.
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE trims (x)").unwrap();
    let before = schema_of(place.path());
    let error = SqliteStore::open(place.path()).unwrap_err();
    assert!(error.to_string().contains("trims already exists"), "{error}");
    assert_eq!(schema_of(place.path()), before);
    let database = Connection::open(&path).unwrap();
    let version = "SELECT user_version FROM pragma_user_version";
    assert_eq!(database.query_row(version, [], |row| row.get::<_, u32>(0)).unwrap(), 2);
    database.execute_batch("DROP TABLE trims").unwrap();
    drop(database);
    drop(open(place.path()));
}

#[test]
fn verify_does_not_bring_a_database_forward() {
    let place = fixture();
    let path = place.path().join("petrel.db");
    let before = fs::read(&path).unwrap();
    let error = verify(place.path()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("check it with the Petrel that wrote it"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}
