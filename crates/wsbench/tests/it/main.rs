//! The real `wsbench` against real servers.

mod commands;
mod faces;
mod group_honesty;
mod groups;
mod honesty;
mod reference_commands;
mod reports;
mod server_metrics;
mod sink;
mod support;
mod terminal;
mod tls;
mod trial;
