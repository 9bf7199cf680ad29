//! Downloads: whole, in part, again, and not by strangers.

use anyhow::{Context, Result};
use petrel_testkit::http::Download;

use super::{Uploader, id, noise, png};
use crate::support::{ALICE, BOB, bench_server, launcher};

#[tokio::test]
async fn a_link_serves_stretches_heads_and_what_is_known_already() -> Result<()> {
    let server = bench_server().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let body = noise(600_000);
    let file = alice.upload("film.bin", &body).await?;
    let link = alice.link(&id(&file)?, "url").await?;
    let get = async |headers: &[(&str, &str)]| -> Result<Download> {
        alice.http.exchange("GET", &link, headers, b"").await
    };
    let whole = get(&[]).await?;
    assert_eq!((whole.status, whole.bytes.len()), (200, body.len()));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert!(whole.header("cache-control").context("caching")?.starts_with("private, max-age="));
    let etag = whole.header("etag").context("etag")?.to_owned();
    assert_eq!(etag, format!("\"{}\"", file["sha256"].as_str().context("digest")?));

    for (range, first, end) in [
        ("bytes=0-0", 0, 1),
        ("bytes=262143-262145", 262_143, 262_146),
        ("bytes=599999-", 599_999, 600_000),
        ("bytes=-100", 599_900, 600_000),
        ("bytes=1000-99999999", 1_000, 600_000),
    ] {
        let part = get(&[("range", range)]).await?;
        assert_eq!((part.status, &part.bytes[..]), (206, &body[first..end]), "{range}");
        let place = format!("bytes {first}-{}/600000", end - 1);
        assert_eq!(part.header("content-range"), Some(place.as_str()));
    }
    let beyond = get(&[("range", "bytes=600000-")]).await?;
    assert_eq!(beyond.header("content-range"), Some("bytes */600000"));
    assert_eq!(beyond.text()?.failure()?.reason.as_str(), "range_not_satisfiable");
    for odd in ["bytes=0-1,5-6", "lines=1-2", "bytes=x-"] {
        assert_eq!(get(&[("range", odd)]).await?.bytes.len(), body.len(), "{odd}");
    }
    let same = get(&[("range", "bytes=0-1"), ("if-range", &etag)]).await?;
    let other = get(&[("range", "bytes=0-1"), ("if-range", "\"other\"")]).await?;
    assert_eq!((same.status, other.status), (206, 200));
    let known = get(&[("if-none-match", &etag)]).await?;
    assert_eq!((known.status, known.bytes.len()), (304, 0));

    let head = alice.http.exchange("HEAD", &link, &[], b"").await?;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some("600000"));
    assert_eq!(head.header("etag"), Some(etag.as_str()));
    Ok(())
}

#[tokio::test]
async fn a_stranger_learns_nothing_of_a_file() -> Result<()> {
    let server = bench_server().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let bob = Uploader::new(&server, BOB)?;
    let file = id(&alice.upload("secret.png", &png(10, 10)).await?)?;
    for (method, path) in
        [("GET", "/api/files/{}"), ("GET", "/api/files/{}/link"), ("DELETE", "/api/files/{}")]
    {
        let answer = async |file: &str| -> Result<(u16, String)> {
            let path = path.replace("{}", file);
            let answer = bob.send(method, &path, &[], b"").await?.text()?;
            let failure = answer.failure()?;
            Ok((answer.status, format!("{} {}", failure.reason, failure.message)))
        };
        let (known, unknown) = (answer(&file).await?, answer("999999").await?);
        assert_eq!(known, unknown, "{method} {path}");
        assert!(known.1.starts_with("file_not_found"), "{known:?}");
    }
    let list = bob.ask("GET", "/api/files", b"").await?;
    assert_eq!(list["files"].as_array().map(Vec::len), Some(0));

    // Without a link, with one for something else, and with one that was bent.
    let link = alice.link(&file, "url").await?;
    let other = alice.link(&id(&alice.upload("x", b"x").await?)?, "url").await?;
    let (_, proof) = other.split_once('?').context("a query")?;
    let later = link.replace("expires=1", "expires=2");
    assert_ne!(later, link);
    for bent in [
        format!("/files/{file}?{proof}"),
        link.replace("?", "/thumbnail?"),
        later,
        format!("/files/{file}?expires=9999999999999&signature="),
    ] {
        let answer = bob.http.get(&bent).await?;
        assert_eq!(answer.failure()?.reason.as_str(), "invalid_link", "{bent}");
    }
    assert_eq!(bob.http.get(&format!("/files/{file}")).await?.status, 400);
    // Who was given the link may have the file, as its owner meant.
    assert_eq!(bob.http.exchange("GET", &link, &[], b"").await?.bytes, png(10, 10));
    alice.ask("DELETE", &format!("/api/files/{file}"), b"").await?;
    let gone = bob.http.get(&link).await?;
    assert_eq!(gone.failure()?.reason.as_str(), "file_not_found");
    Ok(())
}

#[tokio::test]
async fn a_link_is_good_for_a_short_time() -> Result<()> {
    let server = launcher()?.bench_issuer();
    let server = server.argument("--set").argument("files.link_lasts=1s").start().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let link = alice.link(&id(&alice.upload("x", b"x").await?)?, "url").await?;
    // The server's own word for when it is over.
    let over = async {
        loop {
            let answer = alice.http.get(&link).await?;
            if answer.status == 403 {
                return anyhow::Ok(answer.failure()?.reason.to_string());
            }
            assert_eq!(answer.body, "x");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    assert_eq!(tokio::time::timeout(petrel_testkit::PATIENCE, over).await??, "invalid_link");
    Ok(())
}
