//! Metrics as a page in Prometheus's text format, version 0.0.4.
//!
//! By hand, because the names are given: libraries for this format put `_total` behind
//! every counter, and the reference systems' `ws_connect_ok` has none.

use std::fmt::Write;

use super::samples::{Kind, Metric};

/// Writes the page. `labels` are on every series.
pub(super) fn write(metrics: &[Metric], labels: &[(String, String)]) -> String {
    let mut page = String::new();
    for Metric { name, help, kind, series } in metrics {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to a string can't fail.
        let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for series in series {
            let own = series.labels.iter().map(|(name, value)| (*name, value));
            let all = labels.iter().map(|(name, value)| (name.as_str(), value)).chain(own);
            let all: Vec<_> =
                all.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            let _ = writeln!(page, "{name}{}{{{}}} {}", series.suffix, all.join(","), series.value);
        }
    }
    page
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::samples::Series;
    use super::*;

    #[test]
    fn a_page_is_in_the_format() {
        let series =
            Series { suffix: "", labels: vec![("class", "a\"b\\c\nd".to_owned())], value: 2.5 };
        let metric = Metric {
            name: "x_total",
            help: "What it is.",
            kind: Kind::Counter,
            series: vec![series],
        };
        assert_eq!(
            write(&[metric], &[("run".to_owned(), "7".to_owned())]),
            "# HELP x_total What it is.\n# TYPE x_total counter\n\
             x_total{run=\"7\",class=\"a\\\"b\\\\c\\nd\"} 2.5\n"
        );
    }
}
