//! From all sources to one configuration: defaults, then a file, then the environment,
//! then the command line. Later ones win, value by value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::keys::Keys;
use super::sources::{self, Found, Given, Origin};
use super::tree::Config;

/// The file that is read if it is there and no other was named.
pub const FILE: &str = "petrel.toml";

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file to read. It must be there.
    pub file: Option<PathBuf>,
    /// The environment.
    pub variables: Vec<(OsString, OsString)>,
    /// `KEY=VALUE`, as given to `--set`.
    pub assignments: Vec<String>,
    /// What other options of the command line set: `(key, value, option)`.
    pub flags: Vec<(&'static str, toml::Value, &'static str)>,
}

/// A configuration, and where each of its values came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file that was read.
    pub file: Option<PathBuf>,
    pub(super) origins: BTreeMap<String, Origin>,
}

/// Why there is no configuration: everything that is wrong, a line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(Vec<String>);

impl Loaded {
    /// Reads all sources.
    pub fn read(sources: Sources) -> Result<Self, ConfigError> {
        let keys = Keys::new();
        let file = sources.file.clone().or_else(|| {
            let usual = PathBuf::from(FILE);
            usual.is_file().then_some(usual)
        });
        let mut problems = Vec::new();
        let mut given = Vec::new();
        let mut add = |mut found: Found| {
            given.append(&mut found.given);
            problems.append(&mut found.problems);
        };
        if let Some(path) = &file {
            add(sources::of_file(&keys, path, &read(path)?));
        }
        add(sources::of_environment(&keys, sources.variables));
        for assignment in &sources.assignments {
            add(match sources::of_assignment(&keys, assignment) {
                Ok(given) => Found { given: vec![given], ..Found::default() },
                Err(problem) => Found { problems: vec![problem], ..Found::default() },
            });
        }
        let given_by_flags = sources.flags.into_iter().map(of_flag).collect();
        add(Found { given: given_by_flags, ..Found::default() });
        problems.extend(given.iter().filter_map(|given| sources::check(&keys, given).err()));
        if !problems.is_empty() {
            return Err(ConfigError(problems.iter().map(ToString::to_string).collect()));
        }
        Self::assemble(given, file)
    }

    fn assemble(given: Vec<Given>, file: Option<PathBuf>) -> Result<Self, ConfigError> {
        let mut table = toml::Table::new();
        let mut origins = BTreeMap::new();
        for given in given {
            sources::put(&mut table, &given);
            origins.insert(given.path, given.origin);
        }
        // Each value alone has been checked, so that this can't fail any more.
        let config = Config::deserialize(toml::Value::Table(table))
            .map_err(|error| ConfigError(vec![error.to_string()]))?;
        match config.contradictions() {
            found if found.is_empty() => Ok(Self { config, file, origins }),
            found => Err(ConfigError(found)),
        }
    }

    /// Where a value came from.
    pub fn origin(&self, path: &str) -> &Origin {
        self.origins.get(path).unwrap_or(&Origin::Default)
    }
}

