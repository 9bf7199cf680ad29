//! The steps of a rising load.

use std::fmt::Write;

use super::{both, card, put};
use crate::plot::numbers::{bytes, grouped, milliseconds, rate};
use crate::plot::svg::escape;
use crate::report::Report;
use crate::report::rising::{Rises, beyond_words, knee_load, mark_words, refusals, rises};
use crate::worker::Plateau;

pub(super) fn plateaus(report: &Report) -> String {
    let Some(rises) = rises(report).filter(|_| !report.plateaus.is_empty()) else {
        return String::new();
    };
    let (titles, title) = match rises {
        Rises::Rate => (
            vec![
                ["Meant, /s", "计划 /秒"],
                ["sent", "发送"],
                ["acknowledged", "确认"],
                ["delivered", "送达"],
                ["p50 ms", "p50 ms"],
                ["p99 ms", "p99 ms"],
            ],
            ["Messages a second, step by step", "消息速率阶梯"],
        ),
        Rises::Connections => (
            vec![
                ["Connections", "连接数"],
                ["established", "成功"],
                ["connect p99 ms", "连接 p99 ms"],
                ["ping p50 ms", "Ping p50 ms"],
                ["ping p99 ms", "Ping p99 ms"],
                ["server memory", "服务端内存"],
            ],
            ["Connections, step by step", "连接数阶梯"],
        ),
    };
    let mut table = "<table><tr>".to_owned();
    for title in titles {
        put!(table, "<th>{}</th>", both(title));
    }
    table += "<th></th></tr>";
    for step in &report.plateaus {
        table += "<tr>";
        let cells = match rises {
            Rises::Rate => rate_cells(step),
            Rises::Connections => connection_cells(step),
        };
        for cell in cells {
            put!(table, "<td>{cell}</td>");
        }
        let class = if step.worked { "held" } else { "missed" };
        put!(table, "<td class=\"{class}\">{}", both(mark_words(step)));
        for (reason, count) in refusals(step) {
            put!(
                table,
                "<br><span class=\"soft\">{} {}: {}</span>",
                both(["refused", "拒绝"]),
                escape(reason),
                grouped(count)
            );
        }
        table += "</td></tr>";
    }
    table += "</table>";
    if rises == Rises::Rate {
        let knee = knee_load(report).map_or_else(|| "–".to_owned(), |load| format!("{load:.0}/s"));
        put!(
            table,
            "<p class=\"small\">{}: <b>{knee}</b>. {}: {}.</p>",
            both(["Knee", "拐点"]),
            both(["Beyond it", "超过拐点"]),
            both(beyond_words(&report.plateaus)),
        );
    }
    card(title, " wide", &table)
}

fn rate_cells(step: &Plateau) -> [String; 6] {
    let [p50, p99] = two(step.e2e_ms);
    let counts = [step.sent, step.acked, step.delivered].map(grouped);
    let [sent, acked, delivered] = counts;
    [rate(step.load), sent, acked, delivered, p50, p99]
}

fn connection_cells(step: &Plateau) -> [String; 6] {
    let ([_, connect], [p50, p99]) = (two(step.connect_ms), two(step.ping_ms));
    let established = format!("{} / {}", grouped(step.connected), grouped(step.attempted));
    let memory = step.server_memory.map_or_else(|| "–".to_owned(), |most| bytes(most as f64));
    [rate(step.load), established, connect, p50, p99, memory]
}

fn two(times: Option<[f64; 2]>) -> [String; 2] {
    times.map_or_else(|| ["–", "–"].map(str::to_owned), |times| times.map(milliseconds))
}
