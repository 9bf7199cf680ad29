//! The lists that a store keeps for conversations without understanding them: their
//! numbers, which never change, and what stands in them.

use bytes::Bytes;
use petrel_protocol::frame::{Contact, ContactList, Direction, Invitation};
use petrel_store::{StoreError, StoreErrorKind};
use petrel_types::{TimestampMs, UserId};
use serde::{Deserialize, Serialize};

/// Of a personal timeline, by user: everybody about whom there was ever anything to tell,
/// with the seq in the pair's timeline up to which it is told.
pub(crate) const KNOWN: u8 = 0;

/// Of a personal timeline, by user: the list of contacts of this kind.
pub(crate) fn list_of(list: ContactList) -> u8 {
    match list {
        ContactList::Friends => 1,
        ContactList::Incoming => 2,
        ContactList::Outgoing => 3,
        ContactList::Blocked => 4,
    }
}

/// Of a group, by user: who waits to be let in.
pub(crate) const JOIN_REQUESTS: u8 = 5;

/// Of a personal timeline, by conversation: up to where it is told what the conversation is
/// to the user.
pub(crate) const SETTINGS_TOLD: u8 = 6;

/// Of a group, by user: who was invited and has not answered.
pub(crate) const INVITED: u8 = 7;

/// Of a personal timeline, by group: the invitations that wait for the user's answer.
pub(crate) const INVITATIONS: u8 = 8;

/// Somebody who was invited, as it stands in the group's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedInvited {
    /// Who invites.
    pub(crate) by: UserId,
    /// From when on it counts as none.
    pub(crate) expires: TimestampMs,
}

impl ListedInvited {
    pub(crate) fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("invitations hold only strings and numbers").into()
    }

    pub(crate) fn decode(stored: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(stored).map_err(unreadable)
    }
}

pub(crate) fn encode_invitation(invitation: &Invitation) -> Bytes {
    serde_json::to_vec(invitation).expect("invitations hold only strings and numbers").into()
}

pub(crate) fn decode_invitation(stored: &[u8]) -> Result<Invitation, StoreError> {
    serde_json::from_slice(stored).map_err(unreadable)
}

/// Somebody who waits to be let in, as it stands in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedRequest {
    /// What the user says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    /// Since when.
    pub(crate) ts: TimestampMs,
}

impl ListedRequest {
    pub(crate) fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("requests hold only strings and numbers").into()
    }

    pub(crate) fn decode(stored: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(stored).map_err(unreadable)
    }
}

/// A contact as it stands in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedContact {
    /// The seq of the pair's event that this follows from.
    pub(crate) rev: u64,
    /// What the other is.
    pub(crate) contact: Contact,
}

impl ListedContact {
    /// Whether it stands in a list.
    pub(crate) fn is_in(&self, list: ContactList) -> bool {
        let application = self.contact.application.as_ref().map(|it| it.direction);
        match list {
            ContactList::Friends => self.contact.friend_since_ts.is_some(),
            ContactList::Incoming => application == Some(Direction::Incoming),
            ContactList::Outgoing => application == Some(Direction::Outgoing),
            ContactList::Blocked => self.contact.blocked,
        }
    }

    pub(crate) fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("contacts hold only strings and numbers").into()
    }

    pub(crate) fn decode(stored: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(stored).map_err(unreadable)
    }
}

fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, "an entry of a list can't be read").with_source(error)
}
