//! A server's metrics page, in Prometheus's text format
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::target::Target;

/// How long a page may take.
const PATIENCE: Duration = Duration::from_millis(500);
/// The most bytes of a page.
const PAGE_BYTES_MAX: u64 = 8 << 20;

/// What a page says at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Page {
    /// Values by series, labels included.
    pub(super) values: BTreeMap<String, f64>,
    /// Histograms by series without the bound: the bounds, and how many were at most
    /// that.
    buckets: BTreeMap<String, Vec<(f64, f64)>>,
}

impl Page {
    /// Reads a page over HTTP; none if there is none, or not in time.
    pub(super) fn fetch(page: &Target) -> Option<Self> {
        let address: SocketAddr = *page.resolve().ok()?.first()?;
        let mut socket = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
        socket.set_read_timeout(Some(PATIENCE)).ok()?;
        socket.set_write_timeout(Some(PATIENCE)).ok()?;
        let host = page.authority();
        let request =
            format!("GET {} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n", page.path);
        socket.write_all(request.as_bytes()).ok()?;
        let mut text = Vec::new();
        socket.take(PAGE_BYTES_MAX).read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text);
        let (head, body) = text.split_once("\r\n\r\n")?;
        head.split_whitespace().nth(1).filter(|status| *status == "200")?;
        let page = Self::parse(body);
        // Some servers answer every path with a page for people.
        (!page.values.is_empty()).then_some(page)
    }

    /// Takes the text apart. What is no number of this format is passed over.
    fn parse(body: &str) -> Self {
        let mut page = Self::default();
        for line in body.lines().filter(|line| !line.starts_with('#')) {
            let end = line.rfind('}').map_or_else(|| line.find(' '), |at| Some(at + 1));
            let Some((series, rest)) = end.and_then(|end| line.split_at_checked(end)) else {
                continue;
            };
            let number = rest.split_whitespace().next().and_then(|text| text.parse::<f64>().ok());
            let Some(value) = number.filter(|value| value.is_finite()) else { continue };
            match without_bound(series) {
                Some((name, bound)) => page.buckets.entry(name).or_default().push((bound, value)),
                None => drop(page.values.insert(series.to_owned(), value)),
            }
        }
        page
    }

    /// What 99 % of the things that a histogram counted since `earlier` did not exceed:
    /// the upper bound of the bucket they fall into.
    pub(super) fn p99_since(&self, earlier: &Self) -> BTreeMap<String, f64> {
        let mut found = BTreeMap::new();
        for (name, buckets) in &self.buckets {
            let before = earlier.buckets.get(name);
            let mut counts: Vec<(f64, f64)> = buckets
                .iter()
                .map(|(bound, count)| {
                    let known = before.and_then(|all| all.iter().find(|(b, _)| b == bound));
                    (*bound, count - known.map_or(0.0, |(_, count)| *count))
                })
                .collect();
            counts.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
            let Some((_, all)) = counts.last().copied().filter(|(_, all)| *all > 0.0) else {
                continue;
            };
            let bound = counts.iter().find(|(_, count)| *count >= 0.99 * all);
            // Beyond the last bound nothing is known.
            if let Some((bound, _)) = bound.filter(|(bound, _)| bound.is_finite()) {
                found.insert(name.clone(), *bound);
            }
        }
        found
    }
}

/// `a_bucket{x="y",le="0.1"}` is bucket 0.1 of `a{x="y"}`.
fn without_bound(series: &str) -> Option<(String, f64)> {
    let (name, labels) = series.split_once("_bucket{")?;
    let at = labels.find("le=\"")?;
    let (bound, after) = labels[at + 4..].split_once('"')?;
    let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
    let labels = format!("{}{}", &labels[..at], after);
    let labels = labels.trim_end_matches('}').trim_matches(',');
    Some((if labels.is_empty() { name.to_owned() } else { format!("{name}{{{labels}}}") }, bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metrics_page_is_read() {
        let page =
            "# HELP a b\na 1\nb{x=\"y z\"} 2.5 1700000\nc_bucket{le=\"1\"} 3\nd NaN\n<html>\n";
        let page = Page::parse(page);
        assert_eq!(page.values.len(), 2);
        assert_eq!(page.values["b{x=\"y z\"}"], 2.5);
        assert_eq!(page.buckets["c"], [(1.0, 3.0)]);
    }

    #[test]
    fn a_percentile_is_of_what_was_counted_since() {
        let page = |counts: [u32; 3]| {
            let [a, b, c] = counts;
            Page::parse(&format!(
                "s_bucket{{k=\"v\",le=\"0.1\"}} {a}\ns_bucket{{k=\"v\",le=\"1\"}} {b}\n\
                 s_bucket{{k=\"v\",le=\"+Inf\"}} {c}\n"
            ))
        };
        let before = page([1000, 1000, 1000]);
        let p99 = |counts| page(counts).p99_since(&before).get("s{k=\"v\"}").copied();
        assert_eq!(p99([1099, 1100, 1100]), Some(0.1));
        assert_eq!(p99([1098, 1100, 1100]), Some(1.0));
        // Slower than the slowest bound is slower than can be said.
        assert_eq!(p99([1000, 1090, 1100]), None);
        assert_eq!(p99([1000, 1000, 1000]), None);
    }
}
