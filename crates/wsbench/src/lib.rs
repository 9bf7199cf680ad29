//! wsbench: load generator and delivery checker for WebSocket and instant-messaging
//! servers.
//!
//! Four things are kept apart and meet in the worker's event loop: what users do
//! ([`scenario`]), when ([`pacer`]), one connection (`worker::session`), and which
//! protocol the server speaks ([`adapter`]). What becomes of messages is the business of
//! the [`ledger`]; a run is judged in [`verdict`].

#[cfg(all(feature = "mutants", not(debug_assertions)))]
compile_error!("the feature `mutants` breaks detectors; it is for debug builds of tests only");

pub mod adapter;
pub mod calendar;
pub mod capacity;
pub mod causes;
pub mod clock;
pub mod command;
pub mod compare;
pub mod conductor;
pub mod doctor;
pub mod export;
pub mod http;
pub mod ledger;
pub mod machine;
pub mod metrics;
#[cfg(feature = "mutants")]
mod mutants;
pub mod pacer;
pub mod plan;
pub mod plot;
pub mod preset;
pub mod report;
pub mod scenario;
pub mod scorecard;
pub mod seconds;
pub mod settings;
pub mod sink;
pub mod slices;
pub mod smoke;
pub mod span;
pub mod stamp;
pub mod target;
pub mod terminal;
pub mod trend;
pub mod verdict;
pub mod watch;
pub mod worker;
