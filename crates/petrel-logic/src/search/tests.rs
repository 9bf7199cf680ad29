//! What is found is what a scan over all readable messages finds.

use std::collections::BTreeSet;

use fastrand::Rng;
use petrel_log::{Command, Content, Destination, LoggedCommand, Origin, Request, SendRequest};
use petrel_protocol::frame::{History, MessageType, Pull, Sync};
use petrel_search::memory::MemoryIndex;
use petrel_search::sqlite::SqliteIndex;
use petrel_store::memory::MemoryStore;
use petrel_types::{
    ClientMessageId, Clock, LogPosition, ManualClock, NodeId, Partition, Seq, SessionId,
    TimestampMs,
};
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::sequencer::{Rules, Sequencer};
use crate::sync::Catchup;

const USERS: u64 = 5;
const EPOCH: Epoch = Epoch::new(5);
const WORDS: &[&str] = &["storm", "Stop", "STORMY", "a", "b2", "天", "气", "天气", "好天", "today"];
const BETWEEN: &[&str] = &[" ", ", ", "。", "-", "", "\n"];

struct World {
    random: Rng,
    sequencer: Sequencer,
    next_position: LogPosition,
    clock: Arc<ManualClock>,
    store: Arc<dyn Store>,
    indexer: Indexer,
    search: Search,
    catchup: Catchup,
    groups: Vec<ConversationId>,
    sent: u64,
}

/// A query, and what it means, in words that are not those of the code.
struct Query {
    /// Each a row of words and signs in lower case, and whether its end is open.
    pieces: Vec<(Vec<String>, bool)>,
    request: SearchRequest,
}

/// A message as a device has pulled it.
#[derive(Clone, Debug)]
struct Seen {
    row: u64,
    conversation: u64,
    from: u64,
    ts: u64,
    body: String,
}

