//! How fast messages are indexed and found, and what that costs those who commit.
//!
//! `cargo bench -p petrel-logic --bench search -- --messages 1000000`, or with
//! `--profile dev` for a quick look. Prints a table; `docs/decisions/0021-search.md` has one.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program to look at, which ends at the first fault"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use petrel_logic::search::{Indexer, Metrics, Search};
use petrel_protocol::frame::Search as Request;
use petrel_search::SearchIndex;
use petrel_search::sqlite::SqliteIndex;
use petrel_store::Interval;
use petrel_store::sqlite::SqliteStore;
use petrel_store::{Batch, ConversationKind, MemberUpdate, NewConversation, NewEvent, Store};
use petrel_types::{
    ClientMessageId, ConversationId, LogPosition, MessageNumber, OwnerEpoch, Partition, RowId, Seq,
    Slot, TimestampMs, UserId,
};
use tempfile::TempDir;
use tokio::sync::Notify;

const PARTITION: Partition = Partition::new(0);
const BATCH: u64 = 512;
/// One user is in this many chats; a tenth of all messages is in one group.
const CHATS: u64 = 10_000;
const CHATS_OF_ONE: u64 = 500;
const USER: UserId = UserId::new(1);

/// Frequent Chinese characters first, as in what people write.
const SIGNS: &str = "的一是不了我有这个人在他来大到说就你会上们好天气今明去看时出也吃饭点开门见面\
                     工作公司会议电话手机电脑问题时间晚早下午中国北京海船风雨雪鸟飞高低快慢";
const WORDS: &[&str] = &[
    "the", "is", "to", "you", "and", "a", "it", "in", "of", "that", "for", "on", "we", "storm",
    "harbour", "meeting", "tomorrow", "please", "thanks", "coffee", "weather", "ship", "report",
    "message", "server", "deploy", "release", "holiday", "birthday", "train",
];

struct Writer {
    store: Arc<dyn Store>,
    owner_epoch: OwnerEpoch,
    position: u64,
    heads: Vec<u64>,
    random: Rng,
    sent: u64,
}

fn id(number: u64) -> ConversationId {
    ConversationId::compose(Slot::from_low_bits(1), number + 1)
}

impl Writer {
    async fn new(store: Arc<dyn Store>) -> Self {
        let claim = store.claim(PARTITION).await.unwrap();
        let heads = vec![0; usize::try_from(CHATS).unwrap() + 1];
        let random = Rng::with_seed(7);
        let mut writer =
            Self { store, owner_epoch: claim.owner_epoch, position: 0, heads, random, sent: 0 };
        let chat = |number: u64| {
            let low = if number < CHATS_OF_ONE { 1 } else { 2 + number };
            let kind = ConversationKind::Single {
                low: UserId::new(low),
                high: UserId::new(100_000 + number),
            };
            NewConversation { id: id(number), kind, profile: Default::default() }
        };
        let group = NewConversation {
            id: id(CHATS),
            kind: ConversationKind::Group,
            profile: Default::default(),
        };
        let interval = Interval { first: Seq::new(1), last: None };
        let member = MemberUpdate {
            conversation: id(CHATS),
            user: USER,
            attributes: Default::default(),
            intervals: vec![interval],
        };
        let conversations = (0..CHATS).map(chat).chain([group]).collect();
        writer.commit(Batch { conversations, members: vec![member], ..Batch::default() }).await;
        writer
    }

    async fn commit(&mut self, batch: Batch) {
        self.position += 1;
        let position = LogPosition::new(self.position);
        self.store.commit(PARTITION, batch, position, self.owner_epoch).await.unwrap();
    }

    async fn write(&mut self, messages: u64) {
        let mut left = messages;
        while left > 0 {
            let count = left.min(BATCH);
            left -= count;
            let events = (0..count).map(|_| self.message()).collect();
            self.commit(Batch { events, ..Batch::default() }).await;
        }
    }