fn of_flag((path, value, flag): (&'static str, toml::Value, &'static str)) -> Given {
    Given { path: path.to_owned(), value, origin: Origin::Flag(flag.to_owned()) }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|error| {
        ConfigError(vec![format!("can't read the configuration {}: {error}", path.display())])
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Span;

    fn with_file(text: &str) -> (tempfile::TempDir, Sources) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("petrel.toml");
        fs::write(&path, text).unwrap();
        let sources = Sources { file: Some(path), ..Sources::default() };
        (directory, sources)
    }

    fn variable(name: &str, value: &str) -> (OsString, OsString) {
        (name.into(), value.into())
    }

    fn error_of(sources: Sources) -> String {
        Loaded::read(sources).unwrap_err().to_string()
    }

    #[test]
    fn later_sources_win_value_by_value() {
        let (_directory, mut sources) = with_file(
            "[http]\nlisten = \"127.0.0.1:1\"\n[gateway]\nlisten = \"127.0.0.1:2\"\n\
             connections_max = 3\n[retention]\nkeep = \"30d\"\n",
        );
        sources.variables = vec![
            variable("PETREL_GATEWAY__LISTEN", "127.0.0.1:4"),
            variable("PETREL_GATEWAY__CONNECTIONS_MAX", "5"),
            variable("PETREL_GATEWAY__ALLOWED_ORIGINS", "https://a.example, https://b.example"),
            variable("HOME", "/"),
        ];
        sources.flags = vec![("gateway.listen", "127.0.0.1:6".into(), "--gateway")];
        sources.assignments = vec!["gateway.connections_max=7".to_owned()];
        let file = sources.file.clone().unwrap();
        let loaded = Loaded::read(sources).unwrap();
        let config = &loaded.config;
        assert_eq!(config.http.listen.port(), 1);
        assert_eq!(config.gateway.listen.port(), 6);
        assert_eq!(config.gateway.connections_max, 7);
        assert_eq!(config.gateway.allowed_origins, ["https://a.example", "https://b.example"]);
        assert_eq!(config.retention.keep, Some(Span(Duration::from_secs(30 * 24 * 60 * 60))));
        assert_eq!(config.log, Config::default().log);
        assert_eq!(*loaded.origin("http.listen"), Origin::File(file, 2));
        assert_eq!(loaded.origin("gateway.listen").to_string(), "--gateway");
        assert_eq!(loaded.origin("log.filter").to_string(), "default");
    }

    #[test]
    fn unknown_keys_are_told_with_file_line_and_the_nearest_known_one() {
        let (_directory, sources) = with_file("[http]\n\nlissten = \"127.0.0.1:1\"\n");
        let error = error_of(sources);
        assert!(error.contains("petrel.toml:3: there is no setting http.lissten"), "{error}");
        assert!(error.ends_with("did you mean http.listen?"), "{error}");

        let (_directory, sources) = with_file("[http]\nconnections_max = 1\n[gatewy]\n");
        let error = error_of(sources);
        assert!(error.contains("did you mean gateway.connections_max?"), "{error}");
        assert!(
            error.contains("petrel.toml:3: there is no section gatewy; did you mean"),
            "{error}"
        );

        let (_directory, sources) = with_file("[http]\nqqq = 1\n");
        assert!(error_of(sources).contains("[http] has listen"));
    }

    #[test]
    fn unknown_variables_are_errors_but_not_those_of_others() {
        for (name, hint) in [
            ("PETREL_HTTP_LISTEN", "PETREL_HTTP__LISTEN"),
            ("PETREL_HTTP__LISTN", "PETREL_HTTP__LISTEN"),
            ("PETREL_XYZZY_PLUGH", "petrel config docs"),
        ] {
            let sources =
                Sources { variables: vec![variable(name, "127.0.0.1:1")], ..Sources::default() };
            let error = error_of(sources);
            assert!(error.starts_with(&format!("{name}: ")) && error.contains(hint), "{error}");
        }
        let variables = vec![
            variable("PETREL_CRASH_SEED", "1"),
            variable("PETREL_UPDATE", "1"),
            variable("PETREL_SERVICE_HOST", "10.0.0.1"),
            variable("PETREL_PORT", "tcp://10.0.0.1:80"),
            variable("PETREL_PORT_80_TCP_ADDR", "10.0.0.1"),
            variable("PETREL_DATA_DIR", "/data"),
        ];
        let loaded = Loaded::read(Sources { variables, ..Sources::default() }).unwrap();
        assert_eq!(loaded.config.server.data_dir, Path::new("/data"));
    }

    #[test]
    fn values_of_the_wrong_form_are_told_with_their_place() {
        let (_directory, mut sources) = with_file(
            "[retention]\nkeep = 30\n[http]\nlisten = \"localhost\"\n[log]\nformat = \"xml\"\n",
        );
        sources.variables = vec![variable("PETREL_GATEWAY__CONNECTIONS_MAX", "many")];
        let error = error_of(sources);
        let lines: Vec<_> = error.lines().collect();
        assert_eq!(lines.len(), 4, "{error}");
        assert!(error.contains("petrel.toml:2: retention.keep") && error.contains("duration"));
        assert!(error.contains("petrel.toml:4: http.listen") && error.contains("HOST:PORT"));
        assert!(error.contains("petrel.toml:6: log.format") && error.contains("pretty | json"));
        assert!(error.contains("PETREL_GATEWAY__CONNECTIONS_MAX: gateway.connections_max"));
    }

    #[test]
    fn wrong_values_and_unknown_names_are_told_together() {
        let (_directory, mut sources) =
            with_file("[http]\nlissten = \"127.0.0.1:1\"\n[retention]\nkeep = 30\n[logg]\n");
        sources.variables = vec![
            variable("PETREL_HTTP__LISTN", "127.0.0.1:1"),
            variable("PETREL_GATEWAY__CONNECTIONS_MAX", "many"),
        ];
        sources.assignments = vec!["log.format=xml".to_owned(), "log.formt=json".to_owned()];
        let error = error_of(sources);
        assert_eq!(error.lines().count(), 7, "{error}");
        for told in [
            "http.lissten",
            "retention.keep",
            "section logg",
            "PETREL_HTTP__LISTN",
            "gateway.connections_max",
            "log.format",
            "log.formt",
        ] {
            assert!(error.contains(told), "{told} is not told: {error}");
        }
    }

    #[test]
    fn broken_syntax_and_missing_files_are_told() {
        let (_directory, sources) = with_file("[http]\nlisten = \n");
        assert!(error_of(sources).contains("petrel.toml:2: "));
        let sources = Sources { file: Some("/no/such/file".into()), ..Sources::default() };
        assert!(error_of(sources).contains("/no/such/file"));
    }

    #[test]
    fn contradictions_between_values_are_told() {
        let set = |assignments: &[&str]| Sources {
            assignments: assignments.iter().map(|text| (*text).to_owned()).collect(),
            ..Sources::default()
        };
        assert!(error_of(set(&["retention.keep=1d"])).contains("7d"));
        assert!(error_of(set(&["tls.mode=files"])).contains("tls.certificate"));
        assert!(error_of(set(&["tls.key=/k"])).contains("tls.mode"));
        for wrong in [
            ["gateway.ping_interval=1ms", "gateway.idle_timeout=1s"],
            ["gateway.ping_interval=2h", "gateway.idle_timeout=3h"],
        ] {
            assert!(error_of(set(&wrong)).contains("gateway.ping_interval must"), "{wrong:?}");
        }
        for wrong in ["gateway.idle_timeout=30s", "gateway.idle_timeout=1000000years"] {
            let error = error_of(set(&[wrong]));
            assert!(error.contains("gateway.idle_timeout must be longer"), "{error}");
        }
        for (wrong, key) in [
            ("gateway.outbox_high_water_bytes=1", "outbox_high_water_bytes must"),
            ("gateway.outbox_low_water_bytes=600000", "outbox_low_water_bytes must"),
            ("gateway.close_unwritable_after=1ms", "close_unwritable_after must"),
        ] {
            assert!(error_of(set(&[wrong])).contains(key), "{wrong}");
        }
        assert!(error_of(set(&["gateway"])).contains("KEY=VALUE"));
        assert!(error_of(set(&["gateway.listn=1"])).contains("gateway.listen"));
        assert!(Loaded::read(set(&["retention.keep=7d"])).is_ok());
    }
}
