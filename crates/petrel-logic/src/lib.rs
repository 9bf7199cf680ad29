//! The rules of Petrel: who may do what, what gets which number, who is told.
//!
//! Everything here works on ports (`petrel-store`, `petrel-log`) and on values. No
//! sockets, no SQL; time comes as an argument. The heart is [`sequencer`]: the one
//! place where a command becomes a fact.

mod access;
pub mod activity;
pub mod administration;
pub mod admission;
pub mod budget;
pub mod call;
pub mod contacts;
pub mod deriver;
mod event;
mod hidden;
pub mod identity;
pub mod invitation_pace;
mod lists;
mod membership;
mod message_form;
mod names;
pub mod notices;
mod own;
mod pair;
mod personal_entry;
pub mod presence;
mod profile;
pub mod refusal;
pub mod requester;
pub mod requests;
pub mod retention;
pub mod search;
pub mod sequencer;
pub mod sync;
pub mod typing;
mod view;
pub mod visible;
pub mod words;

pub use refusal::Refusal;
