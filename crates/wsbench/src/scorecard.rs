//! The scorecard of the reference systems' guide: ten figures with their targets, filled
//! from folders of results.
//!
//! A figure that no run measured stays open; a figure of a run that is invalid does not
//! count. The targets are the guide's, so that cards can be laid side by side; they are
//! meant for its cluster, not for one machine.

use std::fmt::Write;

use crate::plan::Language;
use crate::plot::numbers::{grouped, milliseconds, rate};
use crate::plot::svg::escape;
use crate::report::Report;
use crate::report::html::{both, page};
use crate::verdict::Outcome;

/// A soak that is shorter says nothing of memory over four hours.
const SOAK_SECONDS: f64 = 4.0 * 3600.0;
/// How long connections must stand, in minutes.
const STABLE_MINUTES: f64 = 30.0;
/// Memory that grows by less than this, in percent per hour, is stable.
const STABLE_PERCENT_PER_HOUR: f64 = 1.0;

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What is measured.
    pub name: [&'static str; 2],
    /// What it was, if a run measured it.
    pub measured: Option<[String; 2]>,
    /// What it should be.
    pub target: &'static str,
    /// Whether it is.
    pub held: bool,
    /// Which run says so.
    pub source: Option<String>,
}

/// A figure and the run that it is from.
struct Best<'a> {
    value: f64,
    run: &'a Report,
}

/// The ten rows, from all runs that count.
pub fn rows(reports: &[Report]) -> Vec<Row> {
    let runs: Vec<&Report> = reports
        .iter()
        .filter(|run| !matches!(run.verdict.outcome, Outcome::Invalid | Outcome::SetUp))
        .collect();
    let of = |names: &[&str]| -> Vec<&Report> {
        runs.iter().filter(|run| names.contains(&run.plan.scenario.as_str())).copied().collect()
    };
    // Loss and latency are of runs in which nobody was kept from receiving on purpose.
    let chats = of(&["single-e2e", "messaging", "soak", "order"]);
    let stable = most(&runs, |run| {
        let kept = run.counters.disconnects == 0 && run.counters.hangups == 0;
        kept.then_some(run.counters.connections_final as f64)
    });
    let held_minutes = most(&runs, |run| {
        let kept = run.counters.disconnects == 0 && run.counters.connections_final > 0;
        Some(run.measured_seconds / 60.0).filter(|_| kept)
    });
    let knee = most(&runs, |run| {
        let worked = run.steps.iter().take_while(|step| step.worked);
        worked.last().map(|step| step.reached)
    });
    let throughput = most(&chats, |run| {
        (run.deliveries.faults() == 0).then_some(run.rates.delivered_per_second)
    });
    // The latency that belongs to the throughput: the best of all would be that of the
    // smallest load.
    let latency = |value: fn(&crate::report::TimesSummary) -> f64| -> Option<Best<'_>> {
        let run = throughput.as_ref()?.run;
        Some(Best { value: value(run.times("e2e")?), run })
    };
    let loss = most(&of(&["single-e2e", "messaging", "soak", "order", "group-fanout"]), |run| {
        let tally = &run.deliveries;
        (tally.expected > 0).then(|| 100.0 * tally.lost as f64 / tally.expected as f64)
    });
    let storm = most(&of(&["reconnect-storm"]), |run| {
        let all_back = run.counters.reconnects_failed == 0;
        run.times("reconnect").filter(|_| all_back).map(|times| times.max / 1000.0)
    });
    let offline = least(&of(&["offline-pull"]), |run| {
        let tally = &run.deliveries;
        let right = tally.expected.saturating_sub(tally.faults());
        (tally.expected > 0).then(|| 100.0 * right as f64 / tally.expected as f64)
    });
    let soak = most(&of(&["soak"]), |run| {
        let trend = run.server.as_ref()?.memory_trend?;
        (run.measured_seconds >= SOAK_SECONDS).then_some(trend.percent_per_hour_low)
    });
    vec![
        row(
            ["Stable connections, at most", "最大稳定 WS 连接数"],
            stable,
            "100k+",
            |v| v >= 100_000.0,
            |v| same(grouped(v as u64)),
        ),
        row(
            ["Connections held for", "连接稳定维持时长"],
            held_minutes,
            "30 min+",
            |v| v >= STABLE_MINUTES,
            |v| same(format!("{v:.1} min")),
        ),
        row(
            ["Connections per second, at most", "建连速率上限"],
            knee,
            "5k+/s",
            |v| v >= 5_000.0,
            |v| same(format!("{}/s", rate(v))),
        ),
        row(
            ["Single chat throughput", "单聊吞吐"],
            throughput.as_ref().map(Best::again),
            "100k+ msg/s",
            |v| v >= 100_000.0,
            |v| same(format!("{} msg/s", rate(v))),
        ),
        row(
            ["End-to-end latency p95", "端到端延迟 p95"],
            latency(|times| times.p95),
            "< 50 ms",
            |v| v < 50.0,
            |v| same(format!("{} ms", milliseconds(v))),
        ),
        row(
            ["End-to-end latency p99", "端到端延迟 p99"],
            latency(|times| times.p99),
            "< 100 ms",
            |v| v < 100.0,
            |v| same(format!("{} ms", milliseconds(v))),
        ),
        row(["Messages lost", "消息丢失率"], loss, "0 %", |v| v == 0.0, |v| same(format!("{v} %"))),
        row(
            ["Back after a reconnect storm", "重连风暴恢复时间"],
            storm,
            "< 30 s",
            |v| v < 30.0,
            |v| same(format!("{v:.2} s")),
        ),
        row(
            ["Offline messages pulled rightly", "离线补拉正确率"],
            offline,
            "100 %",
            |v| v >= 100.0,
            |v| same(format!("{v} %")),
        ),
        row(
            ["Memory stable over 4 h", "长稳 4h 内存稳定"],
            soak,
            "yes / 是",
            |v| v < STABLE_PERCENT_PER_HOUR,
            |v| {
                if v < STABLE_PERCENT_PER_HOUR {
                    ["yes", "是"].map(str::to_owned)
                } else {
                    ["no", "否"].map(str::to_owned)
                }
            },
        ),
    ]
}

