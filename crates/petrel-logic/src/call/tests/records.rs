//! Records of calls on their way to the store.

use std::collections::BTreeSet;

use petrel_log::{CommandStream, Content, LoggedCommand, Request};
use petrel_protocol::frame::CallRecord;

use super::exchange::{Heard, exchange, frame, saved, tell};
use super::*;
use crate::call::Exchange;
use crate::requester::Requester;

fn record_of(logged: &LoggedCommand) -> &CallRecord {
    match &logged.command.request {
        Request::Send(send) => match &send.content {
            Content::Call(record) => record,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// Rings, and is cancelled.
async fn call(exchange: &Exchange, name_of_call: &str, from: u64, to: u64) {
    let heard = Heard::default();
    exchange.offer(party(from, from), frame(name_of_call, to), &heard).await.unwrap();
    exchange.hang_up(party(from, from), name(name_of_call), &heard).unwrap();
}

/// Stores what comes until there were so many, and says in which batches they came.
async fn store(
    requester: &Requester,
    stream: &mut Box<dyn CommandStream>,
    wanted: usize,
) -> Vec<Vec<String>> {
    let mut batches: Vec<Vec<String>> = Vec::new();
    while batches.iter().map(Vec::len).sum::<usize>() < wanted {
        let batch = stream.next_commands(1_000).await;
        batch.iter().for_each(|logged| tell(requester, &logged.command, saved()));
        let names = batch.iter().map(|logged| record_of(logged).call_id.as_str().to_owned());
        batches.push(names.collect());
    }
    batches
}

#[tokio::test(start_paused = true)]
async fn many_are_sent_at_once_and_each_is_stored_though_there_is_not_room_for_all() {
    // The log has room for 100 commands.
    let (exchange, requester, mut streams) = exchange();
    for pair in 0..150 {
        call(&exchange, &format!("c{pair}"), 1_000 + 2 * pair, 1_001 + 2 * pair).await;
    }
    let batches = tokio::select! {
        () = exchange.record() => unreachable!("it goes on for ever"),
        batches = store(&requester, &mut streams[0], 150) => batches,
    };
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [100, 50]);
    let calls: BTreeSet<_> = batches.into_iter().flatten().collect();
    assert_eq!(calls.len(), 150);
}

#[tokio::test(start_paused = true)]
async fn those_of_the_same_two_users_are_stored_in_the_order_in_which_the_calls_ended() {
    let (exchange, requester, mut streams) = exchange();
    for (call_name, from, to) in [("a1", 1, 2), ("b1", 3, 4), ("a2", 2, 1), ("a3", 1, 2)] {
        call(&exchange, call_name, from, to).await;
    }
    let batches = tokio::select! {
        () = exchange.record() => unreachable!("it goes on for ever"),
        batches = store(&requester, &mut streams[0], 4) => batches,
    };
    assert_eq!(batches, [vec!["a1", "b1"], vec!["a2"], vec!["a3"]]);
}
