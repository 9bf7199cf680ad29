//! The real binary over real sockets: what users, operators and crashes do to it.
//!
//! Every test starts a server of its own, on free ports and an empty data directory.

mod api;
mod auth;
mod backup;
mod chat;
mod crash;
mod delivery;
mod groups;
mod identity;
mod issuers;
mod lifecycle;
mod limits;
mod sessions;
mod support;
