//! Where log lines go, what they look like, and what they never hold.
//!
//! Only what Petrel itself says is logged: libraries that write to the `log` crate (the
//! WebSocket codec writes whole frames) are not listened to.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use petrel_node::LogControl;
use petrel_node::config::{LogFormat, LogSection};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::exit::Failure;

/// Starts logging to standard error. What is logged can be changed later.
pub(crate) fn start(log: &LogSection) -> Result<LogControl, Failure> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| {
        Failure::starting(format!("--log {:?} is no log filter ({error}); try `info`", log.filter))
    })?;
    let (filter, handle) = reload::Layer::new(filter);
    let lines: Box<dyn Layer<_> + Send + Sync> = match log.format {
        LogFormat::Pretty => fmt::layer()
            .with_ansi(io::stderr().is_terminal())
            .with_target(false)
            .with_writer(redacted)
            .boxed(),
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(redacted).boxed(),
    };
    let subscriber = Registry::default().with(filter).with(lines);
    tracing::subscriber::set_global_default(subscriber).map_err(Failure::starting)?;

    let shown = handle.clone();
    let show = move || shown.with_current(ToString::to_string).unwrap_or_default();
    let change = move |text: &str| {
        let filter = EnvFilter::try_new(text).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())
    };
    Ok(LogControl::new(show, change))
}

fn redacted() -> Redacted<io::Stderr> {
    Redacted(io::stderr())
}

/// Writes everything but tokens. No line should hold one; this is for the line that
/// somebody adds one day.
struct Redacted<W>(W);

impl<W: Write> Write for Redacted<W> {
    /// Takes a whole line, as `tracing` gives it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(&redact(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// How tokens begin: access tokens with `{"` in base64, refresh tokens with their prefix.
const BEGINNINGS: [&[u8]; 2] = [b"eyJ", b"petrel_rt_"];

/// What a token is made of: RFC 7515 §3.1, three parts of base64url.
fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn redact(line: &[u8]) -> Cow<'_, [u8]> {
    let mut clean = Vec::new();
    let mut rest = line;
    while let Some(begin) = next_token(rest) {
        let (before, token) = rest.split_at(begin);
        clean.extend_from_slice(before);
        clean.extend_from_slice(b"[token]");
        let end = token.iter().position(|byte| !is_of_token(*byte)).unwrap_or(token.len());
        rest = &token[end..];
    }
    if clean.is_empty() {
        return Cow::Borrowed(line);
    }
    clean.extend_from_slice(rest);
    Cow::Owned(clean)
}

fn next_token(bytes: &[u8]) -> Option<usize> {
    let find = |beginning: &&[u8]| bytes.windows(beginning.len()).position(|it| it == *beginning);
    BEGINNINGS.iter().filter_map(find).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_cut_out_wherever_they_stand() {
        let redact = |text: &str| String::from_utf8(redact(text.as_bytes()).into_owned()).unwrap();
        assert_eq!(redact("nothing to hide"), "nothing to hide");
        assert_eq!(
            redact("a token=eyJhbGciOi.eyJ1aWQ.c2ln-_x&v=1, eyJx.eyJy.z"),
            "a token=[token]&v=1, [token]"
        );
        assert_eq!(redact("\"eyJx.eyJy\"\n"), "\"[token]\"\n");
        assert_eq!(redact("petrel_rt_a-b and eyJx"), "[token] and [token]");
    }
}
