//! Two users and what they are to each other: friends or not, blocked or not, what each calls
//! the other, what their chat is to each, and what each has deleted of it.
//!
//! Those who never say a word to each other are here as well: they know each other by what they
//! are to each other and by nothing else, so that losing that would be seen.
//!
//! One of them does one thing at a time, and it is sent again under its name until it is
//! acknowledged. So the acks say how everything is, and what each has been told must be what
//! came of it: [`super::affairs`] looks at that.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use petrel_protocol::frame::{
    ClientFrame, ContactAction, ContactChange, ConversationSettings, ConversationSettingsChange,
    MessageHide, SavedAck, ServerAck, ServerFrame,
};
use petrel_testkit::client::{Client, chat};
use petrel_types::{ClientMessageId, ConversationId, Seq, UserId};

use super::random::Random;
use super::{Phase, Run, World};

/// How often one of them applies while a server runs; it takes no more from anybody.
const APPLICATIONS_MAX: u64 = 15;

pub(super) struct Neighbours {
    world: Arc<World>,
    random: Random,
    /// Whether they say anything to each other.
    speak: bool,
    under_way: Option<Wish>,
    next_name: u64,
    /// During this run.
    applications: u64,
    lived: Lived,
}

/// What two neighbours did.
#[derive(Debug, Default)]
pub(super) struct Lived {
    pub(super) users: [UserId; 2],
    pub(super) chat: Option<ConversationId>,
    /// What was said in the chat: by whom, under which name.
    pub(super) said: Vec<(UserId, String)>,
    pub(super) own: [Own; 2],
    applied: Option<usize>,
}

/// What is one's own.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// What the other is.
    pub(super) other: Tie,
    /// Everything that the other was, one after the other.
    pub(super) ties: Vec<Tie>,
    /// What the chat is.
    pub(super) settings: Vec<ConversationSettings>,
    /// What was deleted: some messages, or everything up to one.
    pub(super) deletions: Vec<(Vec<Seq>, Option<Seq>)>,
}

/// What somebody is to another, but for when that began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tie {
    pub(super) is_friend: bool,
    pub(super) remark: Option<String>,
    pub(super) is_blocked: bool,
    /// Whether it is one's own, and what it says.
    pub(super) application: Option<(bool, Option<String>)>,
}

/// Something that one of them wants.
#[derive(Clone, Debug)]
struct Wish {
    by: usize,
    name: String,
    what: What,
    is_retry: bool,
}

#[derive(Clone, Debug)]
enum What {
    Say,
    Contact(ContactAction, Option<String>),
    Hide(Vec<Seq>, Option<Seq>),
    Settle(ConversationSettings),
}

impl Neighbours {
    pub(super) fn new(world: Arc<World>, users: [UserId; 2], seed: u64, speak: bool) -> Self {
        Self {
            world,
            random: Random::new(seed ^ users[0].get()),
            speak,
            under_way: None,
            next_name: 0,
            applications: 0,
            lived: Lived { users, ..Lived::default() },
        }
    }

    /// Live over one connection after another until told to finish.
    pub(super) async fn live(mut self) -> Result<Lived> {
        let mut last = None;
        loop {
            let run = self.world.run_after(last).await?;
            last = Some(run.number);
            match self.live_during(run).await {
                Ok(()) => return Ok(self.lived),
                Err(error) if self.world.was_killed(run, &error) => {}
                Err(error) => {
                    let users = self.lived.users;
                    return Err(error.context(format!("neighbours {users:?} in {run:?}")));
                }
            }
        }
    }

    async fn live_during(&mut self, run: Run) -> Result<()> {
        let world = Arc::clone(&self.world);
        let [one, other] = self.lived.users;
        let mut clients = [
            world.connect(run, one, "neighbour").await?,
            world.connect(run, other, "neighbour").await?,
        ];
        self.applications = 0;
        if let Some(wish) = &mut self.under_way {
            wish.is_retry = true;
        }
        loop {
            let goes_on = matches!(self.world.phase(), Phase::Doomed | Phase::Last);
            if self.under_way.is_none() && goes_on {
                self.under_way = Some(self.next_wish());
            }
            let Some(wish) = self.under_way.clone() else { return Ok(()) };
            self.carry_out(&wish, &mut clients[wish.by]).await?;
            self.under_way = None;
            self.world.acks.saw_one();
            self.world.changes.saw_one();
        }
    }

