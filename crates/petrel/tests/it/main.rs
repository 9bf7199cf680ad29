//! The real binary over real sockets: what users, operators and crashes do to it.
//!
//! Every test starts a server of its own, on free ports and an empty data directory.

mod api;
mod auth;
mod backup;
mod chat;
mod crash;
mod delivery;
mod faults;
mod foreign;
mod groups;
mod large_groups;
mod lifecycle;
mod limits;
mod pace;
mod support;
