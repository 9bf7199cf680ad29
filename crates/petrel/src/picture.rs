//! `petrel decode-picture`, which a server runs for each picture: see
//! `petrel_node::decode_picture`.

use std::io;
use std::path::PathBuf;

use clap::Args;

use crate::exit::Failure;

/// Look at a picture for a running server.
///
/// Writes a line with its width, height and the content type of its thumbnail, and then the
/// thumbnail. A picture that a decoder fails on ends this process, and not the server.
#[derive(Debug, Args)]
pub(crate) struct DecodePicture {
    /// Where the picture is.
    path: PathBuf,
    /// What it is.
    content_type: String,
    /// The most pixels that are decoded.
    pixels_max: u64,
}

impl DecodePicture {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let answer = io::stdout().lock();
        petrel_node::decode_picture(&self.path, &self.content_type, self.pixels_max, answer)
            .map_err(Failure::running)
    }
}
