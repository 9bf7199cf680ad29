//! What a run counts and times, for monitoring systems while it goes on: Prometheus reads
//! it ([`endpoint`]), or it is sent to one ([`remote_write`]).
//!
//! [`samples`] says what there is, once, for both. Everything is summed over all workers,
//! whether threads or processes, and is as old as the last complete second at most.

mod endpoint;
mod remote_write;
mod samples;
mod text;

use std::net::SocketAddr;

use petrel_types::Clock;

use crate::conductor::Audience;
use crate::plan::Plan;
use crate::seconds::Seconds;
use crate::watch::{Sample, Watch};

use endpoint::Endpoint;
pub use remote_write::{Destination, RemoteWrite};

/// The names of all metrics, in the order of the page.
pub fn names() -> Vec<&'static str> {
    let server = Sample { at_seconds: 0.0, memory: 0, cpu: 0 };
    let metrics = samples::collect(0, &Seconds::new(1), Some(server));
    metrics.iter().map(|metric| metric.name).collect()
}

/// Who is told of a run while it goes on.
pub struct Exporter<'a> {
    plan: &'a Plan,
    clock: &'a dyn Clock,
    labels: Vec<(String, String)>,
    endpoint: Option<Endpoint>,
    remote: Option<RemoteWrite>,
    server: Option<Sample>,
}

impl<'a> Exporter<'a> {
    /// For one run. `run` is its name, which with that of the machine is on everything
    /// that is sent. An error says what can't be listened on.
    pub fn new(
        plan: &'a Plan,
        clock: &'a dyn Clock,
        run: &str,
        listen: Option<SocketAddr>,
        remote: Option<&Destination>,
    ) -> Result<Self, String> {
        let machine = crate::machine::name().unwrap_or_else(|| "unknown".to_owned());
        let labels =
            [("machine", machine), ("run", run.to_owned()), ("scenario", plan.scenario.clone())];
        let endpoint = listen.map(Endpoint::start).transpose()?;
        let remote = remote.map(RemoteWrite::start).transpose()?;
        let labels = labels.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let mut exporter = Self { plan, clock, labels, endpoint, remote, server: None };
        // A page that is read before the first second is over has all its names.
        exporter.tell(&Seconds::new(1));
        Ok(exporter)
    }

    /// The run is over: what is under way is sent, and what could not be is told.
    pub fn finish(mut self, seconds: &Seconds) -> Option<String> {
        self.tell(seconds);
        self.remote.take()?.finish()
    }

    /// Where the page is.
    pub fn address(&self) -> Option<SocketAddr> {
        self.endpoint.as_ref().map(Endpoint::address)
    }

    fn tell(&mut self, seconds: &Seconds) {
        let metrics = samples::collect(self.plan.conns, seconds, self.server);
        if let Some(endpoint) = &self.endpoint {
            endpoint.publish(text::write(&metrics, &self.labels));
        }
        if let Some(remote) = &self.remote {
            remote.send(&metrics, &self.labels, self.clock.now().get());
        }
    }
}

impl Audience for Exporter<'_> {
    fn second(&mut self, seconds: &Seconds) {
        self.tell(seconds);
    }

    fn ramped(&mut self, _: &Seconds) {}

    fn moment(&mut self, _: &Seconds, watch: &Watch) {
        self.server = watch.samples().last().copied();
    }
}
