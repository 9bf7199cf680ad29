//! What was measured and counted, and what of it had to hold.

use std::fmt::Write;

use super::{both, card, pairs, put};
use crate::causes;
use crate::plot::numbers::{grouped, milliseconds, rate};
use crate::plot::svg::escape;
use crate::report::{Report, TimesSummary};

/// Kinds of times in the order of the table.
const KINDS: [(&str, [&str; 2]); 17] = [
    ("e2e", ["Send to delivery", "端到端"]),
    ("e2eRaw", ["… of which raw", "… 其中实际发送起"]),
    ("slowE2e", ["… to slow receivers", "… 慢接收者"]),
    ("ack", ["Send to ack", "发送到确认"]),
    ("ackRaw", ["… of which raw", "… 其中实际发送起"]),
    ("ackToDelivery", ["Ack to delivery", "确认到送达"]),
    ("fanoutFirst", ["First of a group", "群首达"]),
    ("fanoutLast", ["Last of a group", "群末达"]),
    ("ping", ["Ping", "Ping 往返"]),
    ("pingRaw", ["… of which raw", "… 其中实际发送起"]),
    ("connect", ["Connect", "连接"]),
    ("connectRaw", ["… of which raw", "… 其中实际拨号"]),
    ("login", ["Login", "登录"]),
    ("reconnect", ["Reconnect", "重连"]),
    ("catchUp", ["Catch-up", "补拉"]),
    ("arrival", ["Told who came", "上线通知"]),
    ("departure", ["Told who went", "下线通知"]),
];

pub(super) fn latencies(report: &Report) -> String {
    let mut table = format!(
        "<table><tr><th class=\"text\">ms</th><th>{}</th><th>min</th><th>p50</th><th>p90</th><th>p95</th><th>p99</th><th>p99.9</th><th>max</th><th>{}</th><th>{}</th></tr>",
        both(["count", "数量"]),
        both(["mean", "平均"]),
        both(["std dev", "标准差"]),
    );
    let mut any = false;
    for (key, name) in KINDS {
        let Some(times) = report.times(key).filter(|times| times.count > 0) else { continue };
        any = true;
        let TimesSummary { count, min, p50, p90, p95, p99, p999, max, mean, std_dev } = *times;
        put!(table, "<tr><td>{}</td><td>{}</td>", both(name), grouped(count));
        for value in [min, p50, p90, p95, p99, p999, max, mean, std_dev] {
            put!(table, "<td>{}</td>", milliseconds(value));
        }
        table += "</tr>";
    }
    if any { card(["Times", "时间"], " wide", &(table + "</table>")) } else { String::new() }
}

pub(super) fn requirements(report: &Report) -> String {
    let requirements = &report.verdict.requirements;
    if requirements.is_empty() {
        return String::new();
    }
    let mut table = format!(
        "<table><tr><th class=\"text\">{}</th><th>{}</th><th>{}</th><th></th></tr>",
        both(["Requirement", "要求"]),
        both(["wanted", "目标"]),
        both(["measured", "实测"]),
    );
    for requirement in requirements {
        let (class, word) = if requirement.held {
            ("held", ["held", "达标"])
        } else {
            ("missed", ["missed", "未达标"])
        };
        put!(
            table,
            "<tr><td class=\"text\">{}</td><td>{} {}</td><td>{}</td><td class=\"{class}\">{}</td></tr>",
            escape(&requirement.what),
            escape(requirement.relation.symbol()),
            rate(requirement.wanted),
            rate(requirement.measured),
            both(word)
        );
    }
    card(["What had to hold", "达标要求"], "", &(table + "</table>"))
}

