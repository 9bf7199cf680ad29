//! The high-water marks from which rows, users and journal rows get their numbers.
//!
//! A mark outlives what it numbered: the last row is in every row of the journal, and in
//! the watermark when the journal has been trimmed.

use petrel_types::{RowId, TimestampMs, UserId};

/// The last numbers handed out, and the newest time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) row: RowId,
    pub(super) user: UserId,
    pub(super) journal: u64,
    /// When the newest event was numbered: the store's sense of time.
    pub(super) newest: TimestampMs,
}

impl Marks {
    /// The row that [`Marks::take_row`] hands out next.
    pub(super) fn next_row(self) -> RowId {
        RowId::new(self.row.get() + 1)
    }

    /// Hands out a row.
    pub(super) fn take_row(&mut self) -> RowId {
        self.row = self.next_row();
        self.row
    }

    /// Hands out a local user id.
    pub(super) fn take_user(&mut self) -> UserId {
        self.user = UserId::new(self.user.get() + 1);
        self.user
    }
}
