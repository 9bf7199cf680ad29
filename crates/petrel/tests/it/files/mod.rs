//! Files: what is uploaded comes back, to those who may have it and to nobody else.

mod attached;
mod download;
mod s3;
mod tus;
pub(crate) mod upload;

use anyhow::{Context, Result, ensure};
use petrel_testkit::http::{Download, Http};
use petrel_testkit::server::Server;
use petrel_types::UserId;
use serde_json::Value;

/// Somebody with a token, and bytes.
pub(crate) struct Uploader {
    pub(crate) http: Http,
    pub(crate) token: String,
}

impl Uploader {
    pub(crate) fn new(server: &Server, user: UserId) -> Result<Self> {
        Ok(Self { http: server.http(), token: server.mint()?.token(user) })
    }

    /// Any request, as who this is.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Download> {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        self.http.exchange(method, path, &all, body).await
    }

    /// The data of a request that must succeed.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &[u8]) -> Result<Value> {
        self.send(method, path, &[], body).await?.text()?.data()
    }

    /// Why a request is refused.
    pub(crate) async fn refused(&self, method: &str, path: &str, body: &[u8]) -> Result<String> {
        let failure = self.send(method, path, &[], body).await?.text()?.failure()?;
        Ok(failure.reason.to_string())
    }

    /// Uploads a file in one piece.
    pub(crate) async fn upload(&self, name: &str, body: &[u8]) -> Result<Value> {
        self.ask("POST", &format!("/api/files?name={name}"), body).await
    }

    /// A link to a file, or to its thumbnail.
    pub(crate) async fn link(&self, file: &str, which: &str) -> Result<String> {
        let links = self.ask("GET", &format!("/api/files/{file}/link"), b"").await?;
        Ok(links[which].as_str().with_context(|| format!("no {which}: {links}"))?.to_owned())
    }

    /// What a file holds.
    pub(crate) async fn content(&self, file: &str) -> Result<Vec<u8>> {
        let link = self.link(file, "url").await?;
        let content = self.http.exchange("GET", &link, &[], b"").await?;
        ensure!(content.status == 200, "{content:?}");
        Ok(content.bytes)
    }
}

/// The id of a file.
pub(crate) fn id(file: &Value) -> Result<String> {
    Ok(file["fileId"].as_str().with_context(|| format!("no id: {file}"))?.to_owned())
}

/// Bytes that are different everywhere and the same each time.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        // Marsaglia's xorshift (Journal of Statistical Software 8, 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A picture of so many dots.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let image = image::RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([u8::try_from(x % 256).unwrap_or(0), u8::try_from(y % 256).unwrap_or(0), 99])
    });
    image.write_to(&mut bytes, image::ImageFormat::Png).expect("a picture in memory");
    bytes.into_inner()
}
