//! The WebSocket edge, byte by byte: the cases of the Autobahn test suite, by their
//! numbers, against the real binary.
//!
//! Petrel echoes nothing, so what the suite would see returned is seen as the answer to
//! a PING frame, or as the error that a text without meaning gets: either was received.
//! Groups 12 and 13 are compression, which is never agreed on. Of group 9 the sizes stop
//! at the cap of 64 KiB.

mod cases;
mod raw;
mod utf8;

use anyhow::{Context, Result, bail, ensure};
use petrel_testkit::server::Server;

use crate::support::{ALICE, bench_server};
pub(crate) use raw::{Raw, frame, upgrade_request};

/// What the server does in answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    /// PONG, the answer to a PING frame.
    Answer,
    /// ERROR: a message came that means nothing.
    Refusal,
    /// A WebSocket pong.
    Pong(Vec<u8>),
    /// A close frame with this code, or with none, and then the end of the connection.
    Closed(Option<u16>),
}

/// One case of the suite.
struct Case {
    /// Its number.
    name: String,
    /// What is written, each piece by itself.
    pieces: Vec<Vec<u8>>,
    /// What must come, in order. If it does not end with `Closed`, the connection must
    /// work on.
    seen: Vec<Seen>,
    /// Nothing more is written until the server has closed: it must not wait for more.
    fails_fast: bool,
}

#[tokio::test]
async fn every_autobahn_case_is_answered_as_the_protocol_demands() -> Result<()> {
    let server = bench_server().await?;
    let cases: Vec<Case> = cases::all().into_iter().chain(utf8::all()).collect();
    let mut wrong = Vec::new();
    for case in &cases {
        if let Err(error) = run(&server, case).await {
            wrong.push(format!("{}: {error:#}", case.name));
        }
    }
    ensure!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    Ok(())
}

async fn run(server: &Server, case: &Case) -> Result<()> {
    let mut raw = Raw::open(server, ALICE).await?;
    for piece in &case.pieces {
        // Who has been refused may find nobody to write to.
        if raw.write(piece).await.is_err() && case.seen.contains(&Seen::Answer) {
            bail!("closed before it was all said");
        }
    }
    let closes = matches!(case.seen.last(), Some(Seen::Closed(_)));
    if !closes {
        // Nothing else came, and the connection still works.
        raw.write(&frame(0x89, b"the end of the case")).await?;
        raw.write(&frame(0x88, &1000_u16.to_be_bytes())).await?;
    }
    let rest = [Seen::Pong(b"the end of the case".to_vec()), Seen::Closed(Some(1000))];
    let expected = case.seen.iter().chain(if closes { &[][..] } else { &rest });
    for expected in expected {
        let frame = raw.frame().await.with_context(|| format!("instead of {expected:?}"))?;
        let frame = frame.with_context(|| format!("the end, instead of {expected:?}"))?;
        let text = String::from_utf8_lossy(&frame.payload);
        let seen = match frame.first {
            0x81 if text.contains(r#""type":"PONG""#) => Seen::Answer,
            0x81 if text.contains(r#""type":"ERROR""#) => Seen::Refusal,
            0x8a => Seen::Pong(frame.payload.clone()),
            0x88 => Seen::Closed(frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
            _ => bail!("{frame:?} instead of {expected:?}"),
        };
        ensure!(seen == *expected, "{seen:?} ({text}) instead of {expected:?}");
    }
    if !case.fails_fast {
        let after = raw.frame().await.context("after the goodbye")?;
        ensure!(after.is_none(), "{after:?} after the goodbye");
    }
    Ok(())
}
