//! Plots whose x axis is the time of the run.

use std::collections::BTreeMap;

use super::super::super::Report;
use super::super::series::{Column, columns};
use super::{Figure, extent, joined, layer, main_kind, shows};
use crate::plot::{Axis, Layer, Mark, Plot, Words, words};
use crate::seconds::{Row, SecondTimes};

/// The most classes of errors with a colour of their own.
const CLASSES_MAX: usize = 5;
/// From this factor between the largest and the smallest value on, a scale is logarithmic.
const LOG_FROM: f64 = 25.0;

pub(super) fn connections(report: &Report) -> Option<Figure> {
    let columns = columns(&report.seconds);
    let points = |value: &dyn Fn(&Column<'_>) -> f64| -> Vec<(f64, f64)> {
        columns.iter().map(|column| (column.at, value(column))).collect()
    };
    let mut live = points(&|column| column.last(|row| row.live));
    live.insert(0, (0.0, 0.0));
    let mut layers = vec![
        layer(["open", "已建立"], Mark::Area, 0, live),
        layer(
            ["opened per second", "每秒新建"],
            Mark::Dashed,
            1,
            points(&|column| column.rate(|row| row.connected)),
        ),
    ];
    if report.seconds.iter().any(|row| row.disconnects > 0) {
        let lost = points(&|column| column.rate(|row| row.disconnects));
        layers.push(layer(["lost per second", "每秒断开"], Mark::Line, 3, lost));
    }
    let y = Axis::linear(0.0, extent(&layers).1, 4, "");
    let caption = ["Connections that stand, and how fast they came.", "已建立的连接数及建连速度。"];
    figure(report, ["Connections", "连接数"], caption, y, layers)
}

pub(super) fn rates(report: &Report) -> Option<Figure> {
    let columns = columns(&report.seconds);
    let series = |name, mark, colour, count: &dyn Fn(&Row) -> u64| {
        let points = columns.iter().map(|column| (column.at, column.rate(count)));
        layer(name, mark, colour, points.collect())
    };
    let layers = if report.counters.messages_due > 0 {
        vec![
            series(["sent", "发送"], Mark::Area, 0, &|row| row.sent),
            series(["delivered", "送达"], Mark::Dashed, 1, &|row| row.delivered),
        ]
    } else if report.counters.pings_sent > 0 {
        vec![series(["pongs", "Pong"], Mark::Area, 0, &|row| row.pongs)]
    } else {
        return None;
    };
    let y = Axis::linear(0.0, extent(&layers).1, 4, "/s");
    let (title, caption) = if report.counters.messages_due > 0 {
        (
            ["Messages per second", "每秒消息数"],
            [
                "A message counts as delivered once at each recipient.",
                "每个接收者的每条消息计一次送达。",
            ],
        )
    } else {
        (["Pongs per second", "每秒 Pong 数"], ["Pings that were answered.", "得到应答的 Ping。"])
    };
    figure(report, title, caption, y, layers)
}

pub(super) fn latency(report: &Report) -> Option<Figure> {
    let (kind, name) = main_kind(report)?;
    let layers = percentiles(report, kind);
    let y = milliseconds(&layers);
    let mut figure = figure(
        report,
        ["Latency over time", "延迟变化"],
        [
            "Percentiles of each second, from the time each thing was meant to happen.",
            "每秒的分位数，从计划时刻起算。",
        ],
        y,
        layers,
    )?;
    figure.plot.title = joined(name, ["over time", "随时间变化"]);
    Some(figure)
}

fn percentiles(report: &Report, kind: &str) -> Vec<Layer> {
    let columns = columns(&report.seconds);
    let series = |name: &str, mark, colour, value: fn(&SecondTimes) -> f64| {
        let points = columns.iter().map(|column| (column.at, column.worst(kind, value)));
        layer([name, name], mark, colour, points.collect())
    };
    let layers = vec![
        layer(
            ["max", "最大"],
            Mark::Dashed,
            5,
            series("", Mark::Line, 0, |times| times.max).points,
        ),
        series("p99", Mark::Line, 3, |times| times.p99),
        series("p90", Mark::Line, 2, |times| times.p90),
        series("p50", Mark::Line, 0, |times| times.p50),
    ];
    layers.into_iter().filter(|layer| shows(std::slice::from_ref(layer))).collect()
}

pub(super) fn errors(report: &Report) -> Option<Figure> {
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for (class, count) in report.seconds.iter().flat_map(|row| &row.errors) {
        *totals.entry(class).or_default() += count;
    }
    let mut classes: Vec<_> = totals.into_iter().collect();
    classes.sort_unstable_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rest: Vec<&str> = classes.iter().skip(CLASSES_MAX).map(|(class, _)| *class).collect();
    let columns = columns(&report.seconds);
    let width = columns.first()?.seconds;
    let mark = Mark::Bars { width, stacked: true };
    let series = |name: &str, colour, classes: &[&str]| {
        let of = |row: &Row| classes.iter().filter_map(|class| row.errors.get(*class)).sum();
        let points = columns.iter().map(|column| (column.at - width / 2.0, column.sum(of)));
        layer([name, name], mark, colour, points.collect())
    };
    let colours = [3, 2, 4, 0, 1];
    let mut layers: Vec<Layer> = classes
        .iter()
        .take(CLASSES_MAX)
        .zip(colours)
        .map(|((class, _), colour)| series(class, colour, &[class]))
        .collect();
    if !rest.is_empty() {
        let mut other = series("", 5, &rest);
        other.name = words(["others", "其他"]);
        layers.push(other);
    }
    let y = stacked(&layers)?;
    let caption =
        ["By cause; the table below says what helps.", "按原因分类；下方表格给出解决办法。"];
    figure(report, ["Errors over time", "错误变化"], caption, y, layers)
}

