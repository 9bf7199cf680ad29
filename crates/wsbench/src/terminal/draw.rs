//! The picture: where what is on the screen, from 80 × 24 on.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Paragraph, Wrap};

use super::latency;
use super::view::{Phase, View, is_bad};
use crate::causes;
use crate::plot::numbers::{bytes, grouped, rate};
use crate::report::html::outcome_words;
use crate::seconds::Row;
use crate::verdict::Outcome;

/// From so many lines on there is room for a chart.
const CHART_FROM: u16 = 34;
/// What is too small to draw on.
const SMALLEST: (u16, u16) = (50, 14);

/// What a colour means. Without colours it is said by words and weight alone.
#[derive(Clone, Copy)]
pub(super) enum Tone {
    Accent,
    Good,
    Warn,
    Bad,
}

/// The style of a tone.
pub(super) fn tone(view: &View<'_>, tone: Tone) -> Style {
    let style = Style::default();
    match (view.colour, tone) {
        (true, Tone::Accent) => style.fg(Color::Cyan),
        (true, Tone::Good) => style.fg(Color::Green),
        (true, Tone::Warn) => style.fg(Color::Yellow),
        (true, Tone::Bad) => style.fg(Color::Red).add_modifier(Modifier::BOLD),
        (false, Tone::Bad) => style.add_modifier(Modifier::BOLD | Modifier::REVERSED),
        (false, Tone::Warn) => style.add_modifier(Modifier::BOLD),
        (false, _) => style,
    }
}

/// The style of what is said beside the point.
pub(super) fn soft(view: &View<'_>) -> Style {
    if view.colour { Style::default().fg(Color::DarkGray) } else { Style::default() }
}

/// A frame with a title.
pub(super) fn block<'a>(view: &View<'_>, title: &str) -> Block<'a> {
    Block::bordered().border_type(BorderType::Rounded).border_style(soft(view)).title(Span::styled(
        format!(" {title} "),
        Style::default().add_modifier(Modifier::BOLD).fg(Color::Reset),
    ))
}

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, view: &View<'_>) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return small(frame, area, view);
    }
    let chart = if area.height >= CHART_FROM { Constraint::Fill(1) } else { Constraint::Length(0) };
    let [head, top, table, plot, bottom, verdict, keys] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(5),
        Constraint::Min(5),
        chart,
        Constraint::Length(5),
        Constraint::Length(3),
        Constraint::Length(1),
    ])
    .areas(area);
    heading(frame, head, view);
    let [left, right] =
        Layout::horizontal([Constraint::Percentage(38), Constraint::Fill(1)]).areas(top);
    connections(frame, left, view);
    rates(frame, right, view);
    latency::table(frame, table, view);
    if plot.height > 0 {
        latency::chart(frame, plot, view);
    }
    let [left, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Percentage(38)]).areas(bottom);
    errors(frame, left, view);
    server(frame, right, view);
    so_far(frame, verdict, view);
    foot(frame, keys, view);
}

/// Where there is no room for more.
fn small(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let row = view.seconds.last().cloned().unwrap_or_default();
    let text = format!(
        "{} {:.0} s\n{}/{}\n{} → {} /s\nq",
        view.say(view.phase().words()),
        view.elapsed_seconds,
        row.live,
        view.plan.conns,
        row.sent,
        row.delivered
    );
    frame.render_widget(Paragraph::new(text), area);
}

