//! The top of the page: what it comes to, the plan in words, the figures that matter, and
//! the ledger.

use std::fmt::Write;

use super::super::{Limit, Rating, Report, plan_in_words};
use super::both;
use super::figures::main_kind;
use crate::plot::numbers::{bytes, grouped, milliseconds, rate};
use crate::plot::svg::escape;
use crate::verdict::Outcome;

pub(super) fn write(report: &Report) -> String {
    [head(report), tiles(report), ledger(report)].concat()
}

/// When the run began, in UTC.
pub(super) fn date(report: &Report) -> String {
    crate::calendar::in_words(report.started_at_ms)
}

/// An outcome in a sentence.
pub(crate) fn outcome_words(outcome: Outcome) -> [&'static str; 2] {
    match outcome {
        Outcome::Ok => ["Everything held", "全部达标"],
        Outcome::ThresholdMissed => ["A requirement was missed", "有指标未达标"],
        Outcome::Invalid => [
            "Invalid: the generator was at its own limit, so the figures say nothing about the server",
            "无效：压测端达到自身上限，数据不能说明服务端",
        ],
        Outcome::DeliveryBroken => ["Deliveries are broken", "投递出错"],
        Outcome::SetUp => ["Nothing connected", "没有建立任何连接"],
        Outcome::Regression => ["Worse than the baseline", "劣于基线"],
        Outcome::Error => ["An error of this program or machine", "程序或机器出错"],
        Outcome::Usage => ["The plan is wrong", "计划有误"],
    }
}

fn tone(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "good",
        Outcome::ThresholdMissed | Outcome::Invalid => "poor",
        _ => "bad",
    }
}

fn head(report: &Report) -> String {
    let verdict = &report.verdict;
    let tone = tone(verdict.outcome);
    // The badge's form says it as well as its colour.
    let sign = match tone {
        "good" => {
            r#"<path d="M5 10.5l3.2 3.2L15 7" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/>"#
        }
        "poor" => {
            r#"<path d="M10 5.5v5.5M10 14.2v.1" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round"/>"#
        }
        _ => {
            r#"<path d="M6.5 6.5l7 7M13.5 6.5l-7 7" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round"/>"#
        }
    };
    let mut reasons: Vec<String> = Vec::new();
    reasons.extend(verdict.broken.iter().map(|reason| escape(reason)));
    reasons.extend(verdict.invalid.iter().map(|reason| escape(reason)));
    reasons.extend(verdict.requirements.iter().filter(|requirement| !requirement.held).map(
        |requirement| {
            format!(
                "{}: {} ({} {})",
                escape(&requirement.what),
                rate(requirement.measured),
                escape(requirement.relation.symbol()),
                rate(requirement.wanted)
            )
        },
    ));
    if report.interrupted {
        reasons.push(both(["ended early by the user", "被用户提前结束"]));
    }
    let reasons = if reasons.is_empty() {
        String::new()
    } else {
        let items: String = reasons.iter().map(|reason| format!("<li>{reason}</li>")).collect();
        format!("<ul>{items}</ul>")
    };
    let held = verdict.requirements.iter().filter(|requirement| requirement.held).count();
    let checks = if verdict.requirements.is_empty() {
        String::new()
    } else {
        let all = verdict.requirements.len();
        format!(
            " · {}",
            both([format!("{held} of {all} requirements held"), format!("{held}/{all} 项达标")])
        )
    };
    format!(
        r#"<section class="verdict tone-{tone}"><div class="badge"><svg viewBox="0 0 20 20" aria-hidden="true"><circle cx="10" cy="10" r="9" fill="none" stroke="currentColor" stroke-width="1.6"/>{sign}</svg>{}</div><h1>{}</h1><p class="soft small">{}{checks} · {} {}</p>{reasons}<p class="lead">{}</p></section>
"#,
        both(outcome_words(verdict.outcome)),
        escape(&report.plan.scenario),
        escape(&date(report)),
        both(["exit code", "退出码"]),
        verdict.exit_code,
        both(plan_in_words(&report.plan)),
    )
}

/// A figure with a name, and how good it is, if that can be said.
struct Tile {
    name: [String; 2],
    value: String,
    unit: &'static str,
    rating: Option<Rating>,
    /// Said instead of a rating.
    note: Option<[String; 2]>,
}

