//! The report as JSON: objects over several lines, each element of a list on one. Whole
//! histograms with a line for every number would be no easier to read, and four times as
//! long.

use std::io::{Result, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

use super::Report;

/// Writes the report.
pub(super) fn write(report: &Report) -> String {
    let mut text = Vec::new();
    let form = Lines { pretty: PrettyFormatter::new(), compact: CompactFormatter, depth: 0 };
    report
        .serialize(&mut Serializer::with_formatter(&mut text, form))
        .expect("a report has no odd keys");
    text.push(b'\n');
    String::from_utf8(text).expect("JSON is UTF-8")
}

struct Lines<'a> {
    pretty: PrettyFormatter<'a>,
    compact: CompactFormatter,
    /// How many lists and, inside of lists, objects are open.
    depth: usize,
}

/// What begins or goes on: inside of a list's element in one line, else on several.
macro_rules! either {
    ($self:ident, $method:ident $(, $argument:expr)*) => {
        if $self.depth > 1 { $self.compact.$method($($argument),*) } else { $self.pretty.$method($($argument),*) }
    };
}

impl Formatter for Lines<'_> {
    fn begin_array<W: ?Sized + Write>(&mut self, to: &mut W) -> Result<()> {
        self.depth += 1;
        either!(self, begin_array, to)
    }

    fn end_array<W: ?Sized + Write>(&mut self, to: &mut W) -> Result<()> {
        let ended = either!(self, end_array, to);
        self.depth -= 1;
        ended
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> Result<()> {
        either!(self, begin_array_value, to, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, to: &mut W) -> Result<()> {
        either!(self, end_array_value, to)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, to: &mut W) -> Result<()> {
        if self.depth > 0 {
            self.depth += 1;
        }
        either!(self, begin_object, to)
    }

    fn end_object<W: ?Sized + Write>(&mut self, to: &mut W) -> Result<()> {
        let ended = either!(self, end_object, to);
        self.depth = self.depth.saturating_sub(1);
        ended
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> Result<()> {
        either!(self, begin_object_key, to, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, to: &mut W) -> Result<()> {
        either!(self, begin_object_value, to)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, to: &mut W) -> Result<()> {
        either!(self, end_object_value, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_line_for_each_element() {
        let value =
            serde_json::json!({ "a": { "b": [[1, 2], { "c": [3], "d": {} }], "e": [] }, "f": 1 });
        let mut text = Vec::new();
        let form = Lines { pretty: PrettyFormatter::new(), compact: CompactFormatter, depth: 0 };
        value.serialize(&mut Serializer::with_formatter(&mut text, form)).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        let expected = "{\n  \"a\": {\n    \"b\": [\n      [1,2],\n      {\"c\":[3],\"d\":{}}\n    ],\n    \"e\": []\n  },\n  \"f\": 1\n}";
        assert_eq!(text, expected);
    }
}
