//! What is on the screen, letter by letter.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;

use super::*;
use crate::adapter::AdapterKind;
use crate::metrics::{Counters, Sparse, Timing, no_times};
use crate::plan::{Language, Plan};
use crate::seconds::Seconds;
use crate::settings::Settings;
use crate::watch::Sample;
use crate::worker::Second;

fn plan() -> Plan {
    let settings = Settings {
        adapter: Some(AdapterKind::Echo),
        target: Some(vec!["ws://127.0.0.1:8084/ws".to_owned()]),
        conns: Some(400),
        rate: Some(2_000.0),
        ramp: Some("5s".parse().unwrap()),
        duration: Some("35s".parse().unwrap()),
        ..Settings::default()
    };
    Plan::resolve(Some("messaging"), settings).unwrap()
}

/// A run of so many seconds, with errors or without.
fn seconds(count: u64, errors: &[(&str, u64)]) -> Seconds {
    let mut seconds = Seconds::new(1);
    let mut counters = Counters { connects_attempted: 400, ..Counters::default() };
    for second in 1..=count {
        let mut times = no_times();
        for us in 1..=1000 {
            times.record(us * second.min(9)).unwrap();
        }
        counters.connects_ok = 400.min(80 * second);
        if second > 5 {
            counters.messages_due += 2_000;
            counters.messages_sent += 1_900 + second;
            counters.deliveries += 1_890 + second;
            counters.pings_sent += 13;
            counters.pongs_received += 13;
        }
        let update = Second {
            second,
            counters: counters.clone(),
            live: counters.connects_ok as u32,
            times: vec![
                (Timing::EndToEnd, Sparse::of(&times)),
                (Timing::Connect, Sparse::of(&times)),
            ],
            errors: errors.iter().map(|(class, count)| ((*class).to_owned(), *count)).collect(),
            duplicates: 0,
            reordered: 0,
        };
        seconds.add(0, update);
    }
    seconds.finish();
    seconds
}