impl<'a> Best<'a> {
    fn again(&self) -> Best<'a> {
        Best { value: self.value, run: self.run }
    }
}

fn same(text: String) -> [String; 2] {
    [text.clone(), text]
}

fn most<'a>(runs: &[&'a Report], value: impl Fn(&Report) -> Option<f64>) -> Option<Best<'a>> {
    let values = runs.iter().filter_map(|run| Some(Best { value: value(run)?, run }));
    values.max_by(|one, other| one.value.total_cmp(&other.value))
}

fn least<'a>(runs: &[&'a Report], value: impl Fn(&Report) -> Option<f64>) -> Option<Best<'a>> {
    let values = runs.iter().filter_map(|run| Some(Best { value: value(run)?, run }));
    values.min_by(|one, other| one.value.total_cmp(&other.value))
}

fn row(
    name: [&'static str; 2],
    best: Option<Best<'_>>,
    target: &'static str,
    holds: fn(f64) -> bool,
    written: fn(f64) -> [String; 2],
) -> Row {
    Row {
        name,
        held: best.as_ref().is_some_and(|best| holds(best.value)),
        measured: best.as_ref().map(|best| written(best.value)),
        target,
        source: best.map(|best| {
            let date = crate::calendar::folder_name(best.run.started_at_ms);
            format!(
                "{}, {} conns, {date}",
                best.run.plan.scenario,
                grouped(best.run.plan.conns.into())
            )
        }),
    }
}

impl Row {
    /// What the row comes to, as a word and as a mark.
    fn status(&self) -> ([&'static str; 2], &'static str) {
        match (&self.measured, self.held) {
            (None, _) => (["open", "未测"], " "),
            (_, true) => (["held", "达标"], "x"),
            (_, false) => (["missed", "未达标"], "!"),
        }
    }
}

/// For a terminal.
pub fn text(rows: &[Row], language: Language) -> String {
    let place = usize::from(language == Language::Zh);
    let mut text = String::new();
    for row in rows {
        let (_, mark) = row.status();
        let measured = row.measured.as_ref().map_or("_____", |measured| measured[place].as_str());
        let name = padded(row.name[place], 34);
        let source = row.source.as_deref().unwrap_or("");
        // Writing to a string can't fail.
        let _ =
            writeln!(text, "[{mark}] {name}{:>18}   {} {source}", measured, padded(row.target, 14));
    }
    let held = rows.iter().filter(|row| row.held).count();
    let open = rows.iter().filter(|row| row.measured.is_none()).count();
    let all = rows.len();
    text + &[
        format!(
            "\n{held} of {all} held, {open} not measured ([x] held, [!] missed, [ ] not measured)\n"
        ),
        format!("\n{all} 项中 {held} 项达标，{open} 项未测（[x] 达标，[!] 未达标，[ ] 未测）\n"),
    ][place]
}

/// Chinese letters take two columns.
fn padded(text: &str, width: usize) -> String {
    let wide: usize = text.chars().map(|letter| if letter.is_ascii() { 1 } else { 2 }).sum();
    format!("{text}{}", " ".repeat(width.saturating_sub(wide)))
}

/// As a table of Markdown.
pub fn markdown(rows: &[Row], language: Language) -> String {
    let place = usize::from(language == Language::Zh);
    let titles = [
        ["figure", "measured", "target", "status", "run"],
        ["指标", "测试值", "目标", "状态", "来源"],
    ][place];
    let mut text = format!("| {} |\n|:---|---:|---:|:---:|:---|\n", titles.join(" | "));
    for row in rows {
        let measured = row.measured.as_ref().map_or("_____", |measured| measured[place].as_str());
        let status = match row.status().1 {
            "x" => "✅",
            "!" => "❌",
            _ => "[ ]",
        };
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "| {} | {measured} | {} | {status} | {} |",
            row.name[place],
            row.target,
            row.source.as_deref().unwrap_or("")
        );
    }
    text
}

/// As one HTML page.
pub fn html(rows: &[Row], language: Language) -> String {
    let head =
        [["Figure", "指标"], ["Measured", "测试值"], ["Target", "目标"], ["", ""], ["Run", "来源"]];
    let head: String = head
        .iter()
        .enumerate()
        .map(|(place, words)| {
            let class = if place == 4 { " class=\"text\" style=\"padding-left:24px\"" } else { "" };
            format!("<th{class}>{}</th>", both(*words))
        })
        .collect();
    let mut table = format!("<table><tr>{head}</tr>");
    for row in rows {
        let (words, mark) = row.status();
        let class = match mark {
            "x" => "held",
            "!" => "missed",
            _ => "soft",
        };
        let measured = match &row.measured {
            Some(measured) => both(measured.each_ref()),
            None => "–".to_owned(),
        };
        // Writing to a string can't fail.
        let _ = write!(
            table,
            "<tr><td class=\"text\">{}</td><td><b>{measured}</b></td><td>{}</td><td class=\"{class}\">{}</td><td class=\"text soft small\" style=\"padding-left:24px\">{}</td></tr>",
            both(row.name),
            escape(row.target),
            both(words),
            escape(row.source.as_deref().unwrap_or(""))
        );
    }
    let held = rows.iter().filter(|row| row.held).count();
    let body = format!(
        "<h1 style=\"margin-top:24px\">{}</h1><p class=\"soft\">{}</p><section class=\"card\">{table}</table></section>",
        both(["Scorecard", "压测结果汇总"]),
        both([
            format!("{held} of {} targets held", rows.len()),
            format!("{} 项目标中达成 {held} 项", rows.len())
        ]),
    );
    page("wsbench: scorecard", language, &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::made_up;

    #[test]
    fn ten_rows_are_filled_from_the_runs_that_measured_them() {
        let mut chat = made_up::empty();
        chat.counters.connections_final = 5_000;
        chat.measured_seconds = 60.0;
        chat.rates.delivered_per_second = 120_000.0;
        chat.deliveries.expected = 100;
        let times =
            crate::report::TimesSummary { count: 1, p95: 12.0, p99: 150.0, ..Default::default() };
        chat.times_ms.insert("e2e".to_owned(), times);
        let mut invalid = chat.clone();
        invalid.verdict.outcome = Outcome::Invalid;
        invalid.rates.delivered_per_second = 900_000.0;
        let rows = rows(&[chat, invalid]);
        assert_eq!(rows.len(), 10);
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.measured.as_ref().map(|measured| measured[0].as_str()), row.held))
            .collect();
        assert_eq!(
            told,
            [
                (Some("5,000"), false),
                (Some("1.0 min"), false),
                (None, false),
                (Some("120,000 msg/s"), true),
                (Some("12.00 ms"), true),
                (Some("150.0 ms"), false),
                (Some("0 %"), true),
                (None, false),
                (None, false),
                (None, false),
            ]
        );
        let chinese = text(&rows, Language::Zh);
        assert!(
            chinese.contains("[x] 单聊吞吐") && chinese.contains("[ ] 重连风暴恢复时间"),
            "{chinese}"
        );
        assert!(
            markdown(&rows, Language::En)
                .contains("| End-to-end latency p99 | 150.0 ms | < 100 ms | ❌ |")
        );
        assert!(html(&rows, Language::En).contains("3 of 10 targets held"));
    }
}
