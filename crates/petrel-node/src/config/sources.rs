//! Where settings come from: a file, the environment, the command line.
//!
//! Each source becomes a list of single values that know where they were given, so that
//! whatever is wrong with one is told with its place: an unknown name with the nearest
//! known one, a value of the wrong form with what would be right.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{Key, Keys, nearest};
use super::tree::Config;

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is what holds if nobody says anything.
    Default,
    /// In a file, in this line.
    File(PathBuf, usize),
    /// In this environment variable.
    Variable(String),
    /// By this option of the command line.
    Flag(String),
}

/// A value and where it was given.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given {
    /// The setting: `gateway.listen`.
    pub(super) path: String,
    /// Its value.
    pub(super) value: toml::Value,
    /// Where.
    pub(super) origin: Origin,
}

/// Something wrong in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) origin: Origin,
    pub(super) message: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// What a source gives, and what is wrong in it. What is right counts all the same, so that
/// all that is wrong with it can be told at once.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) given: Vec<Given>,
    pub(super) problems: Vec<Problem>,
}

/// Reads the text of a file.
pub(super) fn of_file(keys: &Keys, path: &Path, text: &str) -> Found {
    let file = File { keys, path, text };
    let read = DeTable::parse(text).and_then(|spanned| Ok((spanned, toml::from_str(text)?)));
    let (spanned, values): (_, toml::Table) = match read {
        Ok(read) => read,
        Err(error) => {
            let begin = error.span().map_or(0, |span| span.start);
            let problems = vec![file.problem(begin, error.message().to_owned())];
            return Found { problems, ..Found::default() };
        }
    };
    let mut found = Found::default();
    for (section, entries) in spanned.get_ref() {
        file.section(section, entries, &values, &mut found.given, &mut found.problems);
    }
    found
}

struct File<'a> {
    keys: &'a Keys,
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn section(
        &self,
        section: &Spanned<std::borrow::Cow<'_, str>>,
        entries: &Spanned<DeValue<'_>>,
        values: &toml::Table,
        given: &mut Vec<Given>,
        problems: &mut Vec<Problem>,
    ) {
        let (name, begin) = (section.get_ref().as_ref(), section.span().start);
        let names = self.keys.sections.iter().map(|section| section.name.as_str());
        if !names.clone().any(|known| known == name) {
            let listed = names.clone().collect::<Vec<_>>().join(", ");
            let hint = match self.keys.nearest(name).or_else(|| nearest(name, names)) {
                Some(nearest) => format!("did you mean {nearest}?"),
                None => format!("the sections are {listed}"),
            };
            return problems
                .push(self.problem(begin, format!("there is no section {name}; {hint}")));
        }
        let (DeValue::Table(entries), Some(toml::Value::Table(values))) =
            (entries.get_ref(), values.get(name))
        else {
            let message = format!("{name} is a section; write [{name}] and its settings below");
            return problems.push(self.problem(begin, message));
        };
        for (key, value) in entries {
            let path = format!("{name}.{}", key.get_ref());
            let begin = key.span().start;
            let Some(known) = self.keys.get(&path) else {
                problems.push(self.problem(begin, unknown(self.keys, &path)));
                continue;
            };
            self.entries(known, value, problems);
            if let Some(value) = values.get(key.get_ref().as_ref()) {
                given.push(Given { path, value: value.clone(), origin: self.origin(begin) });
            }
        }
    }

    /// Checks the names within the tables of a list.
    fn entries(&self, key: &Key, list: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) {
        let tables = list.get_ref().as_array().into_iter().flat_map(|list| list.iter());
        for entry in tables.filter_map(|entry| entry.get_ref().as_table()).flatten() {
            let name = entry.0.get_ref().as_ref();
            if !key.entries.is_empty() && !key.entries.iter().any(|known| known == name) {
                let hint = match nearest(name, key.entries.iter().map(String::as_str)) {
                    Some(nearest) => format!("did you mean {nearest}?"),
                    None => format!("it has {}", key.entries.join(", ")),
                };
                let message = format!("an entry of {} has no setting {name}; {hint}", key.path);
                problems.push(self.problem(entry.0.span().start, message));
            }
        }
    }

    fn origin(&self, begin: usize) -> Origin {
        let before = self.text.get(..begin).unwrap_or(self.text);
        Origin::File(self.path.to_owned(), before.matches('\n').count() + 1)
    }

    fn problem(&self, begin: usize, message: String) -> Problem {
        Problem { origin: self.origin(begin), message }
    }
}

