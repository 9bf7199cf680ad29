//! `petrel backup` and `petrel restore`.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use petrel_store::sqlite::{self, Progress};

use crate::exit::Failure;
use crate::settings::DataDirectory;

/// What belongs to a data directory besides the database: the keys that sign tokens, and what
/// users uploaded.
const FOLDERS: [&str; 2] = ["secrets", FILES];
const FILES: &str = "files";

/// Copy a data directory, also while a server is at work in it.
///
/// The copy holds every message that was acknowledged before the command began, and the
/// keys that sign tokens: keep it as safe as the data directory itself. It is a data
/// directory like any other; check it with `petrel verify`, and make use of it with
/// `petrel restore`. Until it is whole it is called DIR.unfinished. The search index is left
/// out; the server makes it again.
///
/// What users uploaded comes along, if it is in the data directory; what is in a bucket, or
/// where files.directory says, is yours to copy. Of a file that is deleted while the copy is
/// made, the copy may know and not have the bytes.
///
/// While the database is copied, the server can't shorten its write-ahead log. Should the
/// log reach 256 MiB before the copy is done, the server answers `server_busy` until it is:
/// copy a large and busy one to a fast disk, or at a quiet time.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    data: DataDirectory,

    /// Where the copy is to be: a directory that is empty or does not exist
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    /// Leave out what users uploaded, as something else copies it (the folder `files`)
    #[arg(long)]
    without_files: bool,
}

/// Make a data directory of a backup.
///
/// The data directory must be empty or not exist.
///
/// The backup is copied and checked; only if nothing in it contradicts itself does the new
/// data directory get its name. It begins a new epoch: devices that have seen messages
/// which the backup does not hold notice it and synchronise anew. Never start a server on
/// a backup itself, as devices would not notice then.
///
/// Of what users uploaded while the backup was made, it may hold the bytes and not know of
/// them; these are left out.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup
    #[arg(long, value_name = "DIR")]
    from: PathBuf,

    #[command(flatten)]
    data: DataDirectory,
}

impl Backup {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let begin = Instant::now();
        let data = self.data.path()?;
        let folders = if self.without_files { &FOLDERS[..1] } else { &FOLDERS };
        sqlite::backup(&data, &self.to, folders, show).map_err(Failure::starting)?;
        let story = format!("The backup is in {}", self.to.display());
        tell(&story, begin).map_err(Failure::running)
    }
}

impl Restore {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let begin = Instant::now();
        let data = self.data.path()?;
        let epoch =
            sqlite::restore(&self.from, &data, &FOLDERS, show).map_err(Failure::starting)?;
        // What was uploaded while the copy was made, after its store was.
        let known = sqlite::objects(&data).map_err(Failure::starting)?;
        let strays =
            petrel_files::remove_strays(&data.join(FILES), |object| known.contains(object))
                .map_err(Failure::running)?;
        if strays > 0 {
            let story = "files that the backup holds without knowing of them";
            // A terminal that is gone is no reason to stop.
            let _ = writeln!(io::stderr(), "Left out {strays} {story}.");
        }
        let story = format!("Restored {} in epoch {epoch}", data.display());
        tell(&story, begin).map_err(Failure::running)
    }
}

/// Shows how far it is, to a person only.
fn show(Progress { copied_bytes, total_bytes }: Progress) {
    const MIB: u64 = 1024 * 1024;
    let mut out = io::stderr().lock();
    if out.is_terminal() {
        // A terminal that is gone is no reason to stop.
        let _ = write!(out, "\r{} of {} MiB copied", copied_bytes / MIB, total_bytes / MIB);
        if copied_bytes == total_bytes {
            let _ = writeln!(out);
        }
    }
}

fn tell(story: &str, begin: Instant) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{story} ({:.1} s).", begin.elapsed().as_secs_f64())?;
    out.flush()
}
