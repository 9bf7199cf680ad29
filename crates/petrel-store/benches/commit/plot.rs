//! A picture of commits over time, as SVG.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::trace::Moment;

const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;
const COLUMNS: usize = 560;
/// The ends of the logarithmic axis.
const SHORTEST_MS: f64 = 1.0;
const LONGEST_MS: f64 = 1000.0;

/// Each commit with its end and how long it took; and what the store did meanwhile.
pub(crate) fn write(path: &Path, title: &str, commits: &[(Instant, Duration)], moments: &[Moment]) {
    let (Some(first), Some(last)) = (commits.first(), commits.last()) else { return };
    let begin = first.0 - first.1;
    let span = (last.0 - begin).as_secs_f64();
    let x = |at: Instant| {
        LEFT + at.saturating_duration_since(begin).as_secs_f64() / span * (WIDTH - LEFT - 20.0)
    };
    let mut svg = String::new();
    let _ = write!(
        svg,
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' \
         font-family='sans-serif' font-size='13'>\n\
         <rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>\n\
         <text x='{LEFT}' y='20' font-size='16'>{title}</text>\n\
         <text x='{LEFT}' y='38' fill='#555'>dark: median, light: slowest commit of its moment; \
         shaded: a flush; ticks below: the log begins again</text>\n"
    );
    flushes(&mut svg, moments, &x, last.0);
    axes(&mut svg, span);
    let mut buckets = vec![Vec::new(); COLUMNS];
    for (end, took) in commits {
        let share = (*end - begin).as_secs_f64() / span;
        buckets[((share * COLUMNS as f64) as usize).min(COLUMNS - 1)].push(*took);
    }
    let width = (WIDTH - LEFT - 20.0) / COLUMNS as f64;
    for (index, bucket) in buckets.iter_mut().enumerate() {
        bucket.sort_unstable();
        let (Some(max), Some(median)) = (bucket.last(), bucket.get(bucket.len() / 2)) else {
            continue;
        };
        for (took, colour) in [(max, "#9bbfe8"), (median, "#1f5fa8")] {
            let (top, left) = (y(took.as_secs_f64() * 1e3), LEFT + index as f64 * width);
            let height = y(SHORTEST_MS) - top;
            let _ = writeln!(
                svg,
                "<rect x='{left:.1}' y='{top:.1}' width='{width:.1}' height='{height:.1}' \
                 fill='{colour}'/>"
            );
        }
    }
    for moment in moments.iter().filter(|moment| moment.what.contains("log begins again")) {
        let (x, y) = (x(moment.at), y(SHORTEST_MS));
        let _ = writeln!(
            svg,
            "<line x1='{x:.1}' y1='{y:.1}' x2='{x:.1}' y2='{:.1}' stroke='#c0392b'/>",
            y + 8.0
        );
    }
    svg.push_str("</svg>\n");
    std::fs::write(path, svg).unwrap();
}

fn flushes(svg: &mut String, moments: &[Moment], x: &impl Fn(Instant) -> f64, end: Instant) {
    let mut began = None;
    let mut shade = |from: f64, to: f64| {
        let (width, height) = (to - from, HEIGHT - TOP - BOTTOM);
        let _ = writeln!(
            svg,
            "<rect x='{from:.1}' y='{TOP}' width='{width:.1}' height='{height}' fill='#f3ead7'/>"
        );
    };
    for moment in moments {
        if moment.what.contains("tail is frozen") {
            began = Some(x(moment.at));
        } else if moment.what.contains("watermark has moved")
            && let Some(from) = began.take()
        {
            shade(from, x(moment.at));
        }
    }
    if let Some(from) = began {
        shade(from, x(end));
    }
}

fn axes(svg: &mut String, span_s: f64) {
    for milliseconds in [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0] {
        let (y, right) = (y(milliseconds), WIDTH - 20.0);
        let _ = writeln!(
            svg,
            "<line x1='{LEFT}' y1='{y:.1}' x2='{right}' y2='{y:.1}' stroke='#ddd'/>\
             <text x='{}' y='{:.1}' text-anchor='end'>{milliseconds} ms</text>",
            LEFT - 6.0,
            y + 4.0
        );
    }
    for number in 0..=10 {
        let share = f64::from(number) / 10.0;
        let _ = writeln!(
            svg,
            "<text x='{:.1}' y='{}' text-anchor='middle'>{:.0} s</text>",
            LEFT + share * (WIDTH - LEFT - 20.0),
            HEIGHT - BOTTOM + 26.0,
            share * span_s
        );
    }
}

fn y(milliseconds: f64) -> f64 {
    let share = (milliseconds.clamp(SHORTEST_MS, LONGEST_MS) / SHORTEST_MS).log10()
        / (LONGEST_MS / SHORTEST_MS).log10();
    HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
}
