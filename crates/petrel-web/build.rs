//! Writes `client.rs`: the files of `web/dist`, if they were built from what is in `web/` now.
//!
//! `npm run build` writes `web/dist/sources.txt`, one line per source file: a hash, the
//! length and the path (see `web/scripts/sources.js`, which this repeats). The same list is
//! made here and compared. With `REQUIRE_WEB_CLIENT=1` a build without a client fails.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What a build of the client depends on, in `web/`. Tests are left out.
const SOURCES: [&str; 7] = [
    "index.html",
    "package.json",
    "package-lock.json",
    "public",
    "scripts",
    "src",
    "vite.config.ts",
];

const LIST: &str = "sources.txt";
/// Its name does not begin as those of settings do: a server that found it in its environment
/// would refuse to start.
const REQUIRED: &str = "REQUIRE_WEB_CLIENT";

fn main() {
    let web = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"))
        .join("../../web")
        .components()
        .collect::<PathBuf>();
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={REQUIRED}");
    // A path that is missing would make every build a new one.
    let watched = SOURCES.iter().chain(&["dist"]).map(|name| web.join(name));
    for path in watched.filter(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let client = match client(&web).expect("the files of the client can be read") {
        Ok(files) => format!("Client::Embedded(&[\n{files}])"),
        Err(absence) => {
            let is_required = env::var(REQUIRED).is_ok_and(|value| value == "1");
            assert!(!is_required, "{REQUIRED}=1, but {absence}");
            if absence.is_surprise {
                println!("cargo::warning=no web client in this build: {absence}");
            }
            format!("Client::Absent({:?})", absence.to_string())
        }
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("client.rs"), client).expect("OUT_DIR can be written");
}

/// Why there is nothing to embed.
struct Absence {
    sentence: String,
    /// Whether somebody who has built a client expects it to be there.
    is_surprise: bool,
}

impl std::fmt::Display for Absence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// The files as Rust, or why there are none.
fn client(web: &Path) -> io::Result<Result<String, Absence>> {
    let dist = web.join("dist");
    let Ok(built_from) = fs::read_to_string(dist.join(LIST)) else {
        let sentence = "web/dist holds no client.".to_owned();
        return Ok(Err(Absence { sentence, is_surprise: false }));
    };
    let sources = sources(web)?;
    if let Some(path) = first_difference(&built_from, &sources) {
        let sentence = format!("web/dist was built before web/{path} was changed.");
        return Ok(Err(Absence { sentence, is_surprise: true }));
    }
    let mut files = String::new();
    let all = files_below(&dist)?;
    for path in all.iter().filter(|path| !is_beside(path) && path.as_str() != LIST) {
        writeln!(files, "    {},", file(&dist, path, &all)?).expect("a String takes everything");
    }
    Ok(Ok(files))
}

/// The list of sources, as the build of the client writes it.
fn sources(web: &Path) -> io::Result<String> {
    let mut paths = Vec::new();
    for name in SOURCES {
        let path = web.join(name);
        if path.is_dir() {
            paths.extend(files_below(&path)?.iter().map(|below| format!("{name}/{below}")));
        } else if path.is_file() {
            paths.push(name.to_owned());
        }
    }
    paths.retain(|path| !path.ends_with(".test.ts") && !path.starts_with("src/engine/testing/"));
    paths.sort_unstable();
    let mut list = String::new();
    for path in paths {
        let content = fs::read(web.join(&path))?;
        writeln!(list, "{:08x} {} {path}", fnv32(&content), content.len())
            .expect("a String takes everything");
    }
    Ok(list)
}

/// The first path that only one of two lists has, or that has different contents in them.
fn first_difference(one: &str, other: &str) -> Option<String> {
    let only = |one: &str, other: &str| {
        let known: std::collections::HashSet<&str> = other.lines().collect();
        let line = one.lines().find(|line| !known.contains(line))?;
        line.splitn(3, ' ').nth(2).map(str::to_owned)
    };
    only(other, one).or_else(|| only(one, other))
}

/// One file as a Rust expression.
fn file(dist: &Path, path: &str, all: &[String]) -> io::Result<String> {
    let content = fs::read(dist.join(path))?;
    let include = |path: &str| format!("include_bytes!({:?})", dist.join(path));
    let encoded = |suffix: &str| {
        let path = format!("{path}{suffix}");
        if all.contains(&path) { format!("Some({})", include(&path)) } else { "None".to_owned() }
    };
    Ok(format!(
        "File {{ path: {path:?}, content_type: {:?}, hash: {:#x}, is_immutable: {}, plain: {}, \
         gzip: {}, brotli: {} }}",
        content_type(path),
        fnv64(&content),
        path.starts_with("assets/"),
        include(path),
        encoded(".gz"),
        encoded(".br"),
    ))
}

/// Whether a file is another one in a shorter form.
fn is_beside(path: &str) -> bool {
    matches!(Path::new(path).extension().and_then(|it| it.to_str()), Some("gz" | "br"))
}

fn content_type(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|it| it.to_str()) {
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("ico") => "image/x-icon",
        Some("jpg") => "image/jpeg",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("mp3") => "audio/mpeg",
        Some("ogg") => "audio/ogg",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        Some("wav") => "audio/wav",
        Some("webmanifest") => "application/manifest+json",
        Some("webp") => "image/webp",
        Some("woff2") => "font/woff2",
        _ => panic!("web/dist/{path}: say in crates/petrel-web/build.rs what kind of file it is"),
    }
}

/// All files below a directory but the hidden ones: paths from there, with slashes, in order.
fn files_below(directory: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| {
            io::Error::other(format!("a file has a name that is not UTF-8: {name:?}"))
        })?;
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            let below = files_below(&entry.path())?;
            files.extend(below.into_iter().map(|path| format!("{name}/{path}")));
        } else {
            files.push(name);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>: to notice a change, not an attacker.
fn fnv32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

fn fnv64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
