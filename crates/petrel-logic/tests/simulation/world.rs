//! The world: users with devices, one server that dies and comes back, and fate.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use petrel_log::Request;
use petrel_logic::sequencer::Effect;
use petrel_protocol::ErrorReason;
use petrel_protocol::frame::{ServerAck, ServerFrame};
use petrel_store::faulty::CommitFault;
use petrel_store::{Derivation, Store, StoreErrorKind};
use petrel_types::limits::RETRY_WINDOW_MS;
use petrel_types::{Clock, Seq, SessionId, UserId};

use crate::device::Device;
use crate::held::Placed;
use crate::ledger::Ledger;
use crate::server::{Decided, Server};
use crate::{Step, Tally};

pub(crate) const USERS: u64 = 5;
const DEVICES_PER_USER: u64 = 2;
/// Rounds after which a world must have come to rest.
const ROUNDS_MAX: usize = 200;
/// How much longer than the window events are kept.
const TRIM_MARGIN_MS: u64 = 60 * 60 * 1000;
/// Derivations that may be asked for again although they are settled.
const DERIVATIONS_REMEMBERED: usize = 20;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) struct World {
    pub(crate) random: fastrand::Rng,
    pub(crate) server: Server,
    pub(crate) devices: Vec<Device>,
    pub(crate) ledger: Ledger,
    derivations: Vec<Derivation>,
    next_session: u64,
    steps_done: usize,
    story: Option<Vec<String>>,
}

impl World {
    pub(crate) async fn new(tell: bool) -> Self {
        let mut world = Self {
            random: fastrand::Rng::with_seed(0),
            server: Server::start().await,
            devices: Vec::new(),
            ledger: Ledger::default(),
            derivations: Vec::new(),
            // Those below are not of sessions.
            next_session: 1,
            steps_done: 0,
            story: tell.then(Vec::new),
        };
        for number in 0..usize::try_from(USERS * DEVICES_PER_USER).unwrap() {
            let user = UserId::new(1 + number as u64 / DEVICES_PER_USER);
            let session = world.take_session();
            world.devices.push(Device::new(number, user, session));
        }
        world
    }

    pub(crate) fn steps_done(&self) -> usize {
        self.steps_done
    }

    pub(crate) fn into_story(self) -> Vec<String> {
        self.story.unwrap_or_default()
    }

    pub(crate) fn into_tally(self) -> Tally {
        self.ledger.tally
    }

    /// Does what is planned, comes to rest and is checked.
    pub(crate) async fn live(&mut self, plan: &[Step]) -> Result<()> {
        for step in plan {
            self.steps_done += 1;
            self.random = fastrand::Rng::with_seed(*step);
            self.step().await?;
        }
        self.settle().await?;
        self.check().await
    }

    /// One thing happens.
    async fn step(&mut self) -> Result<()> {
        let index = self.random.usize(..self.devices.len());
        let is_online = self.devices[index].online;
        match self.random.u32(..286) {
            0..45 if is_online => self.say(index),
            45..65 if is_online => self.change_message(index),
            65..85 if is_online => self.change_group(index),
            85..110 => self.commit().await?,
            110..135 => self.read_inbox(index).await?,
            135..150 if is_online => self.acknowledge(index),
            150..160 if is_online => self.leave(index),
            0..65 | 135..160 => self.come(index).await?,
            160..170 => self.send_again(index),
            170..172 => self.order_a_fault(),
            172..174 => self.die().await?,
            174..177 => self.renew(index).await?,
            177..180 => self.jump().await?,
            180..187 => self.derive().await?,
            187..190 => self.trim(),
            190..196 => self.probe().await?,
            196..200 => self.compare_some(index).await?,
            200..210 if is_online => self.change_contact(index),
            210..224 if is_online => self.change_group(index),
            224..227 if is_online => self.change_settings(index),
            227..230 => self.fetch_contacts(index).await?,
            230..260 if is_online => self.tell_apart(index),
            260..268 if is_online => self.upload(index).await?,
            268..272 => self.sweep().await?,
            272..276 if is_online => self.show_picture(index),
            276..280 => self.probe_file().await?,
            280..286 if is_online => self.change_group(index),
            _ => {}
        }
        Ok(())
    }

    /// Everybody comes back, and everything is sent and told.
    async fn settle(&mut self) -> Result<()> {
        self.note(|| "the world comes to rest".to_owned());
        for _ in 0..ROUNDS_MAX {
            for index in 0..self.devices.len() {
                self.come(index).await?;
                self.send_again(index);
            }
            self.commit().await?;
            for derivation in self.server.memory.unsettled(None, 1000).await? {
                self.server.carry_out(&derivation);
            }
            let was_idle = self.server.pending.is_empty();
            self.commit().await?;
            for index in 0..self.devices.len() {
                self.read_inbox(index).await?;
            }
            let is_done = |device: &Device| device.online && device.unsent.is_empty();
            if was_idle && self.devices.iter().all(is_done) {
                return Ok(());
            }
        }
        let unsent: Vec<_> = self.devices.iter().flat_map(|device| &device.unsent).collect();
        anyhow::bail!("the world does not come to rest: {unsent:?}")
    }

