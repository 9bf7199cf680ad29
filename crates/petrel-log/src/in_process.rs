//! The embedded backend: one bounded queue per partition, in memory, fair between users.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use petrel_types::{LogPosition, Partition};
use tokio::sync::Notify;

use crate::fair_queue::FairQueue;
use crate::{AppendError, Command, CommandLog, CommandStream, LoggedCommand};

/// A command log within one process.
#[derive(Debug)]
pub struct InProcessLog {
    queues: Vec<Arc<Queue>>,
}

/// The queue of one partition, and a bell for who takes from it.
#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    bell: Notify,
}

#[derive(Debug)]
struct State {
    commands: FairQueue,
    closed: bool,
}

struct InProcessStream {
    partition: Partition,
    next_position: LogPosition,
    queue: Arc<Queue>,
    /// Changes hands with the queue's own memory, so that neither allocates.
    received: Vec<Command>,
}

impl InProcessLog {
    /// Creates one queue per entry of `starts` (the next position of each partition),
    /// each bounded to `capacity` commands, and returns the consuming ends in the same
    /// order.
    pub fn new(starts: &[LogPosition], capacity: usize) -> (Self, Vec<Box<dyn CommandStream>>) {
        let mut queues = Vec::new();
        let mut streams: Vec<Box<dyn CommandStream>> = Vec::new();
        for (partition, next_position) in (0..).zip(starts) {
            let queue = Arc::new(Queue::new(capacity));
            queues.push(Arc::clone(&queue));
            streams.push(Box::new(InProcessStream {
                partition: Partition::new(partition),
                next_position: *next_position,
                queue,
                received: Vec::new(),
            }));
        }
        (Self { queues }, streams)
    }

    fn partitions(&self) -> u16 {
        u16::try_from(self.queues.len()).expect("there are at most as many partitions as slots")
    }
}

impl CommandLog for InProcessLog {
    fn append(&self, command: Command) -> Result<(), AppendError> {
        let partition = command.partition(self.partitions());
        self.queues[usize::from(partition.get())].append(command)
    }

    fn close(&self) {
        for queue in &self.queues {
            queue.state().closed = true;
            queue.bell.notify_one();
        }
    }

    fn depth(&self) -> usize {
        self.queues.iter().map(|queue| queue.state().commands.len()).sum()
    }
}

impl Queue {
    fn new(capacity: usize) -> Self {
        let state = State { commands: FairQueue::new(capacity), closed: false };
        Self { state: Mutex::new(state), bell: Notify::new() }
    }

    fn append(&self, command: Command) -> Result<(), AppendError> {
        let mut state = self.state();
        if state.closed {
            return Err(AppendError::Closed);
        }
        state.commands.push(command)?;
        let is_first = state.commands.len() == 1;
        drop(state);
        // Who takes takes until nothing is left, or comes back by itself.
        if is_first {
            self.bell.notify_one();
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CommandStream for InProcessStream {
    async fn next_commands(&mut self, max: usize) -> Vec<LoggedCommand> {
        loop {
            {
                let mut state = self.queue.state();
                state.commands.take(max, &mut self.received);
                if !self.received.is_empty() || state.closed {
                    break;
                }
            }
            // A ring that came since the look is not lost.
            self.queue.bell.notified().await;
        }
        let mut commands = Vec::with_capacity(self.received.len());
        for command in self.received.drain(..) {
            commands.push(LoggedCommand {
                position: self.next_position,
                partition: self.partition,
                command,
            });
            self.next_position = self.next_position.next();
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use petrel_types::{ClientMessageId, NodeId, SessionId, UserId};

    use super::*;
    use crate::{Content, Destination, Origin, Request, SendRequest};

    fn command(to: u64, tag: u64) -> Command {
        Command {
            origin: Origin { node: NodeId::new(1), session: SessionId::new(1), tag },
            actor: UserId::new(1),
            request: Request::Send(SendRequest {
                to: Destination::User(UserId::new(to)),
                client_message_id: ClientMessageId::new(tag.to_string()).unwrap(),
                content: Content::Text("hello".to_owned()),
                retry: false,
                first_sent: None,
            }),
        }
    }

    #[tokio::test]
    async fn commands_keep_their_order_and_take_consecutive_positions() {
        let (log, mut streams) = InProcessLog::new(&[LogPosition::new(7)], 10);
        for tag in 0..5 {
            log.append(command(2, tag)).unwrap();
        }
        let first = streams[0].next_commands(3).await;
        let rest = streams[0].next_commands(10).await;
        let seen: Vec<_> = first
            .iter()
            .chain(&rest)
            .map(|logged| (logged.position.get(), logged.command.origin.tag))
            .collect();
        assert_eq!(seen, [(7, 0), (8, 1), (9, 2), (10, 3), (11, 4)]);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_recovers() {
        let (log, mut streams) = InProcessLog::new(&[LogPosition::default()], 2);
        log.append(command(2, 0)).unwrap();
        log.append(command(2, 1)).unwrap();
        assert_eq!(log.append(command(2, 2)), Err(AppendError::Full));
        assert_eq!(log.depth(), 2);
        assert_eq!(streams[0].next_commands(10).await.len(), 2);
        assert_eq!(log.append(command(2, 2)), Ok(()));
    }

    #[tokio::test]
    async fn a_pair_always_meets_in_the_same_partition() {
        let (log, mut streams) = InProcessLog::new(&[LogPosition::default(); 4], 10);
        for tag in 0..3 {
            log.append(command(9, tag)).unwrap();
        }
        let expected = command(9, 0).partition(4);
        let seen = streams[usize::from(expected.get())].next_commands(10).await;
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|logged| logged.partition == expected));
    }

    #[tokio::test]
    async fn a_closed_log_hands_out_the_rest_and_then_nothing() {
        let (log, mut streams) = InProcessLog::new(&[LogPosition::default()], 10);
        log.append(command(2, 0)).unwrap();
        log.close();
        assert_eq!(streams[0].next_commands(10).await.len(), 1);
        assert_eq!(streams[0].next_commands(10).await.len(), 0);
        assert_eq!(log.append(command(2, 1)), Err(AppendError::Closed));
    }
}
