//! When receipts are sent. A device does not acknowledge every message by itself, but now
//! and then all that it has got; and devices do so each in its own time. So every
//! connection has its moment in an interval, and the moments are spread evenly: receipts
//! of all connections at once would hold up the messages that are due meanwhile.

use super::engine::Engine;
use crate::adapter::FrameWriter;
use crate::clock::{MILLISECOND, Nanos};

/// How finely the interval is divided.
const SLOT: Nanos = MILLISECOND;

/// Connections that owe a receipt, by their moment in the interval.
#[derive(Debug, Default)]
pub(super) struct ReceiptWheel {
    slots: Vec<Vec<u32>>,
    connections: u64,
    owed: usize,
    /// The slot that is next, counted from the clock's origin. It is over, and its
    /// receipts are due, when the one after it begins.
    next: u64,
}

impl ReceiptWheel {
    /// For so many connections, each of which sends at most one in an interval.
    pub(super) fn new(interval: Nanos, connections: usize, now: Nanos) -> Self {
        let slots = vec![Vec::new(); (interval / SLOT).max(1) as usize];
        Self { slots, connections: connections.max(1) as u64, owed: 0, next: now / SLOT }
    }

    /// A connection owes a receipt. It must not be told twice before it is taken.
    pub(super) fn owe(&mut self, connection: u32) {
        let slots = self.slots.len() as u64;
        let slot = u64::from(connection) * slots / self.connections;
        self.slots[(slot % slots) as usize].push(connection);
        self.owed += 1;
    }

    /// When the next one is due.
    pub(super) fn due(&self) -> Option<Nanos> {
        if self.owed == 0 {
            return None;
        }
        let slots = self.slots.len() as u64;
        let slot = (self.next..self.next + slots).find(|slot| !self.at(*slot).is_empty())?;
        Some((slot + 1) * SLOT)
    }

    /// A connection whose receipt is due.
    pub(super) fn take(&mut self, now: Nanos) -> Option<u32> {
        if self.owed == 0 {
            self.next = self.next.max(now / SLOT);
            return None;
        }
        // After a long pause each slot is over once, not as often as it was missed.
        self.next = self.next.max((now / SLOT).saturating_sub(self.slots.len() as u64));
        while (self.next + 1) * SLOT <= now {
            let slots = self.slots.len() as u64;
            if let Some(connection) = self.slots[(self.next % slots) as usize].pop() {
                self.owed -= 1;
                return Some(connection);
            }
            self.next += 1;
        }
        None
    }

    /// Any connection that owes one, due or not.
    pub(super) fn take_any(&mut self) -> Option<u32> {
        let connection = self.slots.iter_mut().find_map(Vec::pop)?;
        self.owed -= 1;
        Some(connection)
    }

    fn at(&self, slot: u64) -> &Vec<u32> {
        &self.slots[(slot % self.slots.len() as u64) as usize]
    }
}

impl Engine {
    /// Sends the receipts that are due.
    pub(super) fn receipts_due(&mut self) {
        for _ in 0..Self::events_per_turn() {
            let Some(index) = self.receipts.take(self.now) else { return };
            self.send_receipt(index);
        }
    }

    /// Sends all receipts that are owed.
    pub(super) fn send_all_receipts(&mut self) {
        while let Some(index) = self.receipts.take_any() {
            self.send_receipt(index);
        }
    }

    /// Sends the receipts that one connection owes.
    pub(super) fn send_receipt(&mut self, index: u32) {
        let seat = self.seat(index);
        let session = &mut self.sessions[index as usize];
        if !std::mem::take(&mut session.owes_receipt) || !session.is_live() {
            return;
        }
        let before = session.out.len();
        if let Some(adapter) = &mut self.adapter {
            let mut writer = FrameWriter { out: &mut session.out, random: &mut self.random };
            let receipts = adapter.receipt(seat, &mut writer);
            self.metrics.counters.receipts_sent += u64::from(receipts);
            self.metrics.counters.frames_sent += u64::from(session.out.len() > before);
        }
        if !session.out.is_empty() {
            self.mark_dirty(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_has_its_moment_once_an_interval() {
        let start = 77 * MILLISECOND;
        let mut receipts = ReceiptWheel::new(100 * MILLISECOND, 1000, start);
        assert_eq!(receipts.due(), None);
        (0..1000).for_each(|connection| receipts.owe(connection));
        let mut taken = Vec::new();
        for ms in 77..177 {
            let now = (ms + 1) * MILLISECOND;
            let before = taken.len();
            assert!(receipts.due().is_some_and(|due| due <= now));
            taken.extend(std::iter::from_fn(|| receipts.take(now)));
            // Evenly: a hundredth of them in each hundredth of the time.
            assert_eq!(taken.len() - before, 10, "{ms}");
        }
        taken.sort_unstable();
        assert!(taken.into_iter().eq(0..1000));
        assert_eq!((receipts.take(u64::MAX / 2), receipts.due()), (None, None));
    }

    #[test]
    fn what_is_owed_after_its_moment_waits_for_the_next() {
        let mut receipts = ReceiptWheel::new(10 * MILLISECOND, 10, 0);
        receipts.owe(3);
        assert_eq!(receipts.take(4 * MILLISECOND - 1), None);
        assert_eq!(receipts.take(4 * MILLISECOND), Some(3));
        assert_eq!(receipts.take(4 * MILLISECOND), None);
        receipts.owe(3);
        assert_eq!(receipts.due(), Some(14 * MILLISECOND));
        // The process stood still for a while: it is due once.
        assert_eq!(receipts.take(1000 * MILLISECOND), Some(3));
        assert_eq!(receipts.take(1000 * MILLISECOND), None);
        receipts.owe(9);
        assert_eq!((receipts.take_any(), receipts.take_any()), (Some(9), None));
    }
}
