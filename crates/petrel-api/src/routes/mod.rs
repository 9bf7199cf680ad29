//! The routes, by subject. Handlers translate: a request into a call of `petrel-logic`,
//! its result into JSON. They decide nothing.

pub(crate) mod admin;
mod calls;
mod contacts;
mod content;
mod conversations;
mod devices;
mod files;
mod groups;
mod identity;
mod invitations;
mod messages;
mod presence;
mod search;
mod tus;

use crate::route::Route;

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = Route> {
    identity::routes()
        .into_iter()
        .chain(devices::routes())
        .chain(conversations::routes())
        .chain(messages::routes())
        .chain(search::routes())
        .chain(groups::routes())
        .chain(invitations::routes())
        .chain(contacts::routes())
        .chain(admin::routes())
        .chain(presence::routes())
        .chain(calls::routes())
        .chain(files::routes())
        .chain(tus::routes())
        .chain(content::routes())
}
