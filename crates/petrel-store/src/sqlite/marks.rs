//! The high-water marks from which rows and users get their numbers.

use petrel_types::{Epoch, RowId, UserId};
use rusqlite::Connection;

/// The last numbers handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    row: u64,
    user: u64,
}

impl Marks {
    /// The epoch of the store, and its marks.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<(Epoch, Self)> {
        connection.query_row("SELECT epoch, last_row, last_user FROM meta", [], |row| {
            let epoch = Epoch::new(row.get(0)?);
            Ok((epoch, Self { row: row.get(1)?, user: row.get(2)? }))
        })
    }

    /// Writes the marks; part of the transaction that used them.
    pub(super) fn save(self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached("UPDATE meta SET last_row = ?1, last_user = ?2")?
            .execute((self.row, self.user))?;
        Ok(())
    }

    /// The row that [`Marks::take_row`] hands out next.
    pub(super) fn next_row(self) -> RowId {
        RowId::new(self.row + 1)
    }

    /// Hands out a row.
    pub(super) fn take_row(&mut self) -> RowId {
        self.row += 1;
        RowId::new(self.row)
    }

    /// Hands out a local user id.
    pub(super) fn take_user(&mut self) -> UserId {
        self.user += 1;
        UserId::new(self.user)
    }
}
