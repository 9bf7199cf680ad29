//! The web client that the binary serves; without one, what it says instead.

use anyhow::{Context, Result, ensure};
use petrel_testkit::http::{Answer, Http};
use petrel_web::{CLIENT, Client, File};

use crate::support::launcher;

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

fn header<'a>(answer: &'a Answer, name: &str) -> Result<&'a str> {
    Ok(answer.headers.get(name).with_context(|| format!("no {name}"))?.to_str()?)
}

#[tokio::test]
async fn the_root_is_the_client_or_says_how_to_get_it() -> Result<()> {
    let server = launcher()?.start().await?;
    let http = server.http();
    let page = http.request("GET", "/", &[BROWSER], "").await?;
    assert_eq!(page.status, 200);
    assert!(header(&page, "content-type")?.starts_with("text/html"));
    match CLIENT {
        Client::Embedded(files) => served(&http, &page, files).await?,
        Client::Absent(reason) => {
            assert!(page.body.contains("make web") && page.body.contains(reason), "{}", page.body);
            assert_eq!(http.request("GET", "/chats", &[BROWSER], "").await?.status, 404);
        }
    }
    Ok(())
}

async fn served(http: &Http, page: &Answer, files: &[File]) -> Result<()> {
    ensure!(page.body.contains("<div id=\"app\""), "not the page: {}", page.body);
    assert_eq!(header(page, "cache-control")?, "no-cache");
    let policy = header(page, "content-security-policy")?;
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    let deep = http.request("GET", "/chats/17", &[BROWSER], "").await?;
    assert_eq!((deep.status, &deep.body), (200, &page.body));

    for file in files {
        let path = format!("/{}", file.path);
        let encodings = [("br", file.brotli), ("gzip", file.gzip)];
        for (encoding, content) in encodings.into_iter().filter_map(|(name, it)| Some((name, it?)))
        {
            let asked = http.request("HEAD", &path, &[("accept-encoding", encoding)], "").await?;
            assert_eq!((asked.status, header(&asked, "content-encoding")?), (200, encoding));
            assert_eq!(header(&asked, "content-length")?, content.len().to_string(), "{path}");
            let tag = header(&asked, "etag")?;
            let known = [("accept-encoding", encoding), ("if-none-match", tag)];
            assert_eq!(http.request("GET", &path, &known, "").await?.status, 304, "{path}");
        }
        let asked = http.request("HEAD", &path, &[("accept-encoding", "identity")], "").await?;
        assert!(asked.headers.get("content-encoding").is_none(), "{path}");
        assert_eq!(header(&asked, "content-length")?, file.plain.len().to_string(), "{path}");
        assert_eq!(header(&asked, "content-type")?, file.content_type, "{path}");
        assert_eq!(header(&asked, "x-content-type-options")?, "nosniff", "{path}");
        let is_kept = header(&asked, "cache-control")?.contains("immutable");
        assert_eq!(is_kept, file.path.starts_with("assets/"), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn the_client_hides_no_path_of_the_server() -> Result<()> {
    let server = launcher()?.start().await?;
    let http = server.http();
    for path in ["/api/nothing", "/api", "/assets/none.js", "/files", "/swagger/none"] {
        let answer = http.request("GET", path, &[BROWSER], "").await?;
        assert_eq!(
            (answer.status, answer.failure()?.reason.as_str()),
            (404, "not_found"),
            "{path}"
        );
    }
    // A link that is not signed.
    assert_eq!(http.request("GET", "/files/1", &[BROWSER], "").await?.status, 400);
    assert_eq!(http.post("/chats", "{}").await?.status, 404);
    for method in ["POST", "PUT", "DELETE"] {
        let answer = http.request(method, "/", &[BROWSER], "").await?;
        assert_eq!(header(&answer, "allow")?, "GET,HEAD", "{method}");
        assert_eq!(
            (answer.status, answer.failure()?.reason.as_str()),
            (405, "method_not_allowed"),
            "{method}"
        );
    }
    assert_eq!(http.get("/healthz").await?.body, r#"{"status":"ok"}"#);
    assert_eq!(http.request("GET", "/api/users/me", &[BROWSER], "").await?.status, 401);
    Ok(())
}
