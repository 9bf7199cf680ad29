//! What becomes of a command, as docs/protocol.md has it: for the ledger, which must not
//! ask the code that it checks.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use petrel_log::{Content, GroupChange, ProfileChange};
use petrel_protocol::frame::{Change, GroupAdds, GroupInfo, Joining, Role, UserSettings};
use petrel_store::ConversationKind;
use petrel_types::limits::{EDIT_WINDOW_MS, INVITATION_LIFETIME_MS, RECALL_WINDOW_MS};
use petrel_types::{Seq, TimestampMs, UserId};

use crate::held::{Held, Message, What};
use crate::ledger::Timeline;
use crate::pairs::Pairs;

/// Nothing that is said or written anew comes across a block, and nobody brings one who has
/// blocked into a group; there what was committed before counts.
pub(crate) fn check_reach(
    timeline: &Timeline,
    actor: UserId,
    content: &Content,
    now: &Pairs,
    before: &Pairs,
) -> Result<()> {
    if let ConversationKind::Single { low, high } = timeline.kind
        && matches!(
            content,
            Content::Text(_)
                | Content::Message(_)
                | Content::Edit { .. }
                | Content::React { remove: false, .. }
                | Content::Pin { .. }
        )
    {
        ensure!(now.reaches(low, high), "said across a block");
    }
    if let Content::AddMembers(users) | Content::CreateGroup { members: users, .. } = content {
        let is_new = |user: &&UserId| **user != actor && !timeline.roles.contains_key(*user);
        for user in users.iter().filter(is_new) {
            ensure!(before.reaches(actor, *user), "brought {user} in across a block");
        }
    }
    Ok(())
}

/// What a user has decided, once it is stored.
pub(crate) fn change_settings(
    settings: &mut UserSettings,
    content: &Content,
    change: &Change,
) -> Result<()> {
    let before = settings.clone();
    match content {
        Content::Settings { findable, presence_hidden, group_adds, friend_code } => {
            settings.findable = findable.unwrap_or(settings.findable);
            settings.presence_hidden = presence_hidden.unwrap_or(settings.presence_hidden);
            settings.group_adds = group_adds.unwrap_or(settings.group_adds);
            settings.friend_code = friend_code.clone().or(settings.friend_code.take());
        }
        Content::Profile(ProfileChange { display_name, avatar }) => {
            settings.display_name = display_name.clone().unwrap_or(settings.display_name.take());
            settings.avatar = avatar.unwrap_or(settings.avatar);
        }
        _ => bail!("no settings: {content:?}"),
    }
    ensure!(*settings != before, "nothing changes");
    ensure!(*change == Change::SettingsChanged { settings: settings.clone() }, "{change:?}");
    Ok(())
}

/// Those whom the actor does not take in at once: what they had decided before the batch, and
/// who was their friend then, counts.
pub(crate) fn asked_first(
    actor: UserId,
    content: &Content,
    settings: &BTreeMap<UserId, UserSettings>,
    pairs: &Pairs,
) -> BTreeSet<UserId> {
    let (Content::AddMembers(users) | Content::CreateGroup { members: users, .. }) = content else {
        return BTreeSet::new();
    };
    let is_asked = |user: &UserId| {
        let adds = settings.get(user).map(|settings| settings.group_adds).unwrap_or_default();
        *user != actor
            && match adds {
                GroupAdds::Everybody => false,
                GroupAdds::Friends => !pairs.are_friends(actor, *user),
                GroupAdds::Ask => true,
            }
    };
    users.iter().copied().filter(is_asked).collect()
}

