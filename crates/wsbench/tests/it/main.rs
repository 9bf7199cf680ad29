//! The real `wsbench` against real servers.

mod commands;
mod faces;
mod group_honesty;
mod groups;
mod honesty;
mod presets;
mod reference_commands;
mod reports;
mod rising;
mod server_metrics;
mod signals;
mod sink;
mod smoke;
mod stand_ins;
mod support;
mod terminal;
mod tls;
mod trial;
