//! Uploads that go on where they were cut, by tus.

use anyhow::{Context, Result, ensure};
use petrel_testkit::http::Download;
use petrel_testkit::server::Server;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::upload::{files_below, until};
use super::{Uploader, noise};
use crate::support::{ALICE, BOB, bench_server, launcher};

const VERSION: (&str, &str) = ("tus-resumable", "1.0.0");
const BYTES: (&str, &str) = ("content-type", "application/offset+octet-stream");

/// Begins an upload, and returns where it goes on.
async fn begin(alice: &Uploader, length: usize) -> Result<String> {
    let length = length.to_string();
    // film.bin
    let headers =
        [VERSION, ("upload-length", &length), ("upload-metadata", "filename ZmlsbS5iaW4=")];
    let begun = alice.send("POST", "/api/files/tus", &headers, b"").await?;
    ensure!(begun.status == 201 && begun.header("tus-resumable") == Some("1.0.0"), "{begun:?}");
    ensure!(begun.header("upload-expires").context("expiry")?.ends_with(" GMT"));
    Ok(begun.header("location").context("no location")?.to_owned())
}

async fn patch(alice: &Uploader, path: &str, offset: usize, body: &[u8]) -> Result<Download> {
    let offset = offset.to_string();
    alice.send("PATCH", path, &[VERSION, BYTES, ("upload-offset", &offset)], body).await
}

async fn offset(alice: &Uploader, path: &str) -> Result<usize> {
    let head = alice.send("HEAD", path, &[VERSION], b"").await?;
    ensure!(head.status == 200 && head.header("cache-control") == Some("no-store"), "{head:?}");
    Ok(head.header("upload-offset").context("no offset")?.parse()?)
}

/// Sends the beginning of a body of which more is promised, on a connection of its own.
async fn promise(
    server: &Server,
    alice: &Uploader,
    path: &str,
    offset: usize,
    promised: usize,
    sent: &[u8],
) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(server.http_address()).await?;
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nhost: petrel\r\nauthorization: Bearer {}\r\n\
         tus-resumable: 1.0.0\r\ncontent-type: application/offset+octet-stream\r\n\
         upload-offset: {offset}\r\ncontent-length: {promised}\r\n\r\n",
        alice.token
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(sent).await?;
    Ok(stream)
}

fn file_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[tokio::test]
async fn a_cut_upload_goes_on_where_it_was_cut() -> Result<()> {
    let server = bench_server().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let body = noise(3_000_000);
    let path = begin(&alice, body.len()).await?;
    assert_eq!(offset(&alice, &path).await?, 0);
    let went_on = patch(&alice, &path, 0, &body[..1_000]).await?;
    assert_eq!((went_on.status, went_on.header("upload-offset")), (204, Some("1000")));

    let spool = server.data().join("files/uploads");
    let spooled = || -> Result<u64> {
        files_below(&spool)?.iter().map(|path| Ok(path.metadata()?.len())).sum()
    };
    let stream = promise(&server, &alice, &path, 1_000, 2_999_000, &body[1_000..2_000_000]).await?;
    until(|| Ok(spooled()? > 1_000_000)).await?;
    drop(stream);
    // Asking where it is waits until everything that came is kept.
    let kept = offset(&alice, &path).await?;
    assert!((1_000_000..=2_000_000).contains(&kept), "{kept}");
    let link = format!("/api/files/{}/link", file_of(&path));
    assert_eq!(alice.refused("GET", &link, b"").await?, "upload_unfinished");
    let done = patch(&alice, &path, kept, &body[kept..]).await?;
    assert_eq!((done.status, done.header("upload-offset")), (204, Some("3000000")));
    assert_eq!(done.header("upload-expires"), None);
    let known = alice.ask("GET", &format!("/api/files/{}", file_of(&path)), b"").await?;
    assert_eq!((&known["name"], &known["size"]), (&json!("film.bin"), &json!(3_000_000)));
    assert_eq!(alice.content(file_of(&path)).await?, body);
    assert_eq!(offset(&alice, &path).await?, body.len());
    assert_eq!(spooled()?, 0);
    Ok(())
}