impl World {
    async fn new(seed: u64, index: Arc<dyn SearchIndex>) -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(EPOCH));
        let clock = Arc::new(ManualClock::new(TimestampMs::new(1_800_000_000_000)));
        let rules = Rules { external_users: true, ..Rules::default() };
        let told: Arc<dyn Clock> = clock.clone();
        let claimed = Sequencer::claim(Arc::clone(&store), told, rules, Partition::new(0)).await;
        let (sequencer, next_position) = claimed.unwrap();
        let metrics = Metrics::default();
        let mut world = Self {
            random: Rng::with_seed(seed),
            sequencer,
            next_position,
            clock,
            indexer: Indexer::new(Arc::clone(&store), Arc::clone(&index), metrics.clone()),
            search: Search::new(Arc::clone(&store), Some(index), metrics),
            catchup: Catchup::new(Arc::clone(&store)),
            store,
            groups: Vec::new(),
            sent: 0,
        };
        for history in [History::Joined, History::All] {
            let members = vec![UserId::new(2), UserId::new(3)];
            let content = Content::CreateGroup { title: "g".to_owned(), members, history };
            let before = world.conversations().await;
            world.send(UserId::new(1), Destination::NewGroup, content).await;
            let after = world.conversations().await;
            world.groups.extend(after.difference(&before));
        }
        world
    }

    async fn conversations(&self) -> BTreeSet<ConversationId> {
        let all = self.store.conversations_after(ConversationId::new(0), 1000).await.unwrap();
        let chats = all.iter().map(|summary| summary.conversation);
        chats
            .filter(|it| {
                matches!(it.kind, ConversationKind::Group | ConversationKind::Single { .. })
            })
            .map(|it| it.id)
            .collect()
    }

    async fn send(&mut self, actor: UserId, to: Destination, content: Content) {
        self.sent += 1;
        let name = ClientMessageId::new(self.sent.to_string()).unwrap();
        let send =
            SendRequest { to, client_message_id: name, content, retry: false, first_sent: None };
        self.decide(actor, Request::Send(send)).await;
    }

    async fn decide(&mut self, actor: UserId, request: Request) {
        let session = SessionId::new(actor.get());
        let origin = Origin { node: NodeId::new(1), session, tag: 1 };
        let command = Command { origin, actor, request };
        let (position, partition) = (self.next_position, Partition::new(0));
        self.next_position = position.next();
        let logged = vec![LoggedCommand { position, partition, command }];
        self.sequencer.decide(logged).await.unwrap();
    }

    fn user(&mut self) -> UserId {
        UserId::new(self.random.u64(1..=USERS))
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.random.usize(1..6) {
            text.push_str(WORDS[self.random.usize(..WORDS.len())]);
            text.push_str(BETWEEN[self.random.usize(..BETWEEN.len())]);
        }
        text
    }

    async fn any_conversation(&mut self) -> ConversationId {
        let all: Vec<_> = self.conversations().await.into_iter().collect();
        all[self.random.usize(..all.len())]
    }

    /// Somebody does something, and perhaps it is refused.
    async fn step(&mut self) {
        self.clock.advance(Duration::from_millis(self.random.u64(1..60_000)));
        let actor = self.user();
        let other = self.user();
        let group = self.groups[self.random.usize(..self.groups.len())];
        match self.random.u32(..20) {
            0..6 => {
                let content = Content::Text(self.text());
                self.send(actor, Destination::User(other), content).await;
            }
            6..11 => {
                let content = Content::Text(self.text());
                self.send(actor, Destination::Conversation(group), content).await;
            }
            kind @ 11..15 => {
                let conversation = self.any_conversation().await;
                let head = self.store.summary(conversation).await.unwrap().unwrap().head.seq;
                let target = Seq::new(self.random.u64(1..=head.get()));
                let body = self.text();
                // Its sender may: others are refused most of the time.
                let page = self.store.events_after(conversation, Seq::new(target.get() - 1), 1);
                let actor = page.await.unwrap().events.first().map_or(actor, |event| event.sender);
                let content = match kind {
                    11 | 12 => Content::Edit { target, body },
                    _ => Content::Recall { target },
                };
                // The owner may recall whatever is said in a group, at any time.
                let is_owners = kind == 14 && self.groups.contains(&conversation);
                let actor = if is_owners { UserId::new(1) } else { actor };
                self.send(actor, Destination::Conversation(conversation), content).await;
            }
            15 | 16 => {
                let content = Content::AddMembers(vec![other]);
                self.send(UserId::new(1), Destination::Conversation(group), content).await;
            }
            17 => {
                let content = Content::RemoveMembers(vec![other]);
                self.send(UserId::new(1), Destination::Conversation(group), content).await;
            }
            18 => self.send(actor, Destination::Conversation(group), Content::Leave).await,
            _ => {
                let conversation = self.any_conversation().await;
                let head = self.store.summary(conversation).await.unwrap().unwrap().head.seq;
                let before = Seq::new(self.random.u64(1..=1 + head.get() / 3));
                self.decide(UserId::new(0), Request::Trim { conversation, before }).await;
            }
        }
    }

    /// All that a user may read, as a device pulls it.
    async fn scan(&self, user: UserId) -> Vec<Seen> {
        let request = Sync { token: None, limit: Some(200) };
        let state = self.catchup.sync(user, &request).await.unwrap();
        assert!(!state.more);
        let mut seen = Vec::new();
        for entry in state.conversations {
            let mut after = Seq::ZERO;
            loop {
                let pull = Pull {
                    conversation_id: entry.conversation_id,
                    after_seq: Some(after),
                    before_seq: None,
                    limit: Some(200),
                };
                let page = self.catchup.pull(user, &pull).await.unwrap();
                for event in &page.events {
                    let event: Value = serde_json::from_str(event.get()).unwrap();
                    if event["body"].is_string() && event["recalled"] != true {
                        let id = |name: &str| event[name].as_str().unwrap().parse().unwrap();
                        seen.push(Seen {
                            row: id("serverMsgId"),
                            conversation: id("conversationId"),
                            from: id("from"),
                            ts: event["ts"].as_u64().unwrap(),
                            body: event["body"].as_str().unwrap().to_owned(),
                        });
                    }
                }
                after = page.to_seq;
                if !page.has_more {
                    break;
                }
            }
        }
        seen
    }

    async fn query(&mut self) -> Query {
        let mut pieces = Vec::new();
        let mut q = String::new();
        for _ in 0..self.random.usize(..3) {
            let words: Vec<&str> = (0..self.random.usize(1..3))
                .map(|_| WORDS[self.random.usize(..WORDS.len())])
                .collect();
            let mut atoms: Vec<String> = words.iter().flat_map(|word| atoms(word)).collect();
            let is_open = self.random.bool();
            let mut text = words.join(if is_open { "-" } else { " " });
            let is_word = atoms.last().unwrap().is_ascii();
            let begun = self.random.usize(1..=atoms.last().unwrap().len());
            if is_open && is_word {
                text.truncate(text.len() - (atoms.last().unwrap().len() - begun));
                atoms.last_mut().unwrap().truncate(begun);
            }
            q.push_str(&if is_open { format!(" {text} ") } else { format!("\"{text}\"") });
            pieces.push((atoms, is_open));
        }
        let mut request = SearchRequest {
            q: (!pieces.is_empty()).then_some(q),
            limit: Some(self.random.u32(1..6)),
            ..SearchRequest::default()
        };
        if self.random.u32(..3) == 0 {
            request.conversation_id = Some(self.any_conversation().await);
        }
        if self.random.u32(..3) == 0 {
            request.from = Some(self.user());
        }
        if pieces.is_empty() || self.random.u32(..4) == 0 {
            request.msg_type = Some(MessageType::Text);
        }
        let start = 1_800_000_000_000;
        let span = self.clock.now().get() - start + 1;
        if self.random.u32(..4) == 0 {
            request.after_ts = Some(TimestampMs::new(start + self.random.u64(..span)));
        }
        if self.random.u32(..4) == 0 {
            request.before_ts = Some(TimestampMs::new(start + self.random.u64(..span)));
        }
        Query { pieces, request }
    }

    /// Compares searches of everybody with scans. An index that is behind may miss some.
    async fn check(&mut self, queries: usize, is_behind: bool) -> usize {
        let mut hits = 0;
        for user in (1..=USERS).map(UserId::new) {
            let seen = self.scan(user).await;
            for _ in 0..queries {
                let query = self.query().await;
                let mut expected: Vec<u64> =
                    seen.iter().filter(|seen| query.fits(seen)).map(|seen| seen.row).collect();
                expected.sort_unstable_by(|one, other| other.cmp(one));
                let found = self.found_rows(user, &query).await;
                let what = format!("{user} asked {:?}", query.request);
                assert!(found.is_sorted_by(|one, other| one > other), "{what}: {found:?}");
                if is_behind {
                    assert!(found.iter().all(|row| expected.contains(row)), "{what}");
                } else {
                    assert_eq!(found, expected, "{what}");
                }
                hits += found.len();
            }
        }
        hits
    }

    /// All pages of a search. Nothing, if the user was never in the conversation.
    async fn found_rows(&self, user: UserId, query: &Query) -> Vec<u64> {
        let mut rows = Vec::new();
        let mut request = query.request.clone();
        loop {
            let page = match self.search.find(user, &request).await {
                Ok(page) => page,
                Err(refusal) => {
                    assert_eq!(refusal.reason, ErrorReason::ConversationNotFound);
                    return rows;
                }
            };
            assert!(page.hits.len() <= request.limit.unwrap() as usize);
            for hit in &page.hits {
                assert_eq!(hit.excerpt.marks.is_empty(), query.pieces.is_empty(), "{hit:?}");
                rows.push(hit.server_msg_id.get());
            }
            match page.cursor {
                Some(cursor) => request.cursor = Some(cursor),
                None => return rows,
            }
        }
    }
}