    async fn carry_out(&mut self, wish: &Wish, client: &mut Client) -> Result<()> {
        client.send(&self.frame(wish)).await?;
        loop {
            // Pushes are passed over: observers keep copies.
            match client.next_frame().await? {
                ServerFrame::Ack(ServerAck::Saved(ack)) => return self.take_saved(wish, &ack),
                ServerFrame::Ack(ServerAck::Done(ack)) => {
                    ensure!(ack.client_msg_id.as_str() == wish.name, "a strange ack: {ack:?}");
                    ensure!(wish.is_retry || !ack.duplicate, "asked once: {ack:?}");
                    self.lived.happen(wish.by, &wish.what);
                    return Ok(());
                }
                ServerFrame::Error(error) => bail!("{wish:?} is refused: {error:?}"),
                _ => {}
            }
        }
    }

    /// Nobody else speaks in the chat, so each message has the next place.
    fn take_saved(&mut self, wish: &Wish, ack: &SavedAck) -> Result<()> {
        ensure!(ack.client_msg_id.as_str() == wish.name, "a strange ack: {ack:?}");
        ensure!(wish.is_retry || !ack.duplicate, "sent once, but a duplicate: {ack:?}");
        let chat = *self.lived.chat.get_or_insert(ack.conversation_id);
        ensure!(chat == ack.conversation_id, "acked in another chat: {ack:?}");
        self.lived.said.push((self.lived.users[wish.by], wish.name.clone()));
        ensure!(ack.msg_seq.get() == self.lived.said.len() as u64, "not the next: {ack:?}");
        Ok(())
    }

    fn frame(&self, wish: &Wish) -> ClientFrame {
        let client_msg_id = ClientMessageId::new(wish.name.as_str()).expect("a short name");
        let other = self.lived.users[1 - wish.by];
        let conversation_id = self.lived.chat.unwrap_or_default();
        match wish.what.clone() {
            What::Say => {
                let mut frame = chat(other, &wish.name, &wish.name);
                if let ClientFrame::SingleChat(chat) = &mut frame {
                    chat.retry = wish.is_retry;
                }
                frame
            }
            What::Contact(action, text) => {
                let remark = text.clone().filter(|_| action == ContactAction::Remark);
                let message = text.filter(|_| action == ContactAction::Apply);
                ClientFrame::Contact(ContactChange {
                    client_msg_id,
                    user: other,
                    action,
                    message,
                    remark,
                })
            }
            What::Hide(msg_seqs, up_to_seq) => ClientFrame::MessageHide(MessageHide {
                client_msg_id,
                conversation_id,
                msg_seqs,
                up_to_seq,
            }),
            What::Settle(settings) => {
                ClientFrame::ConversationSettings(ConversationSettingsChange {
                    client_msg_id,
                    conversation_id,
                    muted: Some(settings.muted),
                    pinned: Some(settings.pinned),
                    archived: Some(settings.archived),
                })
            }
        }
    }

    fn next_wish(&mut self) -> Wish {
        self.next_name += 1;
        let name = format!("n{}-{}", self.lived.users[0], self.next_name);
        let by = usize::from(self.random.within(0..2) == 1);
        let what = match self.random.within(0..8) {
            0..4 => self.contact(by, &name),
            4 => self.hide(by),
            5 => self.settle(by),
            _ => None,
        };
        let is_apart = self.lived.own.iter().any(|own| own.other.is_blocked);
        // Nothing is said across a block, so it ends.
        let by = if what.is_none() && is_apart { self.blocker() } else { by };
        let what = match what {
            Some(what) => what,
            None if is_apart => What::Contact(ContactAction::Unblock, None),
            None if self.speak => What::Say,
            // Nobody applies any more, and nobody has applied.
            None => self.contact(by, &name).unwrap_or(What::Contact(ContactAction::Block, None)),
        };
        if matches!(what, What::Contact(ContactAction::Apply, _)) {
            self.applications += 1;
        }
        Wish { by, name, what, is_retry: false }
    }

    fn blocker(&self) -> usize {
        usize::from(!self.lived.own[0].other.is_blocked)
    }

