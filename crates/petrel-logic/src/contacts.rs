//! Finding people, and reading one's own lists of contacts. What changes between users is
//! decided by the sequencer; here are reads, and how often somebody may search and apply.
//!
//! Nobody can list the users with it: a user is found by the exact name, if the user lets
//! that be, or by the code that the user gave away.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use lru::LruCache;
use petrel_log::{Content, Destination, SendRequest};
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{
    ContactState, ContactsRequest, Direction, GroupInvitationState, GroupInvitations, UserSettings,
};
use petrel_protocol::http::{ProfileChange, SettingsChange};
use petrel_store::{ConversationKind, Store, StoreError};
use petrel_types::limits::{APPLICATION_UTF16_UNITS_MAX, CONTACTS_MAX};
use petrel_types::{ClientMessageId, ConversationId, Seq, TimestampMs, UserId};

use crate::Refusal;
use crate::lists::{INVITATIONS, ListedContact, decode_invitation, list_of};
pub use crate::names::Person;
use crate::own::Own;
use crate::pair::{Pair, checked};
use crate::refusal::not_a_member;

/// How many contacts a client gets that does not say how many.
const DEFAULT_LIMIT: u32 = 50;

/// How many searches somebody makes at once, and how long it takes until there is room for
/// one more.
const SEARCHES: Pace = Pace { burst: 20, interval_ms: 3_000 };

/// The same for applications.
const APPLICATIONS: Pace = Pace { burst: 20, interval_ms: 30_000 };

/// How many users' searches and applications are remembered. Who is forgotten, because so
/// many others came, begins anew.
const USERS_REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(64 * 1024).expect("not zero");

/// The symbols of codes: no two are easily taken for each other. 32 of them, so that five
/// random bits make one.
const SYMBOLS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/// 60 bits.
const CODE_SYMBOLS: usize = 12;

/// Answers questions about users and contacts.
pub struct Contacts {
    pub(crate) store: Arc<dyn Store>,
    begin: Instant,
    searches: Mutex<LruCache<UserId, u64>>,
    applications: Mutex<LruCache<UserId, u64>>,
}

/// How often.
struct Pace {
    burst: u64,
    interval_ms: u64,
}

