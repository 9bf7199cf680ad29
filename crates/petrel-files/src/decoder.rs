//! Pictures are decoded in a process of their own. Whatever somebody has put into one: a
//! decoder that panics, wants all memory or never ends harms nothing but itself, and the file
//! simply has no thumbnail. In the server it would end the server.
//!
//! The process is the program itself with the command [`COMMAND`]. It gets a path, a content
//! type and a number of pixels, and writes a line (width, height and the type of the thumbnail;
//! `0` and `-` for what there is not) and then the thumbnail.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::thumbnail::{self, Picture};

/// The command of the program that decodes a picture.
pub(crate) const COMMAND: &str = "decode-picture";

/// How long a picture may take. The largest that are decoded take some seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest answer, in bytes: a thumbnail that can't be compressed has 410 KB.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// How much of what it complains is logged, in bytes.
const COMPLAINT_BYTES_MAX: u64 = 2048;

/// Who decodes pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Decoder {
    /// This process. A panic is caught only where panics unwind, which they don't in the
    /// product.
    #[default]
    Here,
    /// A process of this program, which knows [`COMMAND`].
    Program(PathBuf),
}

/// A picture that is to be decoded.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) path: PathBuf,
    pub(crate) content_type: String,
    pub(crate) pixels_max: u64,
}

/// Decodes a picture and writes what there is to know of it: the work of [`COMMAND`].
pub fn decode_picture(
    path: &Path,
    content_type: &str,
    pixels_max: u64,
    mut answer: impl Write,
) -> io::Result<()> {
    let Some(format) = thumbnail::format(content_type) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "pictures of this kind stay as they are",
        ));
    };
    let Picture { dimensions, thumbnail } = thumbnail::picture(path, format, pixels_max);
    let (width, height) = dimensions.unwrap_or_default();
    let (kind, bytes) = thumbnail.unwrap_or(("-", Vec::new()));
    writeln!(answer, "{width} {height} {kind}")?;
    answer.write_all(&bytes)?;
    answer.flush()
}

impl Decoder {
    /// What there is to know of a picture. An error says why nothing is.
    pub(crate) async fn look(&self, task: Task) -> io::Result<Picture> {
        match self {
            Self::Here => {
                let Some(format) = thumbnail::format(&task.content_type) else {
                    return Ok(Picture::default());
                };
                let work = move || thumbnail::picture(&task.path, format, task.pixels_max);
                Ok(tokio::task::spawn_blocking(work).await?)
            }
            Self::Program(program) => ask(program, &task, PATIENCE).await,
        }
    }
}

async fn ask(program: &Path, task: &Task, patience: Duration) -> io::Result<Picture> {
    let mut child = Command::new(program)
        .arg(COMMAND)
        .arg(&task.path)
        .arg(&task.content_type)
        .arg(task.pixels_max.to_string())
        // It needs to know nothing, secrets of the server least of all.
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // What a terminal sends to the server, such as Ctrl-C, is not meant for it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let answer = read(child.stdout.take(), ANSWER_BYTES_MAX);
    let complaint = read(child.stderr.take(), COMPLAINT_BYTES_MAX);
    let work = async { tokio::try_join!(answer, complaint, child.wait()) };
    let (answer, complaint, status) = timeout(patience, work).await??;
    if !status.success() {
        let complaint = String::from_utf8_lossy(&complaint);
        return Err(io::Error::other(format!("{status}: {}", complaint.trim())));
    }
    picture_of(&answer).ok_or_else(|| io::Error::other("the answer can't be understood"))
}

/// Reads to the end, or so much.
async fn read(from: Option<impl AsyncRead + Unpin>, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(bytes_max).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

fn picture_of(answer: &[u8]) -> Option<Picture> {
    let end = answer.iter().position(|byte| *byte == b'\n')?;
    let (line, bytes) = (std::str::from_utf8(&answer[..end]).ok()?, &answer[end + 1..]);
    let mut words = line.split(' ');
    let (width, height): (u32, u32) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let thumbnail = match words.next()? {
        "-" => None,
        "image/jpeg" => Some(("image/jpeg", bytes.to_owned())),
        "image/png" => Some(("image/png", bytes.to_owned())),
        _ => return None,
    };
    let dimensions = Some((width, height)).filter(|_| width > 0 && height > 0);
    Some(Picture { dimensions, thumbnail })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use image::{ImageFormat, RgbImage};
    use tempfile::TempDir;

    use super::*;

    fn task(place: &TempDir) -> Task {
        let path = place.path().join("picture");
        RgbImage::new(640, 320).save_with_format(&path, ImageFormat::Png).unwrap();
        Task { path, content_type: "image/png".to_owned(), pixels_max: 1_000_000 }
    }

    /// A decoder that does this.
    fn program(place: &TempDir, script: &str) -> PathBuf {
        let path = place.path().join("decoder");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path
    }

    async fn asked(script: &str) -> io::Result<Picture> {
        let place = TempDir::new().unwrap();
        let (task, program) = (task(&place), program(&place, script));
        Decoder::Program(program).look(task).await
    }

    #[tokio::test]
    async fn what_the_other_process_writes_is_what_this_one_would_have_seen() {
        let place = TempDir::new().unwrap();
        let task = task(&place);
        let mut answer = Vec::new();
        decode_picture(&task.path, &task.content_type, task.pixels_max, &mut answer).unwrap();
        let here = Decoder::Here.look(task.clone()).await.unwrap();
        assert_eq!(picture_of(&answer).as_ref(), Some(&here));
        assert_eq!(here.dimensions, Some((640, 320)));

        fs::write(place.path().join("answer"), &answer).unwrap();
        let script =
            format!("[ $# = 4 ] && [ $1 = {COMMAND} ] && exec /bin/cat ${{2%picture}}answer");
        let there = Decoder::Program(program(&place, &script)).look(task).await.unwrap();
        assert_eq!(there, here);
    }

    #[tokio::test]
    async fn a_decoder_that_dies_is_no_more_than_an_error() {
        for script in [
            "echo '8 8 image/png'; echo 'thread main panicked' >&2; kill -ABRT $$",
            "kill -SEGV $$",
            "exit 101",
        ] {
            let error = asked(script).await.unwrap_err().to_string();
            assert!(!script.contains("panicked") || error.contains("panicked"), "{error}");
        }
        for nonsense in ["true", "echo 8", "echo '8 8 text/html'", "echo 'x 8 -'"] {
            assert!(asked(nonsense).await.is_err(), "{nonsense}");
        }
        let none = Decoder::Program("/nowhere".into()).look(task(&TempDir::new().unwrap())).await;
        assert!(none.is_err());
    }

    #[tokio::test]
    async fn a_decoder_that_never_ends_is_ended() {
        let place = TempDir::new().unwrap();
        for script in ["exec /bin/sleep 1000", "while :; do echo x; done"] {
            let program = program(&place, script);
            let asked = ask(&program, &task(&place), Duration::from_millis(50)).await;
            assert!(asked.is_err(), "{script}");
        }
    }

    #[test]
    fn only_pictures_are_decoded() {
        assert!(decode_picture(Path::new("/etc/hostname"), "text/plain", 1, Vec::new()).is_err());
        let mut answer = Vec::new();
        decode_picture(Path::new("/etc/hostname"), "image/png", 1, &mut answer).unwrap();
        assert_eq!(picture_of(&answer), Some(Picture::default()));
    }
}