    /// The server decides what is pending.
    pub(crate) async fn commit(&mut self) -> Result<()> {
        let many = self.server.pending.len();
        let decided = self.server.decide().await?;
        let stored = self.server.store.take_stored();
        if many > 0 {
            self.note(|| format!("{many} commands decided, {} batches stored", stored.len()));
        }
        for (first_row, batch) in stored {
            for event in &batch.events {
                self.note(|| {
                    let payload = String::from_utf8_lossy(&event.payload).into_owned();
                    let (id, seq, sender) = (event.conversation, event.seq, event.sender);
                    format!("  {id}/{seq} by {sender}: {payload}")
                });
            }
            self.ledger.store(first_row, &batch)?;
        }
        match decided {
            Decided::Effects(effects) => self.tell(effects),
            Decided::Died => {
                self.note(|| "the disk failed".to_owned());
                self.restart().await;
                Ok(())
            }
        }
    }

    /// Brings effects to the devices; some pushes are lost on the way.
    fn tell(&mut self, effects: Vec<Effect>) -> Result<()> {
        for effect in effects {
            match effect {
                Effect::Answer { origin, frame } => self.answer(origin.session, frame)?,
                Effect::Deliver { recipients, except, frame } => {
                    self.check_delivery(&recipients, &frame)?;
                    for device in self.devices.iter_mut().filter(|device| device.online) {
                        if !recipients.contains(&device.user) || Some(device.session) == except {
                            continue;
                        }
                        if self.random.u32(..20) == 0 {
                            device.missed = true;
                        } else {
                            device.inbox.push(frame.clone());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self, session: SessionId, frame: Option<ServerFrame>) -> Result<()> {
        let asks = |device: &&mut Device| device.session == session;
        let Some(device) = self.devices.iter_mut().find(asks) else { return Ok(()) };
        match &frame {
            Some(ServerFrame::Ack(ServerAck::Saved(ack))) => {
                self.ledger.check_ack(device.user, ack)?;
            }
            Some(ServerFrame::Ack(ServerAck::Done(ack))) => {
                self.ledger.check_done(device.user, ack)?;
            }
            Some(ServerFrame::Error(error)) => {
                let is_unknown = matches!(
                    error.reason,
                    ErrorReason::RetryTooOld
                        | ErrorReason::StorageFull
                        | ErrorReason::ServerBusy
                        | ErrorReason::AfterRefused
                );
                if let Some(name) = error.client_msg_id.as_ref().filter(|_| !is_unknown) {
                    self.ledger.check_refusal(device.user, name.as_str())?;
                }
                ensure!(error.reason != ErrorReason::InternalError, "failed: {error:?}");
            }
            _ => {}
        }
        if !device.online {
            return Ok(());
        }
        let is_about_a_receipt = match &frame {
            None => true,
            Some(ServerFrame::Error(error)) => error.client_msg_id.is_none(),
            Some(_) => false,
        };
        if is_about_a_receipt {
            // The wire stays silent when all is well; the device reckons so.
            device.settle_claim(frame.is_none());
        } else {
            device.inbox.extend(frame);
        }
        Ok(())
    }

    /// Nothing is pushed that is not stored, and it is pushed to those who were in the
    /// conversation.
    fn check_delivery(&self, recipients: &[UserId], frame: &ServerFrame) -> Result<()> {
        let Some(placed) = Placed::of(frame) else {
            return self.check_receipt(recipients, frame);
        };
        let Placed { conversation, seq, held } = placed;
        let timeline = self.ledger.timelines.get(&conversation);
        let entry = timeline.and_then(|timeline| timeline.entry(seq));
        let entry = entry.with_context(|| format!("pushed what is not stored: {frame:?}"))?;
        ensure!(
            entry.held.is_same_event(&held) && entry.told == held.what,
            "pushed as something else: {frame:?}, and there is {:?}",
            entry.held
        );
        ensure!(
            recipients.iter().eq(&entry.audience),
            "pushed to others than the members: {seq} of {conversation} to {recipients:?}, not to \
             {:?}",
            entry.audience
        );
        Ok(())
    }

    fn check_receipt(&self, recipients: &[UserId], frame: &ServerFrame) -> Result<()> {
        let ServerFrame::Ack(ServerAck::Receipt(receipt)) = frame else {
            anyhow::bail!("a strange push: {frame:?}");
        };
        let timeline = self.ledger.timelines.get(&receipt.conversation_id);
        let timeline = timeline.context("a receipt of no conversation")?;
        let is_single = matches!(timeline.kind, petrel_store::ConversationKind::Single { .. });
        let may_know =
            |user: &UserId| *user == receipt.from || is_single && timeline.roles.contains_key(user);
        ensure!(recipients.iter().all(may_know), "a receipt goes too far: {recipients:?}");
        Ok(())
    }

    pub(crate) async fn read_inbox(&mut self, index: usize) -> Result<()> {
        if self.devices[index].online {
            self.note(|| format!("device {index} reads"));
            self.devices[index].read_inbox(&self.server.catchup).await?;
        }
        Ok(())
    }

    fn leave(&mut self, index: usize) {
        self.note(|| format!("device {index} leaves"));
        self.devices[index].lose_connection();
    }

    /// A device connects: a new session, registered before it syncs.
    async fn come(&mut self, index: usize) -> Result<()> {
        if self.devices[index].online {
            return Ok(());
        }
        self.note(|| format!("device {index} comes back"));
        let session = self.take_session();
        let device = &mut self.devices[index];
        device.session = session;
        device.online = true;
        device.catch_up(&self.server.catchup).await
    }

    /// The device's data is wiped, so that it is a new device; or somebody scrolls up.
    async fn renew(&mut self, index: usize) -> Result<()> {
        if !self.devices[index].online {
            self.note(|| format!("device {index} is wiped"));
            self.devices[index].begins_at_the_end = self.random.bool();
            self.devices[index].forget();
        } else if let Some(id) = self.some_conversation(index, |copy| copy.from > 1) {
            self.note(|| format!("device {index} scrolls up in {id}"));
            self.devices[index].scroll(id, &self.server.catchup).await?;
        }
        Ok(())
    }

    fn order_a_fault(&mut self) {
        let fault = match self.random.u32(..4) {
            0 => CommitFault::Refused(StoreErrorKind::Full),
            1 => CommitFault::Refused(StoreErrorKind::Unavailable),
            2 => CommitFault::StoredButFatal,
            _ => CommitFault::LostAndFatal,
        };
        self.note(|| format!("the next commit: {fault:?}"));
        self.server.store.fail_next_commit(fault);
    }

    /// The process dies; half the time after a commit whose answers nobody gets.
    async fn die(&mut self) -> Result<()> {
        self.note(|| "the process dies".to_owned());
        if self.random.bool() {
            self.devices.iter_mut().for_each(Device::lose_connection);
            self.commit().await?;
        }
        self.restart().await;
        Ok(())
    }

    async fn restart(&mut self) {
        self.devices.iter_mut().for_each(Device::lose_connection);
        self.server.restart().await;
    }

    /// Time passes: seconds, or now and then days.
    async fn jump(&mut self) -> Result<()> {
        let mut by = Duration::from_millis(self.random.u64(..60_000));
        if self.random.u8(..6) == 0 {
            self.commit().await?;
            by = DAY * self.random.u32(1..5);
        }
        self.note(|| format!("{by:?} pass"));
        self.server.clock.advance(by);
        Ok(())
    }

    /// What follows from changes is asked for: all of it or some, once or twice, and
    /// something that was carried out before.
    async fn derive(&mut self) -> Result<()> {
        let waiting = self.server.memory.unsettled(None, 1000).await?;
        let all = self.random.bool();
        self.note(|| format!("{} derivations wait", waiting.len()));
        for derivation in waiting {
            for _ in 0..self.random.usize(usize::from(all)..3) {
                self.server.carry_out(&derivation);
            }
            if self.derivations.len() == DERIVATIONS_REMEMBERED {
                self.derivations.swap_remove(self.random.usize(..DERIVATIONS_REMEMBERED));
            }
            self.derivations.push(derivation);
        }
        if let Some(again) = self.random.choice(&self.derivations) {
            self.server.carry_out(again);
        }
        Ok(())
    }

    /// The beginning of some timeline goes, if it is old enough.
    fn trim(&mut self) {
        let now = self.server.clock.now().get();
        let is_old = |ts: u64| now - ts > RETRY_WINDOW_MS + TRIM_MARGIN_MS;
        let trimmable = self.ledger.timelines.iter().filter_map(|(id, timeline)| {
            let old = timeline.entries.partition_point(|entry| is_old(entry.held.ts.get())) as u64;
            (old + 1 > timeline.trimmed_before).then_some((*id, timeline.trimmed_before, old))
        });
        let Some((conversation, from, old)) = self.random.choice(trimmable.collect::<Vec<_>>())
        else {
            return;
        };
        let before = Seq::new(self.random.u64(from + 1..=old + 1));
        self.note(|| format!("{conversation} is trimmed before {before}"));
        let request = Request::Trim { conversation, before };
        self.server.append(SessionId::new(0), UserId::new(0), request);
    }

    fn take_session(&mut self) -> SessionId {
        self.next_session += 1;
        SessionId::new(self.next_session)
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(line());
        }
    }
}
