//! Under which conditions it was measured: by which generator, of which server, and how it
//! can be done again.

use std::fmt::Write;

use super::super::summary::limit_words;
use super::{both, card, pairs, put};
use crate::plot::numbers::{bytes, grouped, milliseconds, rate};
use crate::plot::svg::escape;
use crate::report::Report;

/// Metrics of the server that are listed, at most.
const METRICS_MAX: usize = 40;

/// Under which conditions the rates were reached.
pub(super) fn load(report: &Report) -> String {
    let conditions = &report.rates.conditions;
    if report.counters.messages_due == 0 {
        return String::new();
    }
    let unknown = || both(["unknown (--server-metrics)", "未知（--server-metrics）"]);
    let mut rows = vec![
        (["Bytes of a message's text", "消息正文字节"], grouped(conditions.payload_bytes.into())),
        (["Connections", "连接数"], grouped(conditions.connections)),
        (["Conversations", "会话数"], grouped(conditions.conversations.into())),
        (["Loop", "模式"], both(conditions.loop_in_words(&report.plan))),
        (
            ["Server's fsync, p99", "服务端 fsync P99"],
            conditions.fsync_p99_ms.map_or_else(unknown, |ms| format!("≤ {ms} ms")),
        ),
    ];
    if let Some(mean) = conditions.in_flight_mean {
        rows.insert(4, (["Under way on average", "平均在途"], format!("{mean:.1}")));
    }
    card(["The load", "负载"], "", &pairs(&rows))
}

/// Commands that were run meanwhile.
pub(super) fn actions(report: &Report) -> String {
    if report.actions.is_empty() {
        return String::new();
    }
    let mut table = format!(
        "<table><tr><th>{}</th><th class=\"text\" style=\"padding-left:14px\">{}</th><th class=\"text\">{}</th></tr>",
        both(["At, s", "时间，秒"]),
        both(["Command", "命令"]),
        both(["Ended", "结果"]),
    );
    for action in &report.actions {
        let ended = match &action.ended {
            Some(ended) => escape(ended),
            None => both(["still runs", "仍在运行"]),
        };
        let class = if action.ok || action.ended.is_none() { "text" } else { "text missed" };
        put!(
            table,
            "<tr><td>{:.1}</td><td class=\"mono text\" style=\"padding-left:14px\">{}</td><td class=\"{class}\">{ended}</td></tr>",
            action.at_seconds,
            escape(&action.command),
        );
    }
    card(["Run meanwhile", "期间执行"], "", &(table + "</table>"))
}

pub(super) fn generator(report: &Report) -> String {
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

pub(super) fn server(report: &Report) -> String {
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
pub(super) fn metrics(report: &Report) -> String {
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

pub(super) fn command(report: &Report) -> String {
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
