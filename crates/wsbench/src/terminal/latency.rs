//! The table of percentiles, and on large terminals the same as a chart.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Cell, Chart, Dataset, GraphType, Row, Table};

use super::View;
use super::draw::{self, Tone};
use crate::metrics::Timing;
use crate::seconds::SecondTimes;

/// Kinds of times, as many as there is room for.
const KINDS: [(Timing, [&str; 2]); 8] = [
    (Timing::EndToEnd, ["end to end", "端到端"]),
    (Timing::SlowEndToEnd, ["to slow readers", "慢消费者"]),
    (Timing::FanoutLast, ["last of a group", "群末达"]),
    (Timing::Ack, ["send to ack", "发送到确认"]),
    (Timing::Ping, ["ping", "Ping"]),
    (Timing::Connect, ["connect", "连接"]),
    (Timing::Login, ["login", "登录"]),
    (Timing::Reconnect, ["reconnect", "重连"]),
];

/// Draws the table.
pub(super) fn table(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let block = draw::block(view, view.say(["Latency (ms)", "延迟 (ms)"]));
    let now = view.seconds.last();
    let rows = KINDS.iter().filter_map(|(timing, name)| {
        let overall = view.seconds.overall().get(timing).filter(|times| !times.is_empty())?;
        let recent = now.and_then(|row| row.times_ms.get(timing.key()));
        let p999 = overall.value_at_quantile(0.999) as f64 / 1000.0;
        Some(row(view, view.say(*name), recent, &SecondTimes::of(overall), p999))
    });
    let rows: Vec<_> = rows.collect();
    let titles = [
        view.say(["now", "当前"]),
        "p50",
        "p90",
        "p99",
        "max",
        view.say(["all", "全程"]),
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
    ];
    let header = titles.map(|title| Cell::from(Line::from(title).right_aligned()));
    let header = Row::new(header).style(draw::soft(view));
    let figure = Constraint::Fill(1);
    let widths = [
        Constraint::Length(15),
        figure,
        figure,
        figure,
        figure,
        Constraint::Length(4),
        figure,
        figure,
        figure,
        figure,
        figure,
    ];
    if rows.is_empty() {
        let text = view.say(["nothing timed yet", "尚无数据"]);
        frame.render_widget(
            ratatui::widgets::Paragraph::new(text).style(draw::soft(view)).block(block),
            area,
        );
        return;
    }
    frame.render_widget(
        Table::new(rows, widths).header(header).column_spacing(1).block(block),
        area,
    );
}

fn row<'a>(
    view: &View<'_>,
    name: &'a str,
    now: Option<&SecondTimes>,
    all: &SecondTimes,
    p999: f64,
) -> Row<'a> {
    let figure = |value: f64| short(value);
    let now = match now {
        Some(now) => [now.p50, now.p90, now.p99, now.max].map(figure),
        None => ["–"; 4].map(str::to_owned),
    };
    let cells = now.into_iter().chain([String::new()]).chain([
        figure(all.p50),
        figure(all.p90),
        figure(all.p99),
        figure(p999),
        figure(all.max),
    ]);
    let cells = cells.enumerate().map(|(place, text)| {
        let style = if place == 2 || place == 7 {
            Style::default().add_modifier(Modifier::BOLD)
        } else {
            Style::default()
        };
        Cell::from(Line::from(Span::styled(text, style)).right_aligned())
    });
    let name = Cell::from(Span::styled(name, draw::tone(view, Tone::Accent)));
    Row::new(std::iter::once(name).chain(cells))
}

/// Milliseconds in at most six letters.
fn short(ms: f64) -> String {
    match ms {
        _ if ms >= 10_000.0 => format!("{:.0}s", ms / 1000.0),
        _ if ms >= 100.0 => format!("{ms:.0}"),
        _ if ms >= 10.0 => format!("{ms:.1}"),
        _ => format!("{ms:.2}"),
    }
}

/// Draws p50 and p99 over the last minutes.
pub(super) fn chart(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let rows = view.recent(usize::from(area.width).saturating_sub(10).max(10) * 2);
    let kinds = KINDS.iter().map(|(timing, name)| (timing.key(), *name));
    let kind =
        kinds.into_iter().find(|(key, _)| rows.iter().any(|row| row.times_ms.contains_key(*key)));
    let Some((kind, name)) = kind else { return };
    let points = |value: fn(&SecondTimes) -> f64| -> Vec<(f64, f64)> {
        let values = rows.iter().filter_map(|row| {
            Some((row.second as f64, value(row.times_ms.get(kind)?).max(1e-3).log10()))
        });
        values.collect()
    };
    let (p50, p99) = (points(|times| times.p50), points(|times| times.p99));
    let all = || p50.iter().chain(&p99).map(|(_, y)| *y);
    let low = all().fold(f64::INFINITY, f64::min).floor();
    let high = all().fold(f64::NEG_INFINITY, f64::max).ceil().max(low + 1.0);
    let (from, to) = (p50.first().map_or(0.0, |(x, _)| *x), p50.last().map_or(1.0, |(x, _)| *x));
    let set = |name: &'static str, points, tone| {
        Dataset::default()
            .name(name)
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(draw::tone(view, tone))
            .data(points)
    };
    let labels = (low as i32..=high as i32).map(milliseconds_of);
    let title = format!("{} p50, p99 (ms)", view.say(name));
    let chart = Chart::new(vec![set("p50", &p50, Tone::Accent), set("p99", &p99, Tone::Warn)])
        .block(draw::block(view, &title))
        .x_axis(
            Axis::default()
                .bounds([from, to.max(from + 1.0)])
                .labels([format!("{from:.0} s"), format!("{to:.0} s")])
                .style(draw::soft(view)),
        )
        .y_axis(
            Axis::default()
                .bounds([low, high])
                .labels(labels.collect::<Vec<_>>())
                .style(draw::soft(view)),
        );
    frame.render_widget(chart, area);
}

fn milliseconds_of(power: i32) -> String {
    let value = 10f64.powi(power);
    if power < 0 { format!("{value}") } else { format!("{value:.0}") }
}