fn heading(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let [line, bar] = Layout::vertical([Constraint::Length(1), Constraint::Length(1)]).areas(area);
    let clock = |seconds: f64| format!("{:02}:{:02}", seconds as u64 / 60, seconds as u64 % 60);
    let whole = view.plan.ramp.as_secs_f64() + view.plan.hold().as_secs_f64();
    let time = format!(" {} / {} ", clock(view.elapsed_seconds), clock(whole));
    let [left, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(time.len() as u16)])
            .areas(line);
    let target = view.plan.targets.first().map(ToString::to_string).unwrap_or_default();
    let more = view.plan.targets.len().saturating_sub(1);
    let more = if more > 0 { format!(" +{more}") } else { String::new() };
    frame.render_widget(
        Line::from(vec![
            Span::styled(" wsbench ", tone(view, Tone::Accent).add_modifier(Modifier::BOLD)),
            Span::styled(view.plan.scenario.clone(), Style::default().add_modifier(Modifier::BOLD)),
            Span::styled(format!("  {target}{more}"), soft(view)),
        ]),
        left,
    );
    frame.render_widget(Line::from(time).right_aligned(), right);
    let phases = Phase::ALL.map(|phase| {
        let style = if phase == view.phase() {
            tone(view, Tone::Accent).add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
        } else {
            soft(view)
        };
        [Span::raw(" "), Span::styled(view.say(phase.words()), style)]
    });
    let phases: Line<'_> = phases.into_iter().flatten().chain([Span::raw(" ")]).collect();
    let [left, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(phases.width() as u16)])
            .areas(bar);
    let width = usize::from(left.width.saturating_sub(2));
    let full = (view.progress() * width as f64).round() as usize;
    frame.render_widget(
        Line::from(vec![
            Span::raw(" "),
            Span::styled("━".repeat(full), tone(view, Tone::Accent)),
            Span::styled("─".repeat(width.saturating_sub(full)), soft(view)),
        ]),
        left,
    );
    frame.render_widget(phases, right);
}

fn connections(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let block = block(view, view.say(["Connections", "连接"]));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let counters = view.seconds.counters();
    let wanted = view.plan.conns;
    let live = view.seconds.live();
    let share = 100.0 * live as f64 / f64::from(wanted.max(1));
    let lost = counters.connects_failed + counters.disconnects;
    let bad = if lost > 0 { tone(view, Tone::Bad) } else { soft(view) };
    let opened = view.seconds.last().map_or(0, |row| row.connected);
    let room = usize::from(inner.width).saturating_sub(18);
    let lines = vec![
        Line::from(vec![
            Span::styled(grouped(live), Style::default().add_modifier(Modifier::BOLD)),
            Span::raw(format!(" / {}  ", grouped(u64::from(wanted)))),
            Span::styled(format!("{share:.0} %"), tone(view, Tone::Accent)),
        ]),
        Line::from(Span::styled(
            format!(
                "{} {}  {} {}",
                view.say(["failed", "失败"]),
                grouped(counters.connects_failed),
                view.say(["lost", "断开"]),
                grouped(counters.disconnects)
            ),
            bad,
        )),
        Line::from(vec![
            Span::raw(format!("{} {:>6}/s ", view.say(["opened", "新建"]), grouped(opened))),
            Span::styled(
                sparkline(view.recent(room), |row| row.connected),
                tone(view, Tone::Accent),
            ),
        ]),
    ];
    frame.render_widget(Paragraph::new(lines), inner);
}

fn rates(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let block = block(view, view.say(["Per second", "每秒"]));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let room = usize::from(inner.width).saturating_sub(22);
    let rows = view.recent(room);
    let now = view.seconds.last();
    let line = |name: [&'static str; 2], count: fn(&Row) -> u64, style: Style| {
        let name = view.say(name);
        // Chinese letters are two columns wide.
        let wide: usize = name.chars().map(|letter| if letter.is_ascii() { 1 } else { 2 }).sum();
        let pad = " ".repeat(10usize.saturating_sub(wide));
        Line::from(vec![
            Span::raw(format!("{name}{pad}")),
            Span::styled(
                format!("{:>10} ", now.map_or_else(|| "–".to_owned(), |row| grouped(count(row)))),
                Style::default().add_modifier(Modifier::BOLD),
            ),
            Span::styled(sparkline(rows, count), style),
        ])
    };
    let lines = vec![
        line(["sent", "发送"], |row| row.sent, tone(view, Tone::Accent)),
        line(["delivered", "送达"], |row| row.delivered, tone(view, Tone::Good)),
        line(["pongs", "Pong"], |row| row.pongs, soft(view)),
    ];
    frame.render_widget(Paragraph::new(lines), inner);
}

/// Bars in eight heights, one for each second; the highest is the most of them.
pub(super) fn sparkline(rows: &[Row], count: impl Fn(&Row) -> u64) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = rows.iter().map(&count).max().unwrap_or(0).max(1);
    rows.iter()
        .map(|row| match count(row) {
            0 => ' ',
            count => BARS[(count * 8 / most).clamp(1, 8) as usize - 1],
        })
        .collect()
}

