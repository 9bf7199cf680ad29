//! The real binary over real sockets: what users, operators and crashes do to it.
//!
//! Every test starts a server of its own, on free ports and an empty data directory.

mod admin;
mod administration;
mod api;
mod auth;
mod avatars;
mod backup;
mod calls;
mod changed_limits;
mod changed_rates;
mod chat;
mod clearing;
mod config;
mod contacts;
mod crash;
mod delivery;
mod disk_and_clock;
mod doctor;
mod faults;
mod files;
mod foreign;
mod group_settings;
mod groups;
mod identity;
mod invitations;
mod issuers;
mod large_groups;
mod lifecycle;
mod limits;
mod messages;
mod notices;
mod pace;
mod presence;
mod profile;
mod search;
mod sessions;
mod silence;
mod statistics;
mod support;
mod tls;
mod typing;
mod web;
mod websocket;
mod words;
