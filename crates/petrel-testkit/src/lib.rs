//! For tests only: the real binary as a child process, a protocol client, checkers.

pub mod power;
