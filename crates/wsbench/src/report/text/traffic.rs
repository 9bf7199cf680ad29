//! What went over the connections.

use super::super::{Rating, Report, TimesSummary};
use super::Page;
use crate::scenario::Disruption;

pub(super) fn connections(page: &mut Page, report: &Report) {
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

pub(super) fn times_section(page: &mut Page, report: &Report) {
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

pub(super) fn pings(page: &mut Page, report: &Report) {
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

pub(super) fn presence(page: &mut Page, report: &Report) {
    let counters = &report.counters;
    if counters.presences_told == 0 {
        return;
    }
    page.section(["Presence", "在线状态"]);
    page.value(["Followers told", "通知次数"], counters.presences_told);
    page.value(["In the end unaware", "最终未知"], counters.presences_wrong);
    row(page, ["Who came (ms)", "上线通知 (ms)"], report.times("arrival"));
    row(page, ["Who went (ms)", "下线通知 (ms)"], report.times("departure"));
}

pub(super) fn messages(page: &mut Page, report: &Report) {
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
    conditions(page, report);
    if counters.receipts_sent > 0 {
        let per_second = counters.receipts_sent as f64 / report.measured_seconds.max(1e-9);
        page.value(
            ["Receipts", "回执"],
            format!(
                "{} {} ({per_second:.1}/s), {} {}",
                page.say(["sent", "发送"]),
                counters.receipts_sent,
                page.say(["relayed", "转发"]),
                counters.receipts_received
            ),
        );
    }
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

/// What must stand beside every rate.
fn conditions(page: &mut Page, report: &Report) {
    let (plan, conditions) = (&report.plan, &report.rates.conditions);
    let fsync = match conditions.fsync_p99_ms {
        Some(ms) => format!("fsync p99 <= {ms} ms"),
        None => page
            .say(["fsync p99 unknown (--server-metrics)", "fsync p99 未知（--server-metrics）"])
            .to_owned(),
    };
    page.value(
        ["  with", "  条件"],
        format!(
            "{} B, {} {}, {} {}, {fsync}",
            conditions.payload_bytes,
            conditions.connections,
            page.say(["connections", "连接"]),
            conditions.conversations,
            page.say(["conversations", "会话"]),
        ),
    );
    let kind = conditions.loop_in_words(plan);
    let kind = &kind[usize::from(page.chinese)];
    let mean =
        conditions.in_flight_mean.map_or_else(|| "-".to_owned(), |mean| format!("{mean:.1}"));
    page.value(
        ["  under way", "  在途"],
        format!("{mean} {} ({kind})", page.say(["on average", "平均"])),
    );
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
        (tally.returned, ["Back at the sender", "返回给发送者"]),
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

/// Whether latency grows while the load does not.
pub(super) fn drift(page: &mut Page, report: &Report) {
    if let Some(trend) = &report.latency_trend {
        page.section(["Drift", "漂移"]);
        page.value(
            ["P99 trend", "P99 趋势"],
            format!(
                "{:+.2} %/h (95 %: {:+.2} .. {:+.2})",
                trend.percent_per_hour, trend.percent_per_hour_low, trend.percent_per_hour_high
            ),
        );
    }
}

pub(super) fn steps(page: &mut Page, report: &Report) {
    if !matches!(report.plan.behaviour().disruption, Disruption::Ladder { .. }) {
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
