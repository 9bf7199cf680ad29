//! The tables of a report.

mod circumstances;
mod measured;
mod rising;

use std::fmt::Write;

use super::super::Report;
use super::both;

/// Writing to a string can't fail.
macro_rules! put {
    ($text:expr, $($what:tt)*) => {{ let _ = write!($text, $($what)*); }};
}
use put;

pub(super) fn write(report: &Report) -> String {
    let figures = [
        measured::latencies,
        rising::plateaus,
        measured::requirements,
        measured::errors,
        measured::connections,
        measured::steps,
        measured::lost,
    ];
    let circumstances = [
        circumstances::load,
        circumstances::actions,
        circumstances::generator,
        circumstances::server,
        circumstances::metrics,
        circumstances::command,
    ];
    let all = |tables: &[fn(&Report) -> String]| -> String {
        tables.iter().map(|table| table(report)).collect()
    };
    format!(
        "<h2>{}</h2>\n<div class=\"tables\">\n{}</div>\n<h2>{}</h2>\n<div class=\"tables\">\n{}</div>\n",
        both(["The figures", "详细数据"]),
        all(&figures),
        both(["Under which conditions", "测试条件"]),
        all(&circumstances),
    )
}

fn card(title: [&str; 2], class: &str, body: &str) -> String {
    format!("<section class=\"card{class}\"><h3>{}</h3>{body}</section>\n", both(title))
}

/// A table of names and values.
fn pairs(rows: &[([&str; 2], String)]) -> String {
    let mut table = "<table>".to_owned();
    for (name, value) in rows {
        put!(
            table,
            "<tr><td>{}</td><td class=\"text\" style=\"text-align:right\">{value}</td></tr>",
            both(*name)
        );
    }
    table + "</table>"
}
