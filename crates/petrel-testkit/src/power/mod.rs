//! Power cuts: what a process did to its files, and what a disk may hold of it after the
//! power went away.
//!
//! [`Recording::start`] makes SQLite write down, in a [`Journal`], what it does to the
//! files of a directory. A [`Cut`] then works out a state of the disk that could have been
//! found if the power had gone at some place in that journal.
//!
//! What is believed of a disk, after POSIX and what SQLite assumes of one:
//!
//! - A sync of a file makes the writes and sizes of *that file* durable that were made
//!   before the sync began; those made while it ran may or may not be.
//! - Of the writes since, any may be there, in any order, each whole or in parts of
//!   512-byte sectors. Bytes beside a write are not harmed (SQLite's *power-safe
//!   overwrite*, its default on Unix). A file may have grown without its data: what was
//!   not written there reads as zeros or as anything.
//! - A name that appeared or went away is durable once its directory was synced. SQLite
//!   does that itself with the first sync of a new write-ahead log or rollback journal.
//!   Until then, each name has moved on through any number of its changes, independently
//!   of other names.
//! - The shared memory of a write-ahead log is rebuilt, so a file of that name may hold
//!   anything.
//!
//! That is a little harsher than real disks: of two writes that share a sector, the later
//! may be there without the earlier. What programs do beside SQLite is not seen: their
//! syncs of the directory count for nothing (harsher again), and their writes are missed.
//! [`Journal::check_complete`] tells if there were any.

mod cut;
mod journal;
mod recording;
#[expect(unsafe_code, reason = "SQLite's file system interface is one of C functions")]
mod vfs;

pub use cut::{Cut, Fate, Image};
pub use journal::{Entry, FileId, Journal};
pub use recording::Recording;