/// Reads the variables that begin with `PETREL_`.
pub(super) fn of_environment(
    keys: &Keys,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Found {
    let Found { mut given, mut problems } = Found::default();
    for (name, value) in variables {
        let (name, value) = (name.to_string_lossy().into_owned(), value.to_string_lossy());
        if !name.starts_with("PETREL_") || is_of_others(&name, &value) {
            continue;
        }
        let origin = Origin::Variable(name.clone());
        match keys.of_variable(&name) {
            Some(key) => {
                given.push(Given { path: key.path.clone(), value: key.read(&value), origin });
            }
            None => {
                let hint = match keys.nearest_variable(&name) {
                    Some(nearest) => format!("did you mean {nearest}?"),
                    None => "`petrel config docs` lists them".to_owned(),
                };
                problems
                    .push(Problem { origin, message: format!("no setting has this name; {hint}") });
            }
        }
    }
    Found { given, problems }
}

/// Variables that begin like ours and are none: those of Petrel's own tests, and those
/// that Kubernetes sets in every pod beside a service whose name begins with `petrel`
/// (<https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>).
fn is_of_others(name: &str, value: &str) -> bool {
    const TESTS: [&str; 7] = [
        "PETREL_API_",
        "PETREL_CRASH_",
        "PETREL_FUZZ_",
        "PETREL_MUT",
        "PETREL_POWER_",
        "PETREL_SIMULATION_",
        "PETREL_UPDATE",
    ];
    let of_tests = TESTS.iter().any(|prefix| name.starts_with(prefix));
    let of_services = name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.ends_with("_PORT") && value.contains("://")
        || name.contains("_PORT_") && name.contains("_TCP");
    of_tests || of_services
}

/// Reads `KEY=VALUE`, as `--set` takes it.
pub(super) fn of_assignment(keys: &Keys, text: &str) -> Result<Given, Problem> {
    let origin = Origin::Flag(format!("--set {}", text.split('=').next().unwrap_or_default()));
    let Some((path, value)) = text.split_once('=') else {
        let message = "write KEY=VALUE, as --set gateway.connections_max=20000".to_owned();
        return Err(Problem { origin, message });
    };
    match keys.get(path.trim()) {
        Some(key) => Ok(Given { path: key.path.clone(), value: key.read(value.trim()), origin }),
        None => Err(Problem { origin, message: unknown(keys, path.trim()) }),
    }
}

/// Checks that a value has the form of its setting.
pub(super) fn check(keys: &Keys, given: &Given) -> Result<(), Problem> {
    let mut table = toml::Table::new();
    put(&mut table, given);
    match Config::deserialize(toml::Value::Table(table)) {
        Ok(_) => Ok(()),
        Err(error) => {
            let form = keys.get(&given.path).map_or("", |key| key.form.as_str());
            let message = format!("{}: {} (expected: {form})", given.path, error.message());
            Err(Problem { origin: given.origin.clone(), message })
        }
    }
}

/// Puts a value into a tree of sections.
pub(super) fn put(table: &mut toml::Table, given: &Given) {
    let (section, name) = given.path.split_once('.').unwrap_or(("", &given.path));
    let section =
        table.entry(section.to_owned()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if let toml::Value::Table(section) = section {
        section.insert(name.to_owned(), given.value.clone());
    }
}

fn unknown(keys: &Keys, path: &str) -> String {
    let hint = match keys.nearest(path) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => {
            let section = path.split('.').next().unwrap_or_default();
            let known: Vec<_> = keys
                .all()
                .filter(|key| key.section() == section)
                .map(|key| key.name().to_owned())
                .collect();
            format!("[{section}] has {}", known.join(", "))
        }
    };
    format!("there is no setting {path}; {hint}")
}