impl Tile {
    fn new(name: [&str; 2], value: String, unit: &'static str) -> Self {
        Self { name: name.map(str::to_owned), value, unit, rating: None, note: None }
    }

    fn rated(self, rating: Rating) -> Self {
        Self { rating: Some(rating), ..self }
    }

    fn noted<T: Into<String>>(self, note: [T; 2]) -> Self {
        Self { note: Some(note.map(Into::into)), ..self }
    }

    fn write(&self) -> String {
        let below = match (self.rating, &self.note) {
            (Some(rating), _) => format!(
                r#"<div class="rating tone-{}">{}</div>"#,
                rating_tone(rating),
                both(rating.words())
            ),
            (None, Some(note)) => {
                format!(r#"<div class="soft small">{}</div>"#, both(note.each_ref()))
            }
            (None, None) => String::new(),
        };
        let unit = match self.unit {
            "" => String::new(),
            unit => format!("<small>{unit}</small>"),
        };
        format!(
            r#"<div class="tile"><div class="name">{}</div><div class="value">{}{unit}</div>{below}</div>"#,
            both(self.name.each_ref()),
            escape(&self.value),
        )
    }
}

/// The colour in which a rating is written.
pub(crate) fn rating_tone(rating: Rating) -> &'static str {
    match rating {
        Rating::Excellent => "good",
        Rating::Good => "fair",
        Rating::Poor => "poor",
        Rating::Bad => "bad",
    }
}

fn tiles(report: &Report) -> String {
    let (counters, rates) = (&report.counters, &report.rates);
    let mut tiles = vec![
        Tile::new(["Connected", "连接成功率"], percent(rates.connected_percent), "%")
            .rated(Rating::of_share(rates.connected_percent)),
    ];
    if let Some((kind, name)) = main_kind(report)
        && let Some(times) = report.times(kind)
    {
        let named =
            |suffix: &str| [format!("{} {suffix}", name[0]), format!("{} {suffix}", name[1])];
        let tile = |suffix, value| Tile {
            name: named(suffix),
            ..Tile::new(["", ""], milliseconds(value), "ms")
        };
        tiles.push(tile("p50", times.p50).rated(Rating::of_p50(times.p50)));
        tiles.push(tile("p99", times.p99).rated(Rating::of_p99(times.p99)));
        let most = milliseconds(times.max);
        tiles.push(
            tile("p99.9", times.p999).noted([format!("max {most} ms"), format!("最大 {most} ms")]),
        );
    }
    if counters.pings_sent > 0 {
        tiles.push(
            Tile::new(["Pings answered", "Pong 响应率"], percent(rates.pong_percent), "%")
                .rated(Rating::of_share(rates.pong_percent)),
        );
    }
    let (ok, asked) = (grouped(counters.connects_ok), grouped(counters.connects_attempted));
    tiles.push(
        Tile::new(["Connections", "连接数"], ok, "")
            .noted([format!("of {asked} tried"), format!("共尝试 {asked}")]),
    );
    if counters.messages_due > 0 {
        let due = rate(rates.due_per_second);
        tiles.push(
            Tile::new(["Sent", "发送"], rate(rates.sent_per_second), "/s")
                .noted([format!("due {due}/s"), format!("计划 {due}/秒")]),
        );
        let acked = rate(rates.acked_per_second);
        tiles.push(
            Tile::new(["Delivered", "送达"], rate(rates.delivered_per_second), "/s")
                .noted([format!("acknowledged {acked}/s"), format!("确认 {acked}/秒")]),
        );
    }
    if counters.messages_due > 0 {
        let faults = report.deliveries.faults();
        let rating = if faults == 0 { Rating::Excellent } else { Rating::Bad };
        let note = if faults == 0 {
            ["each once, in order, unchanged", "不丢、不重、有序、完整"]
        } else {
            ["see the ledger", "见下方核对"]
        };
        tiles.push(Tile {
            rating: (faults > 0).then_some(rating),
            ..Tile::new(["Delivery faults", "投递错误"], grouped(faults), "").noted(note)
        });
    }
    if let Some(server) = &report.server {
        if let Some(per_connection) = server.memory_per_connection {
            tiles.push(
                Tile::new(
                    ["Server memory per connection", "服务端每连接内存"],
                    bytes(per_connection),
                    "",
                )
                .noted(["resident, without the kernel's", "常驻内存，不含内核"]),
            );
        }
        if let Some(cores) = server.cores_used {
            let limit = limit_words(report.generator.limit);
            tiles.push(
                Tile::new(["Server CPU", "服务端 CPU"], format!("{cores:.2}"), "cores")
                    .noted([format!("limit: {}", limit[0]), format!("瓶颈：{}", limit[1])]),
            );
        }
    }
    let tiles: String = tiles.iter().map(Tile::write).collect();
    format!("<div class=\"tiles\">{tiles}</div>\n")
}

