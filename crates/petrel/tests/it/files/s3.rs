//! Files in a bucket. These need an S3 server: `make test-s3` starts one.

use anyhow::{Context, Result, ensure};
use petrel_testkit::http::Http;
use petrel_testkit::server::{Launcher, Server};
use serde_json::json;

use super::upload::files_below;
use super::{Uploader, id, noise, png};
use crate::support::{ALICE, BOB, launcher};

const BUCKET: &str = "petrel-files";

fn endpoint() -> Result<String> {
    std::env::var("PETREL_S3_ENDPOINT").context("`make test-s3` names an S3 server")
}

/// The objects of the bucket, as the S3 server lists them.
async fn objects() -> Result<usize> {
    let address = endpoint()?.trim_start_matches("http://").parse()?;
    let list = Http::new(address).get(&format!("/{BUCKET}?list-type=2")).await?;
    ensure!(list.status == 200, "{list:?}");
    Ok(list.body.matches("<Key>").count())
}

fn with_bucket(endpoint: &str) -> Result<Launcher> {
    let launcher = launcher()?.bench_issuer();
    let key = launcher.data().join("s3.key");
    std::fs::write(&key, "secret\n")?;
    let settings = [
        "files.storage=s3".to_owned(),
        format!("files.s3_endpoint={endpoint}"),
        format!("files.s3_bucket={BUCKET}"),
        "files.s3_access_key_id=key".to_owned(),
        format!("files.s3_secret_key_file={}", key.display()),
    ];
    Ok(settings.into_iter().fold(launcher, |it, one| it.argument("--set").argument(one)))
}

async fn deleted(server: &Server, alice: &Uploader, files: &[String]) -> Result<()> {
    let before = objects().await?;
    ensure!(before > 0, "there is nothing to delete: the test proves nothing");
    for file in files {
        alice.ask("DELETE", &format!("/api/files/{file}"), b"").await?;
    }
    let gone = async {
        while objects().await? > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(petrel_testkit::PATIENCE, gone).await??;
    ensure!(files_below(&server.data().join("files"))?.is_empty(), "the spool is not empty");
    Ok(())
}

/// One test, as all of them share the bucket.
#[tokio::test]
#[ignore = "needs an S3 server: make test-s3"]
async fn files_in_a_bucket_are_kept_served_and_deleted() -> Result<()> {
    let server = with_bucket(&endpoint()?)?.start().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let picture = png(700, 500);
    // More than one part.
    let large = noise(20 * 1024 * 1024 + 3);
    let mut files = Vec::new();
    for (name, body) in [("a.png", &picture), ("large.bin", &large), ("empty", &Vec::new())] {
        let file = alice.upload(name, body).await?;
        ensure!(file["size"] == json!(body.len()), "{file}");
        let id = id(&file)?;
        ensure!(alice.content(&id).await? == *body, "{name} is not what it was");
        files.push(id);
    }
    assert_eq!(objects().await?, 4, "three files and a thumbnail");
    assert!(files_below(&server.data().join("files"))?.is_empty());
    let link = alice.link(&files[1], "url").await?;
    let part =
        alice.http.exchange("GET", &link, &[("range", "bytes=8388600-8388620")], b"").await?;
    assert_eq!((part.status, &part.bytes[..]), (206, &large[8_388_600..=8_388_620]));
    let thumbnail = alice.link(&files[0], "thumbnailUrl").await?;
    let small = alice.http.exchange("GET", &thumbnail, &[], b"").await?;
    assert_eq!(image::load_from_memory(&small.bytes)?.width(), 320);
    let bob = Uploader::new(&server, BOB)?;
    let path = format!("/api/files/{}/link", files[0]);
    assert_eq!(bob.refused("GET", &path, b"").await?, "file_not_found");
    deleted(&server, &alice, &files).await?;
    server.kill().await?;

    // Links that lead to the bucket itself.
    let launcher = with_bucket(&endpoint()?)?;
    let launcher = launcher.argument("--set").argument("files.s3_presigned_links=true");
    let server = launcher.start().await?;
    let alice = Uploader::new(&server, ALICE)?;
    let file = id(&alice.upload("a.html", b"<!DOCTYPE html><p>").await?)?;
    let link = alice.link(&file, "url").await?;
    let path = link.strip_prefix(&endpoint()?).with_context(|| link.clone())?;
    assert!(path.contains("X-Amz-Signature="), "{link}");
    let bucket = Http::new(endpoint()?.trim_start_matches("http://").parse()?);
    let content = bucket.exchange("GET", path, &[], b"").await?;
    assert_eq!((content.status, &content.bytes[..]), (200, &b"<!DOCTYPE html><p>"[..]));
    assert_eq!(content.header("content-type"), Some("text/html"));
    let disposition = content.header("content-disposition").context("disposition")?;
    assert!(disposition.starts_with("attachment; filename=\"a.html\""), "{disposition}");
    deleted(&server, &alice, &[file]).await?;
    server.kill().await?;

    // A bucket that can't be reached costs an upload, and nothing else.
    let server = with_bucket("http://127.0.0.1:9")?.start().await?;
    let alice = Uploader::new(&server, ALICE)?;
    assert_eq!(alice.refused("POST", "/api/files", b"x").await?, "server_busy");
    let list = alice.ask("GET", "/api/files", b"").await?;
    assert_eq!(list["files"], json!([]));
    Ok(())
}
