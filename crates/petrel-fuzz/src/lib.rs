//! For tests only: what no bytes whatever may do to the decoders.
//!
//! A *target* is a function that takes any bytes and panics if something is wrong with what
//! becomes of them. The same targets are run in two ways:
//!
//! - `cargo test` runs each of them on its corpus (`fuzz/corpus/`) and on mutations of it
//!   (`tests/mutations.rs`), the same ones every time, with a bound on memory.
//! - `make fuzz` looks for further inputs by what they make the code do, with libFuzzer
//!   (`fuzz/`, a workspace of its own).
//!
//! A new target is a function here, a line in [`TARGETS`], a program in `fuzz/` and a folder
//! of seeds.

mod frames;
mod socket;
mod tokens;

use peak_alloc::PeakAlloc;

/// Counts what a target allocates.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What an input may cost while a target looks at it: so much, and so much for each byte.
const MEMORY_BYTES_MAX: usize = 1 << 20;
const MEMORY_BYTES_PER_BYTE_MAX: usize = 200;

/// Something that bytes are tried on.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its folder of seeds, and of its program.
    pub name: &'static str,
    /// Panics if something is wrong.
    pub run: fn(&[u8]),
    /// Words that its inputs are made of.
    pub words: &'static [&'static str],
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "websocket_frames", run: socket::frames, words: &[] },
    Target { name: "websocket_handshake", run: socket::handshake, words: socket::HEAD_WORDS },
    Target { name: "client_frame", run: frames::client, words: frames::WORDS },
    Target { name: "server_frame", run: frames::server, words: frames::WORDS },
    Target { name: "http_body", run: frames::http_body, words: frames::WORDS },
    Target { name: "access_token", run: tokens::access, words: tokens::WORDS },
    Target { name: "refresh_token", run: tokens::refresh, words: tokens::WORDS },
    Target { name: "sync_token", run: tokens::sync, words: tokens::WORDS },
];

impl Target {
    /// Tries an input, and measures what it costs. Nothing else may run in the process
    /// meanwhile.
    ///
    /// # Panics
    ///
    /// If something is wrong, or if it takes more memory than it may.
    pub fn stand(&self, bytes: &[u8]) {
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        (self.run)(bytes);
        let used = MEMORY.peak_usage().saturating_sub(before);
        assert!(
            used <= MEMORY_BYTES_MAX + MEMORY_BYTES_PER_BYTE_MAX * bytes.len(),
            "{} bytes cost {used} bytes of memory",
            bytes.len()
        );
    }
}

/// Runs the target of a name.
///
/// # Panics
///
/// If there is none, or if something is wrong.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    target.expect("a program is named for its target").stand(bytes);
}