/// Who was the limit.
pub(crate) fn limit_words(limit: Limit) -> [&'static str; 2] {
    match limit {
        Limit::Plan => ["neither, the plan asked for no more", "均未到上限，计划仅要求如此"],
        Limit::Server => ["the server", "服务端"],
        Limit::Generator => ["this generator", "压测端"],
        Limit::Machine => ["the machine that both share", "双方共用的机器"],
    }
}

fn percent(value: f64) -> String {
    // 99.996 is not 100.
    format!("{:.2}", (value * 100.0).floor() / 100.0)
}

fn ledger(report: &Report) -> String {
    let tally = &report.deliveries;
    if report.counters.messages_due == 0 {
        return String::new();
    }
    let parts = [
        (tally.delivered, ["delivered", "送达"], "s1", false),
        (tally.recovered, ["recovered", "历史补回"], "s0", false),
        (tally.lost, ["lost", "丢失"], "s3", true),
        (tally.not_entitled, ["not entitled", "无权接收"], "s5", false),
        (tally.unconfirmed, ["unconfirmed", "未确认"], "s2", false),
    ];
    let mut equation = term(tally.expected, ["expected", "应达"], false);
    let mut share = String::new();
    for (place, (count, name, colour, is_fault)) in parts.into_iter().enumerate() {
        // Writing to a string can't fail.
        let _ =
            write!(equation, r#"<span class="sign">{}</span>"#, if place == 0 { "=" } else { "+" });
        equation += &term(count, name, is_fault && count > 0);
        if count > 0 {
            let width = 100.0 * count as f64 / tally.expected.max(1) as f64;
            let _ = write!(
                share,
                r#"<i class="{colour}" style="width:{width:.4}%;background:var(--c)"></i>"#
            );
        }
    }
    let faults = [
        (tally.acked_but_lost, ["acknowledged but lost", "已确认却丢失"]),
        (tally.duplicates, ["duplicates", "重复"]),
        (tally.reordered, ["out of order", "乱序"]),
        (tally.gaps, ["gaps", "空洞"]),
        (tally.wrong_recipient, ["wrong recipient", "错投"]),
        (tally.corrupt, ["corrupt", "损坏"]),
        (tally.invented, ["invented", "凭空出现"]),
        (report.counters.unmatched_answers, ["unmatched answers", "不匹配的应答"]),
    ];
    let faults: String = faults
        .into_iter()
        .map(|(count, name)| {
            let class = if count > 0 { r#" class="bad""# } else { "" };
            format!("<span{class}><b>{}</b> {}</span>", grouped(count), both(name))
        })
        .collect();
    format!(
        "<h2>{}</h2>\n<section class=\"ledger\"><div class=\"equation\">{equation}</div>\
         <div class=\"share\" aria-hidden=\"true\">{share}</div><div class=\"faults\">{faults}</div></section>\n",
        both(["Where every message went", "每条消息的去向"]),
    )
}

fn term(count: u64, name: [&str; 2], is_bad: bool) -> String {
    let class = if is_bad { "term bad" } else { "term" };
    format!(r#"<div class="{class}"><b>{}</b><span>{}</span></div>"#, grouped(count), both(name))
}

/// The command line, and where to read more.
pub(super) fn footer(report: &Report) -> String {
    let name = |en: &str, zh: &str| both([en, zh]);
    format!(
        "<p class=\"soft small\" style=\"margin-top:40px\">wsbench {} · {} · {}</p>\n",
        escape(&report.wsbench),
        escape(&report.form),
        name(
            "latency counts from the time a message was meant to be sent; ramp, warm-up and drain are not measured",
            "延迟从计划发送时刻起算；建连、预热与收尾阶段不计入"
        ),
    )
}
