//! Every event in every state, as a table that is read by people, and random lives of many
//! calls against what must always hold.

mod always;
mod blocks;
mod exchange;
mod held;
mod parting;
mod records;
mod table;

use std::sync::Arc;

use petrel_types::{ClientMessageId, SessionId, UserId};

use super::{Media, Offer, Party};

fn name(text: &str) -> ClientMessageId {
    ClientMessageId::new(text).unwrap()
}

fn party(user: u64, session: u64) -> Party {
    Party { user: UserId::new(user), session: SessionId::new(session) }
}

fn offer(call: &str, caller: Party, callee: UserId) -> Offer {
    let description = Arc::from("an offer");
    let call = name(call);
    Offer { call, caller, callee, media: Media::Audio, description, resumes: None }
}
