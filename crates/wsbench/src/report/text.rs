//! The report for people, in the layout of the reference systems' guide, English or
//! Chinese.

use std::fmt::Write;

use super::{Limit, Rating, Report, TimesSummary};
use crate::causes;
use crate::plan::Language;
use crate::scenario::Disruption;

/// Writes the report.
pub(super) fn write(report: &Report, language: Language) -> String {
    let mut page = Page { text: String::new(), chinese: language == Language::Zh };
    page.rule(["Results", "压测结果"]);
    conditions(&mut page, report);
    connections(&mut page, report);
    times_section(&mut page, report);
    pings(&mut page, report);
    messages(&mut page, report);
    steps(&mut page, report);
    server(&mut page, report);
    errors(&mut page, report);
    generator(&mut page, report);
    verdict(&mut page, report);
    let seconds = format!("{:.2}", report.elapsed_seconds);
    page.line(&format!(
        "\n--- {}: {seconds} {} ---\n",
        page.say(["Run time", "运行时间"]),
        page.say(["seconds", "秒"])
    ));
    page.line("=================================================");
    page.text
}

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

    fn rule(&mut self, words: [&'static str; 2]) {
        let words = self.say(words);
        self.line(&format!("==================== {words} ====================\n"));
    }

    fn section(&mut self, words: [&'static str; 2]) {
        let words = self.say(words);
        if !self.text.ends_with("\n\n") {
            self.line("");
        }
        self.line(&format!("--- {words} ---"));
    }

    fn value(&mut self, words: [&'static str; 2], value: impl std::fmt::Display) {
        let label = format!("{}:", self.say(words));
        let width: usize = label.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
        let pad = " ".repeat(22usize.saturating_sub(width).max(1));
        self.line(&format!("{label}{pad}{value}"));
    }

    fn rated(&self, value: String, rating: Rating) -> String {
        format!("{value}  ({})", self.say(rating.words()))
    }
}

fn conditions(page: &mut Page, report: &Report) {
    let plan = &report.plan;
    let targets: Vec<_> = plan.targets.iter().map(ToString::to_string).collect();
    page.value(["Scenario", "场景"], &plan.scenario);
    page.value(["Target", "目标"], targets.join(", "));
    page.value(["Adapter", "适配器"], format!("{:?}", plan.adapter).to_lowercase());
    if report.interrupted {
        let text = page.say(["interrupted by the user", "被用户中断"]);
        page.line(text);
    }
}

fn connections(page: &mut Page, report: &Report) {
    let counters = &report.counters;
    page.section(["Connections", "连接统计"]);
    page.value(["Attempted", "尝试连接数"], counters.connects_attempted);
    page.value(["Established", "成功连接数"], counters.connects_ok);
    page.value(["Failed", "失败连接数"], counters.connects_failed);
    let share = report.rates.connected_percent;
    let rated = page.rated(format!("{share:.2}%"), Rating::of_share(share));
    page.value(["Success rate", "连接成功率"], rated);
    if counters.connect_retries > 0 {
        page.value(["Retries", "重试次数"], counters.connect_retries);
    }
    page.value(["Dropped", "断开连接数"], counters.disconnects);
    if counters.hangups > 0 {
        page.value(["Broken on purpose", "主动断开数"], counters.hangups);
        page.value(["Came back", "恢复连接数"], counters.reconnects);
    }
    page.value(["Final", "最终连接数"], counters.connections_final);
}

fn times_section(page: &mut Page, report: &Report) {
    let Some(connect) = report.times("connect") else { return };
    page.section(["Connect latency (ms)", "连接延迟 (ms)"]);
    block(page, connect);
    for (key, words) in [
        ("connectRaw", ["  of which raw", "  其中实际拨号"]),
        ("login", ["Login", "登录"]),
        ("reconnect", ["Reconnect", "重连"]),
        ("catchUp", ["Catch-up", "补拉"]),
    ] {
        row(page, words, report.times(key));
    }
}

fn block(page: &mut Page, times: &TimesSummary) {
    for (label, value) in [
        ("Min:   ", times.min),
        ("Max:   ", times.max),
        ("Avg:   ", times.mean),
        ("P50:   ", times.p50),
        ("P90:   ", times.p90),
        ("P95:   ", times.p95),
        ("P99:   ", times.p99),
        ("StdDev:", times.std_dev),
    ] {
        let rating = match label.trim() {
            "P50:" => Some(Rating::of_p50(value)),
            "P99:" => Some(Rating::of_p99(value)),
            _ => None,
        };
        let value = format!("{value:.2}");
        let value = rating.map_or(value.clone(), |rating| page.rated(value, rating));
        page.line(&format!("{label} {value}"));
    }
}

fn row(page: &mut Page, words: [&'static str; 2], times: Option<&TimesSummary>) {
    let Some(times) = times else { return };
    let TimesSummary { count, mean, p50, p90, p99, p999, max, .. } = times;
    page.value(
        words,
        format!(
            "p50 {p50:.2}  p90 {p90:.2}  p99 {p99:.2}  p99.9 {p999:.2}  max {max:.2}  avg {mean:.2}  (n {count})"
        ),
    );
}

fn pings(page: &mut Page, report: &Report) {
    let counters = &report.counters;
    page.section(["Heartbeat", "心跳统计"]);
    page.value(["Pings sent", "发送 Ping 数"], counters.pings_sent);
    page.value(["Pongs received", "接收 Pong 数"], counters.pongs_received);
    let share = report.rates.pong_percent;
    let share = if counters.pings_sent > 0 {
        page.rated(format!("{share:.2}%"), Rating::of_share(share))
    } else {
        "-".to_owned()
    };
    page.value(["Pong rate", "Pong 响应率"], share);
    row(page, ["Round trip (ms)", "往返延迟 (ms)"], report.times("ping"));
    row(page, ["  of which raw", "  其中实际发送起"], report.times("pingRaw"));
}

fn messages(page: &mut Page, report: &Report) {
    let (counters, tally, rates) = (&report.counters, &report.deliveries, &report.rates);
    if counters.messages_due == 0 {
        return;
    }
    let plan = &report.plan;
    page.section(["Messages", "消息统计"]);
    page.value(
        ["Due / sent", "计划 / 发送"],
        format!("{} / {}", counters.messages_due, tally.sent),
    );
    if plan.abilities().acks {
        page.value(["Acknowledged", "已确认"], tally.acked);
    }
    if tally.refused > 0 {
        page.value(["Refused", "被拒绝"], tally.refused);
    }
    page.value(
        ["Per second", "每秒"],
        format!(
            "{} {:.1}, {} {:.1}, {} {:.1}",
            page.say(["due", "计划"]),
            rates.due_per_second,
            page.say(["sent", "发送"]),
            rates.sent_per_second,
            page.say(["delivered", "送达"]),
            rates.delivered_per_second
        ),
    );
    let loop_kind = match plan.in_flight {
        Some(depth) => format!("{} {depth}", page.say(["closed loop, in flight", "闭环，在途"])),
        None => format!("{} {:?}", page.say(["open loop,", "开环，"]), plan.arrival).to_lowercase(),
    };
    page.value(
        ["Conditions", "条件"],
        format!("{} B, {} conns, {loop_kind}", plan.payload_size, plan.conns),
    );
    if counters.messages_held_back + counters.messages_skipped > 0 {
        let (held, skipped) = (counters.messages_held_back, counters.messages_skipped);
        page.value(["Held back / skipped", "延后 / 放弃"], format!("{held} / {skipped}"));
    }

    page.section(["Message latency (ms)", "消息延迟 (ms)"]);
    for (key, words) in [
        ("e2e", ["Send to delivery", "端到端"]),
        ("e2eRaw", ["  of which raw", "  其中实际发送起"]),
        ("ack", ["Send to ack", "发送到确认"]),
        ("ackRaw", ["  of which raw", "  其中实际发送起"]),
        ("ackToDelivery", ["Ack to delivery", "确认到送达"]),
        ("slowE2e", ["To slow readers", "慢消费者"]),
        ("fanoutFirst", ["First of a group", "群首达"]),
        ("fanoutLast", ["Last of a group", "群末达"]),
    ] {
        row(page, words, report.times(key));
    }
    if plan.in_flight.is_some() {
        let text = page.say([
            "(closed loop: a message is due when there is room for it, so corrected and raw agree)",
            "（闭环：有空位才计划发送，故修正值与原始值一致）",
        ]);
        page.line(text);
    }
    deliveries(page, report);
}

fn deliveries(page: &mut Page, report: &Report) {
    let (counters, tally) = (&report.counters, &report.deliveries);
    page.section(["Deliveries", "投递核对"]);
    page.value(["Expected", "应达"], tally.expected);
    for (count, words) in [
        (tally.delivered, ["= delivered", "= 送达"]),
        (tally.recovered, ["+ recovered", "+ 历史补回"]),
        (tally.lost, ["+ LOST", "+ 丢失"]),
        (tally.not_entitled, ["+ not entitled", "+ 无权接收"]),
        (tally.unconfirmed, ["+ unconfirmed", "+ 未确认"]),
    ] {
        page.value(words, count);
    }
    page.value(["Acked but lost", "已确认却丢失"], tally.acked_but_lost);
    page.value(["Duplicates", "重复"], tally.duplicates);
    page.value(
        ["Reordered", "乱序"],
        format!(
            "{} ({} {})",
            tally.reordered,
            page.say(["depth up to", "最大深度"]),
            tally.reorder_depth_max
        ),
    );
    page.value(
        ["Gaps", "空洞"],
        format!("{} ({} {})", tally.gaps, page.say(["up to", "最长"]), tally.gap_length_max),
    );
    page.value(["Wrong recipient", "错投"], tally.wrong_recipient);
    page.value(["Corrupt", "损坏"], tally.corrupt);
    for (count, words) in [
        (tally.invented, ["Invented", "凭空出现"]),
        (tally.repeats, ["Marked repeats", "标记重发"]),
        (counters.unmatched_answers, ["Unmatched answers", "不匹配的应答"]),
        (counters.messages_retried, ["Sent again", "重新发送"]),
        (counters.answer_timeouts, ["Answers overdue", "应答超时"]),
        (tally.foreign, ["Of another run", "其他批次"]),
        (counters.frames_unrecognised, ["Unrecognised frames", "无法识别的帧"]),
    ] {
        if count > 0 {
            page.value(words, count);
        }
    }
    for lost in tally.examples.iter().take(5) {
        let acked = if lost.acked { ", acked" } else { "" };
        page.line(&format!(
            "  {}: {} -> {}, #{}{acked}",
            page.say(["lost", "丢失"]),
            lost.sender,
            lost.recipient,
            lost.seq
        ));
    }
}

fn steps(page: &mut Page, report: &Report) {
    if !matches!(
        report.plan.scenario().behaviour(&report.plan).disruption,
        Disruption::Ladder { .. }
    ) {
        return;
    }
    page.section(["Connections a second", "建连速率"]);
    for step in &report.steps {
        let word =
            if step.worked { page.say(["ok", "通过"]) } else { page.say(["FAILED", "失败"]) };
        page.line(&format!(
            "  {:>8.0}/s  -> {:>8.0}/s  {:>7}/{:<7}  p50 {:.2} ms  p99 {:.2} ms  {word}",
            step.offered, step.reached, step.ok, step.attempted, step.p50_ms, step.p99_ms
        ));
    }
    let knee = report.steps.iter().take_while(|step| step.worked).last();
    page.value(
        ["Knee", "拐点"],
        knee.map_or("-".to_owned(), |step| format!("{:.0}/s", step.offered)),
    );
}

fn server(page: &mut Page, report: &Report) {
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
    if let Some(url) = server.metrics_url.as_ref().filter(|_| !server.metrics.is_empty()) {
        page.value(["Metrics", "指标"], format!("{url} ({})", server.metrics.len()));
    }
}

fn errors(page: &mut Page, report: &Report) {
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

fn generator(page: &mut Page, report: &Report) {
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

fn verdict(page: &mut Page, report: &Report) {
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