impl Contacts {
    /// Over a store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        // Unbounded in what they allocate at first; bounded when something comes in.
        let nobody = || Mutex::new(LruCache::unbounded());
        Self { store, begin: Instant::now(), searches: nobody(), applications: nobody() }
    }

    /// A page of one of the user's lists.
    pub async fn list(
        &self,
        user: UserId,
        request: &ContactsRequest,
    ) -> Result<ContactState, Refusal> {
        let ContactsRequest { list, users_after, limit } = *request;
        let Some(personal) = self.store.personal_timeline(user).await.map_err(of_store)? else {
            let (conversation_id, as_of_seq) = (None, Seq::ZERO);
            let contacts = Vec::new();
            return Ok(ContactState { list, conversation_id, as_of_seq, contacts, more: false });
        };
        let limit = limit.unwrap_or(DEFAULT_LIMIT).clamp(1, CONTACTS_MAX);
        let after = users_after.map(UserId::get);
        let page = self.store.entries_after(personal, list_of(list), after, limit).await;
        let page = page.map_err(of_store)?;
        let contacts = page.entries.iter().map(|entry| ListedContact::decode(&entry.value));
        let contacts = contacts.map(|listed| listed.map(|listed| listed.contact));
        Ok(ContactState {
            list,
            conversation_id: Some(personal),
            as_of_seq: page.head.seq,
            contacts: contacts.collect::<Result<_, _>>().map_err(of_store)?,
            more: page.more,
        })
    }

    /// A page of the invitations that wait for the user's answer. Those whose time is over may
    /// be among them.
    pub async fn invitations(
        &self,
        user: UserId,
        request: &GroupInvitations,
    ) -> Result<GroupInvitationState, Refusal> {
        let Some(personal) = self.store.personal_timeline(user).await.map_err(of_store)? else {
            let (conversation_id, as_of_seq) = (None, Seq::ZERO);
            let invitations = Vec::new();
            return Ok(GroupInvitationState {
                conversation_id,
                as_of_seq,
                invitations,
                more: false,
            });
        };
        let limit = request.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, CONTACTS_MAX);
        let after = request.groups_after.map(ConversationId::get);
        let page = self.store.entries_after(personal, INVITATIONS, after, limit).await;
        let page = page.map_err(of_store)?;
        let invitations = page.entries.iter().map(|entry| decode_invitation(&entry.value));
        Ok(GroupInvitationState {
            conversation_id: Some(personal),
            as_of_seq: page.head.seq,
            invitations: invitations.collect::<Result<_, _>>().map_err(of_store)?,
            more: page.more,
        })
    }

    /// The user of exactly this name, ignoring ASCII case, who lets that be.
    pub async fn find_by_name(&self, asker: UserId, name: &str) -> Result<Person, Refusal> {
        self.count_search(asker)?;
        let user = self.store.user_by_name(name).await.map_err(of_store)?.ok_or_else(nobody)?;
        if user.id != asker && self.own(user.id).await?.hidden {
            return Err(nobody());
        }
        self.person_of(user.id, Some(user.username)).await
    }

    /// The user whose friend code this is. Case, spaces and hyphens don't matter.
    pub async fn find_by_code(&self, asker: UserId, code: &str) -> Result<Person, Refusal> {
        self.count_search(asker)?;
        let holder = match plain_code(code) {
            Some(code) => self.holder_of(&code).await?,
            None => None,
        };
        let Some((_, ConversationKind::Personal { user })) = holder else {
            return Err(nobody());
        };
        self.person(user).await
    }

    /// The group to which a code leads. To who asks, a code that leads nowhere and a group
    /// that can't be joined are the same.
    pub async fn find_group(
        &self,
        asker: UserId,
        code: &str,
    ) -> Result<(ConversationId, String), Refusal> {
        self.count_search(asker)?;
        let Some(code) = plain_code(code) else { return Err(not_a_member()) };
        match self.holder_of(&code).await? {
            Some((group, ConversationKind::Group)) => Ok((group, code)),
            _ => Err(not_a_member()),
        }
    }

    /// The user's own settings.
    pub async fn settings(&self, user: UserId) -> Result<UserSettings, Refusal> {
        Ok(self.own(user).await?.shown())
    }

    /// The command that gives a user another friend code.
    pub fn renew_code(client_message_id: ClientMessageId) -> Result<SendRequest, Refusal> {
        let friend_code = Some(mint_code()?);
        let content = Content::Settings {
            findable: None,
            presence_hidden: None,
            group_adds: None,
            friend_code,
        };
        Ok(settings(client_message_id, content))
    }

    /// The command that changes what a user has decided. What is missing stays as it is.
    pub fn change_settings(change: SettingsChange) -> Result<SendRequest, Refusal> {
        let SettingsChange { client_msg_id, findable, presence_hidden, group_adds } = change;
        if findable.is_none() && presence_hidden.is_none() && group_adds.is_none() {
            let message = "say what is to change: `findable`, `presenceHidden` or `groupAdds`";
            return Err(Refusal::new(ErrorReason::InvalidField, message));
        }
        let content =
            Content::Settings { findable, presence_hidden, group_adds, friend_code: None };
        Ok(settings(client_msg_id, content))
    }

    /// The command that changes how a user is shown to others. What is missing stays as it is.
    pub fn change_profile(change: ProfileChange) -> Result<SendRequest, Refusal> {
        let ProfileChange { client_msg_id, display_name, avatar } = change;
        if display_name.is_none() && avatar.is_none() {
            let message = "say what is to change: `displayName` or `avatar`";
            return Err(Refusal::new(ErrorReason::InvalidField, message));
        }
        let content = Content::Profile(petrel_log::ProfileChange { display_name, avatar });
        Ok(settings(client_msg_id, content))
    }

    /// Counts an application to `to`, and refuses it if there were too many of late. One that
    /// says what a waiting one says is the same again, and counts for nothing.
    pub async fn count_application(
        &self,
        user: UserId,
        to: UserId,
        message: Option<&str>,
        now: TimestampMs,
    ) -> Result<(), Refusal> {
        let waits = self.waits(user, to, message, now).await?;
        #[cfg(feature = "mutants")]
        let waits = waits && !petrel_store::mutants::is("application-counts-again");
        if waits {
            return Ok(());
        }
        self.count(&self.applications, user, &APPLICATIONS)
    }

    /// Whether an application of a user waits that says this.
    async fn waits(
        &self,
        user: UserId,
        to: UserId,
        message: Option<&str>,
        now: TimestampMs,
    ) -> Result<bool, Refusal> {
        let Some(pair) = self.store.pair(user, to).await.map_err(of_store)? else {
            return Ok(false);
        };
        let Some(summary) = self.store.summary(pair).await.map_err(of_store)? else {
            return Ok(false);
        };
        let pair = Pair::decode(&summary.profile).map_err(of_store)?;
        let message = checked("message", message, APPLICATION_UTF16_UNITS_MAX)?;
        let application = pair.seen_by(user, to).application;
        Ok(application.is_some_and(|it| {
            it.direction == Direction::Outgoing && it.expires_ts > now && it.message == message
        }))
    }

    fn count_search(&self, user: UserId) -> Result<(), Refusal> {
        self.count(&self.searches, user, &SEARCHES)
    }

    /// Each costs an interval of time, and `burst` of them may be owed.
    fn count(
        &self,
        counted: &Mutex<LruCache<UserId, u64>>,
        user: UserId,
        pace: &Pace,
    ) -> Result<(), Refusal> {
        let now_ms = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        let paid_until_ms = counted.get(&user).copied().unwrap_or(0).max(now_ms);
        let next_ms = paid_until_ms + pace.interval_ms;
        let most_ms = now_ms + pace.burst * pace.interval_ms;
        if next_ms > most_ms {
            return Err(Refusal::new(
                ErrorReason::TooManyRequests,
                "that was too often of late; wait a little",
            )
            .retry_after(next_ms - most_ms));
        }
        counted.push(user, next_ms);
        if counted.len() > USERS_REMEMBERED_MAX.get() {
            counted.pop_lru();
        }
        Ok(())
    }

    pub(crate) async fn own(&self, user: UserId) -> Result<Own, Refusal> {
        let Some(personal) = self.store.personal_timeline(user).await.map_err(of_store)? else {
            return Ok(Own::default());
        };
        let summary = self.store.summary(personal).await.map_err(of_store)?;
        let own = summary.map(|summary| Own::decode(&summary.profile)).transpose();
        Ok(own.map_err(of_store)?.unwrap_or_default())
    }

    /// Where a code leads.
    async fn holder_of(
        &self,
        code: &str,
    ) -> Result<Option<(ConversationId, ConversationKind)>, Refusal> {
        let Some(holder) = self.store.code_holder(code).await.map_err(of_store)? else {
            return Ok(None);
        };
        let summary = self.store.summary(holder).await.map_err(of_store)?;
        Ok(summary.map(|summary| (holder, summary.conversation.kind)))
    }
}

