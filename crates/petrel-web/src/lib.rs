//! The files of the web client that `npm run build` left in `web/dist`, as part of the binary.
//!
//! It knows nothing of HTTP: `petrel-api` serves them. The build script decides whether
//! there is a client to embed; one that was built from other sources than those in `web/`
//! is not embedded, so that nobody is served yesterday's client without knowing it.

/// One file of the client.
#[derive(Debug)]
pub struct File {
    /// Its path from the root, without a slash before it.
    pub path: &'static str,
    /// Its `content-type`.
    pub content_type: &'static str,
    /// A hash of its content, the same for the same content.
    pub hash: u64,
    /// Whether its name changes with its content, so that a browser may keep it for ever.
    pub is_immutable: bool,
    /// Its content.
    pub plain: &'static [u8],
    /// Its content in gzip, where that is shorter.
    pub gzip: Option<&'static [u8]>,
    /// Its content in Brotli, where that is shorter.
    pub brotli: Option<&'static [u8]>,
}

/// What there was to embed when this was built.
#[derive(Debug, Clone, Copy)]
pub enum Client {
    /// A client; `index.html` is among its files.
    Embedded(&'static [File]),
    /// None, for this reason: a sentence for whoever built the server.
    Absent(&'static str),
}

/// The client of this binary.
pub const CLIENT: Client = include!(concat!(env!("OUT_DIR"), "/client.rs"));
