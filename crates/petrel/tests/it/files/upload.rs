//! Uploads in one piece: what is known of them, limits, and lies.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use petrel_testkit::server::Server;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Uploader, id, noise, png};
use crate::faults::server_with_limit;
use crate::support::{ALICE, BOB, bench_server, launcher};

async fn server_with(settings: &[&str]) -> Result<Server> {
    let settings = settings.iter().fold(launcher()?.bench_issuer(), |launcher, setting| {
        launcher.argument("--set").argument(*setting)
    });
    settings.start().await
}

/// The files below a directory.
pub(crate) fn files_below(directory: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_below(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

#[tokio::test]
async fn a_file_is_what_its_bytes_say_and_comes_back_whole() -> Result<()> {
    let server = bench_server().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let picture = png(640, 400);
    let file = alice.upload("%E9%B8%9F.png", &picture).await?;
    assert_eq!((&file["name"], &file["size"]), (&json!("鸟.png"), &json!(picture.len())));
    assert_eq!((&file["contentType"], &file["kind"]), (&json!("image/png"), &json!("image")));
    assert_eq!((&file["width"], &file["height"]), (&json!(640), &json!(400)));
    assert_eq!(file["thumbnail"], true);
    let id = id(&file)?;
    assert_eq!(alice.ask("GET", &format!("/api/files/{id}"), b"").await?, file);
    assert_eq!(alice.content(&id).await?, picture);

    let thumbnail = alice.link(&id, "thumbnailUrl").await?;
    let small = alice.http.exchange("GET", &thumbnail, &[], b"").await?;
    assert_eq!((small.status, small.header("content-type")), (200, Some("image/jpeg")));
    let small = image::load_from_memory(&small.bytes)?;
    assert_eq!((small.width(), small.height()), (320, 200));

    // Larger than what is read and written at once.
    let large = noise(9 * 1024 * 1024 + 7);
    let file = alice.upload("large", &large).await?;
    assert_eq!(file["contentType"], "application/octet-stream");
    assert_eq!(alice.content(&self::id(&file)?).await?, large);
    let empty = alice.upload("empty", b"").await?;
    assert_eq!((&empty["size"], &empty["thumbnail"]), (&json!(0), &json!(false)));
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(empty["sha256"], digest);
    assert_eq!(alice.content(&self::id(&empty)?).await?, b"");

    let list = alice.ask("GET", "/api/files?limit=2", b"").await?;
    assert_eq!((&list["files"][0]["fileId"], &list["more"]), (&empty["fileId"], &json!(true)));
    let before = format!("/api/files?before={}", self::id(&file)?);
    assert_eq!(alice.ask("GET", &before, b"").await?["files"][0]["fileId"], json!(id));
    let used = list["room"]["usedBytes"].as_u64().context("room")?;
    assert_eq!(used, (picture.len().max(4096) + large.len() + 4096) as u64);
    Ok(())
}

#[tokio::test]
async fn what_a_sender_says_of_a_file_does_not_make_it_so() -> Result<()> {
    let server = bench_server().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let html = b"<!DOCTYPE html><html><script>alert(1)</script></html>";
    let headers = [("content-type", "image/png")];
    let path = "/api/files?name=..%2F..%2F..%2Fetc%2Fcron.d%2Fphoto.png%22%0D%0Ax-evil:%201";
    let file: serde_json::Value = alice.send("POST", path, &headers, html).await?.text()?.data()?;
    assert_eq!((&file["contentType"], &file["kind"]), (&json!("text/html"), &json!("other")));
    assert_eq!(file["name"], "photo.png\"x-evil: 1");
    let link = alice.link(&id(&file)?, "url").await?;
    let content = alice.http.exchange("GET", &link, &[], b"").await?;
    assert_eq!(content.bytes, html);
    let disposition = content.header("content-disposition").context("disposition")?;
    assert!(disposition.starts_with("attachment; filename=\"photo.png_x-evil: 1\";"));
    assert_eq!(content.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(content.header("x-evil"), None);
    let policy = content.header("content-security-policy").context("policy")?;
    assert!(policy.contains("sandbox") && policy.contains("default-src 'none'"), "{policy}");

    let svg = alice.upload("a.svg", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>").await?;
    assert_eq!((&svg["kind"], &svg["thumbnail"]), (&json!("other"), &json!(false)));
    let broken = alice.upload("a.png", &png(64, 64)[..60]).await?;
    assert_eq!((&broken["kind"], &broken["thumbnail"]), (&json!("image"), &json!(false)));

    // Nothing was written but under names that nobody chose.
    for path in files_below(&server.data().join("files"))? {
        let name = path.file_name().and_then(|name| name.to_str()).context("a name")?;
        let bare = name.strip_suffix(".thumbnail").unwrap_or(name);
        assert!(bare.len() == 32 && bare.bytes().all(|it| it.is_ascii_hexdigit()), "{path:?}");
    }
    Ok(())
}

#[tokio::test]
async fn nobody_uploads_more_than_is_allowed() -> Result<()> {
    let server = server_with(&[
        "files.file_bytes_max=20000",
        "files.image_bytes_max=1000",
        "files.quota_bytes_per_user=30000",
        "files.image_pixels_max=1000",
    ])
    .await?;
    let alice = Uploader::new(&server, ALICE)?;
    assert_eq!(alice.refused("POST", "/api/files", &noise(20_001)).await?, "file_too_large");
    assert_eq!(alice.refused("POST", "/api/files", &png(200, 200)).await?, "file_too_large");
    let bomb = alice.upload("bomb", &png(40, 40)).await?;
    assert_eq!((&bomb["width"], &bomb["thumbnail"]), (&json!(40), &json!(false)));
    alice.upload("first", &noise(20_000)).await?;
    assert_eq!(alice.refused("POST", "/api/files", &noise(9_000)).await?, "quota_exceeded");
    let bob = Uploader::new(&server, BOB)?;
    bob.upload("first", &noise(9_000)).await?;

    // Who does not say how much it is can't send more, either.
    let mut stream = TcpStream::connect(server.http_address()).await?;
    let head = format!(
        "POST /api/files HTTP/1.1\r\nhost: petrel\r\nauthorization: Bearer {}\r\n\
         transfer-encoding: chunked\r\n\r\n",
        bob.token
    );
    stream.write_all(head.as_bytes()).await?;
    let chunk = [b"1000\r\n".as_slice(), &[b'x'; 4096], b"\r\n"].concat();
    for _ in 0..8 {
        // It may be refused, and closed, before all of it is sent.
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await?;
    assert_eq!(answer, b"HTTP/1.1 413");

    // Nothing is left of what was refused.
    alice.ask("GET", "/api/files", b"").await?;
    let kept = alice.ask("GET", "/api/files", b"").await?["files"].as_array().map(Vec::len);
    assert_eq!(kept, Some(2));
    Ok(())
}

#[tokio::test]
async fn an_upload_in_one_piece_that_is_cut_leaves_nothing() -> Result<()> {
    let server = bench_server().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let mut stream = TcpStream::connect(server.http_address()).await?;
    let head = format!(
        "POST /api/files HTTP/1.1\r\nhost: petrel\r\nauthorization: Bearer {}\r\n\
         content-length: 1000000\r\n\r\n",
        alice.token
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&noise(300_000)).await?;
    let spool = server.data().join("files/uploads");
    until(|| Ok(files_below(&spool)?.len() == 1)).await?;
    drop(stream);
    until(|| Ok(files_below(&spool)?.is_empty())).await?;
    let list = alice.ask("GET", "/api/files", b"").await?;
    assert_eq!(list["files"], json!([]));
    Ok(())
}

/// Waits for something that nobody tells of.
pub(crate) async fn until(mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let waiting = async {
        while !is_so()? {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(petrel_testkit::PATIENCE, waiting).await?
}

/// Whatever the reason why a file may not grow.
#[tokio::test]
async fn a_full_disk_refuses_uploads_and_goes_on() -> Result<()> {
    // 4 MiB, in the shell's unit.
    let (_directory, server) = server_with_limit("-S -f 8192").await?;
    let alice = Uploader::new(&server, ALICE)?;
    assert_eq!(alice.refused("POST", "/api/files", &noise(6_000_000)).await?, "storage_full");
    let small = alice.upload("small", &noise(1_000_000)).await?;
    ensure!(alice.content(&id(&small)?).await? == noise(1_000_000));
    Ok(())
}
