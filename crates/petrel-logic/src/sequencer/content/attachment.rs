//! Files that go with messages: what the server knows of them, and which messages refer to
//! them.
//!
//! Whoever uploaded a file may send it; whoever may read a message with a file may send the
//! message on (`compose`). What is delivered of a file comes from the store, never from the
//! sender, who may only say how long a sound or film lasts and how large a film is: what no
//! bytes are read for.

use petrel_log::Command;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Attachment, AttachmentRef, MessageType};
use petrel_protocol::http::FileKind;
use petrel_store::{FileReference, FileState};
use petrel_types::{ConversationId, FileId, Seq};

use crate::Refusal;
use crate::event::MessageBody;
use crate::profile::file_id;
use crate::sequencer::draft::Draft;

impl Draft<'_> {
    /// What goes with a message of a kind as the file that its sender names.
    pub(super) fn attach(
        &self,
        command: &Command,
        kind: MessageType,
        asked: &AttachmentRef,
    ) -> Result<Attachment, Refusal> {
        let known = file_id(&asked.file_id).and_then(|id| self.lookups.files.get(&id));
        let file = known.filter(|file| file.owner == command.actor).ok_or_else(|| {
            let message = "there is no such file among those that you have uploaded";
            Refusal::new(ErrorReason::FileNotFound, message)
        })?;
        let FileState::Complete(facts) = &file.state else {
            let message = "the file is not complete yet; go on with its upload first";
            return Err(Refusal::new(ErrorReason::UploadUnfinished, message));
        };
        check_kind(kind, &facts.content_type)?;
        let is_film = kind == MessageType::Video;
        let said = |pixels: Option<u32>| pixels.filter(|_| is_film);
        let (width, height) = facts.dimensions.unzip();
        Ok(Attachment {
            file_id: file.id.to_string(),
            name: file.name.clone(),
            size: facts.size,
            content_type: facts.content_type.clone(),
            width: width.or(said(asked.width)),
            height: height.or(said(asked.height)),
            duration_ms: asked
                .duration_ms
                .filter(|_| matches!(kind, MessageType::Audio | MessageType::Video)),
            thumbnail: facts.thumbnail.is_some(),
        })
    }

    /// Notes that the message at `seq` refers to a file, or no longer does.
    pub(super) fn refer(
        &mut self,
        conversation: ConversationId,
        seq: Seq,
        file: Option<FileId>,
        is_there: bool,
    ) {
        let Some(file) = file else { return };
        let references = &mut self.batch.file_references;
        // A message may come and go within a batch.
        references.retain(|it| (it.file, it.conversation, it.seq) != (file, conversation, seq));
        references.push(FileReference { file, conversation, seq, is_there });
    }
}

/// The file that goes with a message.
pub(super) fn file_of(message: &MessageBody) -> Option<FileId> {
    file_id(&message.attachment.as_deref()?.file_id)
}

/// Any file may go as a file; a picture, sound or film must be one.
fn check_kind(kind: MessageType, content_type: &str) -> Result<(), Refusal> {
    let is_of_kind = match kind {
        MessageType::Image => FileKind::of(content_type) == FileKind::Image,
        MessageType::Audio => FileKind::of(content_type) == FileKind::Audio,
        MessageType::Video => FileKind::of(content_type) == FileKind::Video,
        _ => true,
    };
    if is_of_kind {
        return Ok(());
    }
    let kind = kind.as_str();
    let message =
        format!("the file is {content_type}, which does not go as {kind}; send it as FILE");
    Err(Refusal::new(ErrorReason::WrongFileKind, message))
}
