//! Plots of how values spread: percentile curves, the histogram, the ladder of rates.

use super::super::super::Report;
use super::over_time::milliseconds;
use super::{Figure, extent, joined, layer, main_kind};
use crate::plot::scale::nines;
use crate::plot::{Axis, Layer, Mark, Plot, words};

/// Points of a percentile curve, evenly over its width.
const CURVE_POINTS: usize = 160;
/// Bars of the histogram, at most.
const BARS: usize = 64;

/// A latency for every percentile, with as much room for the tail as for the rest: the
/// form that HdrHistogram made usual.
pub(super) fn percentiles(report: &Report) -> Option<Figure> {
    let (kind, _) = main_kind(report)?;
    let kinds: &[(&str, [&str; 2], Mark, usize)] = if kind == "e2e" || kind == "ack" {
        &[
            ("e2e", ["send to delivery", "端到端"], Mark::Line, 0),
            ("e2eRaw", ["of which raw", "其中实际发送起"], Mark::Dashed, 0),
            ("ack", ["send to ack", "发送到确认"], Mark::Line, 1),
            ("fanoutLast", ["last of a group", "群末达"], Mark::Line, 4),
            ("reconnect", ["reconnect", "重连"], Mark::Line, 3),
        ]
    } else {
        &[
            ("ping", ["ping", "Ping"], Mark::Line, 0),
            ("pingRaw", ["of which raw", "其中实际发送起"], Mark::Dashed, 0),
            ("connect", ["connect", "连接"], Mark::Line, 1),
            ("login", ["login", "登录"], Mark::Line, 4),
            ("reconnect", ["reconnect", "重连"], Mark::Line, 3),
        ]
    };
    let layers = kinds.iter().filter_map(|(key, name, mark, colour)| {
        let points = curve(report.histograms_us.get(*key)?);
        (!points.is_empty()).then(|| layer(*name, *mark, *colour, points))
    });
    curves(
        ["Latency by percentile", "延迟分位曲线"],
        [
            "What so many percent did not exceed; the tail has as much room as the rest.",
            "多少比例不超过该延迟；尾部与主体等宽展示。",
        ],
        layers.collect(),
    )
}

pub(super) fn fast_and_slow(report: &Report) -> Option<Figure> {
    let slow = curve(report.histograms_us.get("slowE2e")?);
    let fast = curve(report.histograms_us.get("e2e")?);
    let layers = vec![
        layer(["fast receivers", "快接收者"], Mark::Line, 0, fast),
        layer(["slow receivers", "慢接收者"], Mark::Line, 2, slow),
    ];
    curves(
        ["Fast and slow receivers", "快慢接收者"],
        ["The same messages' latency, apart by who read them.", "按接收者快慢分开的延迟分布。"],
        layers,
    )
}