    fn message(&mut self) -> NewEvent {
        let number = match self.random.u32(..10) {
            0 => CHATS,
            _ => self.random.u64(..CHATS),
        };
        let head = &mut self.heads[usize::try_from(number).unwrap()];
        *head += 1;
        let seq = *head;
        self.sent += 1;
        let body = body(&mut self.random, self.sent);
        let payload = format!(r#"{{"kind":"message","msgType":"TEXT","body":"{body}"}}"#);
        NewEvent {
            conversation: id(number),
            seq: Seq::new(seq),
            message_number: MessageNumber::new(seq),
            sender: if number < CHATS_OF_ONE { USER } else { UserId::new(2 + number) },
            client_message_id: ClientMessageId::new(format!("m{}", self.sent)).ok(),
            timestamp: TimestampMs::new(1_800_000_000_000 + self.sent * 100),
            payload: payload.into(),
        }
    }
}

/// Half of them Chinese, of 4 to 24 characters, half English, of 2 to 12 words. One in a
/// thousand has a word of its own.
fn body(random: &mut Rng, number: u64) -> String {
    let signs: Vec<char> = SIGNS.chars().filter(|sign| !sign.is_whitespace()).collect();
    // The first ones more often.
    let mut pick = |length: usize| random.usize(..length).min(random.usize(..length));
    let mut body = String::new();
    if number.is_multiple_of(2) {
        for _ in 0..4 + pick(21) {
            body.push(signs[pick(signs.len())]);
        }
    } else {
        for _ in 0..2 + pick(11) {
            body.push_str(WORDS[pick(WORDS.len())]);
            body.push(' ');
        }
    }
    if number.is_multiple_of(1000) {
        body.push_str(&format!(" rare{number}"));
    }
    body
}

fn number_of(name: &str, default: u64) -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    arguments.next().map_or(default, |value| value.parse().expect("a number"))
}

#[tokio::main]
async fn main() {
    let messages = number_of("--messages", 100_000);
    let directory = TempDir::new().unwrap();
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&directory.path().join("store")).unwrap());
    let mut writer = Writer::new(Arc::clone(&store)).await;
    writer.write(messages).await;

    let place = directory.path().join("search");
    let index: Arc<dyn SearchIndex> = Arc::new(SqliteIndex::open(&place, store.epoch()).unwrap());
    let indexer = Indexer::new(Arc::clone(&store), Arc::clone(&index), Metrics::default());
    let begin = Instant::now();
    indexer.catch_up().await.unwrap();
    let rate = messages as f64 / begin.elapsed().as_secs_f64();
    let bytes = std::fs::metadata(place.join("search.db")).unwrap().len();
    println!("{messages} messages: indexed {rate:.0} a second, {} bytes each", bytes / messages);

    let search = Search::new(Arc::clone(&store), Some(Arc::clone(&index)), Metrics::default());
    let everywhere = Request::default;
    let in_group = || Request { conversation_id: Some(id(CHATS)), ..Request::default() };
    for (q, place, request) in [
        ("天气", "501 conversations", everywhere()),
        ("天气", "a group", in_group()),
        ("的", "a group", in_group()),
        ("的慢", "a group", in_group()),
        ("鸟飞高低", "501 conversations", everywhere()),
        ("harb", "501 conversations", everywhere()),
        ("harbour meeting", "a group", in_group()),
        ("\"the storm is\"", "501 conversations", everywhere()),
        ("rare1000", "501 conversations", everywhere()),
        ("nothingofthat", "501 conversations", everywhere()),
        ("nothingofthat", "a group", in_group()),
    ] {
        let request = Request { q: Some(q.to_owned()), ..request };
        let mut times = Vec::new();
        let mut hits = 0;
        for _ in 0..20 {
            let begin = Instant::now();
            hits = search.find(USER, &request).await.unwrap().hits.len();
            times.push(begin.elapsed());
        }
        times.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "{q}\tin {place}\t{hits} hits\tp50 {:.2} ms\tmax {:.2} ms",
            ms(times[10]),
            ms(times[19])
        );
    }

    // What it costs others: the same commits, with the index following and without.
    let share = (messages / 5).max(BATCH);
    let woken = Arc::new(Notify::new());
    let following = tokio::spawn(indexer.run(Arc::clone(&woken)));
    for is_followed in [true, false, true, false] {
        let follower = is_followed.then(|| Arc::clone(&woken));
        if !is_followed {
            // It has caught up when nothing is left.
            while index.indexed_up_to().await.unwrap() < last_row(&store).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        let begin = Instant::now();
        let mut left = share;
        while left > 0 {
            writer.write(left.min(BATCH)).await;
            left -= left.min(BATCH);
            if let Some(follower) = &follower {
                follower.notify_one();
            }
        }
        let rate = share as f64 / begin.elapsed().as_secs_f64();
        println!(
            "commits, {}: {rate:.0} messages a second",
            if is_followed { "with the index following" } else { "alone" }
        );
    }
    following.abort();
}

async fn last_row(store: &Arc<dyn Store>) -> RowId {
    store.events_by_row(RowId::new(i64::MAX.cast_unsigned() - 1), 1).await.unwrap().last_row
}
