//! Receiving a body: into the spool, in steps that are brought to disk and noted, so that
//! whatever happens little has to be sent again.

use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use petrel_protocol::ErrorReason;
use petrel_store::File;
use sha1::{Digest, Sha1};
use tokio::time::timeout;

use crate::spool::Spooled;
use crate::turns::Turn;
use crate::upload::{Checksum, expiry, internal, of_store, storage_full};
use crate::{FileSettings, Files};
use petrel_logic::Refusal;

/// How much is collected before it is written.
const WRITE_BYTES: usize = 256 * 1024;

/// How much is written before it is brought to disk and noted: what a crash may take back.
const STEP_BYTES: u64 = 8 * 1024 * 1024;

/// How long a sender may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// The bytes that somebody sends.
pub trait Body: Stream<Item = Result<Bytes, Cut>> + Send + 'static {}

impl<T: Stream<Item = Result<Bytes, Cut>> + Send + 'static> Body for T {}

/// The sender went away before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body ended before its end")]
pub struct Cut;

/// What has come of a body, all of which is on disk.
#[derive(Debug)]
pub(crate) struct Received {
    /// How many bytes there are of the upload.
    pub(crate) total: u64,
    /// Why it ended before its end.
    pub(crate) refusal: Option<Refusal>,
}

/// A body that is being received.
struct Receiving<'a> {
    files: &'a Files,
    upload: &'a File,
    spooled: Spooled,
    /// Not yet written.
    buffer: Vec<u8>,
    /// Written or in the buffer.
    total: u64,
    /// On disk and noted.
    noted: u64,
    /// The most that may come.
    bytes_max: u64,
    sha1: Option<Sha1>,
}

impl Files {
    /// Appends a body to an upload of which `received` bytes are there. What was received is
    /// on disk and noted on return, also if the body ends too early, is too large, or stalls.
    /// With a checksum that does not match nothing of the body is kept.
    pub(crate) async fn receive(
        &self,
        turn: &mut Turn,
        upload: &File,
        received: u64,
        bytes_max: u64,
        checksum: Option<Checksum>,
        body: impl Body,
    ) -> Result<Received, Refusal> {
        let spooled = self.spool.resume(&upload.object, received).await;
        let mut receiving = Receiving {
            files: self,
            upload,
            spooled: spooled.map_err(|error| self.spool_failed(&error))?,
            buffer: Vec::new(),
            total: received,
            noted: received,
            bytes_max,
            sha1: checksum.is_some().then(Sha1::new),
        };
        self.metrics.receiving.inc();
        let ended = receiving.run(turn, body).await;
        self.metrics.receiving.dec();
        let refusal = match ended {
            Ok(()) => None,
            // What can't be written can't be kept either.
            Err(refusal) if refusal.reason == ErrorReason::StorageFull => return Err(refusal),
            Err(refusal) => Some(refusal),
        };
        if let (Some(Checksum::Sha1(expected)), Some(sha1)) = (checksum, receiving.sha1.take())
            && (refusal.is_some() || <[u8; 20]>::from(sha1.finalize()) != expected)
        {
            // Nothing of it was noted.
            return Err(refusal.unwrap_or_else(|| {
                let message = "the bytes that came do not have this checksum; send them again";
                Refusal::new(ErrorReason::ChecksumMismatch, message)
            }));
        }
        receiving.note().await?;
        Ok(Received { total: receiving.noted, refusal })
    }

    /// What a sender is told of a spool that failed.
    pub(crate) fn spool_failed(&self, error: &io::Error) -> Refusal {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => {
                tracing::warn!(%error, "an upload is refused: there is no room for it");
                storage_full()
            }
            _ => {
                tracing::error!(%error, "the spool of uploads failed");
                internal()
            }
        }
    }
}

impl Receiving<'_> {
    async fn run(&mut self, turn: &mut Turn, body: impl Body) -> Result<(), Refusal> {
        let mut body = pin!(body);
        loop {
            let next = tokio::select! {
                next = timeout(SILENCE_MAX, body.next()) => next,
                () = turn.interrupted() => {
                    let message = "another request has taken this upload over";
                    return Err(Refusal::new(ErrorReason::UploadBusy, message));
                }
            };
            let chunk = match next {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(None) => return self.write().await,
                Ok(Some(Err(Cut))) | Err(_) => {
                    self.write().await?;
                    let message = "the body ended before its end; what came is kept";
                    return Err(Refusal::new(ErrorReason::UploadCut, message));
                }
            };
            self.files.metrics.received_bytes.inc_by(chunk.len() as u64);
            let room = self.bytes_max.saturating_sub(self.total);
            let fits = chunk.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            if fits < chunk.len() {
                let message =
                    format!("there is more than the {} bytes that may come", self.bytes_max);
                return Err(Refusal::new(ErrorReason::FileTooLarge, message));
            }
            if let Some(sha1) = &mut self.sha1 {
                sha1.update(&chunk);
            }
            self.total += chunk.len() as u64;
            self.buffer.extend_from_slice(&chunk);
            if self.buffer.len() >= WRITE_BYTES {
                self.write().await?;
            }
            // A body with a checksum is kept as a whole or not at all.
            if self.sha1.is_none() && self.total - self.noted >= STEP_BYTES {
                self.note().await?;
            }
        }
    }

    async fn write(&mut self) -> Result<(), Refusal> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::replace(&mut self.buffer, Vec::with_capacity(WRITE_BYTES));
        let written = self.spooled.append(bytes).await;
        written.map_err(|error| self.files.spool_failed(&error))
    }

    /// Brings everything to disk, and notes it.
    async fn note(&mut self) -> Result<(), Refusal> {
        self.write().await?;
        let Files { store, clock, settings: FileSettings { upload_lasts, .. }, .. } = self.files;
        self.spooled.sync().await.map_err(|error| self.files.spool_failed(&error))?;
        let expires = expiry(clock.now(), *upload_lasts);
        let noted = store.advance_upload(self.upload.id, self.total, expires).await;
        if !noted.map_err(|error| of_store(&error))? {
            return Err(crate::upload::not_found());
        }
        self.noted = self.total;
        Ok(())
    }
}