fn curves(
    title: [&'static str; 2],
    caption: [&'static str; 2],
    layers: Vec<Layer>,
) -> Option<Figure> {
    let most = layers.iter().filter_map(|layer| layer.points.last()).map(|(x, _)| *x);
    let most = most.fold(0.0, f64::max);
    let y = milliseconds(&layers);
    (most > 0.0).then(|| Figure {
        title,
        caption,
        plot: Plot {
            title: words(title),
            x: Axis::percentiles(most),
            y,
            shades: Vec::new(),
            layers,
        },
    })
}

/// For places from the median's left to the longest: nines, and milliseconds.
fn curve(buckets: &[(u64, u64)]) -> Vec<(f64, f64)> {
    let total: u64 = buckets.iter().map(|(_, count)| count).sum();
    if total == 0 {
        return Vec::new();
    }
    // The longest of n values is the percentile 1 - 1/n at best.
    let most = nines(1.0 - 1.0 / (total.max(2) as f64)).min(7.0);
    let mut points: Vec<(f64, f64)> = Vec::with_capacity(CURVE_POINTS + 1);
    let (mut buckets, mut below) = (buckets.iter().peekable(), 0);
    for place in 0..=CURVE_POINTS {
        let x = most * place as f64 / CURVE_POINTS as f64;
        let wanted = ((1.0 - 10f64.powf(-x)) * total as f64).ceil().max(1.0) as u64;
        while let Some((_, count)) = buckets.next_if(|(_, count)| below + count < wanted) {
            below += count;
        }
        if let Some((us, _)) = buckets.peek() {
            points.push((x, *us as f64 / 1000.0));
        }
    }
    points
}

pub(super) fn histogram(report: &Report) -> Option<Figure> {
    let (kind, name) = main_kind(report)?;
    let buckets = report.histograms_us.get(kind)?;
    let (least, most) = (buckets.first()?.0.max(1) as f64, buckets.last()?.0.max(2) as f64);
    let (from, ratio) = (least * 0.98, (most * 1.02) / (least * 0.98));
    let edge = |bar: usize| from * ratio.powf(bar as f64 / BARS as f64);
    let mut counts = vec![0_u64; BARS];
    for (us, count) in buckets {
        let place = ((*us as f64 / from).ln() / ratio.ln() * BARS as f64) as usize;
        counts[place.min(BARS - 1)] += count;
    }
    let total = counts.iter().sum::<u64>().max(1) as f64;
    let mut points: Vec<_> = counts
        .iter()
        .enumerate()
        .map(|(bar, count)| (edge(bar) / 1000.0, 100.0 * *count as f64 / total))
        .collect();
    points.push((edge(BARS) / 1000.0, 0.0));
    let x = Axis::log(from / 1000.0, most * 1.02 / 1000.0, "ms");
    let layers = vec![layer(["share", "占比"], Mark::Steps, 0, points)];
    let y = Axis::linear(0.0, extent(&layers).1, 4, "%");
    let title = ["How latency spreads", "延迟分布"];
    let caption = [
        "Share of each range of latency; ranges grow by equal factors.",
        "各延迟区间的占比；区间等比增长。",
    ];
    Some(Figure {
        title,
        caption,
        plot: Plot {
            title: joined(name, ["histogram", "直方图"]),
            x,
            y,
            shades: Vec::new(),
            layers,
        },
    })
}

/// The steps of a connection rate: what was asked for, and what came.
pub(super) fn ladder(report: &Report) -> Option<Figure> {
    let steps = &report.steps;
    if steps.len() < 2 {
        return None;
    }
    let points = |value: fn(&crate::worker::Step) -> f64| -> Vec<(f64, f64)> {
        steps.iter().map(|step| (step.offered, value(step))).collect()
    };
    let layers = vec![
        layer(["asked for", "计划"], Mark::Dashed, 5, points(|step| step.offered)),
        layer(["reached", "达到"], Mark::Line, 0, points(|step| step.reached)),
    ];
    let (least, most) = extent(&layers[..1]);
    let title = ["Connections per second: asked and reached", "建连速率：计划与达到"];
    Some(Figure {
        title,
        caption: ["Where the lines part is the knee.", "两线分开处即拐点。"],
        plot: Plot {
            title: words(title),
            x: Axis::log(least, most, "/s"),
            y: Axis::linear(0.0, extent(&layers).1, 4, "/s"),
            shades: Vec::new(),
            layers,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_has_the_percentiles() {
        // 900 of 1 ms, 90 of 10 ms, 9 of 100 ms, 1 of a second.
        let points = curve(&[(1_000, 900), (10_000, 90), (100_000, 9), (1_000_000, 1)]);
        let at = |quantile: f64| {
            let x = nines(quantile);
            points.iter().min_by(|a, b| (a.0 - x).abs().total_cmp(&(b.0 - x).abs())).unwrap().1
        };
        assert_eq!(
            [0.5, 0.85, 0.95, 0.985, 0.995, 0.998].map(at),
            [1.0, 1.0, 10.0, 10.0, 100.0, 100.0]
        );
        assert!((points.last().unwrap().0 - 3.0).abs() < 1e-9);
        assert!(curve(&[]).is_empty());
    }
}