    /// What may be done about the other now.
    fn contact(&mut self, by: usize, name: &str) -> Option<What> {
        let Lived { own, applied, .. } = &self.lived;
        let text = Some(name.to_owned());
        let which = self.random.within(0..4);
        let (action, text) = match (own[by].other.is_blocked, own[1 - by].other.is_blocked) {
            (true, _) => (ContactAction::Unblock, None),
            (_, true) => return None,
            _ if own[by].other.is_friend => match which {
                0 => (ContactAction::Block, None),
                1 if self.applications < APPLICATIONS_MAX => (ContactAction::Remove, None),
                _ => (ContactAction::Remark, text),
            },
            _ => match *applied {
                None if self.applications < APPLICATIONS_MAX => (ContactAction::Apply, text),
                None => return None,
                Some(applicant) if applicant == by => (ContactAction::Withdraw, None),
                Some(_) => (ContactAction::Accept, None),
            },
        };
        Some(What::Contact(action, text))
    }

    /// Some message that is still to be seen, or, now and then, everything so far.
    fn hide(&mut self, by: usize) -> Option<What> {
        let head = self.lived.said.len() as u64;
        let hidden = self.lived.own[by].hidden(head);
        let seen: Vec<_> = (1..=head).filter(|seq| !hidden.contains(seq)).collect();
        if seen.is_empty() {
            return None;
        }
        let seq = Seq::new(*self.random.one_of(&seen));
        Some(match self.random.within(0..12) {
            0 => What::Hide(Vec::new(), Some(seq)),
            _ => What::Hide(vec![seq], None),
        })
    }

    fn settle(&mut self, by: usize) -> Option<What> {
        self.lived.chat?;
        let before = self.lived.own[by].settings.last().copied().unwrap_or_default();
        Some(What::Settle(match self.random.within(0..3) {
            0 => ConversationSettings { muted: !before.muted, ..before },
            1 => ConversationSettings { pinned: !before.pinned, ..before },
            _ => ConversationSettings { archived: !before.archived, ..before },
        }))
    }
}

impl Lived {
    fn happen(&mut self, by: usize, what: &What) {
        match what {
            What::Say => {}
            What::Hide(seqs, up_to) => self.own[by].deletions.push((seqs.clone(), *up_to)),
            What::Settle(settings) => self.own[by].settings.push(*settings),
            What::Contact(action, text) => self.decide(by, *action, text.as_ref()),
        }
    }

    /// What docs/protocol.md says of contacts.
    fn decide(&mut self, by: usize, action: ContactAction, text: Option<&String>) {
        let mut ties = self.own.each_ref().map(|own| own.other.clone());
        match action {
            ContactAction::Apply => {
                self.applied = Some(by);
                ties[by].application = Some((true, text.cloned()));
                ties[1 - by].application = Some((false, text.cloned()));
            }
            ContactAction::Accept => {
                self.applied = None;
                ties = [(); 2].map(|()| Tie { is_friend: true, ..Tie::default() });
            }
            ContactAction::Reject | ContactAction::Withdraw => {
                self.applied = None;
                ties.iter_mut().for_each(|tie| tie.application = None);
            }
            ContactAction::Remove => {
                ties = [(); 2].map(|()| Tie::default());
            }
            ContactAction::Remark => ties[by].remark = text.cloned(),
            ContactAction::Block => ties[by].is_blocked = true,
            ContactAction::Unblock => ties[by].is_blocked = false,
        }
        for (own, tie) in self.own.iter_mut().zip(ties) {
            if own.other != tie {
                own.ties.push(tie.clone());
                own.other = tie;
            }
        }
    }
}

impl Own {
    /// What has been deleted of a chat.
    pub(super) fn hidden(&self, head: u64) -> BTreeSet<u64> {
        let is_hidden = |seq: &u64| {
            let seq = Seq::new(*seq);
            self.deletions
                .iter()
                .any(|(seqs, up_to)| seqs.contains(&seq) || up_to.is_some_and(|up_to| seq <= up_to))
        };
        (1..=head).filter(is_hidden).collect()
    }
}

impl Lived {
    /// How much has changed that is told to nobody else, but for what was said.
    pub(super) fn changes(&self) -> u64 {
        let of = |own: &Own| own.ties.len() + own.settings.len() + own.deletions.len();
        self.own.iter().map(of).sum::<usize>() as u64
    }
}
