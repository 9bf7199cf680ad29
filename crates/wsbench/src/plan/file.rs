//! Plans in TOML: one run, or several that share what stands above them.

use serde::Deserialize;

use crate::preset::Reference;
use crate::settings::Settings;

/// A plan as it is written.
#[derive(Debug, Deserialize)]
pub struct PlanFile {
    /// What it is, in a line.
    pub title: Option<String>,
    /// Whose figures stand in `reference`.
    pub system: Option<String>,
    /// What has to be given besides, or the plan says nothing.
    pub wants: Option<String>,
    /// What may be given besides.
    pub hint: Option<String>,
    scenario: Option<String>,
    #[serde(default)]
    run: Vec<PlanRun>,
    #[serde(default)]
    reference: Vec<Reference>,
    #[serde(flatten)]
    settings: toml::Table,
}

#[derive(Debug, Deserialize)]
struct PlanRun {
    scenario: Option<String>,
    #[serde(default)]
    reference: Vec<Reference>,
    #[serde(flatten)]
    settings: toml::Table,
}

/// One run of a plan.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The scenario, if the plan names one.
    pub scenario: Option<String>,
    /// What is given.
    pub settings: Settings,
    /// Figures of other systems to compare with.
    pub reference: Vec<Reference>,
}

impl PlanFile {
    /// Reads a plan.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// Its runs, with what overrides them.
    pub fn runs(self, over: &Settings) -> Result<Vec<Run>, String> {
        let settings = |table: toml::Table| -> Result<Settings, String> {
            Settings::deserialize(table).map_err(|error| error.to_string())
        };
        let shared = settings(self.settings)?;
        if self.run.is_empty() {
            let settings = over.clone().or(shared);
            return Ok(vec![Run { scenario: self.scenario, settings, reference: self.reference }]);
        }
        self.run
            .into_iter()
            .map(|run| {
                let own = settings(run.settings)?;
                Ok(Run {
                    scenario: run.scenario.or_else(|| self.scenario.clone()),
                    settings: over.clone().or(own).or(shared.clone()),
                    reference: run.reference,
                })
            })
            .collect()
    }
}
