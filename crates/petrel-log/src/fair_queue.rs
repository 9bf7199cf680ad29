//! A bounded queue of commands that is fair between users.
//!
//! While everything that waits fits into one batch, the order of arrival is as fair as
//! any: all of it is decided and committed together. So nothing is sorted then, and a
//! batch changes hands with one swap. Only when more waits than a batch holds does it
//! matter who comes first: then users take turns (round robin, [`TURN_COMMANDS`] at a
//! time), and nobody waits for more than one turn of each other user.
//!
//! A queue that is more than half full also looks at who fills it: a user who holds more
//! than an equal share is refused, and the other half stays open to everybody else.
//!
//! The order of one user's commands is never changed.

use std::collections::{HashMap, VecDeque};

use petrel_types::UserId;
use petrel_types::limits::SENDS_IN_FLIGHT_MAX;

use crate::{AppendError, Command};

/// How many commands of one user are taken in a row while others wait.
const TURN_COMMANDS: usize = 32;

/// A user may always hold this many commands while there is any room: what one session
/// may have in flight, and as many receipts.
const SHARE_MIN: usize = 2 * SENDS_IN_FLIGHT_MAX;

/// The commands that wait for the sequencer of one partition.
#[derive(Debug)]
pub(crate) struct FairQueue {
    capacity: usize,
    /// In the order of arrival; not yet looked at.
    arrived: Vec<Command>,
    /// What was left when a batch was full.
    backlog: Backlog,
    /// How much each user holds. Counted only while the queue is congested.
    held: Option<HashMap<UserId, usize>>,
}

/// Commands by user. A user is in `turns` once if and only if something of theirs waits.
#[derive(Debug, Default)]
struct Backlog {
    by_user: HashMap<UserId, VecDeque<Command>>,
    turns: VecDeque<UserId>,
    commands: usize,
}

impl FairQueue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, arrived: Vec::new(), backlog: Backlog::default(), held: None }
    }

    /// How many commands wait.
    pub(crate) fn len(&self) -> usize {
        self.arrived.len() + self.backlog.commands
    }

    /// Adds a command at the end of its user's. Refuses when there is no room, or none
    /// for this user.
    pub(crate) fn push(&mut self, command: Command) -> Result<(), AppendError> {
        let waiting = self.len();
        if waiting >= self.capacity {
            return Err(AppendError::Full);
        }
        if waiting >= self.capacity / 2 {
            let held = self.held.get_or_insert_with(|| count(&self.arrived, &self.backlog));
            let share = SHARE_MIN.max(self.capacity / 2 / held.len().max(1));
            let own = held.entry(command.actor).or_default();
            if *own >= share {
                return Err(AppendError::Full);
            }
            *own += 1;
        } else if let Some(held) = &mut self.held {
            *held.entry(command.actor).or_default() += 1;
        }
        self.arrived.push(command);
        Ok(())
    }

    /// Moves up to `max` commands into `batch`, which must be empty.
    pub(crate) fn take(&mut self, max: usize, batch: &mut Vec<Command>) {
        if self.backlog.commands == 0 && self.arrived.len() <= max {
            std::mem::swap(&mut self.arrived, batch);
        } else {
            self.arrived.drain(..).for_each(|command| self.backlog.push(command));
            self.backlog.take(max, batch);
        }
        if let Some(held) = &mut self.held {
            if self.arrived.len() + self.backlog.commands < self.capacity / 4 {
                self.held = None;
            } else {
                batch.iter().for_each(|command| release(held, command.actor));
            }
        }
    }
}

impl Backlog {
    fn push(&mut self, command: Command) {
        let own = self.by_user.entry(command.actor).or_default();
        if own.is_empty() {
            self.turns.push_back(command.actor);
        }
        own.push_back(command);
        self.commands += 1;
    }

    fn take(&mut self, max: usize, batch: &mut Vec<Command>) {
        while batch.len() < max
            && let Some(user) = self.turns.pop_front()
            && let Some(own) = self.by_user.get_mut(&user)
        {
            let turn = TURN_COMMANDS.min(max - batch.len()).min(own.len());
            batch.extend(own.drain(..turn));
            self.commands -= turn;
            if own.is_empty() {
                self.by_user.remove(&user);
            } else {
                self.turns.push_back(user);
            }
        }
    }
}

fn count(arrived: &[Command], backlog: &Backlog) -> HashMap<UserId, usize> {
    let mut held = HashMap::new();
    for command in arrived.iter().chain(backlog.by_user.values().flatten()) {
        *held.entry(command.actor).or_default() += 1;
    }
    held
}

