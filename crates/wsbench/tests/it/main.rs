//! The real `wsbench` against real servers.

mod honesty;
mod reference_commands;
mod reports;
mod support;
