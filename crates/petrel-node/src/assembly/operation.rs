//! What operators see and change while a node runs.

use std::sync::Arc;

use petrel_api::RequestLimits;
use petrel_gateway::Gateway;
use petrel_logic::administration::{Adjustable, Administration, History, Limits, Running};
use petrel_logic::identity::Registration;
use petrel_logic::notices::{NoticeQueue, Notices};
use petrel_logic::words::WordFile;

use super::{Engine, Ground, Services};
use crate::StartError;
use crate::admin_listener::Sample;
use crate::recorder;

/// Makes what admins ask, and starts what they have decided before.
pub(super) async fn administration(
    ground: &Ground,
    engine: &Engine,
    services: &Services,
    gateway: &Gateway,
    limits: &RequestLimits,
    (notices, said): (Arc<Notices>, NoticeQueue),
) -> Result<Arc<Administration>, StartError> {
    let Ground { config, store, clock, metrics, tasks, .. } = ground;
    let history = Arc::new(History::default());
    let sampling = recorder::record(Arc::clone(metrics), Arc::clone(&history), Arc::clone(clock));
    tasks.spawn("recorder", sampling);
    let running = Running {
        identity: Arc::clone(&services.identity),
        requester: Arc::clone(&services.requester),
        sessions: Arc::new(gateway.clone()),
        pictures: Arc::clone(&services.files) as Arc<_>,
        words: Arc::clone(&services.words),
        notices,
        limits: adjustable_limits(ground, engine, services, gateway, limits),
        history,
    };
    let administration = Administration::new(Arc::clone(store), Arc::clone(clock), Some(running));
    let administration = Arc::new(administration);
    administration.recall_notices().await?;
    administration.recall_limits().await?;
    let told = gateway.clone();
    tasks.spawn("notices", async move { told.tell_notices(said).await });
    let told = gateway.clone();
    tasks.spawn("limits", async move { told.tell_limits().await });
    let filter = Arc::clone(&administration);
    let file = config.words_file.clone().map(|file| WordFile::new(file, config.words_mode));
    tasks.spawn("words", async move { filter.keep_up_with_words(file).await });
    let (auditor, keep) = (Arc::clone(&administration), config.audit_keep);
    tasks.spawn("audit", async move { auditor.remove_old_records(keep).await });
    Ok(administration)
}

/// The limits that admins may change, and whom a change reaches.
fn adjustable_limits(
    ground: &Ground,
    engine: &Engine,
    services: &Services,
    gateway: &Gateway,
    limits: &RequestLimits,
) -> Limits {
    let config = &ground.config;
    let configured = Adjustable {
        registration: config.effective_registration().mode(),
        registrations_per_address: config.identity.throttle.free_registrations,
        connections_max: config.connections_max,
        operating: config.limits.clone(),
    };
    let (identity, gateway, limits) =
        (Arc::clone(&services.identity), gateway.clone(), limits.clone());
    let invitation_pace = Arc::clone(&engine.invitation_pace);
    let may_take = identity.may_take_registrations();
    Limits::new(configured, may_take, ground.metrics.limits.clone(), move |changed| {
        let registration = Registration::of(changed.registration);
        identity.set_registration(registration, changed.registrations_per_address);
        gateway.set_limits(changed.connections_max, &changed.operating);
        limits.set(&changed.operating);
        invitation_pace.set(&changed.operating);
    })
}

/// Lets the metrics see how much there is of what comes and goes.
pub(super) fn sample(ground: &Ground, engine: &Engine, services: &Services, gateway: &Gateway) {
    let (gateway, log) = (gateway.clone(), Arc::clone(&engine.log));
    let directory = Arc::clone(&services.directory);
    let batches_queued = engine.batches_queued.clone();
    ground.metrics.sample_with(move || Sample {
        connections: gateway.connections(),
        users_online: directory.users_online() as u64,
        outbox_bytes: gateway.outbox_bytes(),
        commands_queued: log.depth() as u64,
        batches_queued: batches_queued
            .upgrade()
            .map_or(0, |queue| (queue.max_capacity() - queue.capacity()) as u64),
    });
}