/// The event that a command must have become, at the end of a timeline, and the one that must
/// follow it, if any; an error if it should have been refused.
pub(crate) fn outcomes(
    timeline: &Timeline,
    actor: UserId,
    content: &Content,
    now: TimestampMs,
    (sent_on, asked_first): (Option<Message>, &BTreeSet<UserId>),
) -> Result<(What, Option<Change>)> {
    let is_invited = |user: &UserId| timeline.invited.get(user).is_some_and(|until| *until > now);
    let inviting: Vec<_> = asked_first
        .iter()
        .copied()
        .filter(|user| !timeline.roles.contains_key(user) && !is_invited(user))
        .collect();
    let expires_ts = TimestampMs::new(now.get() + INVITATION_LIFETIME_MS);
    let invited = Change::MembersInvited { members: inviting.clone(), expires_ts };
    let then = Some(invited.clone()).filter(|_| !inviting.is_empty());
    let without = |users: &[UserId]| -> Vec<_> {
        users.iter().copied().filter(|user| !asked_first.contains(user)).collect()
    };
    match content {
        Content::CreateGroup { title, members, history } => {
            let (title, members) = (title.clone(), without(members));
            let content = Content::CreateGroup { title, members, history: *history };
            Ok((outcome(timeline, actor, &content, now, sent_on)?, then))
        }
        Content::AddMembers(users) => {
            let at_once = without(users);
            if at_once.iter().any(|user| !timeline.roles.contains_key(user)) {
                let content = Content::AddMembers(at_once);
                return Ok((outcome(timeline, actor, &content, now, sent_on)?, then));
            }
            let role = timeline.roles.get(&actor).context("not a member")?;
            ensure!(*role >= Role::Admin, "a {role:?} may not invite");
            ensure!(!inviting.is_empty(), "invited nobody");
            Ok((What::Change(invited), None))
        }
        Content::AnswerInvitation { accept } => {
            ensure!(!timeline.roles.contains_key(&actor), "a member answers an invitation");
            ensure!(is_invited(&actor), "answered without being invited");
            let change = match accept {
                true => {
                    has_room(timeline, 1)?;
                    Change::MembersAdded { members: vec![actor] }
                }
                false => Change::InvitationRefused,
            };
            Ok((What::Change(change), None))
        }
        Content::WithdrawInvitation { user } => {
            let role = timeline.roles.get(&actor).context("not a member")?;
            ensure!(*role >= Role::Admin, "a {role:?} may not withdraw an invitation");
            ensure!(is_invited(user), "withdrew an invitation that there is not");
            Ok((What::Change(Change::InvitationWithdrawn { user: *user }), None))
        }
        _ => Ok((outcome(timeline, actor, content, now, sent_on)?, None)),
    }
}

