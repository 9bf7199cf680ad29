//! What users do. A scenario says who talks to whom, what is done to connections and what
//! must come of it; *when* is the pacer's business, *how* the adapter's.

mod catalogue;
mod connections;
mod conversations;
mod crowds;
mod disturbances;
mod rising;

use crate::adapter::Abilities;
use crate::ledger::Cast;
use crate::plan::{BadPlan, Plan};
use crate::settings::Settings;
use crate::span::Span;
use crate::verdict::Requirement;
use crate::worker::Merged;

/// What happens to connections on purpose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Disruption {
    /// Nothing.
    None,
    /// All break at once, and come back.
    Storm {
        /// When, after the ramp.
        at: Span,
        /// How long they stay away.
        away: Span,
    },
    /// Some break, again and again, and come back.
    Flap {
        /// Connections that break per second, as a share of those that may.
        share_per_second: f64,
        /// Which share of all connections may.
        of: f64,
        /// How long they stay away.
        away: Span,
        /// They say goodbye, in the way of the protocol.
        goodbye: bool,
    },
    /// Recipients are away while so many messages are sent to each.
    Absence {
        /// How many.
        messages: u32,
    },
    /// Connections are opened and closed, faster and faster.
    Ladder {
        /// The first rate, per second.
        from: u32,
        /// How much faster each step is.
        factor: f64,
        /// How long a step lasts.
        step: Span,
    },
    /// Messages become more and more, step by step.
    RisingRate {
        /// The first rate, in messages a second of all connections.
        from: u32,
        /// How much higher each step is.
        factor: f64,
        /// How long a step lasts.
        step: Span,
    },
    /// Connections become more and more, by the sizes of the plan.
    RisingConnections {
        /// How long a plateau lasts.
        step: Span,
    },
}

/// How recipients acknowledge what they get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipts {
    /// One receipt stands for what has come in a while.
    Coalesced,
    /// Two for every message, at once: delivered, and read.
    EveryMessage,
}

/// What the users of a scenario do.
#[derive(Clone, Copy, Debug)]
pub struct Behaviour {
    /// Who talks to whom.
    pub cast: Cast,
    /// The pings are the protocol's own, if it has one.
    pub protocol_pings: bool,
    /// What happens to connections.
    pub disruption: Disruption,
    /// Shares of the recipients that read slowly, and that read nothing.
    pub slow: f64,
    /// See `slow`.
    pub deaf: f64,
    /// How recipients acknowledge what they get.
    pub receipts: Receipts,
    /// A connection that breaks by itself is opened again.
    pub reconnects: bool,
    /// Connections that stay follow those of their group that come and go.
    pub follows: bool,
    /// What the server must be able to do.
    pub needs: &'static [Need],
}

/// Something that a server must be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Messages go from one connection to another.
    Relays,
    /// Messages are kept for the absent.
    History,
    /// Groups.
    Groups,
    /// Recipients can acknowledge messages.
    Receipts,
}

impl Behaviour {
    /// Connections that do nothing.
    pub const IDLE: Self = Self {
        cast: Cast::Nobody,
        protocol_pings: false,
        disruption: Disruption::None,
        slow: 0.0,
        deaf: 0.0,
        receipts: Receipts::Coalesced,
        reconnects: false,
        follows: false,
        needs: &[],
    };

    /// The same, with the disturbances that a plan asks for: any scenario can have
    /// connections that flap and recipients that read slowly.
    #[must_use]
    pub fn disturbed(self, plan: &Plan) -> Self {
        let flaps = plan.flap_percent > 0.0 && self.disruption == Disruption::None;
        let share_per_second = plan.flap_percent / 100.0 / plan.flap_interval.as_secs_f64();
        Self {
            disruption: if flaps {
                Disruption::Flap { share_per_second, of: 1.0, away: plan.away, goodbye: false }
            } else {
                self.disruption
            },
            reconnects: self.reconnects || flaps,
            slow: plan.slow_percent / 100.0,
            deaf: plan.no_read_percent / 100.0,
            ..self
        }
    }

    /// What the server lacks, in words.
    pub fn missing(&self, abilities: Abilities) -> Option<&'static str> {
        self.needs.iter().find_map(|need| match need {
            Need::Relays if !abilities.relays => Some("messages from one connection to another"),
            Need::History if !abilities.history => Some("a history that can be read"),
            Need::Groups if !abilities.groups => Some("groups"),
            Need::Receipts if !abilities.receipts => Some("receipts from recipients"),
            _ => None,
        })
    }
}

/// A scenario.
pub trait Scenario: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// One line for the list.
    fn summary(&self) -> &'static str;

    /// What it does, what it measures, and what it requires to pass.
    fn help(&self) -> Help;

    /// Settings that differ from the general defaults.
    fn defaults(&self) -> Settings {
        Settings::default()
    }

    /// Decides what follows from the rest of the plan.
    fn settle(&self, plan: &mut Plan) {
        let _ = plan;
    }

    /// What its users do.
    fn behaviour(&self, plan: &Plan) -> Behaviour;

    /// What must hold for it to pass, besides a clean ledger and the thresholds.
    fn requirements(&self, plan: &Plan, merged: &Merged) -> Vec<Requirement>;
}

/// The long description of a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Help {
    /// What its users do.
    pub does: &'static str,
    /// What is measured.
    pub measures: &'static str,
    /// What it requires to pass.
    pub passes: &'static str,
    /// A command line.
    pub example: &'static str,
}

/// All scenarios, in the order of the list.
pub fn all() -> &'static [&'static dyn Scenario] {
    catalogue::ALL
}

/// The scenario of a name.
pub fn find(name: &str) -> Result<&'static dyn Scenario, BadPlan> {
    let wanted = match name.to_ascii_lowercase().replace('_', "-") {
        short if short == "connect" => "connect-only".to_owned(),
        wanted => wanted,
    };
    all().iter().copied().find(|scenario| scenario.name() == wanted).ok_or_else(|| {
        let names: Vec<_> = all().iter().map(|scenario| scenario.name()).collect();
        BadPlan(format!("there is no scenario {name:?}; there are {}", names.join(", ")))
    })
}
