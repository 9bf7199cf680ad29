//! The real `wsbench` against real servers.

mod honesty;
mod reports;
mod seeds;
mod support;
