//! The plots of a report.

mod over_time;
mod spread;

use super::super::Report;
use super::both;
use crate::plot::svg::{self, escape};
use crate::plot::{Layer, Mark, Plot, Size, Words, words};

/// A plot, and what is to be said about it.
pub(super) struct Figure {
    /// Its heading.
    pub(super) title: [&'static str; 2],
    /// How it is to be read.
    pub(super) caption: [&'static str; 2],
    pub(super) plot: Plot,
}

/// Writes all plots for which there is something to show.
pub(super) fn write(report: &Report) -> String {
    let figures: Vec<Figure> = [
        over_time::latency(report),
        over_time::rates(report),
        spread::percentiles(report),
        spread::histogram(report),
        over_time::connections(report),
        over_time::errors(report),
        over_time::faults(report),
        spread::fast_and_slow(report),
        over_time::fast_and_slow(report),
        spread::ladder(report),
        over_time::memory(report),
        over_time::processors(report),
    ]
    .into_iter()
    .flatten()
    .collect();
    if figures.is_empty() {
        return String::new();
    }
    let figures: String = figures.iter().map(one).collect();
    format!(
        "<h2>{}</h2>\n<div class=\"figures\">\n{figures}</div>\n",
        both(["How it went", "运行过程"])
    )
}

fn one(figure: &Figure) -> String {
    let Figure { title, caption, plot } = figure;
    let keys = if plot.layers.len() > 1 {
        let keys: String = plot.layers.iter().map(key).collect();
        format!("<ul class=\"keys\">{keys}</ul>")
    } else {
        String::new()
    };
    format!(
        "<figure data-values=\"{}\"><figcaption><h3>{}</h3><p>{}</p>{keys}</figcaption>{}{}</figure>\n",
        escape(&svg::values(plot)),
        both(*title),
        both(*caption),
        svg::draw(plot, Size::WIDE, "wide"),
        svg::draw(plot, Size::NARROW, "narrow"),
    )
}

/// What a line or bar of a plot stands for.
fn key(layer: &Layer) -> String {
    let colour = layer.colour;
    let mark = match layer.mark {
        Mark::Line | Mark::Area => format!(r#"<path class="line s{colour}" d="M1 5H19"/>"#),
        Mark::Dashed => format!(r#"<path class="line dashed s{colour}" d="M1 5H19"/>"#),
        Mark::Bars { .. } | Mark::Steps => {
            format!(r#"<rect class="bar s{colour}" x="5" width="10" height="10" rx="2"/>"#)
        }
    };
    format!(
        r#"<li><svg viewBox="0 0 20 10" aria-hidden="true">{mark}</svg>{}</li>"#,
        both([&layer.name[0], &layer.name[1]])
    )
}

/// A layer with a name in both languages.
fn layer(name: [&str; 2], mark: Mark, colour: usize, points: Vec<(f64, f64)>) -> Layer {
    Layer { name: words(name), mark, colour, points }
}

/// Whether there is a value to be seen.
fn shows(layers: &[Layer]) -> bool {
    layers.iter().any(|layer| layer.points.iter().any(|(_, y)| y.is_finite()))
}

/// The smallest (above 0) and the largest value of some layers.
fn extent(layers: &[Layer]) -> (f64, f64) {
    let values = layers.iter().flat_map(|layer| layer.points.iter().map(|(_, y)| *y));
    values
        .filter(|y| y.is_finite() && *y > 0.0)
        .fold((f64::INFINITY, 0.0), |(least, most), y| (least.min(y), most.max(y)))
}

/// The kind of times that users of the scenario wait for: messages, else pings, else
/// connections.
pub(super) fn main_kind(report: &Report) -> Option<(&'static str, [&'static str; 2])> {
    [
        ("e2e", ["Message latency", "消息延迟"]),
        ("ack", ["Send to ack", "发送到确认"]),
        ("ping", ["Ping round trip", "Ping 往返"]),
        ("connect", ["Connect latency", "连接延迟"]),
    ]
    .into_iter()
    .find(|(key, _)| report.times(key).is_some_and(|times| times.count > 0))
}

/// A title made of two parts.
fn joined(first: [&str; 2], second: [&str; 2]) -> Words {
    [format!("{} {}", first[0], second[0]), format!("{}{}", first[1], second[1])]
}