/// The same of a command that invites nobody.
fn outcome(
    timeline: &Timeline,
    actor: UserId,
    content: &Content,
    now: TimestampMs,
    sent_on: Option<Message>,
) -> Result<What> {
    if let Content::CreateGroup { title, members, history } = content {
        ensure!(timeline.head() == 0, "a group that exists is founded");
        let others: BTreeSet<_> = members.iter().copied().filter(|user| *user != actor).collect();
        return Ok(What::Change(Change::GroupCreated {
            title: title.clone(),
            members: others.into_iter().collect(),
            history: *history,
        }));
    }
    if let Content::Join { code, .. } = content {
        return join(timeline, actor, code, now);
    }
    let role = *timeline.roles.get(&actor).context("not a member")?;
    let needs = |least: Role| {
        ensure!(role >= least, "a {role:?} may not do that");
        Ok(())
    };
    let change = match content {
        Content::Text(body) => {
            may_speak(timeline, actor, now)?;
            return Ok(What::Message(Message { body: body.clone(), ..Message::default() }));
        }
        Content::Message(new) => {
            may_speak(timeline, actor, now)?;
            if new.forward.is_some() {
                return sent_on.map(What::Message).context("sent on what may not be read");
            }
            ensure!(!new.mention_all || role >= Role::Admin, "a member names everybody");
            let reply_to = match new.reply_to {
                Some(target) => Some((target.get(), message(timeline, actor, target)?.0.from)),
                None => None,
            };
            return Ok(What::Message(Message {
                body: new.body.clone(),
                place: new.location.as_ref().map(|place| format!("{place:?}")),
                reply_to,
                mentions: named(&new.mentions, |user| timeline.roles.contains_key(&user)),
                mention_all: new.mention_all,
                ..Message::default()
            }));
        }
        // Whatever has happened between the two since the call began.
        Content::Call(record) => {
            let call = Some(format!("{record:?}"));
            return Ok(What::Message(Message { call, ..Message::default() }));
        }
        Content::React { target, emoji, remove } => {
            let (_, known) = message(timeline, actor, *target)?;
            ensure!(!known.recalled, "reacted to what was recalled");
            let has = known.reactions.iter().any(|(it, by)| it == emoji && by.contains(&actor));
            ensure!(has == *remove, "reacted twice, or took back what was not there");
            ensure!(*remove || !is_muted(timeline, actor, now), "reacted though muted");
            Change::Reacted { target_seq: *target, emoji: emoji.clone(), removed: *remove }
        }
        Content::Pin { target, remove } => {
            let (_, known) = message(timeline, actor, *target)?;
            ensure!(!known.recalled, "pinned what was recalled");
            let is_group = timeline.kind == ConversationKind::Group;
            let may = !is_group || timeline.info.members_pin || role >= Role::Admin;
            ensure!(may && !is_muted(timeline, actor, now), "pinned without being allowed to");
            ensure!(timeline.pins.contains(&target.get()) == *remove, "pinned twice");
            Change::Pinned { target_seq: *target, removed: *remove }
        }
        Content::ChangeGroup(change) => {
            needs(Role::Admin)?;
            let info = changed_info(timeline, change);
            ensure!(info != timeline.info, "the same group");
            Change::GroupChanged { group: info }
        }
        Content::ChangeMember { user, nickname, mute_ms } => {
            let theirs = *timeline.roles.get(user).context("a change of no member")?;
            let is_above = role >= Role::Admin && theirs < role;
            ensure!(is_above || mute_ms.is_none() && *user == actor, "not below the actor");
            let before = timeline.attributes.get(user).cloned().unwrap_or_default();
            let (mut name, mut until) = before.clone();
            if let Some(nickname) = nickname {
                name = Some(nickname.clone()).filter(|name| !name.is_empty());
            }
            if let Some(ms) = mute_ms {
                until = Some(TimestampMs::new(now.get() + ms)).filter(|_| *ms > 0);
            }
            ensure!((&name, &until) != (&before.0, &before.1), "the same member");
            Change::MemberChanged { user: *user, nickname: name, muted_until_ts: until }
        }
        Content::AnswerJoin { user, accept } => {
            needs(Role::Admin)?;
            ensure!(timeline.waiting.contains_key(user), "answered one who does not wait");
            if *accept {
                has_room(timeline, 1)?;
                Change::MembersAdded { members: vec![*user] }
            } else {
                Change::JoinRefused { user: *user }
            }
        }
        Content::Recall { target } => {
            let (held, message) = message(timeline, actor, *target)?;
            ensure!(!message.recalled, "recalled twice");
            ensure!(message.call.is_none(), "recalled a call");
            if role < Role::Admin {
                ensure!(held.from == actor, "the message of another");
                ensure!(now.get() - held.ts.get() <= RECALL_WINDOW_MS, "too late");
            }
            Change::Recalled { target_seq: *target }
        }
        Content::Edit { target, body } => {
            may_speak(timeline, actor, now)?;
            let (held, message) = message(timeline, actor, *target)?;
            ensure!(!message.recalled && message.body != *body, "nothing to edit");
            ensure!(held.from == actor, "the message of another");
            ensure!(now.get() - held.ts.get() <= EDIT_WINDOW_MS, "too late");
            ensure!(message.forwarded_from.is_none(), "edited another's words");
            ensure!(message.call.is_none(), "edited a call");
            Change::Edited { target_seq: *target, body: Some(body.clone()) }
        }
        Content::AddMembers(users) => {
            needs(Role::Admin)?;
            let joining = named(users, |user| !timeline.roles.contains_key(&user));
            ensure!(!joining.is_empty(), "nobody joins");
            has_room(timeline, joining.len())?;
            Change::MembersAdded { members: joining }
        }
        Content::RemoveMembers(users) => {
            needs(Role::Admin)?;
            let leaving = named(users, |user| timeline.roles.contains_key(&user));
            ensure!(!leaving.is_empty() && !leaving.contains(&actor), "nobody, or oneself, goes");
            let is_below = |user: &UserId| timeline.roles[user] < role;
            ensure!(leaving.iter().all(is_below), "somebody is not below the remover");
            Change::MembersRemoved { members: leaving }
        }
        Content::Leave => {
            ensure!(role != Role::Owner, "the owner leaves");
            Change::MemberLeft
        }
        Content::SetRole { user, role } => {
            needs(Role::Owner)?;
            let before = timeline.roles.get(user).context("a role for no member")?;
            ensure!(before != role && *user != actor, "no other role, or one's own");
            Change::RoleChanged { user: *user, role: *role }
        }
        Content::SetTitle(title) => {
            needs(Role::Admin)?;
            ensure!(timeline.title != *title, "the same title");
            Change::TitleChanged { title: title.clone() }
        }
        Content::Dissolve => {
            needs(Role::Owner)?;
            Change::GroupDissolved
        }
        Content::CreateGroup { .. }
        | Content::Join { .. }
        | Content::AnswerInvitation { .. }
        | Content::WithdrawInvitation { .. } => unreachable!("handled above"),
        Content::Contact { .. }
        | Content::Settings { .. }
        | Content::Profile(_)
        | Content::Hide { .. }
        | Content::SetConversation { .. } => bail!("not of this timeline"),
        Content::Rule(_) | Content::ClearProfile(_) => bail!("no admin takes part in a simulation"),
    };
    Ok(What::Change(change))
}

