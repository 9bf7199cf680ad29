//! `petrel config`.

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Subcommand;
use petrel_node::config;

use crate::exit::Failure;
use crate::settings::Settings;

/// Show and check the configuration.
///
/// Settings come from, in rising order of weight: their defaults; a TOML file (--config,
/// else ./petrel.toml if there is one); variables, as PETREL_HTTP__LISTEN for http.listen;
/// options of the command line. What is not known is an error, wherever it stands.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Print a configuration file with every setting, commented out
    ///
    /// Begin with: petrel config example > petrel.toml
    Example,
    /// Check a configuration and print what is in force, with the source of each value
    ///
    /// Reads what `petrel serve` would read. Secrets are not printed.
    Check {
        /// The file to check [default: petrel.toml, if it is there]
        file: Option<PathBuf>,

        /// The same, named as for the other commands
        #[arg(long, value_name = "FILE", conflicts_with = "file")]
        config: Option<PathBuf>,
    },
    /// Print the reference of all settings, in Markdown
    Docs,
}

impl Config {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let text = match self {
            Self::Example => config::example(),
            Self::Docs => config::reference(),
            Self::Check { file, config } => {
                let file = file.or(config).or_else(file_of_environment);
                config::effective(&Settings::of_file(file).load()?)
            }
        };
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::running)
    }
}

/// As the other commands find it when no file is named.
fn file_of_environment() -> Option<PathBuf> {
    env::var_os("PETREL_CONFIG").map(PathBuf::from)
}
