//! Under which conditions it was measured, and what it comes to.

use super::super::{Limit, Report};
use super::Page;
use crate::causes;
use crate::worker::Watched;

/// The most lines of a server's metrics in the text; the other forms have all.
const METRICS_SHOWN_MAX: usize = 12;

pub(super) fn server(page: &mut Page, report: &Report) {
    let Some(server) = &report.server else { return };
    page.section(["Server", "服务端"]);
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / 1_048_576.0);
    if let (Some(start), Some(most)) = (server.memory_start, server.memory_max) {
        page.value(["Memory", "内存"], format!("{} -> {}", mib(start), mib(most)));
    }
    if let Some(bytes) = server.memory_per_connection {
        page.value(["Per connection", "每连接"], format!("{:.2} KiB", bytes / 1024.0));
    }
    if let Some(cores) = server.cores_used {
        page.value(["Processors used", "CPU 使用"], format!("{cores:.2}"));
    }
    if let Some(us) = server.cpu_us_per_message {
        page.value(["CPU per message", "每消息 CPU"], format!("{us:.1} us"));
    }
    if let Some(trend) = &server.memory_trend {
        page.value(
            ["Memory trend", "内存趋势"],
            format!(
                "{:+.2} %/h (95 %: {:+.2} .. {:+.2})",
                trend.percent_per_hour, trend.percent_per_hour_low, trend.percent_per_hour_high
            ),
        );
    }
    metrics(page, server);
}

/// What the server says of itself: the values that changed most tellingly, and how long
/// its slowest percent of everything took.
fn metrics(page: &mut Page, server: &Watched) {
    let Some(url) = server.metrics_url.as_ref().filter(|_| !server.metrics.is_empty()) else {
        return;
    };
    page.value(["Metrics", "指标"], format!("{url} ({})", server.metrics.len()));
    for (name, value) in server.metrics_p99.iter().take(METRICS_SHOWN_MAX) {
        page.line(&format!("  {name} p99 <= {value}"));
    }
    // Sums belong to the histograms above, and the process's own are shown elsewhere.
    let told = |name: &str| {
        ["_sum", "_count"].iter().any(|end| name.contains(end))
            || ["process_", "go_", "tokio_"].iter().any(|start| name.starts_with(start))
    };
    let changed =
        server.metrics.iter().filter(|(name, [first, last])| first != last && !told(name));
    for (name, [first, last]) in changed.take(METRICS_SHOWN_MAX) {
        page.line(&format!("  {name} {first} -> {last}"));
    }
}

pub(super) fn errors(page: &mut Page, report: &Report) {
    if report.errors.is_empty() {
        return;
    }
    page.section(["Errors", "错误分布"]);
    for error in &report.errors {
        page.line(&format!("{:<22}{}", error.class, error.count));
        if let Some(known) = causes::explain(&error.class) {
            let (cause, cure) = (page.say(known.cause), page.say(known.cure));
            page.line(&format!("  {}: {cause}", page.say(["cause", "原因"])));
            page.line(&format!("  {}: {cure}", page.say(["cure", "解决"])));
        }
    }
}

pub(super) fn generator(page: &mut Page, report: &Report) {
    let generator = &report.generator;
    page.section(["Generator", "压测端"]);
    let kind = if generator.processes {
        page.say(["processes", "进程"])
    } else {
        page.say(["threads", "线程"])
    };
    page.value(["Workers", "工作单元"], format!("{} {kind}", generator.workers));
    page.value(
        ["Busy", "忙碌"],
        format!(
            "{:.1} %, {} {:.1} %, {} {:.2} %",
            generator.busy_percent,
            page.say(["waiting for a CPU", "等待 CPU"]),
            generator.starved_percent,
            page.say(["late", "迟发"]),
            generator.late_percent
        ),
    );
    if let Some(us) = generator.cpu_us_per_frame {
        page.value(["CPU per frame", "每帧 CPU"], format!("{us:.2} us"));
    }
    if let Some(bytes) = generator.memory_per_connection {
        page.value(["Per connection", "每连接内存"], format!("{:.2} KiB", bytes / 1024.0));
    }
    if let Some(ceiling) = &generator.ceiling {
        page.value(
            ["Ceiling here", "本机上限"],
            format!(
                "{:.0} msg/s, {:.0} conn/s ({})",
                ceiling.messages_per_second,
                ceiling.connects_per_second,
                page.say(["against a built-in sink", "对内置接收端"])
            ),
        );
    }
    for action in &report.actions {
        let ended = action.ended.as_deref().unwrap_or_else(|| page.say(["still runs", "仍在运行"]));
        page.value(
            ["Run meanwhile", "期间执行"],
            format!("{:.1} s: {} ({ended})", action.at_seconds, action.command),
        );
    }
    for stop in &generator.stops {
        page.value(
            ["Stopped from outside", "被外部暂停"],
            format!("{:.1} s, {:.1} s", stop.at_seconds, stop.seconds),
        );
    }
    let limit = match generator.limit {
        Limit::Plan => ["neither: the plan asked for no more", "均未到上限：计划仅要求如此"],
        Limit::Server => ["the server", "服务端"],
        Limit::Generator => ["this generator", "压测端"],
        Limit::Machine => ["this machine, which both share", "双方共用的机器"],
    };
    let limit = page.say(limit);
    page.value(["The limit was", "瓶颈"], limit);
}

pub(super) fn verdict(page: &mut Page, report: &Report) {
    let verdict = &report.verdict;
    page.section(["Verdict", "结论"]);
    for requirement in &verdict.requirements {
        let mark = if requirement.held {
            page.say(["ok  ", "通过"])
        } else {
            page.say(["MISS", "未达"])
        };
        page.line(&format!(
            "{mark} {} : {:.3} ({} {})",
            requirement.what,
            requirement.measured,
            requirement.relation.symbol(),
            requirement.wanted
        ));
    }
    for reason in &verdict.invalid {
        page.line(&format!("{}: {reason}", page.say(["INVALID", "无效"])));
    }
    for reason in &verdict.broken {
        page.line(&format!("{}: {reason}", page.say(["BROKEN", "投递错误"])));
    }
    page.value(["Result", "结果"], format!("{:?} ({})", verdict.outcome, verdict.exit_code));
}