fn shown(size: (u16, u16), change: impl FnOnce(&mut View<'_>)) -> Buffer {
    let (plan, seconds) = (plan(), seconds(12, &[]));
    let samples = [
        Sample { at_seconds: 0.0, memory: 50 << 20, cpu: 0 },
        Sample { at_seconds: 2.0, memory: 60 << 20, cpu: 1_500_000_000 },
    ];
    let mut view = View {
        plan: &plan,
        language: Language::En,
        seconds: &seconds,
        samples: &samples,
        elapsed_seconds: 12.0,
        ramped_at_seconds: Some(5.0),
        is_stopping: false,
        colour: true,
    };
    change(&mut view);
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| draw(frame, &view)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let lines = buffer.content().chunks(usize::from(buffer.area.width));
    let lines = lines.map(|line| {
        let line: String = line.iter().map(|cell| cell.symbol()).collect();
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}

#[test]
fn a_terminal_of_80_by_24_shows_everything() {
    let screen = text(&shown((80, 24), |_| {}));
    let expected = "\
\x20wsbench messaging  ws://127.0.0.1:8084/ws                        00:12 / 00:35
 ━━━━━━━━━━━━━━━━━─────────────────────────────────  ramp warm-up measure drain
╭ Connections ───────────────╮╭ Per second ────────────────────────────────────╮
│400 / 400  100 %            ││sent           1,912      ▇▇▇▇▇▇█               │
│failed 0  lost 0            ││delivered      1,902      ▇▇▇▇▇▇█               │
│opened      0/s ███         ││pongs             13      ███████               │
╰────────────────────────────╯╰────────────────────────────────────────────────╯
";
    assert!(screen.starts_with(expected), "{screen}");
    for part in [
        "╭ Latency (ms) ─",
        " now ",
        " all ",
        "p99.9",
        "end to end",
        "connect",
        "╭ Errors ─",
        "none",
        "╭ Server ─",
        "memory 60 MiB",
        "CPU 0.75 cores",
        "✓ Everything held; 0 duplicates, 0 out of order",
        " q  stop now, with a report",
    ] {
        assert!(screen.contains(part), "{part} is missing in\n{screen}");
    }
    assert_eq!(screen.lines().count(), 24);
}

#[test]
fn percentiles_are_those_of_the_last_second_and_of_all() {
    let screen = text(&shown((80, 24), |_| {}));
    let row = screen.lines().find(|line| line.contains("end to end")).unwrap();
    let figures: Vec<&str> = row.trim_matches('│').split_whitespace().skip(3).collect();
    // The last second has up to 9 ms.
    assert_eq!(figures[..4], ["4.50", "8.10", "8.91", "9.01"], "{row}");
    assert_eq!(figures.len(), 9, "{row}");
    let all: f64 = figures[4].parse().unwrap();
    assert_eq!(figures[7], "8.97", "{row}");
    assert!(all < 4.5, "{row}");
}

#[test]
fn errors_come_with_their_cure_and_bad_news_is_seen() {
    let seconds = seconds(12, &[("timeout", 7)]);
    let screen = text(&shown((100, 30), |view| {
        // Outlives the view: the test ends with it.
        view.seconds = Box::leak(Box::new(seconds));
    }));
    assert!(screen.contains("timeout 7 raise --handshake-timeout"), "{screen}");
}

#[test]
fn a_requirement_that_is_missed_is_told_at_once() {
    let seconds = seconds(3, &[]);
    let screen = text(&shown((120, 24), |view| view.seconds = Box::leak(Box::new(seconds))));
    assert!(screen.contains("! connections established (%) 60 (>= 99)"), "{screen}");
}

#[test]
fn without_colour_nothing_is_coloured_and_everything_is_said() {
    let buffer = shown((80, 24), |view| view.colour = false);
    let coloured =
        buffer.content().iter().filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
    assert_eq!(coloured.count(), 0);
    assert_eq!(text(&buffer), text(&shown((80, 24), |_| {})));
    let coloured = shown((80, 24), |_| {});
    assert!(coloured.content().iter().any(|cell| cell.fg == Color::Green));
}

#[test]
fn every_size_is_drawn() {
    for width in [1, 20, 49, 50, 79, 80, 133, 250] {
        for height in [1, 13, 14, 24, 34, 60] {
            let screen = text(&shown((width, height), |_| {}));
            assert_eq!(screen.lines().count(), usize::from(height));
        }
    }
    let large = text(&shown((140, 44), |_| {}));
    assert!(large.contains("end to end p50, p99 (ms)"), "a large terminal has a chart:\n{large}");
}

#[test]
fn it_speaks_chinese_and_says_that_it_stops() {
    let screen = text(&shown((100, 24), |view| {
        view.language = Language::Zh;
        view.is_stopping = true;
    }));
    // Each wide letter is followed by the cell that it covers.
    let narrow: String = screen.replace(' ', "");
    for part in ["连接", "每秒", "延迟(ms)", "正在停止"] {
        assert!(narrow.contains(part), "{part} is missing in\n{screen}");
    }
}

#[test]
fn phases_follow_each_other() {
    let phase = |elapsed, ramped, stopping| {
        let mut found = None;
        shown((80, 24), |view| {
            view.elapsed_seconds = elapsed;
            view.ramped_at_seconds = ramped;
            view.is_stopping = stopping;
            found = Some((view.phase(), view.progress()));
        });
        found.unwrap()
    };
    assert_eq!(phase(2.0, None, false).0, Phase::Ramp);
    assert_eq!(phase(5.5, Some(5.0), false).0, Phase::WarmUp);
    assert_eq!(phase(20.0, Some(5.0), false), (Phase::Measure, 20.0 / 35.0));
    assert_eq!(phase(20.0, Some(5.0), true).0, Phase::Drain);
    assert_eq!(phase(36.0, Some(5.0), false), (Phase::Drain, 1.0));
}
