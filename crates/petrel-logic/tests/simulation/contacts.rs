//! What users want of each other, and a device's own copy of the contacts.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use petrel_log::{Content, Destination};
use petrel_logic::contacts::Contacts;
use petrel_protocol::frame::{
    Change, Contact, ContactAction, ContactList, ContactsRequest, Direction, GroupAdds,
    GroupInvitations,
};
use petrel_types::{Clock, ConversationId, UserId};

use crate::copy::Copy;
use crate::device::Device;
use crate::held::What;
use crate::world::World;

/// The contacts of a device's user, kept as docs/protocol.md tells a client to.
#[derive(Debug, Default)]
pub(crate) struct ContactBook {
    /// Events of the personal timeline up to here are in what was fetched.
    as_of: u64,
    /// From where on the copy of the personal timeline reached when it was fetched.
    copied_from: u64,
    contacts: BTreeMap<UserId, Contact>,
}

const LISTS: [ContactList; 4] =
    [ContactList::Friends, ContactList::Incoming, ContactList::Outgoing, ContactList::Blocked];

impl World {
    /// Somebody does something about somebody else.
    pub(crate) fn change_contact(&mut self, index: usize) {
        let other = self.somebody_else(index);
        let known = self.devices[index].book().contacts.get(&other).cloned();
        let action = match &known {
            _ if self.random.u8(..6) == 0 => *self.random.choice(&ContactAction::ALL).unwrap(),
            Some(contact) if contact.blocked => ContactAction::Unblock,
            Some(Contact { application: Some(application), .. }) => match application.direction {
                Direction::Incoming => match self.random.u8(..4) {
                    0 => ContactAction::Reject,
                    1 => ContactAction::Apply,
                    _ => ContactAction::Accept,
                },
                Direction::Outgoing => ContactAction::Withdraw,
            },
            Some(Contact { friend_since_ts: Some(_), .. }) => match self.random.u8(..4) {
                0 => ContactAction::Remove,
                1 => ContactAction::Block,
                _ => ContactAction::Remark,
            },
            _ => ContactAction::Apply,
        };
        let text = match action {
            ContactAction::Apply | ContactAction::Remark if self.random.u8(..4) > 0 => {
                Some(format!("words {}", self.random.u8(..3)))
            }
            _ => None,
        };
        self.ask(index, Destination::Pair(other), Content::Contact { action, text });
    }

    /// Somebody decides something about himself or herself.
    pub(crate) fn change_settings(&mut self, index: usize) {
        let findable = Some(self.random.bool()).filter(|_| self.random.bool());
        // Made up anew each time, as the server does for who asks.
        let friend_code = Some(format!("CODE{}", self.random.u64(..)));
        let friend_code = friend_code.filter(|_| self.random.bool());
        let presence_hidden = Some(self.random.bool()).filter(|_| self.random.bool());
        let group_adds = self.random.choice(GroupAdds::ALL).filter(|_| self.random.bool());
        let content = Content::Settings { findable, presence_hidden, group_adds, friend_code };
        self.ask(index, Destination::Own, content);
    }

    /// A device that has seen all of its personal timeline, or has fetched what was before,
    /// knows what a new device is told.
    pub(crate) async fn compare_contacts(&mut self, index: usize) -> Result<()> {
        let contacts = Contacts::new(self.server.memory.clone());
        self.devices[index].fetch_contacts_if_needed(&contacts).await?;
        let user = self.devices[index].user;
        let (_, fetched) = fetch(user, &contacts, 200).await?;
        let mut known = self.devices[index].book().contacts;
        known.retain(|_, contact| LISTS.iter().any(|list| is_in(contact, *list)));
        ensure!(known == fetched, "contacts of {user} differ: {known:?} and {fetched:?}");
        Ok(())
    }

