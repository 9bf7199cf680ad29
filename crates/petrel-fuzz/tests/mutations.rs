//! Every target on its seeds and on thousands of mutations of them: the same ones in every
//! run, so that what fails once fails again.

mod mutate;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mutate::Mutations;
use petrel_fuzz::{TARGETS, Target};
use petrel_protocol::frame::ClientFrame;

/// Memory is measured for the whole process, so that one test runs at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How many mutations of its seeds each target is tried on. `PETREL_FUZZ_CASES` changes it.
const CASES: u64 = 5_000;

fn fuzz_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let directory = fuzz_directory().join("corpus").join(target.name);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    // In an order that is the same everywhere.
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a seed can be read")).collect()
}

fn try_on(target: &Target, input: &[u8]) -> Result<(), String> {
    catch_unwind(|| target.stand(input)).map_err(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(|&it| it.to_owned()));
        message.unwrap_or_default()
    })
}

/// Tries the seeds and then so many mutations of them, until one is not stood.
fn search(target: &Target, seeds: Vec<Vec<u8>>, cases: u64) -> Result<(), (Vec<u8>, String)> {
    for seed in &seeds {
        try_on(target, seed).map_err(|found| (seed.clone(), found))?;
    }
    let mut mutations = Mutations::new(seeds, target.words);
    for _ in 0..cases {
        let input = mutations.next_input();
        try_on(target, &input).map_err(|found| (input, found))?;
    }
    Ok(())
}

#[test]
fn every_target_stands_its_seeds_and_their_mutations() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let cases = std::env::var("PETREL_FUZZ_CASES").map_or(CASES, |text| text.parse().unwrap());
    for target in TARGETS {
        if let Err((input, found)) = search(target, seeds(target), cases) {
            panic!("{}: {found} by b\"{}\"", target.name, input.escape_ascii());
        }
    }
}

/// A search that finds nothing proves something only if it finds what is there.
#[test]
fn what_is_planted_is_found() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let of_client_frames = TARGETS.iter().find(|target| target.name == "client_frame").unwrap();
    let planted = |run| Target { name: "planted", run, words: of_client_frames.words };
    let panics = planted(|bytes| {
        let text = str::from_utf8(bytes).unwrap_or_default();
        // Behind a frame that is an object, has a known type, and one wrong field.
        let wrong = ClientFrame::decode(text).err().map(|error| error.message);
        assert!(wrong.is_none_or(|message| !message.starts_with("`members`")), "planted");
    });
    let (_, found) = search(&panics, seeds(of_client_frames), CASES).unwrap_err();
    assert_eq!(found, "planted");

    let hoards = planted(|bytes| {
        let depth = bytes.iter().take_while(|byte| **byte == b'{').count();
        drop(Vec::<u8>::with_capacity(depth.pow(2) << 20));
    });
    let (_, found) = search(&hoards, seeds(of_client_frames), CASES).unwrap_err();
    assert!(found.contains("bytes of memory"), "{found}");
}

#[test]
fn every_target_has_a_program() {
    let manifest = fs::read_to_string(fuzz_directory().join("Cargo.toml")).unwrap();
    for Target { name, .. } in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in Cargo.toml");
        let path = fuzz_directory().join(format!("fuzz_targets/{name}.rs"));
        let program = fs::read_to_string(&path).unwrap_or_default();
        assert!(program.contains(&format!("run(\"{name}\", ")), "{path:?}");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
}
