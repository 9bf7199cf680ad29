//! Compiles src/faults.c, which servers under test load in front of their C library.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    const SOURCE: &str = "src/faults.c";
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-env-changed=CC");
    let library = Path::new(&env::var_os("OUT_DIR").expect("cargo says where")).join("faults.so");
    println!("cargo::rustc-env=FAULTS_LIBRARY={}", library.display());
    // Elsewhere libraries are put in front in other ways, and the tests say that they can't.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let status = Command::new(&compiler)
        .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o"])
        .arg(&library)
        .arg(SOURCE)
        .status();
    match status {
        Ok(status) if status.success() => {}
        failed => panic!("{} can't compile {SOURCE}: {failed:?}", compiler.display()),
    }
}