fn settings(client_message_id: ClientMessageId, content: Content) -> SendRequest {
    SendRequest { to: Destination::Own, client_message_id, content, retry: true, first_sent: None }
}

/// A random code.
pub(crate) fn mint_code() -> Result<String, Refusal> {
    let random = getrandom::u64().map_err(|error| {
        tracing::error!(%error, "the system has no random numbers");
        Refusal::new(ErrorReason::InternalError, "the server failed; its log says why")
    })?;
    Ok(code_of(random))
}

fn code_of(random: u64) -> String {
    let symbol = |index| SYMBOLS[(random >> (5 * index)) as usize % SYMBOLS.len()] as char;
    (0..CODE_SYMBOLS).map(symbol).collect()
}

/// A code as people type it in the form in which it is stored; `None` if it can't be one.
pub(crate) fn plain_code(typed: &str) -> Option<String> {
    let mut code = String::with_capacity(CODE_SYMBOLS);
    for symbol in typed.chars().filter(|symbol| !symbol.is_whitespace() && *symbol != '-') {
        let symbol = symbol.to_ascii_uppercase();
        if code.len() == CODE_SYMBOLS || !symbol.is_ascii() || !SYMBOLS.contains(&(symbol as u8)) {
            return None;
        }
        code.push(symbol);
    }
    (code.len() == CODE_SYMBOLS).then_some(code)
}

/// The one answer for a user that there is not and one who is not to be found.
fn nobody() -> Refusal {
    Refusal::new(ErrorReason::UserNotFound, "nobody is found by that name or code")
}

fn of_store(error: StoreError) -> Refusal {
    Refusal::of_store(&error)
}

#[cfg(test)]
mod tests {
    use petrel_store::memory::MemoryStore;
    use petrel_types::Epoch;

    use super::*;

    #[test]
    fn a_code_is_recognised_however_it_is_typed() {
        let code = code_of(0x0123_4567_89ab_cdef);
        assert_eq!(code.len(), CODE_SYMBOLS);
        let typed = format!(" {}-{} {}", &code[..4], code[4..8].to_lowercase(), &code[8..]);
        assert_eq!(plain_code(&typed), Some(code.clone()));
        for wrong in ["", "2345", &format!("{code}2"), "ILOilo01ILO0", "é23456789ABCD"] {
            assert_eq!(plain_code(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn searches_are_counted_for_each_user() {
        let contacts = Contacts::new(Arc::new(MemoryStore::new(Epoch::new(1))));
        let (ann, bob) = (UserId::new(1), UserId::new(2));
        for _ in 0..SEARCHES.burst {
            let missed = contacts.find_by_name(ann, "nobody").await.unwrap_err();
            assert_eq!(missed.reason, ErrorReason::UserNotFound);
        }
        let refused = contacts.find_by_code(ann, "nobody").await.unwrap_err();
        assert_eq!(refused.reason, ErrorReason::TooManyRequests);
        assert!(refused.retry_after_ms.is_some_and(|ms| ms <= SEARCHES.interval_ms));
        assert_eq!(
            contacts.find_by_name(bob, "nobody").await.unwrap_err().reason,
            ErrorReason::UserNotFound
        );
        assert!(contacts.count_application(ann, bob, None, TimestampMs::default()).await.is_ok());
    }
}
