//! Who may have a file: who uploaded it, whoever may read a message that refers to it, and, of
//! the avatar of a group, its members. Who may have the avatar of a user is decided where names
//! are given ([`Contacts`](crate::contacts::Contacts)).

use petrel_store::File;
use petrel_types::{Seq, UserId};

use super::{Catchup, of_store};
use crate::Refusal;

/// How many messages that refer to a file are looked at before a user is refused it.
const REFERENCES_MAX: u32 = 64;

/// What somebody may have of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All of it, and what is known of it.
    Whole,
    /// The thumbnail: it is the avatar of a group that the user is in.
    Avatar,
}

impl Catchup {
    /// What a user may have of a file; `None` for nothing.
    pub async fn share(&self, user: UserId, file: &File) -> Result<Option<Share>, Refusal> {
        if file.owner == user {
            return Ok(Some(Share::Whole));
        }
        let mut share = None;
        let places = self.store.references_for(file.id, user, REFERENCES_MAX).await;
        for (conversation, seq) in places.map_err(of_store)? {
            // No message refers to it there, but the conversation as a whole.
            if seq == Seq::ZERO {
                if self.is_in(user, conversation).await? {
                    share = Some(Share::Avatar);
                }
                continue;
            }
            let may_read = self.may_read(user, conversation, seq).await?;
            #[cfg(feature = "mutants")]
            let may_read = may_read || petrel_store::mutants::is("file-shared-unread");
            if may_read {
                return Ok(Some(Share::Whole));
            }
        }
        Ok(share)
    }
}
