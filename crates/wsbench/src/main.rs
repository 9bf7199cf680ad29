//! The `wsbench` program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    wsbench::command::main(std::env::args_os())
}
