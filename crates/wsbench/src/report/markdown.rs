//! The report as GitHub-flavoured Markdown: for a job's summary or a comment on a change.

use std::fmt::Write;

use super::html::outcome_words;
use super::rising::{Rises, beyond_words, knee_load, mark_words, refusals, rises};
use super::{Report, plan_in_words};
use crate::causes;
use crate::plan::Language;
use crate::plot::numbers::{bytes, grouped, milliseconds, rate};
use crate::verdict::Outcome;

/// Kinds of times that a summary shows, if they were measured.
const KINDS: [(&str, [&str; 2]); 9] = [
    ("e2e", ["send to delivery", "端到端"]),
    ("slowE2e", ["to slow receivers", "慢消费者"]),
    ("ack", ["send to ack", "发送到确认"]),
    ("fanoutLast", ["last of a group", "群末达"]),
    ("ping", ["ping", "Ping 往返"]),
    ("connect", ["connect", "连接"]),
    ("reconnect", ["reconnect", "重连"]),
    ("arrival", ["told who came", "上线通知"]),
    ("departure", ["told who went", "下线通知"]),
];

struct Page {
    text: String,
    chinese: bool,
}

impl Page {
    fn say(&self, words: [&'static str; 2]) -> &'static str {
        words[usize::from(self.chinese)]
    }

    fn line(&mut self, line: &str) {
        // Writing to a string can't fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn row(&mut self, cells: &[&str]) {
        let cells: Vec<_> = cells.iter().map(|cell| in_cell(cell)).collect();
        self.line(&format!("| {} |", cells.join(" | ")));
    }
}

/// Writes the report.
pub(super) fn write(report: &Report, language: Language) -> String {
    let mut page = Page { text: String::new(), chinese: language == Language::Zh };
    head(&mut page, report);
    figures(&mut page, report);
    rising(&mut page, report);
    ledger(&mut page, report);
    requirements(&mut page, report);
    errors(&mut page, report);
    actions(&mut page, report);
    details(&mut page, report);
    page.text
}

fn head(page: &mut Page, report: &Report) {
    let verdict = &report.verdict;
    let (sign, alert) = match verdict.outcome {
        Outcome::Ok => ("✅", "NOTE"),
        Outcome::Invalid | Outcome::ThresholdMissed => ("⚠️", "WARNING"),
        _ => ("❌", "CAUTION"),
    };
    let outcome = page.say(outcome_words(verdict.outcome));
    page.line(&format!("### {sign} wsbench {}: {outcome}\n", report.plan.scenario));
    let plan = plan_in_words(&report.plan);
    let plan = in_line(&plan[usize::from(page.chinese)]);
    page.line(&format!("{plan}\n"));
    let reasons: Vec<_> = verdict.broken.iter().chain(&verdict.invalid).collect();
    if !reasons.is_empty() {
        page.line(&format!("> [!{alert}]"));
        for reason in reasons {
            page.line(&format!("> - {}", in_line(reason)));
        }
        page.line("");
    }
}

fn figures(page: &mut Page, report: &Report) {
    let (counters, rates) = (&report.counters, &report.rates);
    let words = [page.say(["connected", "连接成功率"]), page.say(["sent/s", "发送/秒"])];
    let delivered = page.say(["delivered/s", "送达/秒"]);
    let pongs = page.say(["pings answered", "Pong 响应率"]);
    let memory = page.say(["server memory", "服务端内存"]);
    page.row(&[words[0], words[1], delivered, pongs, memory]);
    page.row(&["---:"; 5]);
    let when = |is: bool, text: String| if is { text } else { "–".to_owned() };
    let talks = counters.messages_due > 0;
    page.row(&[
        &format!("{:.2} % ({})", rates.connected_percent, grouped(counters.connects_ok)),
        &when(talks, rate(rates.sent_per_second)),
        &when(talks, rate(rates.delivered_per_second)),
        &when(counters.pings_sent > 0, format!("{:.2} %", rates.pong_percent)),
        &report
            .server
            .as_ref()
            .and_then(|server| server.memory_max)
            .map_or_else(|| "–".to_owned(), |most| bytes(most as f64)),
    ]);
    page.line("");
    if talks {
        let conditions = rates.conditions.in_words(&report.plan);
        let conditions = in_line(&conditions[usize::from(page.chinese)]);
        page.line(&format!("{}: {conditions}\n", page.say(["With", "条件"])));
    }
    let times = KINDS.iter().filter_map(|(kind, name)| Some((*name, report.times(kind)?)));
    let times: Vec<_> = times.filter(|(_, times)| times.count > 0).collect();
    if times.is_empty() {
        return;
    }
    let count = page.say(["count", "数量"]);
    page.row(&["ms", "p50", "p90", "p99", "p99.9", "max", count]);
    page.row(&[":---", "---:", "---:", "---:", "---:", "---:", "---:"]);
    for (name, times) in times {
        let name = page.say(name);
        let ms = [times.p50, times.p90, times.p99, times.p999, times.max].map(milliseconds);
        let [p50, p90, p99, p999, max] = ms.each_ref().map(String::as_str);
        page.row(&[name, p50, p90, p99, p999, max, &grouped(times.count)]);
    }
    page.line("");
}

/// The steps of a rising load.
fn rising(page: &mut Page, report: &Report) {
    let Some(rises) = rises(report).filter(|_| !report.plateaus.is_empty()) else { return };
    let titles = match rises {
        Rises::Rate => [["/s", "/秒"], ["sent", "发送"], ["delivered", "送达"]],
        Rises::Connections => {
            [["connections", "连接数"], ["tried", "尝试"], ["established", "成功"]]
        }
    };
    let titles = titles.map(|words| page.say(words));
    page.row(&[titles[0], titles[1], titles[2], "p50 ms", "p99 ms", ""]);
    page.row(&["---:", "---:", "---:", "---:", "---:", ":---"]);
    for step in &report.plateaus {
        let (counts, times) = match rises {
            Rises::Rate => ([step.sent, step.delivered], step.e2e_ms),
            Rises::Connections => ([step.attempted, step.connected], step.ping_ms),
        };
        let [first, second] = counts.map(grouped);
        let [p50, p99] =
            times.map_or_else(|| ["–", "–"].map(str::to_owned), |times| times.map(milliseconds));
        let mut mark = page.say(mark_words(step)).to_owned();
        for (reason, count) in refusals(step) {
            mark += &format!("; {} {reason}: {count}", page.say(["refused", "拒绝"]));
        }
        page.row(&[&rate(step.load), &first, &second, &p50, &p99, &mark]);
    }
    page.line("");
    if rises == Rises::Rate {
        let knee = knee_load(report).map_or_else(|| "–".to_owned(), |load| format!("{load:.0}/s"));
        let (name, beyond) = (page.say(["Knee", "拐点"]), page.say(["beyond it", "超过拐点"]));
        let words = page.say(beyond_words(&report.plateaus));
        page.line(&format!("{name}: **{knee}**, {beyond}: {words}\n"));
    }
}

/// Commands that were run meanwhile.
fn actions(page: &mut Page, report: &Report) {
    for action in &report.actions {
        let ended = action.ended.as_deref().unwrap_or_else(|| page.say(["still runs", "仍在运行"]));
        let (at, word) = (action.at_seconds, page.say(["run meanwhile", "期间执行"]));
        let (command, ended) = (in_line(&action.command), in_line(ended));
        page.line(&format!("- {at:.1} s, {word}: {command} ({ended})"));
    }
    if !report.actions.is_empty() {
        page.line("");
    }
}

fn ledger(page: &mut Page, report: &Report) {
    let tally = &report.deliveries;
    if report.counters.messages_due == 0 {
        return;
    }
    let parts = [
        (tally.delivered, ["delivered", "送达"]),
        (tally.recovered, ["recovered", "历史补回"]),
        (tally.lost, ["lost", "丢失"]),
        (tally.not_entitled, ["not entitled", "无权接收"]),
        (tally.unconfirmed, ["unconfirmed", "未确认"]),
    ];
    let parts: Vec<_> = parts
        .iter()
        .map(|(count, name)| format!("{} {}", grouped(*count), page.say(*name)))
        .collect();
    let expected = page.say(["expected", "应达"]);
    page.line(&format!("**{} {expected}** = {}\n", grouped(tally.expected), parts.join(" + ")));
    let faults = [
        (tally.acked_but_lost, ["acknowledged but lost", "已确认却丢失"]),
        (tally.duplicates, ["duplicates", "重复"]),
        (tally.reordered, ["out of order", "乱序"]),
        (tally.wrong_recipient, ["wrong recipient", "错投"]),
        (tally.corrupt, ["corrupt", "损坏"]),
    ];
    let faults: Vec<_> = faults
        .iter()
        .map(|(count, name)| format!("{} {}", grouped(*count), page.say(*name)))
        .collect();
    page.line(&format!("{}\n", faults.join(", ")));
}

fn requirements(page: &mut Page, report: &Report) {
    if report.verdict.requirements.is_empty() {
        return;
    }
    let titles = [["requirement", "要求"], ["wanted", "目标"], ["measured", "实测"]]
        .map(|words| page.say(words));
    page.row(&["", titles[0], titles[1], titles[2]]);
    page.row(&[":---:", ":---", "---:", "---:"]);
    for requirement in &report.verdict.requirements {
        page.row(&[
            if requirement.held { "✅" } else { "❌" },
            &requirement.what,
            &format!("{} {}", requirement.relation.symbol(), rate(requirement.wanted)),
            &rate(requirement.measured),
        ]);
    }
    page.line("");
}

fn errors(page: &mut Page, report: &Report) {
    if report.errors.is_empty() {
        return;
    }
    let titles = [["error", "错误"], ["count", "数量"], ["cause", "原因"], ["cure", "解决"]]
        .map(|words| page.say(words));
    page.row(&titles);
    page.row(&[":---", "---:", ":---", ":---"]);
    for error in &report.errors {
        let known = causes::explain(&error.class);
        let (cause, cure) =
            known.map_or(("", ""), |known| (page.say(known.cause), page.say(known.cure)));
        page.row(&[&format!("`{}`", error.class), &grouped(error.count), cause, cure]);
    }
    page.line("");
}

fn details(page: &mut Page, report: &Report) {
    let Some(command) = &report.command else { return };
    let title = page.say(["The command", "命令"]);
    // A longer fence than any run of back-ticks in the command.
    let fence = "`".repeat(longest_run(command, '`').max(2) + 1);
    page.line(&format!(
        "<details><summary>{title}</summary>\n\n{fence}sh\n{command}\n{fence}\n\n</details>\n"
    ));
}

fn longest_run(text: &str, wanted: char) -> usize {
    let runs = text.split(|c| c != wanted).map(str::len);
    runs.max().unwrap_or(0)
}

/// Text that may hold what Markdown would take for its own.
fn in_line(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '#') {
            escaped.push('\\');
        }
        escaped.push(if letter == '\n' { ' ' } else { letter });
    }
    escaped
}

/// Text in a table's cell: a bar would end it.
fn in_cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