fn release(held: &mut HashMap<UserId, usize>, user: UserId) {
    if let Some(own) = held.get_mut(&user) {
        *own = own.saturating_sub(1);
        if *own == 0 {
            held.remove(&user);
        }
    }
}

#[cfg(test)]
mod tests {
    use petrel_types::ConversationId;

    use super::*;
    use crate::{Origin, ReceiptKind, Request};

    fn command(user: u64, tag: u64) -> Command {
        Command {
            origin: Origin { tag, ..Origin::NOBODY },
            actor: UserId::new(user),
            request: Request::AdvanceCursor {
                conversation: ConversationId::new(1),
                kind: ReceiptKind::Read,
                seq: Default::default(),
            },
        }
    }

    fn take(queue: &mut FairQueue, max: usize) -> Vec<(u64, u64)> {
        let mut batch = Vec::new();
        queue.take(max, &mut batch);
        batch.iter().map(|command| (command.actor.get(), command.origin.tag)).collect()
    }

    fn fill(queue: &mut FairQueue, user: u64, commands: usize) -> usize {
        (0..commands).take_while(|tag| queue.push(command(user, *tag as u64)).is_ok()).count()
    }

    #[test]
    fn what_fits_into_a_batch_comes_in_the_order_of_arrival() {
        let mut queue = FairQueue::new(1000);
        for tag in 0..10 {
            queue.push(command(tag % 3, tag)).unwrap();
        }
        let expected: Vec<_> = (0..10).map(|tag| (tag % 3, tag)).collect();
        assert_eq!(take(&mut queue, 10), expected);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_flood_delays_another_user_by_one_turn_and_no_more() {
        let mut queue = FairQueue::new(100_000);
        fill(&mut queue, 1, 10_000);
        fill(&mut queue, 2, 5);
        let batch = take(&mut queue, 100);
        let others: Vec<_> = batch.iter().filter(|(user, _)| *user == 2).collect();
        assert_eq!(others.len(), 5, "all of the other user's are in the first batch");
        assert!(batch.iter().position(|(user, _)| *user == 2) <= Some(TURN_COMMANDS));

        // Who comes while the flood is waiting has to wait for one turn, too.
        fill(&mut queue, 3, 1);
        let batch = take(&mut queue, 100);
        assert!(batch.iter().position(|(user, _)| *user == 3) <= Some(TURN_COMMANDS), "{batch:?}");
    }

    #[test]
    fn each_users_commands_keep_their_order_and_none_is_lost_or_doubled() {
        let mut queue = FairQueue::new(100_000);
        let mut pushed = [0_u64; 5];
        let mut taken = [0_u64; 5];
        for round in 0..200_u64 {
            // Bursts of different users, and batches that are now larger, now smaller.
            let user = round * round % 5;
            for _ in 0..(round % 7) * 30 {
                queue.push(command(user, pushed[user as usize])).unwrap();
                pushed[user as usize] += 1;
            }
            for (user, tag) in take(&mut queue, 40 + (round % 11) as usize * 10) {
                assert_eq!(tag, taken[user as usize], "of user {user}");
                taken[user as usize] += 1;
            }
        }
        while queue.len() > 0 {
            for (user, tag) in take(&mut queue, 100) {
                assert_eq!(tag, taken[user as usize], "of user {user}");
                taken[user as usize] += 1;
            }
        }
        assert_eq!(pushed, taken);
        assert!(queue.backlog.by_user.is_empty() && queue.backlog.turns.is_empty());
    }

    #[test]
    fn one_user_cannot_fill_the_queue_and_the_others_still_find_room() {
        let mut queue = FairQueue::new(8_000);
        let flood = fill(&mut queue, 1, 8_000);
        assert_eq!(flood, 4_000, "half of it, and then no more");
        for user in 2..=5 {
            assert_eq!(fill(&mut queue, user, 500), 500, "user {user}");
        }
        assert_eq!(queue.push(command(1, 0)), Err(AppendError::Full));

        // With room again, everybody is as welcome as before, and nothing is left of the
        // counting.
        while queue.len() > 0 {
            take(&mut queue, 1_000);
        }
        assert!(queue.held.is_none());
        assert_eq!(fill(&mut queue, 1, 100), 100);
    }

    #[test]
    fn a_full_queue_is_full_for_everybody() {
        let mut queue = FairQueue::new(2_000);
        for user in 1..=4 {
            fill(&mut queue, user, 500);
        }
        assert_eq!(queue.len(), 2_000);
        assert_eq!(queue.push(command(9, 0)), Err(AppendError::Full));
    }
}
