//! The report as comma-separated values.

use std::fmt::Write;

use serde_json::Value;

use super::Report;
use crate::seconds::Row;

/// `metric,value` lines: every number and word of the report, named by its path.
pub(super) fn report(report: &Report) -> String {
    let mut value = serde_json::to_value(report).expect("a report has no odd keys");
    if let Some(fields) = value.as_object_mut() {
        // Seconds have a table of their own.
        fields.remove("seconds");
        fields.remove("histogramsUs");
        fields.remove("slices");
    }
    let mut table = "metric,value\n".to_owned();
    flatten(&mut table, "", &value);
    table
}

/// One line per second.
pub(super) fn seconds(rows: &[Row]) -> String {
    let mut table = "second,live,connected,sent,delivered,pongs,disconnects,connect_p50_ms,\
                     connect_p99_ms,ping_p50_ms,ping_p99_ms,ack_p50_ms,ack_p99_ms,ack_max_ms,\
                     e2e_p50_ms,e2e_p99_ms,e2e_max_ms\n"
        .to_owned();
    for row in rows {
        let counts = [
            row.second,
            row.live,
            row.connected,
            row.sent,
            row.delivered,
            row.pongs,
            row.disconnects,
        ];
        let counts = counts.map(|count| count.to_string()).join(",");
        let times = [
            cells(row.connect_ms.as_ref()),
            cells(row.ping_ms.as_ref()),
            cells(row.ack_ms.as_ref()),
            cells(row.e2e_ms.as_ref()),
        ];
        // Writing to a string can't fail.
        let _ = writeln!(table, "{counts},{}", times.join(","));
    }
    table
}

fn cells<const N: usize>(times: Option<&[f64; N]>) -> String {
    let cells: Vec<_> = match times {
        Some(times) => times.iter().map(|ms| format!("{ms:.3}")).collect(),
        None => vec![String::new(); N],
    };
    cells.join(",")
}

fn flatten(table: &mut String, path: &str, value: &Value) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| flatten(table, &join(key), value));
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, value)| flatten(table, &join(&index.to_string()), value)),
        Value::Null => {}
        other => {
            let text = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            // Writing to a string can't fail.
            let _ = writeln!(table, "{},{}", quoted(path), quoted(&text));
        }
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
