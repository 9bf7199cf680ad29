//! The program, from outside.

use std::process::Command;

/// What it does and doesn't write down would not have happened.
#[test]
fn without_a_log_it_does_not_start() {
    let program = env!("CARGO_BIN_EXE_wsbench-lying-server");
    let output = Command::new(program).args(["--log", "/dev/null/log"]).output().unwrap();
    assert!(!output.status.success());
    assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{output:?}");
}