impl Query {
    fn fits(&self, seen: &Seen) -> bool {
        let request = &self.request;
        let atoms = atoms(&seen.body);
        let is_there = |(wanted, is_open): &(Vec<String>, bool)| {
            atoms.windows(wanted.len()).any(|window| {
                let (last, first) = wanted.split_last().unwrap();
                let end = window.last().unwrap();
                let goes_on = *is_open && last.is_ascii() && last.len() > 1;
                window[..first.len()] == *first
                    && (end == last || (goes_on && end.starts_with(last.as_str())))
            })
        };
        request.conversation_id.is_none_or(|id| id.get() == seen.conversation)
            && request.from.is_none_or(|from| from.get() == seen.from)
            && request.after_ts.is_none_or(|after| seen.ts >= after.get())
            && request.before_ts.is_none_or(|before| seen.ts < before.get())
            && self.pieces.iter().all(is_there)
    }
}

/// Words of ASCII, and everything else that is a letter by itself.
fn atoms(text: &str) -> Vec<String> {
    let mut atoms: Vec<String> = Vec::new();
    let mut is_open = false;
    for character in text.to_ascii_lowercase().chars() {
        let is_ascii = character.is_ascii_alphanumeric();
        if is_ascii && is_open {
            atoms.last_mut().unwrap().push(character);
        } else if character.is_alphanumeric() {
            atoms.push(character.to_string());
        }
        is_open = is_ascii;
    }
    atoms
}

