//! The run second by second, in at most as many columns as a plot can show.

use crate::seconds::{Row, SecondTimes};

/// The most points of a line.
const COLUMNS_MAX: usize = 300;

/// One column of a plot over time: a second, or several of them.
#[derive(Debug)]
pub(super) struct Column<'a> {
    /// Where it ends, in seconds.
    pub(super) at: f64,
    /// How many seconds it has.
    pub(super) seconds: f64,
    rows: &'a [Row],
}

/// The columns of a run.
pub(super) fn columns(rows: &[Row]) -> Vec<Column<'_>> {
    let each = rows.len().div_ceil(COLUMNS_MAX).max(1);
    let mut before = rows.first().map_or(0, |row| row.second.saturating_sub(1));
    rows.chunks(each)
        .map(|rows| {
            let until = rows.last().map_or(before, |row| row.second);
            let seconds = until.saturating_sub(before).max(1) as f64;
            before = until;
            Column { at: until as f64, seconds, rows }
        })
        .collect()
}

impl Column<'_> {
    /// The mean of a count, per second.
    pub(super) fn rate(&self, count: impl Fn(&Row) -> u64) -> f64 {
        self.sum(count) / self.seconds
    }

    /// The sum of a count.
    pub(super) fn sum(&self, count: impl Fn(&Row) -> u64) -> f64 {
        self.rows.iter().map(count).sum::<u64>() as f64
    }

    /// The last value of a level.
    pub(super) fn last(&self, level: impl Fn(&Row) -> u64) -> f64 {
        self.rows.last().map_or(0, level) as f64
    }

    /// The worst of the seconds' percentiles; not a number if nothing was timed.
    pub(super) fn worst(&self, kind: &str, value: impl Fn(&SecondTimes) -> f64) -> f64 {
        let values = self.rows.iter().filter_map(|row| Some(value(&times_of(row, kind)?)));
        values.fold(f64::NAN, f64::max)
    }
}

/// A kind of times of a second. Reports of an earlier form have fewer percentiles.
fn times_of(row: &Row, kind: &str) -> Option<SecondTimes> {
    let some =
        |[p50, p99]: [f64; 2], max: f64| SecondTimes { count: 1, p50, p90: f64::NAN, p99, max };
    row.times_ms.get(kind).copied().or_else(|| match kind {
        "connect" => row.connect_ms.map(|two| some(two, f64::NAN)),
        "ping" => row.ping_ms.map(|two| some(two, f64::NAN)),
        "ack" => row.ack_ms.map(|[p50, p99, max]| some([p50, p99], max)),
        "e2e" => row.e2e_ms.map(|[p50, p99, max]| some([p50, p99], max)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_have_few_columns_that_hide_no_peak() {
        let rows: Vec<Row> = (1..=3_000)
            .map(|second| Row {
                second,
                sent: 10,
                e2e_ms: Some([1.0, if second == 1_234 { 900.0 } else { 2.0 }, 3.0]),
                ..Row::default()
            })
            .collect();
        let columns = columns(&rows);
        assert_eq!(columns.len(), 300);
        assert!(columns.iter().all(|column| column.rate(|row| row.sent) == 10.0));
        let worst = columns.iter().map(|column| column.worst("e2e", |times| times.p99));
        assert_eq!(worst.fold(0.0, f64::max), 900.0);
        assert_eq!(columns.last().map(|column| column.at), Some(3_000.0));
    }
}
