//! What a user is called and looks like to others.
//!
//! Both stand in the user's personal timeline, with the other settings, so that the user's own
//! devices are told of a change. Nobody else is: they ask for names, and get what there is.

use petrel_log::{Command, ProfileChange, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::Change;
use petrel_protocol::http::FileKind;
use petrel_store::{ConversationKind, FileState};
use petrel_types::limits::{AVATAR_BYTES_MAX, DISPLAY_NAME_UTF16_UNITS_MAX};
use petrel_types::{ConversationId, FileId, Seq, UserId};

use super::nothing_to_change;
use crate::Refusal;
use crate::sequencer::draft::Draft;
use crate::visible::{is_blank, is_disruptive};

impl Draft<'_> {
    /// Changes how a user is shown to others.
    pub(super) fn change_profile(
        &mut self,
        command: &Command,
        send: &SendRequest,
        change: &ProfileChange,
    ) -> Result<(), Refusal> {
        let kind = ConversationKind::Personal { user: command.actor };
        let known = self.memory.by_kind.get(&kind).copied();
        let model = known.and_then(|timeline| self.model(timeline));
        let before = model.and_then(|model| model.own.as_deref().cloned()).unwrap_or_default();
        let mut after = before.clone();
        if let Some(name) = &change.display_name {
            after.display_name = name.as_deref().map(display_name).transpose()?;
        }
        if let Some(avatar) = change.avatar {
            if let Some(file) = avatar.filter(|_| avatar != before.avatar) {
                self.check_avatar(command.actor, file)?;
            }
            after.avatar = avatar;
        }
        if after == before {
            return Err(nothing_to_change("your name and picture are so already"));
        }

        let timeline = self.find_or_begin(kind);
        self.show(timeline, before.avatar, after.avatar);
        self.set_own(timeline, after.clone());
        let change = Change::SettingsChanged { settings: after.shown() };
        self.change(command, send, timeline, change);
        Ok(())
    }

    /// Refuses what can't be an avatar: it must be a picture that the actor has uploaded, and
    /// one that has a thumbnail, since that is what others get of it.
    pub(super) fn check_avatar(&self, actor: UserId, id: FileId) -> Result<(), Refusal> {
        let known = self.lookups.files.get(&id).filter(|file| file.owner == actor);
        let file = known.ok_or_else(|| {
            let message = "there is no such file among those that you have uploaded";
            Refusal::new(ErrorReason::FileNotFound, message)
        })?;
        let FileState::Complete(facts) = &file.state else {
            let message = "the picture is not complete yet; go on with its upload first";
            return Err(Refusal::new(ErrorReason::UploadUnfinished, message));
        };
        if FileKind::of(&facts.content_type) != FileKind::Image || facts.thumbnail.is_none() {
            let kind = &facts.content_type;
            let message = format!(
                "the file is {kind}, or can't be made smaller; an avatar is a PNG, JPEG, GIF or \
                 WebP picture"
            );
            return Err(Refusal::new(ErrorReason::WrongFileKind, message));
        }
        if facts.size > AVATAR_BYTES_MAX {
            let message = format!("an avatar has at most {AVATAR_BYTES_MAX} bytes");
            return Err(Refusal::new(ErrorReason::FileTooLarge, message));
        }
        Ok(())
    }

    /// Keeps the picture that a conversation shows, and lets go of the one that it showed
    /// before. They are referred to by no message, but by the conversation as a whole.
    pub(super) fn show(
        &mut self,
        conversation: ConversationId,
        before: Option<FileId>,
        after: Option<FileId>,
    ) {
        if before != after {
            #[cfg(feature = "mutants")]
            let before = before.filter(|_| !petrel_store::mutants::is("picture-outlives-its-use"));
            self.refer(conversation, Seq::ZERO, before, false);
            self.refer(conversation, Seq::ZERO, after, true);
        }
    }
}

/// A name to be shown, without what surrounds it.
fn display_name(name: &str) -> Result<String, Refusal> {
    let name = name.trim();
    let units = name.encode_utf16().count();
    if is_blank(name) || units > DISPLAY_NAME_UTF16_UNITS_MAX || name.contains(is_disruptive) {
        return Err(Refusal::new(
            ErrorReason::InvalidField,
            format!(
                "`displayName` must not be blank, nor longer than {DISPLAY_NAME_UTF16_UNITS_MAX} \
                 UTF-16 units, and must have no control characters; `null` is to have none"
            ),
        ));
    }
    Ok(name.to_owned())
}
