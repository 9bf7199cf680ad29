//! The drills of the reference systems, as plans, with the figures that they recorded: so
//! that another system's stand beside theirs.

mod table;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::PlanFile;

pub use table::table;

/// A figure of another system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// What it is of.
    pub what: String,
    /// The figure, as it was recorded.
    pub figure: String,
    /// Our figures beside it: names of [`Figure`](table::Figure)s, separated by spaces.
    pub ours: String,
}

/// All of them: name and plan.
const ALL: &[(&str, &str)] = &[
    ("targets-50k", include_str!("../../presets/targets-50k.toml")),
    ("restart", include_str!("../../presets/restart.toml")),
    ("redis-away", include_str!("../../presets/redis-away.toml")),
    ("flap", include_str!("../../presets/flap.toml")),
    ("slow-200", include_str!("../../presets/slow-200.toml")),
    ("slow-4000", include_str!("../../presets/slow-4000.toml")),
    ("gatling-100", include_str!("../../presets/gatling-100.toml")),
    ("gatling-1000", include_str!("../../presets/gatling-1000.toml")),
    ("gatling-10000", include_str!("../../presets/gatling-10000.toml")),
    ("gatling-50000", include_str!("../../presets/gatling-50000.toml")),
];

/// Their names, in the order of the list.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

/// The text of a preset.
pub fn text(name: &str) -> Result<&'static str, String> {
    let found = ALL.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
    found.ok_or_else(|| {
        let names: Vec<_> = names().collect();
        format!("there is no preset {name:?}; there are {}", names.join(", "))
    })
}

/// A preset.
pub fn find(name: &str) -> Result<PlanFile, String> {
    PlanFile::parse(text(name)?)
}

/// The list for people.
pub fn list() -> String {
    let mut list = String::new();
    for (name, text) in ALL {
        let title = PlanFile::parse(text).ok().and_then(|plan| plan.title).unwrap_or_default();
        list += &format!("{name:<15} {title}\n");
    }
    list + "\nwsbench --preset NAME runs one (--scale 0.1 in small), wsbench presets NAME prints its plan.\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::settings::Settings;

    #[test]
    fn every_preset_is_a_plan_that_can_be_and_its_figures_are_known() {
        for name in names() {
            let file = find(name).unwrap();
            assert!(file.title.is_some() && file.system.is_some(), "{name}");
            let over = Settings {
                adapter: Some(crate::adapter::AdapterKind::MiniIm),
                ..Settings::default()
            };
            for run in file.runs(&over).unwrap() {
                let plan = Plan::resolve(run.scenario.as_deref(), run.settings).unwrap();
                assert!(plan.conns >= 100, "{name}");
                assert!(!run.reference.is_empty(), "{name}");
                for reference in run.reference {
                    for figure in reference.ours.split(' ') {
                        assert!(figure.parse::<table::Figure>().is_ok(), "{name} {figure}");
                    }
                }
            }
        }
    }

    /// The numbers that the reference systems print.
    #[test]
    fn the_drills_have_the_exact_numbers() {
        let plans = |name: &str| -> Vec<Plan> {
            let over = Settings {
                adapter: Some(crate::adapter::AdapterKind::MiniIm),
                ..Settings::default()
            };
            let runs = find(name).unwrap().runs(&over).unwrap();
            runs.into_iter()
                .map(|run| Plan::resolve(run.scenario.as_deref(), run.settings).unwrap())
                .collect()
        };
        let seconds = |span: crate::span::Span| span.as_secs_f64();
        let restart = &plans("restart")[0];
        assert_eq!((restart.conns, seconds(restart.duration)), (500, 40.0));
        let redis = &plans("redis-away")[0];
        assert_eq!((redis.conns, seconds(redis.ping_interval)), (500, 1.0));
        let flap = &plans("flap")[0];
        assert_eq!((flap.conns, flap.flap_percent, seconds(flap.duration)), (1000, 20.0, 60.0));
        assert_eq!(seconds(flap.flap_interval), 2.0);
        let slow = &plans("slow-200")[1];
        assert_eq!((slow.conns, slow.slow_percent, seconds(slow.slow_delay)), (200, 30.0, 5.0));
        // A hundred senders, two messages a second each.
        assert_eq!(slow.sender_rate * f64::from(slow.conns / 2), 200.0);
        assert!(plans("slow-4000").iter().all(|plan| plan.payload_size == 4000));
        let ladder = [("gatling-100", 100, 30.0, 120.0), ("gatling-50000", 50_000, 300.0, 600.0)];
        for (name, users, ramp, duration) in ladder {
            let plan = &plans(name)[0];
            assert_eq!((plan.conns, seconds(plan.ramp)), (users, ramp));
            assert_eq!(seconds(plan.hold()), duration);
        }
    }
}