fn join(timeline: &Timeline, actor: UserId, code: &str, now: TimestampMs) -> Result<What> {
    ensure!(!timeline.roles.is_empty(), "joined a group that is over");
    ensure!(timeline.info.code.as_deref() == Some(code), "joined by a wrong code");
    ensure!(!timeline.roles.contains_key(&actor), "joined twice");
    let until = timeline.attributes.get(&actor).and_then(|(_, until)| *until);
    ensure!(until.is_none_or(|until| until <= now), "joined though muted");
    has_room(timeline, 1)?;
    Ok(What::Change(match timeline.info.joining {
        Joining::Open => Change::MembersAdded { members: vec![actor] },
        Joining::Approval => {
            ensure!(!timeline.waiting.contains_key(&actor), "asked twice");
            Change::JoinRequested
        }
        Joining::Closed => bail!("joined a closed group"),
    }))
}

fn has_room(timeline: &Timeline, joining: usize) -> Result<()> {
    let most = timeline.info.member_limit.unwrap_or(u64::MAX);
    ensure!((timeline.roles.len() + joining) as u64 <= most, "more members than the limit");
    Ok(())
}

/// Whether a member is muted; the owner and admins never are.
fn is_muted(timeline: &Timeline, actor: UserId, now: TimestampMs) -> bool {
    let is_plain = timeline.roles.get(&actor) == Some(&Role::Member);
    let until = timeline.attributes.get(&actor).and_then(|(_, until)| *until);
    timeline.kind == ConversationKind::Group && is_plain && until.is_some_and(|until| until > now)
}

fn may_speak(timeline: &Timeline, actor: UserId, now: TimestampMs) -> Result<()> {
    let is_plain = timeline.roles.get(&actor) == Some(&Role::Member);
    if timeline.kind == ConversationKind::Group && is_plain {
        ensure!(!timeline.info.muted, "spoke in a muted group");
        let until = timeline.attributes.get(&actor).and_then(|(_, until)| *until);
        ensure!(until.is_none_or(|until| until <= now), "spoke though muted");
    }
    Ok(())
}

fn changed_info(timeline: &Timeline, change: &GroupChange) -> GroupInfo {
    let text = |to: &Option<String>, before: &Option<String>| match to {
        Some(to) => Some(to.clone()).filter(|to| !to.is_empty()),
        None => before.clone(),
    };
    let before = &timeline.info;
    let joining = change.joining.unwrap_or(before.joining);
    let kept = before.code.clone().filter(|_| !change.renew_code);
    GroupInfo {
        description: text(&change.description, &before.description),
        avatar: text(&change.avatar, &before.avatar),
        announcement: text(&change.announcement, &before.announcement),
        joining,
        code: (joining != Joining::Closed).then(|| kept.unwrap_or(change.new_code.clone())),
        member_limit: change.member_limit.or(before.member_limit).filter(|limit| *limit < 20_000),
        muted: change.muted.unwrap_or(before.muted),
        members_pin: change.members_pin.unwrap_or(before.members_pin),
    }
}

fn message(timeline: &Timeline, actor: UserId, target: Seq) -> Result<(&Held, &Message)> {
    let seq = target.get();
    ensure!(timeline.may_read(actor, seq), "{actor} may not read {seq}");
    ensure!(seq >= timeline.trimmed_before, "{seq} is trimmed");
    let held = &timeline.entry(seq).context("nothing there")?.held;
    Ok((held, held.message().context("no message")?))
}

/// Those who are named, once each, by user id.
fn named(users: &[UserId], choose: impl Fn(UserId) -> bool) -> Vec<UserId> {
    let users: BTreeSet<_> = users.iter().copied().filter(|user| choose(*user)).collect();
    users.into_iter().collect()
}