#[tokio::test]
async fn who_comes_back_before_the_server_has_noticed_takes_the_upload_over() -> Result<()> {
    let server = bench_server().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let body = noise(600_000);
    let path = begin(&alice, body.len()).await?;
    // A connection that is dead, and says nothing of it.
    let stream = promise(&server, &alice, &path, 0, 600_000, &body[..400_000]).await?;
    let spool = server.data().join("files/uploads");
    until(|| Ok(files_below(&spool)?.iter().any(|it| it.metadata().is_ok_and(|it| it.len() > 0))))
        .await?;
    let kept = offset(&alice, &path).await?;
    assert!(kept > 0, "nothing was kept");
    assert_eq!(patch(&alice, &path, kept, &body[kept..]).await?.status, 204);
    drop(stream);
    assert_eq!(alice.content(file_of(&path)).await?, body);
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_killed_goes_on_with_what_it_acknowledged() -> Result<()> {
    let launcher = launcher()?.bench_issuer();
    let server = launcher.start().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let body = noise(12_000_000);
    let path = begin(&alice, body.len()).await?;
    assert_eq!(patch(&alice, &path, 0, &body[..50_000]).await?.status, 204);
    let stream =
        promise(&server, &alice, &path, 50_000, 11_950_000, &body[50_000..9_500_000]).await?;
    let spool = server.data().join("files/uploads");
    until(|| {
        Ok(files_below(&spool)?.iter().any(|it| it.metadata().is_ok_and(|it| it.len() > 9_000_000)))
    })
    .await?;
    // What belongs to no upload, as a crash may leave it.
    std::fs::write(spool.join("leftover"), b"x")?;
    server.kill().await?;
    drop(stream);

    let server = launcher.start().await?;
    let alice = Uploader::new(&server, ALICE)?;
    assert!(!spool.join("leftover").exists());
    let kept = offset(&alice, &path).await?;
    assert!((50_000..9_500_000).contains(&kept), "{kept}");
    // Eight megabytes were brought to disk before the rest came.
    assert!(kept > 8_000_000, "{kept}");
    assert_eq!(patch(&alice, &path, kept, &body[kept..]).await?.status, 204);
    assert_eq!(alice.content(file_of(&path)).await?, body);
    server.kill().await?;

    // And a file that was acknowledged is there after that.
    let server = launcher.start().await?;
    let alice = Uploader::new(&server, ALICE)?;
    assert_eq!(alice.content(file_of(&path)).await?, body);
    Ok(())
}

#[tokio::test]
async fn the_words_of_tus_are_exact() -> Result<()> {
    let server = launcher()?.bench_issuer();
    let server = server.argument("--set").argument("files.file_bytes_max=1000000").start().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let options = alice.http.exchange("OPTIONS", "/api/files/tus", &[], b"").await?;
    assert_eq!(options.status, 204);
    for (name, value) in [
        ("tus-resumable", "1.0.0"),
        ("tus-version", "1.0.0"),
        ("tus-max-size", "1000000"),
        ("tus-extension", "creation,creation-with-upload,expiration,termination,checksum"),
        ("tus-checksum-algorithm", "sha1"),
    ] {
        assert_eq!(options.header(name), Some(value), "{name}");
    }

    let create = async |headers: &[(&str, &str)]| -> Result<Download> {
        alice.send("POST", "/api/files/tus", headers, b"").await
    };
    for (headers, status) in [
        (&[("upload-length", "5")][..], 412),
        (&[("tus-resumable", "0.2.2"), ("upload-length", "5")], 412),
        (&[VERSION], 400),
        (&[VERSION, ("upload-length", "-5")], 400),
        (&[VERSION, ("upload-defer-length", "1")], 400),
        (&[VERSION, ("upload-length", "5"), ("upload-metadata", "filename !")], 400),
        (&[VERSION, ("upload-length", "1000001")], 413),
    ] {
        let answer = create(headers).await?;
        assert_eq!(answer.status, status, "{headers:?}");
        assert_eq!(answer.header("tus-resumable"), Some("1.0.0"), "{headers:?}");
        assert_eq!(answer.header("tus-version").is_some(), status == 412, "{headers:?}");
    }

    let path = begin(&alice, 11).await?;
    assert_eq!(patch(&alice, &path, 3, b"hello").await?.status, 409);
    let offset_0 = ("upload-offset", "0");
    let json = ("content-type", "application/json");
    assert_eq!(alice.send("PATCH", &path, &[VERSION, json, offset_0], b"x").await?.status, 415);
    assert_eq!(alice.send("PATCH", &path, &[VERSION, BYTES], b"x").await?.status, 400);
    assert_eq!(alice.send("PATCH", &path, &[BYTES, offset_0], b"x").await?.status, 412);
    let more = patch(&alice, &path, 0, &[b'x'; 12]).await?;
    assert_eq!(more.status, 413);
    assert_eq!(offset(&alice, &path).await?, 0);

    // sha1("hello")
    let right = ("upload-checksum", "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=");
    let headers = [VERSION, BYTES, offset_0, right];
    let wrong = alice.send("PATCH", &path, &headers, b"hellO").await?;
    assert_eq!(wrong.status, 460);
    let unknown = ("upload-checksum", "md5 XUFAKrxLKna5cZ2REBfFkg==");
    let headers = [VERSION, BYTES, offset_0, unknown];
    assert_eq!(alice.send("PATCH", &path, &headers, b"hello").await?.status, 400);
    assert_eq!(offset(&alice, &path).await?, 0);
    let headers = [VERSION, BYTES, offset_0, right, ("x-http-method-override", "PATCH")];
    let went_on = alice.send("POST", &path, &headers, b"hello").await?;
    assert_eq!((went_on.status, went_on.header("upload-offset")), (204, Some("5")));
    assert_eq!(patch(&alice, &path, 5, b" world").await?.status, 204);
    assert_eq!(alice.content(file_of(&path)).await?, b"hello world");

    let headers = [VERSION, BYTES, ("upload-length", "5")];
    let whole = alice.send("POST", "/api/files/tus", &headers, b"hello").await?;
    assert_eq!((whole.status, whole.header("upload-offset")), (201, Some("5")));
    let whole = whole.header("location").context("location")?.to_owned();
    assert_eq!(alice.content(file_of(&whole)).await?, b"hello");
    let empty = begin(&alice, 0).await.err().map(|error| error.to_string());
    assert!(empty.is_some_and(|error| error.contains("expiry")), "it is complete at once");

    let gone = begin(&alice, 11).await?;
    assert_eq!(alice.send("DELETE", &gone, &[VERSION], b"").await?.status, 204);
    assert_eq!(alice.send("HEAD", &gone, &[VERSION], b"").await?.status, 404);
    assert_eq!(patch(&alice, &gone, 0, b"x").await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn who_is_refused_while_still_sending_reads_why() -> Result<()> {
    let server = launcher()?.bench_issuer();
    let server = server.argument("--set").argument("files.file_bytes_max=1000000").start().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let body = noise(8_000_000);
    let begun = begin(&alice, 9).await?;
    for (method, path, status) in [("POST", "/api/files/tus", 413), ("PATCH", &begun, 409)] {
        let mut stream = TcpStream::connect(server.http_address()).await?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: petrel\r\nauthorization: Bearer {}\r\n\
             tus-resumable: 1.0.0\r\ncontent-type: application/offset+octet-stream\r\n\
             upload-length: 8000000\r\nupload-offset: 5\r\ncontent-length: 8000000\r\n\r\n",
            alice.token
        );
        stream.write_all(head.as_bytes()).await?;
        // As a browser does it: first everything is sent, then the answer is read.
        stream.write_all(&body).await?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        assert_eq!(String::from_utf8_lossy(&answer), format!("HTTP/1.1 {status}"));
    }
    Ok(())
}

#[tokio::test]
async fn a_stranger_can_not_touch_an_upload() -> Result<()> {
    let server = launcher()?.bench_issuer();
    let server = server.argument("--set").argument("files.uploads_per_user=2").start().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let bob = Uploader::new(&server, BOB)?;
    let path = begin(&alice, 5).await?;
    for (method, headers) in [
        ("HEAD", &[VERSION][..]),
        ("PATCH", &[VERSION, BYTES, ("upload-offset", "0")]),
        ("DELETE", &[VERSION]),
    ] {
        assert_eq!(bob.send(method, &path, headers, b"").await?.status, 404, "{method}");
        let nobody = alice.http.exchange(method, &path, headers, b"").await?;
        assert_eq!(nobody.status, 401, "{method}");
    }
    begin(&alice, 5).await?;
    let third = [VERSION, ("upload-length", "5")];
    assert_eq!(alice.send("POST", "/api/files/tus", &third, b"").await?.status, 409);
    begin(&bob, 5).await?;
    assert_eq!(patch(&alice, &path, 0, b"hello").await?.status, 204);
    begin(&alice, 5).await?;
    Ok(())
}
