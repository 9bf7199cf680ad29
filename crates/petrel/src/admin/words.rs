//! `petrel admin words`.

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use petrel_node::AdminError;
use petrel_protocol::http::Done;
use petrel_protocol::http::admin::{FilterWords, WordMode, WordsMet};
use serde_json::json;

use super::{Desk, query};

/// List and change the words that users must not send.
///
/// Case and width of letters don't matter. A word of a script with spaces is met as a whole
/// word, unless a * at its beginning or end lets anything be there; a Chinese word is met
/// anywhere. A running server looks for them at once.
#[derive(Debug, Subcommand)]
pub(crate) enum Words {
    List(List),
    Add(Add),
    Remove(Remove),
    Try(Try),
}

/// List the words that were put in, and how many the file of `words.file` has beside them.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those after this one, as the last line of a list says
    #[arg(long, value_name = "WORD")]
    after: Option<String>,

    /// The most words listed, up to 200
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
}

/// Put words in, or have something else done about them.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The words
    #[arg(required = true)]
    words: Vec<String>,

    /// What is done about them: refuse what has them, replace them by *, or flag them in the audit log
    #[arg(long, value_enum, default_value = "refuse")]
    mode: Mode,
}

/// Take words out.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The words, as they were put in
    #[arg(required = true)]
    words: Vec<String>,
}

/// Print what would come of a text.
#[derive(Debug, Args)]
pub(crate) struct Try {
    /// What somebody might send
    text: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    Refuse,
    Replace,
    Flag,
}

impl Words {
    pub(super) async fn carry_out(self, desk: &Desk) -> Result<String, AdminError> {
        match self {
            Self::List(List { after, limit }) => {
                let query = query(&[("after", after), ("limit", Some(limit.to_string()))]);
                desk.tell("GET", &format!("/api/admin/words{query}"), None, listed).await
            }
            Self::Add(Add { words, mode }) => {
                let mode = match mode {
                    Mode::Refuse => WordMode::Refuse,
                    Mode::Replace => WordMode::Replace,
                    Mode::Flag => WordMode::Flag,
                };
                let body: Vec<_> =
                    words.iter().map(|word| json!({ "word": word, "mode": mode })).collect();
                let words = |Done {}| "Done.".to_owned();
                desk.tell("PUT", "/api/admin/words", Some(json!({ "words": body })), words).await
            }
            Self::Remove(Remove { words }) => {
                let body = json!({ "words": words });
                let words = |Done {}| "Done.".to_owned();
                desk.tell("POST", "/api/admin/words/remove", Some(body), words).await
            }
            Self::Try(Try { text }) => {
                let body = json!({ "text": text });
                desk.tell("POST", "/api/admin/words/try", Some(body), met).await
            }
        }
    }
}

fn listed(found: FilterWords) -> String {
    let mut out = String::new();
    for word in &found.words {
        let _ = writeln!(out, "{}: {}", word.mode.as_str(), word.word);
    }
    let _ = writeln!(out, "The file has {} words.", found.words_of_file);
    if let Some(next) = found.next {
        let _ = writeln!(out, "There may be more: --after {next}");
    }
    out
}

fn met(met: WordsMet) -> String {
    let WordsMet { refused, replaced, flagged } = met;
    if let Some(word) = refused {
        return format!("It would be refused, for {word:?}.");
    }
    let mut out = replaced.map_or_else(
        || "It would go through as it is.".to_owned(),
        |replaced| format!("It would go through as {replaced:?}."),
    );
    if !flagged.is_empty() {
        let _ = write!(out, " The audit log would tell of {}.", flagged.join(", "));
    }
    out
}
