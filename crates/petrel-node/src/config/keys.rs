//! The settings by name, with what their types and doc comments say about them.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::tree::Config;

/// The variable that all commands know for the data directory.
const DATA_DIRECTORY_VARIABLE: &str = "PETREL_DATA_DIR";

/// One setting.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    /// Its name: `gateway.listen`.
    pub(super) path: String,
    /// What it means.
    pub(super) doc: String,
    /// What may be written, in a word: `duration`, `text`, `HOST:PORT`.
    pub(super) form: String,
    /// A value to show where there is no default.
    pub(super) example: Option<toml::Value>,
    /// Whether the value must not be shown.
    pub(super) is_secret: bool,
    /// The names within each entry, if it is a list of tables.
    pub(super) entries: Vec<String>,
}

/// A section and its settings, both by name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) keys: Vec<Key>,
}

/// All settings, read from the schema of [`Config`].
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) sections: Vec<Section>,
    by_path: BTreeMap<String, Key>,
}

impl Key {
    /// The variable that sets it.
    pub(super) fn variable(&self) -> String {
        format!("PETREL_{}", self.path.replace('.', "__").to_uppercase())
    }

    pub(super) fn section(&self) -> &str {
        self.path.split_once('.').map_or("", |(section, _)| section)
    }

    pub(super) fn name(&self) -> &str {
        self.path.split_once('.').map_or(&self.path, |(_, name)| name)
    }

    /// Reads text, as variables and `--set` have it. What is no text (a number, a list)
    /// is read as TOML; a list of words may also be written with commas.
    pub(super) fn read(&self, text: &str) -> toml::Value {
        let as_text = || toml::Value::String(text.to_owned());
        match self.form.as_str() {
            "number" | "true | false" => parse_toml(text).unwrap_or_else(as_text),
            "list" | "list of tables" => parse_toml(text).unwrap_or_else(|| {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                toml::Value::Array(words.map(|word| toml::Value::String(word.to_owned())).collect())
            }),
            _ => as_text(),
        }
    }
}

impl Keys {
    /// Of the types.
    pub(super) fn new() -> Self {
        let settings = SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
        let schema = settings.into_generator().into_root_schema_for::<Config>();
        let sections: Vec<_> = properties(schema.as_value())
            .map(|(name, section)| Section {
                name: name.clone(),
                doc: text(section, "description"),
                keys: properties(section)
                    .map(|(key, schema)| describe(name, key, schema))
                    .collect(),
            })
            .collect();
        let keys = sections.iter().flat_map(|section| &section.keys);
        let by_path = keys.map(|key| (key.path.clone(), key.clone())).collect();
        Self { sections, by_path }
    }

    pub(super) fn get(&self, path: &str) -> Option<&Key> {
        self.by_path.get(path)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Key> + Clone {
        self.sections.iter().flat_map(|section| &section.keys)
    }

    /// The setting that a variable sets.
    pub(super) fn of_variable(&self, variable: &str) -> Option<&Key> {
        if variable == DATA_DIRECTORY_VARIABLE {
            return self.get("server.data_dir");
        }
        self.all().find(|key| key.variable() == variable)
    }

    /// What somebody may have meant who wrote `path`.
    pub(super) fn nearest(&self, path: &str) -> Option<&str> {
        nearest(path, self.all().map(|key| key.path.as_str()))
    }

    /// What somebody may have meant who set `variable`.
    pub(super) fn nearest_variable(&self, variable: &str) -> Option<String> {
        let name = variable.trim_start_matches("PETREL_").to_lowercase();
        // One underline where two are needed is the likeliest slip.
        let slip = self.all().find(|key| key.path.replace('.', "_") == name);
        let nearest = || self.nearest(&name.replace("__", ".")).and_then(|path| self.get(path));
        slip.or_else(nearest).map(Key::variable)
    }
}

/// The candidate that is most like `written`, if any is alike: by all of it, or by its
/// last part in another section.
pub(super) fn nearest<'a>(
    written: &str,
    candidates: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let alike = candidates
        .clone()
        .map(|candidate| (strsim::damerau_levenshtein(written, candidate), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= (written.len() / 3).max(2));
    let moved = candidates.filter(|candidate| last(candidate) == last(written));
    alike.map(|(_, candidate)| candidate).or_else(|| moved.into_iter().next())
}

fn describe(section: &str, name: &str, schema: &Value) -> Key {
    let items = schema.get("items");
    let entries: Vec<String> = items
        .map(|items| properties(items).map(|(name, _)| name.clone()).collect())
        .unwrap_or_default();
    let example = schema.get("examples").and_then(|examples| examples.get(0));
    Key {
        path: format!("{section}.{name}"),
        doc: text(schema, "description"),
        form: form(schema, !entries.is_empty()),
        example: example.and_then(|example| toml::Value::try_from(example).ok()),
        is_secret: schema.get("x-secret").is_some_and(|value| value == true),
        entries,
    }
}

/// What may be written, in a word.
fn form(schema: &Value, has_entries: bool) -> String {
    let choices = choices(schema);
    if !choices.is_empty() {
        return choices.join(" | ");
    }
    if let Some(format) = schema.get("format").and_then(Value::as_str)
        && !format.starts_with("uint")
        && !format.starts_with("int")
    {
        return format.to_owned();
    }
    let is = |name: &str| match schema.get("type") {
        Some(Value::Array(names)) => names.iter().any(|one| one == name),
        Some(one) => one == name,
        None => false,
    };
    match () {
        () if is("integer") || is("number") => "number",
        () if is("boolean") => "true | false",
        () if is("array") && has_entries => "list of tables",
        () if is("array") => "list",
        () => "text",
    }
    .to_owned()
}

/// The words among which one has to choose.
fn choices(schema: &Value) -> Vec<String> {
    let listed =
        ["enum", "oneOf", "anyOf"].into_iter().find_map(|name| schema.get(name)?.as_array());
    let mut found = Vec::new();
    for choice in listed.into_iter().flatten() {
        match choice {
            Value::String(word) => found.push(word.clone()),
            Value::Object(object) => match object.get("const").and_then(Value::as_str) {
                Some(word) => found.push(word.to_owned()),
                None => found.extend(choices(choice)),
            },
            _ => {}
        }
    }
    found
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn text(schema: &Value, name: &str) -> String {
    let text = schema.get(name).and_then(Value::as_str).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A value alone, written as on the right of `key = `.
pub(super) fn parse_toml(text: &str) -> Option<toml::Value> {
    let mut table: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    table.remove("value")
}