fn errors(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let block = block(view, view.say(["Errors", "错误"]));
    let mut errors: Vec<_> = view.seconds.errors().into_iter().collect();
    errors.sort_unstable_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut lines = Vec::new();
    for (class, count) in errors.iter().take(3) {
        let cure = causes::explain(class).map_or("", |known| view.say(known.cure));
        lines.push(Line::from(vec![
            Span::styled(format!("{class} {} ", grouped(*count)), tone(view, Tone::Bad)),
            Span::raw(cure),
        ]));
    }
    if errors.is_empty() {
        lines.push(Line::from(Span::styled(view.say(["none", "无"]), tone(view, Tone::Good))));
    }
    // One error has all the room for its cure.
    let text = Paragraph::new(lines).block(block);
    let text = if errors.len() == 1 { text.wrap(Wrap { trim: true }) } else { text };
    frame.render_widget(text, area);
}

fn server(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let block = block(view, view.say(["Server", "服务端"]));
    let samples = view.samples;
    let lines = match samples {
        [] => vec![Line::from(Span::styled(
            view.say(["not on this machine", "不在本机"]),
            soft(view),
        ))],
        [.., last] => {
            let before = samples.iter().rev().nth(1);
            let cores = before.and_then(|before| last.cores_since(before));
            let most = samples.iter().map(|sample| sample.memory).max().unwrap_or(0);
            vec![
                Line::from(vec![
                    Span::raw(format!("{} ", view.say(["memory", "内存"]))),
                    Span::styled(
                        bytes(last.memory as f64),
                        Style::default().add_modifier(Modifier::BOLD),
                    ),
                ]),
                Line::from(Span::styled(
                    format!("{} {}", view.say(["at most", "最高"]), bytes(most as f64)),
                    soft(view),
                )),
                Line::from(vec![
                    Span::raw("CPU "),
                    Span::styled(
                        cores.map_or_else(|| "–".to_owned(), |cores| format!("{cores:.2}")),
                        Style::default().add_modifier(Modifier::BOLD),
                    ),
                    Span::raw(view.say([" cores", " 核"])),
                ]),
            ]
        }
    };
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn so_far(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let block = block(view, view.say(["If it ended now", "若此刻结束"]));
    let [duplicates, reordered] = view.seconds.faults();
    let line = if view.is_judged() {
        let verdict = view.verdict();
        let (sign, style) = match verdict.outcome {
            Outcome::Ok => ("✓ ", tone(view, Tone::Good)),
            outcome if is_bad(outcome) => ("✗ ", tone(view, Tone::Bad)),
            _ => ("! ", tone(view, Tone::Warn)),
        };
        let missed = verdict.requirements.iter().filter(|requirement| !requirement.held);
        let missed = missed.map(|requirement| {
            format!(
                "{} {} ({} {})",
                requirement.what,
                rate(requirement.measured),
                requirement.relation.symbol(),
                rate(requirement.wanted)
            )
        });
        let reasons: Vec<_> =
            verdict.broken.iter().chain(&verdict.invalid).cloned().chain(missed).collect();
        let text = if reasons.is_empty() {
            format!(
                "{}; {duplicates} {}, {reordered} {}",
                view.say(outcome_words(verdict.outcome)),
                view.say(["duplicates", "重复"]),
                view.say(["out of order", "乱序"]),
            )
        } else {
            reasons.join("; ")
        };
        Line::from(vec![Span::styled(sign, style), Span::styled(text, style)])
    } else {
        Line::from(Span::styled(view.say(["not measured yet", "尚未开始测量"]), soft(view)))
    };
    frame.render_widget(Paragraph::new(line).block(block), area);
}

fn foot(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let text = if view.is_stopping {
        view.say([
            " stopping: waiting for what is under way; Ctrl-C again ends without a report",
            " 正在停止：等待在途消息；再按 Ctrl-C 将不生成报告",
        ])
    } else {
        view.say([" q  stop now, with a report", " q  立即停止并生成报告"])
    };
    frame.render_widget(Line::from(Span::styled(text, soft(view))), area);
}

#[cfg(test)]
mod tests;