async fn try_out(seed: u64, index: Arc<dyn SearchIndex>) -> usize {
    let mut world = World::new(seed, index).await;
    let mut hits = 0;
    for round in 0..12 {
        for _ in 0..25 {
            world.step().await;
        }
        hits += world.check(2, true).await;
        world.indexer.catch_up().await.unwrap();
        if round % 3 == 0 {
            world.indexer.sweep().await.unwrap();
        }
        hits += world.check(4, false).await;
    }
    hits
}

#[tokio::test]
async fn what_is_found_is_what_a_scan_over_all_readable_messages_finds() {
    for seed in 0..6 {
        let hits = try_out(seed, Arc::new(MemoryIndex::default())).await;
        assert!(hits > 500, "only {hits} hits show little");
    }
}

#[tokio::test]
async fn the_embedded_index_finds_the_same() {
    let directory = TempDir::new().unwrap();
    let index = SqliteIndex::open(directory.path(), EPOCH).unwrap();
    assert!(try_out(77, Arc::new(index)).await > 500);
}

/// An index that was thrown away finds all of it again, and one that is given the same
/// events a second time is none the worse.
#[tokio::test]
async fn an_index_is_made_again_from_the_store() {
    let mut world = World::new(3, Arc::new(MemoryIndex::default())).await;
    for _ in 0..300 {
        world.step().await;
    }
    for _ in 0..2 {
        let index: Arc<dyn SearchIndex> = Arc::new(MemoryIndex::default());
        world.indexer =
            Indexer::new(Arc::clone(&world.store), Arc::clone(&index), Metrics::default());
        world.search = Search::new(Arc::clone(&world.store), Some(index), Metrics::default());
        let progress = world.indexer.catch_up().await.unwrap();
        assert_eq!(progress.behind(), 0);
        world.check(8, false).await;
    }
}

/// What was given up is taken out of the index, too.
#[tokio::test]
async fn a_sweep_forgets_what_is_no_longer_kept() {
    let index = Arc::new(MemoryIndex::default());
    let mut world = World::new(1, Arc::clone(&index) as _).await;
    for _ in 0..200 {
        world.step().await;
    }
    world.indexer.catch_up().await.unwrap();
    for conversation in world.conversations().await {
        let head = world.store.summary(conversation).await.unwrap().unwrap().head.seq;
        let trim = Request::Trim { conversation, before: head.next() };
        world.decide(UserId::new(0), trim).await;
    }
    assert!(!index.rows_after(RowId::new(0), 9).await.unwrap().is_empty());
    world.indexer.sweep().await.unwrap();
    assert_eq!(index.rows_after(RowId::new(0), 9).await.unwrap(), []);
}

#[tokio::test]
async fn searching_can_be_switched_off() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(EPOCH));
    let search = Search::new(store, None, Metrics::default());
    let request = SearchRequest { q: Some("a".to_owned()), ..SearchRequest::default() };
    let refusal = search.find(UserId::new(1), &request).await.unwrap_err();
    assert_eq!(refusal.reason, ErrorReason::SearchOff);
}

#[tokio::test]
async fn a_search_for_nothing_or_with_a_made_up_cursor_is_refused() {
    let world = World::new(1, Arc::new(MemoryIndex::default())).await;
    let requests = [
        SearchRequest::default(),
        SearchRequest { q: Some("…".to_owned()), ..SearchRequest::default() },
        SearchRequest {
            q: Some("a".to_owned()),
            cursor: Some("7".to_owned()),
            ..SearchRequest::default()
        },
        SearchRequest {
            q: Some("a".to_owned()),
            cursor: Some(write_cursor(RowId::new(7), Epoch::new(6))),
            ..SearchRequest::default()
        },
    ];
    for request in requests {
        let refusal = world.search.find(UserId::new(1), &request).await.unwrap_err();
        assert_eq!(refusal.reason, ErrorReason::InvalidField, "{request:?}");
    }
}
