//! The tables of a report.

use std::fmt::Write;

use super::super::{Report, TimesSummary};
use super::both;
use super::summary::limit_words;
use crate::causes;
use crate::plot::numbers::{bytes, grouped, milliseconds, rate};
use crate::plot::svg::escape;

/// Kinds of times in the order of the table.
const KINDS: [(&str, [&str; 2]); 15] = [
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
];

/// Metrics of the server that are listed, at most.
const METRICS_MAX: usize = 40;

pub(super) fn write(report: &Report) -> String {
    format!(
        "<h2>{}</h2>\n<div class=\"tables\">\n{}</div>\n<h2>{}</h2>\n<div class=\"tables\">\n{}</div>\n",
        both(["The figures", "详细数据"]),
        [
            latencies(report),
            requirements(report),
            errors(report),
            connections(report),
            steps(report),
            lost(report)
        ]
        .concat(),
        both(["Under which conditions", "测试条件"]),
        [generator(report), server(report), metrics(report), command(report)].concat(),
    )
}

fn card(title: [&str; 2], class: &str, body: &str) -> String {
    format!("<section class=\"card{class}\"><h3>{}</h3>{body}</section>\n", both(title))
}

/// Writing to a string can't fail.
macro_rules! put {
    ($text:expr, $($what:tt)*) => {{ let _ = write!($text, $($what)*); }};
}

/// A table of names and values.
fn pairs(rows: &[([&str; 2], String)]) -> String {
    let mut table = "<table>".to_owned();
    for (name, value) in rows {
        put!(
            table,
            "<tr><td>{}</td><td class=\"text\" style=\"text-align:right\">{value}</td></tr>",
            both(*name)
        );
    }
    table + "</table>"
}

fn latencies(report: &Report) -> String {
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

fn requirements(report: &Report) -> String {
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

fn errors(report: &Report) -> String {
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

fn connections(report: &Report) -> String {
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

fn steps(report: &Report) -> String {
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

fn lost(report: &Report) -> String {
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

fn generator(report: &Report) -> String {
    let generator = &report.generator;
    let mut rows = Vec::new();
    if let Some(machine) = &report.machine {
        let memory = machine.memory_bytes.map(|all| format!(", {}", bytes(all as f64)));
        let processor = machine.processor.as_deref().unwrap_or("?");
        rows.push((
            ["Machine", "机器"],
            format!(
                "{}, {} {}{}<br><span class=\"soft\">{}</span>",
                escape(processor),
                machine.cores,
                both(["cores", "核"]),
                memory.unwrap_or_default(),
                escape(&machine.system)
            ),
        ));
    }
    let kind = if generator.processes { ["processes", "进程"] } else { ["threads", "线程"] };
    rows.push((["Workers", "工作单元"], format!("{} {}", generator.workers, both(kind))));
    rows.push((["The limit was", "瓶颈"], both(limit_words(generator.limit))));
    rows.push((["Busiest worker", "最忙单元"], format!("{:.1} %", generator.busy_percent)));
    rows.push((["Waiting for a CPU", "等待 CPU"], format!("{:.1} %", generator.starved_percent)));
    rows.push((["Left late", "迟发"], format!("{:.3} %", generator.late_percent)));
    rows.push((
        ["Longest turn", "最长循环"],
        format!("{} ms", milliseconds(generator.longest_turn_ms)),
    ));
    if let Some(us) = generator.cpu_us_per_frame {
        rows.push((["CPU per frame", "每帧 CPU"], format!("{us:.2} µs")));
    }
    if let Some(memory) = generator.memory_per_connection {
        rows.push((["Memory per connection", "每连接内存"], bytes(memory)));
    }
    if let Some(ceiling) = &generator.ceiling {
        rows.push((
            ["Ceiling, against its own sink", "本机上限（内置接收端）"],
            format!(
                "{} msg/s, {} conn/s, {} ms",
                rate(ceiling.messages_per_second),
                rate(ceiling.connects_per_second),
                milliseconds(ceiling.idle_round_trip_ms)
            ),
        ));
    }
    for stop in &generator.stops {
        rows.push((
            ["Stopped from outside", "被外部暂停"],
            format!("{:.1} s, {:.1} s", stop.at_seconds, stop.seconds),
        ));
    }
    rows.push((
        ["Run", "运行"],
        format!(
            "{:.1} s, {} {:.1} s",
            report.elapsed_seconds,
            both(["measured", "计入"]),
            report.measured_seconds
        ),
    ));
    card(["The generator", "压测端"], "", &pairs(&rows))
}

fn server(report: &Report) -> String {
    let Some(server) = &report.server else { return String::new() };
    let mut rows = Vec::new();
    if let (Some(start), Some(most)) = (server.memory_start, server.memory_max) {
        let memory = format!("{} → {}", bytes(start as f64), bytes(most as f64));
        rows.push((["Memory, start and most", "内存（起始与最高）"], memory));
    }
    if let Some(per_connection) = server.memory_per_connection {
        rows.push((["Memory per connection", "每连接内存"], bytes(per_connection)));
    }
    if let Some(cores) = server.cores_used {
        rows.push((["Processors used", "CPU 使用"], format!("{cores:.2}")));
    }
    if let Some(us) = server.cpu_us_per_message {
        rows.push((["CPU per message", "每消息 CPU"], format!("{us:.1} µs")));
    }
    for (name, trend) in [
        (["Memory trend", "内存趋势"], server.memory_trend),
        (["P99 trend", "P99 趋势"], report.latency_trend),
    ] {
        let Some(trend) = trend else { continue };
        rows.push((
            name,
            format!(
                "{:+.2} %/h <span class=\"soft\">(95 %: {:+.2} … {:+.2})</span>",
                trend.percent_per_hour, trend.percent_per_hour_low, trend.percent_per_hour_high
            ),
        ));
    }
    if let Some(url) = &server.metrics_url {
        rows.push((["Metrics page", "指标页面"], format!("<code>{}</code>", escape(url))));
    }
    if rows.is_empty() {
        String::new()
    } else {
        card(["The server", "服务端"], "", &pairs(&rows))
    }
}

/// What the server's own metrics page said.
fn metrics(report: &Report) -> String {
    let Some(server) = report.server.as_ref().filter(|server| !server.metrics.is_empty()) else {
        return String::new();
    };
    let mut table = "<table>".to_owned();
    for (name, value) in server.metrics_p99.iter().take(METRICS_MAX) {
        put!(table, "<tr><td class=\"mono text\">{}</td><td>p99 ≤ {value}</td></tr>", escape(name));
    }
    let changed = server.metrics.iter().filter(|(_, [first, last])| first != last);
    for (name, [first, last]) in changed.take(METRICS_MAX) {
        put!(
            table,
            "<tr><td class=\"mono text\">{}</td><td>{first} → {last}</td></tr>",
            escape(name)
        );
    }
    format!(
        "<details class=\"card wide\"><summary>{}</summary>{table}</table></details>\n",
        both(["What the server's own metrics said", "服务端自身指标"])
    )
}

fn command(report: &Report) -> String {
    let mut body = String::new();
    if let Some(command) = &report.command {
        put!(body, "<pre>{}</pre>", escape(command));
    }
    let plan = serde_json::to_string_pretty(&report.plan).expect("a plan has no odd keys");
    put!(
        body,
        "<details style=\"margin-top:10px\"><summary class=\"small\">{}</summary><pre>{}</pre></details>",
        both(["The whole plan", "完整计划"]),
        escape(&plan)
    );
    card(["The command", "命令"], " wide", &body)
}