pub(super) fn faults(report: &Report) -> Option<Figure> {
    let columns = columns(&report.seconds);
    let width = columns.first()?.seconds;
    let series = |name, colour, count: &dyn Fn(&Row) -> u64| {
        let points = columns.iter().map(|column| (column.at - width / 2.0, column.sum(count)));
        layer(name, Mark::Bars { width, stacked: true }, colour, points.collect())
    };
    let layers = vec![
        series(["duplicates", "重复"], 2, &|row| row.duplicates),
        series(["out of order", "乱序"], 3, &|row| row.reordered),
    ];
    let y = stacked(&layers)?;
    let caption = [
        "Deliveries that came twice or after a later message of the same sender.",
        "重复送达，或晚于同一发送者后续消息的送达。",
    ];
    figure(report, ["Delivery faults over time", "投递错误变化"], caption, y, layers)
}

pub(super) fn fast_and_slow(report: &Report) -> Option<Figure> {
    report.times("slowE2e").filter(|times| times.count > 0)?;
    let columns = columns(&report.seconds);
    let series = |name, mark, colour, kind: &str, value: fn(&SecondTimes) -> f64| {
        let points = columns.iter().map(|column| (column.at, column.worst(kind, value)));
        layer(name, mark, colour, points.collect())
    };
    let layers = vec![
        series(["fast p50", "快 p50"], Mark::Dashed, 0, "e2e", |times| times.p50),
        series(["fast p99", "快 p99"], Mark::Line, 0, "e2e", |times| times.p99),
        series(["slow p50", "慢 p50"], Mark::Dashed, 2, "slowE2e", |times| times.p50),
        series(["slow p99", "慢 p99"], Mark::Line, 2, "slowE2e", |times| times.p99),
    ];
    let y = milliseconds(&layers);
    let caption = [
        "Who reads slowly should cost those who read fast nothing.",
        "慢消费者不应拖累正常消费者。",
    ];
    figure(report, ["Fast and slow receivers over time", "快慢接收者变化"], caption, y, layers)
}

pub(super) fn memory(report: &Report) -> Option<Figure> {
    let samples = &report.server.as_ref()?.samples;
    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    let points: Vec<_> =
        samples.iter().map(|sample| (sample.at_seconds, mib(sample.memory_bytes))).collect();
    let layers = vec![layer(["memory", "内存"], Mark::Area, 4, points)];
    let y = Axis::linear(0.0, extent(&layers).1, 4, "MiB");
    let caption = ["Resident memory of the server's process.", "服务端进程的常驻内存。"];
    figure(report, ["Server memory", "服务端内存"], caption, y, layers)
}

pub(super) fn processors(report: &Report) -> Option<Figure> {
    let samples = &report.server.as_ref()?.samples;
    let points: Vec<_> =
        samples.iter().filter_map(|sample| Some((sample.at_seconds, sample.cores?))).collect();
    let layers = vec![layer(["processors", "CPU"], Mark::Area, 1, points)];
    let y = Axis::linear(0.0, extent(&layers).1, 4, "cores");
    let caption = ["Processors that the server kept busy.", "服务端占用的处理器数。"];
    figure(report, ["Server CPU", "服务端 CPU"], caption, y, layers)
}

/// An axis for milliseconds, logarithmic if the values are far apart.
pub(super) fn milliseconds(layers: &[Layer]) -> Axis {
    let (least, most) = extent(layers);
    if most > LOG_FROM * least {
        Axis::log(least, most, "ms")
    } else {
        Axis::linear(0.0, most, 4, "ms")
    }
}

/// An axis for bars that stand on each other; none if there is no bar.
fn stacked(layers: &[Layer]) -> Option<Axis> {
    let count = layers.iter().map(|layer| layer.points.len()).max().unwrap_or(0);
    let height = |place: usize| -> f64 {
        layers.iter().filter_map(|layer| layer.points.get(place)).map(|(_, y)| y).sum()
    };
    let most = (0..count).map(height).fold(0.0, f64::max);
    (most > 0.0).then(|| Axis::linear(0.0, most, 4, ""))
}

fn figure(
    report: &Report,
    title: [&'static str; 2],
    caption: [&'static str; 2],
    y: Axis,
    layers: Vec<Layer>,
) -> Option<Figure> {
    let ends = layers.iter().flat_map(|layer| layer.points.iter().map(|(x, _)| *x));
    let until = ends.chain(report.seconds.last().map(|row| row.second as f64)).fold(1.0, f64::max);
    let x = Axis::exact(0.0, until, 6, "s");
    shows(&layers).then(|| Figure {
        title,
        caption,
        plot: Plot { title: words(title), x, y, shades: shades(report, until), layers },
    })
}

/// What of the run is not measured.
fn shades(report: &Report, until: f64) -> Vec<(f64, f64, Words)> {
    let phases = &report.phases;
    let mut shades = Vec::new();
    if let (Some(ramped), Some(from)) = (phases.ramped_at, phases.measured_from) {
        shades.push((0.0, ramped, words(["ramp", "建连"])));
        shades.push((ramped, from, words(["warm-up", "预热"])));
    }
    if let Some(end) = phases.measured_until.filter(|end| *end < until) {
        shades.push((end, until, words(["drain", "收尾"])));
    }
    shades
}
