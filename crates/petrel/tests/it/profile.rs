//! Profiles of a running server, read by a decoder that shares nothing with what wrote
//! them: the wire format of protobuf is read by hand.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use petrel_testkit::client::chat;
use petrel_testkit::http::Http;
use petrel_testkit::server::Server;
use petrel_types::UserId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{ALICE, BOB, bench_server, launcher};

/// A protobuf message: its fields by number, numbers and bytes apart.
#[derive(Debug, Default)]
struct Message {
    numbers: BTreeMap<u64, Vec<u64>>,
    bytes: BTreeMap<u64, Vec<Vec<u8>>>,
}

impl Message {
    /// <https://protobuf.dev/programming-guides/encoding/>
    fn read(mut bytes: &[u8]) -> Result<Self> {
        let mut message = Self::default();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes)?;
            let field = tag >> 3;
            match tag & 7 {
                0 => message.numbers.entry(field).or_default().push(varint(&mut bytes)?),
                2 => {
                    let length = usize::try_from(varint(&mut bytes)?)?;
                    let (value, rest) = bytes.split_at_checked(length).context("cut short")?;
                    message.bytes.entry(field).or_default().push(value.to_owned());
                    bytes = rest;
                }
                kind => anyhow::bail!("wire type {kind} is not used by profiles"),
            }
        }
        Ok(message)
    }

    fn messages(&self, field: u64) -> Result<Vec<Self>> {
        self.bytes.get(&field).into_iter().flatten().map(|bytes| Self::read(bytes)).collect()
    }

    fn number(&self, field: u64) -> u64 {
        self.numbers.get(&field).and_then(|numbers| numbers.last()).copied().unwrap_or(0)
    }

    /// Repeated numbers, packed or not.
    fn numbers(&self, field: u64) -> Result<Vec<u64>> {
        let mut numbers = self.numbers.get(&field).cloned().unwrap_or_default();
        for packed in self.bytes.get(&field).into_iter().flatten() {
            let mut packed = packed.as_slice();
            while !packed.is_empty() {
                numbers.push(varint(&mut packed)?);
            }
        }
        Ok(numbers)
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().context("cut short")?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    anyhow::bail!("a number is too long")
}

/// What a profile says: the units of its values, and for each sample its first value and
/// the functions of its stack.
struct Profile {
    units: Vec<(String, String)>,
    samples: Vec<(u64, Vec<String>)>,
}

impl Profile {
    /// The fields of profile.proto.
    fn read(gzipped: &[u8]) -> Result<Self> {
        let mut bytes = Vec::new();
        GzDecoder::new(gzipped).read_to_end(&mut bytes)?;
        let profile = Message::read(&bytes)?;
        let strings = profile.bytes.get(&6).context("no strings")?;
        let string = |index: u64| -> Result<String> {
            let bytes = strings.get(usize::try_from(index)?).context("no such string")?;
            Ok(String::from_utf8(bytes.clone())?)
        };
        ensure!(string(0)?.is_empty(), "the first string must be empty");
        let mut functions = BTreeMap::new();
        for function in profile.messages(5)? {
            functions.insert(function.number(1), string(function.number(2))?);
        }
        let mut locations = BTreeMap::new();
        for location in profile.messages(4)? {
            let lines = location.messages(4)?;
            let names = lines.iter().filter_map(|line| functions.get(&line.number(1)).cloned());
            locations.insert(location.number(1), names.collect::<Vec<_>>());
        }
        let mut samples = Vec::new();
        for sample in profile.messages(2)? {
            let places = sample.numbers(1)?;
            let stack = places.iter().filter_map(|place| locations.get(place)).flatten().cloned();
            samples.push((*sample.numbers(2)?.first().context("no value")?, stack.collect()));
        }
        let units = profile
            .messages(1)?
            .iter()
            .map(|unit| Ok((string(unit.number(1))?, string(unit.number(2))?)))
            .collect::<Result<_>>()?;
        Ok(Self { units, samples })
    }

    fn total(&self) -> u64 {
        self.samples.iter().map(|(value, _)| value).sum()
    }

    fn has(&self, function: &str) -> bool {
        self.samples.iter().any(|(_, stack)| stack.iter().any(|name| name.contains(function)))
    }
}

/// `GET` of something that is no text.
async fn fetch(server: &Server, path: &str) -> Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(server.admin_address()).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    petrel_testkit::in_time("an answer", stream.read_to_end(&mut answer)).await??;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").context("no head")?;
    let head = std::str::from_utf8(&answer[..end])?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok((status, answer[end + 4..].to_vec()))
}

