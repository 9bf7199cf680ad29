//! What a group is beside its title and members, what its members are called, who may
//! speak, and whom messages name.

use petrel_log::{Command, GroupChange, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{Change, GroupInfo, Joining, Role};
use petrel_store::{CodeUpdate, MentionUpdate};
use petrel_types::limits::{
    GROUP_AVATAR_UTF16_UNITS_MAX, GROUP_MEMBERS_MAX, GROUP_TEXT_UTF16_UNITS_MAX, MUTE_MS_MAX,
    NICKNAME_UTF16_UNITS_MAX,
};
use petrel_types::{ConversationId, Seq, TimestampMs, UserId};

use super::{no_such_group, not_allowed, nothing_to_change};
use crate::Refusal;
use crate::profile::{Profile, avatar_of};
use crate::sequencer::draft::Draft;
use crate::visible::is_blank;

/// Stands for everybody where a message names users.
const EVERYBODY: UserId = UserId::new(0);

impl Draft<'_> {
    pub(super) fn change_group(
        &mut self,
        command: &Command,
        send: &SendRequest,
        group: ConversationId,
        change: &GroupChange,
    ) -> Result<(), Refusal> {
        self.check_role(command, group, Role::Admin)?;
        let model = self.group(group)?;
        let members = model.member_count() as u64;
        let profile = model.profile.clone();
        let mut info = profile.info.clone();
        let text = GROUP_TEXT_UTF16_UNITS_MAX;
        set_text("description", &mut info.description, change.description.as_deref(), text)?;
        set_text("announcement", &mut info.announcement, change.announcement.as_deref(), text)?;
        self.set_avatar(command, &mut info, change.avatar.as_deref())?;
        if let Some(limit) = change.member_limit {
            if limit < members || limit > GROUP_MEMBERS_MAX as u64 {
                return Err(Refusal::new(
                    ErrorReason::InvalidField,
                    format!(
                        "`memberLimit` is at least {members}, as many as there are, and at most {GROUP_MEMBERS_MAX}"
                    ),
                ));
            }
            info.member_limit = Some(limit).filter(|limit| *limit < GROUP_MEMBERS_MAX as u64);
        }
        info.muted = change.muted.unwrap_or(info.muted);
        info.members_pin = change.members_pin.unwrap_or(info.members_pin);
        info.joining = change.joining.unwrap_or(info.joining);
        if info.joining == Joining::Closed {
            info.code = None;
        } else if info.code.is_none() || change.renew_code {
            self.check_new_code(&change.new_code)?;
            info.code = Some(change.new_code.clone());
        }
        if info == profile.info {
            return Err(nothing_to_change("the group is so already"));
        }

        self.move_code(group, profile.info.code.as_ref(), info.code.as_ref());
        self.show(group, avatar_of(&profile.info), avatar_of(&info));
        self.set_profile(group, Profile { info: info.clone(), ..profile });
        self.change(command, send, group, Change::GroupChanged { group: info });
        Ok(())
    }

    /// Lets the code of a group that ends lead nowhere, and its picture go.
    pub(super) fn end_info(&mut self, group: ConversationId) -> Result<(), Refusal> {
        let profile = self.group(group)?.profile.clone();
        let avatar = avatar_of(&profile.info);
        if profile.info.code.is_some() || avatar.is_some() {
            self.move_code(group, profile.info.code.as_ref(), None);
            self.show(group, avatar, None);
            let mut info = GroupInfo { joining: Joining::Closed, code: None, ..profile.info };
            info.avatar.take_if(|_| avatar.is_some());
            self.set_profile(group, Profile { info, ..profile });
        }
        Ok(())
    }

    /// Sets the picture of a group: an address, at which nobody looks, or the id of a file,
    /// which must be one that the actor may show.
    fn set_avatar(
        &self,
        command: &Command,
        info: &mut GroupInfo,
        to: Option<&str>,
    ) -> Result<(), Refusal> {
        let before = avatar_of(info);
        set_text("avatar", &mut info.avatar, to, GROUP_AVATAR_UTF16_UNITS_MAX)?;
        match avatar_of(info) {
            Some(file) if Some(file) != before => self.check_avatar(command.actor, file),
            _ => Ok(()),
        }
    }

    fn move_code(&mut self, group: ConversationId, from: Option<&String>, to: Option<&String>) {
        if from == to {
            return;
        }
        if let Some(code) = from.cloned() {
            self.set_code(CodeUpdate { code, conversation: None });
        }
        if let Some(code) = to.cloned() {
            self.set_code(CodeUpdate { code, conversation: Some(group) });
        }
    }

    /// Names a member, or says for how long the member may not speak.
    pub(super) fn change_member(
        &mut self,
        command: &Command,
        send: &SendRequest,
        group: ConversationId,
        user: UserId,
        (nickname, mute_ms): (Option<&str>, Option<u64>),
    ) -> Result<(), Refusal> {
        let role = self.check_role(command, group, Role::Member)?;
        let now = self.now;
        let Some(mut member) = self.group(group)?.member(user).cloned() else {
            return Err(Refusal::new(
                ErrorReason::UserNotFound,
                format!("{user} is not a member of the group"),
            ));
        };
        let is_above = role >= Role::Admin && member.attributes.role < role;
        let before = member.attributes.clone();
        if nickname.is_some() {
            if user != command.actor && !is_above {
                return Err(not_allowed("you can name yourself, and as an admin those below you"));
            }
            let units = NICKNAME_UTF16_UNITS_MAX;
            set_text("nickname", &mut member.attributes.nickname, nickname, units)?;
        }
        if let Some(mute_ms) = mute_ms {
            if !is_above {
                return Err(not_allowed("you can mute only members whose role is below yours"));
            }
            if mute_ms > MUTE_MS_MAX {
                return Err(Refusal::new(
                    ErrorReason::InvalidField,
                    format!("`muteMs` is at most {MUTE_MS_MAX}"),
                ));
            }
            let until = TimestampMs::new(now.get() + mute_ms);
            member.attributes.muted_until = (mute_ms > 0).then_some(until);
        }
        if member.attributes == before {
            return Err(nothing_to_change("the member is so already"));
        }

        let changed = Change::MemberChanged {
            user,
            nickname: member.attributes.nickname.clone(),
            muted_until_ts: member.attributes.muted_until,
        };
        self.set_member(group, member);
        self.change(command, send, group, changed);
        Ok(())
    }

    /// Refuses a member who may not speak at present. The owner and admins always may.
    pub(super) fn check_may_speak(
        &mut self,
        actor: UserId,
        group: ConversationId,
    ) -> Result<(), Refusal> {
        #[cfg(feature = "mutants")]
        if petrel_store::mutants::is("muted-may-speak") {
            return Ok(());
        }
        let model = self.group(group)?;
        let role = model.role(actor).ok_or_else(no_such_group)?;
        if model.profile.info.muted && role < Role::Admin {
            return Err(Refusal::new(
                ErrorReason::Muted,
                "only the owner and admins may speak in this group at present",
            ));
        }
        self.check_not_muted(actor, group)
    }

    /// Refuses a member who is muted. In a group in which only the owner and admins speak,
    /// others may still react to what they say.
    pub(super) fn check_not_muted(
        &mut self,
        actor: UserId,
        group: ConversationId,
    ) -> Result<(), Refusal> {
        let now = self.now;
        let model = self.group(group)?;
        let attributes = &model.member(actor).ok_or_else(no_such_group)?.attributes;
        if attributes.role >= Role::Admin {
            return Ok(());
        }
        match attributes.muted_until {
            Some(until) if until > now => {
                Err(Refusal::new(ErrorReason::Muted, "you may not speak in this group for a while")
                    .retry_after(until.get() - now.get()))
            }
            _ => Ok(()),
        }
    }

    /// Counts the mentions of a message, or no longer.
    pub(super) fn set_mentions(
        &mut self,
        conversation: ConversationId,
        seq: Seq,
        (named, everybody): (&[UserId], bool),
        is_there: bool,
    ) {
        #[cfg(feature = "mutants")]
        if !is_there && petrel_store::mutants::is("mention-survives-recall") {
            return;
        }
        for user in named.iter().copied().chain(everybody.then_some(EVERYBODY)) {
            let update = MentionUpdate { conversation, user, seq, is_there };
            let is_same = |known: &&mut MentionUpdate| {
                (known.conversation, known.user, known.seq) == (conversation, user, seq)
            };
            // A new message has none yet; what is recalled may be of this batch.
            let known = self.batch.mentions.iter_mut().find(is_same).filter(|_| !is_there);
            match known {
                Some(known) => *known = update,
                None => self.batch.mentions.push(update),
            }
        }
    }
}

/// Sets a text that an empty one takes away, and so does one of which nothing can be seen.
fn set_text(
    name: &str,
    text: &mut Option<String>,
    to: Option<&str>,
    units_max: usize,
) -> Result<(), Refusal> {
    let Some(to) = to.map(str::trim) else { return Ok(()) };
    let is_odd = |symbol: char| symbol.is_control() && symbol != '\n';
    if to.encode_utf16().count() > units_max || to.contains(is_odd) {
        return Err(Refusal::new(
            ErrorReason::InvalidField,
            format!(
                "`{name}` must not be longer than {units_max} UTF-16 units, and must have no \
                 control characters"
            ),
        ));
    }
    *text = (!is_blank(to)).then(|| to.to_owned());
    Ok(())
}