pub(super) fn errors(report: &Report) -> String {
    if report.errors.is_empty() {
        return String::new();
    }
    let mut table = format!(
        "<table><tr><th class=\"text\">{}</th><th>{}</th><th class=\"text\" style=\"padding-left:14px\">{}</th></tr>",
        both(["Class", "类别"]),
        both(["count", "数量"]),
        both(["Cause and cure", "原因与解决"]),
    );
    for error in &report.errors {
        let known = causes::explain(&error.class);
        let explained = known.map_or_else(String::new, |known| {
            format!("{}<br><span class=\"soft\">→ {}</span>", both(known.cause), both(known.cure))
        });
        put!(
            table,
            "<tr><td class=\"mono\">{}</td><td>{}</td><td class=\"text\" style=\"padding-left:14px\">{explained}</td></tr>",
            escape(&error.class),
            grouped(error.count)
        );
    }
    card(["Errors", "错误分布"], "", &(table + "</table>"))
}

pub(super) fn connections(report: &Report) -> String {
    let counters = &report.counters;
    let mut rows = vec![
        (["Tried", "尝试连接数"], counters.connects_attempted),
        (["Established", "成功连接数"], counters.connects_ok),
        (["Failed", "失败连接数"], counters.connects_failed),
        (["Tried again", "重试次数"], counters.connect_retries),
        (["Lost unasked", "断开连接数"], counters.disconnects),
        (["Broken on purpose", "主动断开数"], counters.hangups),
        (["Came back", "恢复连接数"], counters.reconnects),
        (["At the end", "最终连接数"], counters.connections_final),
        (["Pings sent", "发送 Ping 数"], counters.pings_sent),
        (["Pongs received", "接收 Pong 数"], counters.pongs_received),
    ];
    if counters.messages_due > 0 {
        rows.extend([
            (["Messages due", "计划消息数"], counters.messages_due),
            (["Messages sent", "发送消息数"], counters.messages_sent),
            (["… acknowledged", "… 已确认"], report.deliveries.acked),
            (["… refused", "… 被拒绝"], report.deliveries.refused),
            (["… held back", "… 延后"], counters.messages_held_back),
            (["… never sent", "… 放弃"], counters.messages_skipped),
            (["… sent again", "… 重新发送"], counters.messages_retried),
            (["Answers overdue", "应答超时"], counters.answer_timeouts),
        ]);
    }
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|(name, count)| *count > 0 || ["Failed", "Lost unasked"].contains(&name[0]))
        .map(|(name, count)| (name, grouped(count)))
        .collect();
    card(["Counts", "计数"], "", &pairs(&rows))
}

pub(super) fn steps(report: &Report) -> String {
    if report.steps.len() < 2 {
        return String::new();
    }
    let mut table = format!(
        "<table><tr><th class=\"text\">{}</th><th>{}</th><th>{}</th><th>p50 ms</th><th>p99 ms</th><th></th></tr>",
        both(["Asked for, /s", "计划 /秒"]),
        both(["reached, /s", "达到 /秒"]),
        both(["established", "成功"]),
    );
    for step in &report.steps {
        let (class, word) =
            if step.worked { ("held", ["ok", "通过"]) } else { ("missed", ["failed", "失败"]) };
        put!(
            table,
            "<tr><td>{}</td><td>{}</td><td>{} / {}</td><td>{}</td><td>{}</td><td class=\"{class}\">{}</td></tr>",
            rate(step.offered),
            rate(step.reached),
            grouped(step.ok),
            grouped(step.attempted),
            milliseconds(step.p50_ms),
            milliseconds(step.p99_ms),
            both(word)
        );
    }
    card(["Steps", "阶梯"], "", &(table + "</table>"))
}

pub(super) fn lost(report: &Report) -> String {
    let examples = &report.deliveries.examples;
    if examples.is_empty() {
        return String::new();
    }
    let mut table = format!(
        "<table><tr><th>{}</th><th>{}</th><th>{}</th><th>{}</th></tr>",
        both(["Sender", "发送者"]),
        both(["recipient", "接收者"]),
        both(["number", "序号"]),
        both(["acknowledged", "已确认"]),
    );
    for lost in examples {
        put!(
            table,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            lost.sender,
            lost.recipient,
            lost.seq,
            both(if lost.acked { ["yes", "是"] } else { ["no", "否"] })
        );
    }
    card(["The first lost messages", "最先丢失的消息"], "", &(table + "</table>"))
}