    /// At rest everybody is shown the invitations that can be answered.
    pub(crate) async fn compare_invitations(&self) -> Result<()> {
        let contacts = Contacts::new(self.server.memory.clone());
        let now = self.server.clock.now();
        for device in &self.devices {
            let user = device.user;
            let request = GroupInvitations { groups_after: None, limit: Some(200) };
            let state = contacts.invitations(user, &request).await?;
            let waits = state.invitations.iter().filter(|it| it.expires_ts > now);
            let told: BTreeMap<_, _> = waits.map(|it| (it.group_id, it.expires_ts)).collect();
            let timelines = self.ledger.timelines.iter();
            let invited = timelines.filter_map(|(id, it)| Some((*id, *it.invited.get(&user)?)));
            let invited: BTreeMap<_, _> = invited.filter(|(_, until)| *until > now).collect();
            ensure!(told == invited, "invitations of {user} differ: {told:?} and {invited:?}");
        }
        Ok(())
    }

    /// A device fetches the lists, whether or not it needs to.
    pub(crate) async fn fetch_contacts(&mut self, index: usize) -> Result<()> {
        let contacts = Contacts::new(self.server.memory.clone());
        if self.devices[index].online {
            self.note(|| format!("device {index} fetches its contacts"));
            self.devices[index].fetch_contacts(&contacts).await?;
        }
        Ok(())
    }
}

impl Device {
    fn personal(&self) -> Option<(&ConversationId, &Copy)> {
        self.copies.iter().find(|(_, copy)| copy.is_personal)
    }

    /// The contacts as far as the device can know them.
    fn book(&self) -> ContactBook {
        let ContactBook { as_of, copied_from, contacts } = &self.contacts;
        let mut contacts = contacts.clone();
        if let Some((_, copy)) = self.personal() {
            for (_, held) in copy.events.range(as_of + 1..) {
                if let What::Change(Change::ContactChanged { contact, .. }) = &held.what {
                    contacts.insert(contact.user, contact.clone());
                }
            }
        }
        ContactBook { as_of: *as_of, copied_from: *copied_from, contacts }
    }

    async fn fetch_contacts_if_needed(&mut self, contacts: &Contacts) -> Result<()> {
        let from = self.personal().map_or(1, |(_, copy)| copy.from);
        if from > self.contacts.copied_from.max(1) {
            self.fetch_contacts(contacts).await?;
        }
        Ok(())
    }

    async fn fetch_contacts(&mut self, contacts: &Contacts) -> Result<()> {
        let (as_of, fetched) = fetch(self.user, contacts, 2).await?;
        let copied_from = self.personal().map_or(1, |(_, copy)| copy.from);
        self.contacts = ContactBook { as_of, copied_from, contacts: fetched };
        Ok(())
    }
}

/// All lists, page by page: as of the first page.
async fn fetch(
    user: UserId,
    contacts: &Contacts,
    limit: u32,
) -> Result<(u64, BTreeMap<UserId, Contact>)> {
    let mut as_of = None;
    let mut fetched = BTreeMap::new();
    for list in LISTS {
        let mut users_after = None;
        loop {
            let request = ContactsRequest { list, users_after, limit: Some(limit) };
            let page = contacts.list(user, &request).await?;
            as_of.get_or_insert(page.as_of_seq.get());
            users_after = page.contacts.last().map(|contact| contact.user);
            for contact in page.contacts {
                ensure!(is_in(&contact, list), "in a wrong list: {contact:?} in {list:?}");
                fetched.insert(contact.user, contact);
            }
            if !page.more {
                break;
            }
            users_after.context("an empty page, and more")?;
        }
    }
    for contact in fetched.values() {
        ensure!(contact.user != user, "somebody is one's own contact");
    }
    Ok((as_of.unwrap_or(0), fetched))
}

fn is_in(contact: &Contact, list: ContactList) -> bool {
    let direction = contact.application.as_ref().map(|application| application.direction);
    match list {
        ContactList::Friends => contact.friend_since_ts.is_some(),
        ContactList::Incoming => direction == Some(Direction::Incoming),
        ContactList::Outgoing => direction == Some(Direction::Outgoing),
        ContactList::Blocked => contact.blocked,
    }
}