/// A server that takes as much from one session as it can.
async fn server_without_rates() -> Result<Server> {
    let mut launcher = launcher()?.bench_issuer();
    for name in ["session_frames_per_second", "session_sends_per_second"] {
        launcher = launcher.argument("--set").argument(format!("limits.{name}=0"));
    }
    launcher.start().await
}

/// Fetches a profile while two users talk.
async fn fetch_under_load(server: &Server, path: &str) -> Result<Profile> {
    let mut alice = server.connect(ALICE, "phone").await?;
    let _bob = server.connect(BOB, "phone").await?;
    let load = async {
        // Many at a time, so that the server computes rather than waits for its disk.
        for round in 0_u64.. {
            let name = |number| format!("m{round}-{number}");
            alice.send_all((0..200).map(|number| chat(BOB, &name(number), "hello"))).await?;
            for _ in 0..200 {
                alice.expect_saved().await?;
            }
        }
        anyhow::Ok(())
    };
    let (status, bytes) = tokio::select! {
        fetched = fetch(server, path) => fetched?,
        ended = load => anyhow::bail!("the load ended: {ended:?}"),
    };
    ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(&bytes));
    Profile::read(&bytes)
}

#[tokio::test]
async fn a_cpu_profile_shows_what_the_server_does() -> Result<()> {
    let server = server_without_rates().await?;
    let profile = fetch_under_load(&server, "/debug/pprof/profile?seconds=3").await?;
    let units: Vec<_> = profile.units.iter().map(|(kind, unit)| (&**kind, &**unit)).collect();
    assert_eq!(units, [("samples", "count"), ("cpu", "nanoseconds")]);
    assert!(profile.has("petrel_"), "none of our own functions is in it");
    Ok(())
}

#[tokio::test]
async fn a_heap_profile_shows_what_was_allocated_meanwhile() -> Result<()> {
    let server = server_without_rates().await?;
    let (status, hint) = fetch(&server, "/debug/pprof/heap").await?;
    let hint = String::from_utf8(hint)?;
    assert!(status == 409 && hint.contains("heap?seconds=30"), "{status}: {hint}");

    let profile = fetch_under_load(&server, "/debug/pprof/heap?seconds=1").await?;
    assert_eq!(profile.units[0].1, "bytes", "{:?}", profile.units);
    // It was on for that request only.
    assert_eq!(fetch(&server, "/debug/pprof/heap-sampling").await?.1, b"off\n");

    // One allocation in 512 KiB is seen in the mean: sessions come until some of theirs are.
    let admin = Http::new(server.admin_address());
    admin.request("PUT", "/debug/pprof/heap-sampling", &[], "on").await?;
    let mut clients = Vec::new();
    loop {
        for _ in 0..200 {
            let user = UserId::new(1_001_000 + clients.len() as u64);
            clients.push(server.connect(user, "phone").await?);
        }
        let (status, bytes) = fetch(&server, "/debug/pprof/heap").await?;
        assert_eq!(status, 200);
        let profile = Profile::read(&bytes)?;
        if profile.total() > 1_000_000 && profile.has("petrel") {
            break;
        }
        // Tens of megabytes: that none of them was sampled twice can't be.
        ensure!(clients.len() < 5_000, "{} bytes, of {} sessions", profile.total(), clients.len());
    }
    let off = admin.request("PUT", "/debug/pprof/heap-sampling", &[], "off").await?;
    assert_eq!((off.status, &*off.body), (200, "off\n"));
    assert_eq!(fetch(&server, "/debug/pprof/heap").await?.0, 409);
    Ok(())
}

#[tokio::test]
async fn profiles_are_made_one_at_a_time_and_for_a_bounded_time() -> Result<()> {
    let server = bench_server().await?;
    for path in ["/debug/pprof/profile?seconds=0", "/debug/pprof/heap?seconds=100000"] {
        assert_eq!(fetch(&server, path).await?.0, 400, "{path}");
    }
    // One of them goes on for longer than this test; the other is refused at once.
    let path = "/debug/pprof/profile?seconds=60";
    let answered = tokio::select! {
        one = fetch(&server, path) => one?,
        other = fetch(&server, path) => other?,
    };
    assert_eq!(answered.0, 409);
    Ok(())
}
