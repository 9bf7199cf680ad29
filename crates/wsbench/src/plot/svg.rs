//! Draws a plot.

use std::fmt::Write;

use super::numbers::short;
use super::{Layer, Mark, Plot, Size, Words};

/// Room beside the plot, in pixels: right, top, bottom. The left margin follows from what
/// is written there.
const RIGHT: f64 = 14.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 34.0;
/// How wide a letter of the axes is, about, in pixels.
const LETTER: f64 = 6.6;

/// The inner rectangle, where values lie.
struct Frame<'a> {
    plot: &'a Plot,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Frame<'_> {
    fn x(&self, value: f64) -> f64 {
        self.left + self.plot.x.scale.place(value) * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - self.plot.y.scale.place(value) * (self.bottom - self.top)
    }
}

/// Draws a plot as one `<svg>` element. `class` is what the style sheet calls it.
pub fn draw(plot: &Plot, size: Size, class: &str) -> String {
    let longest = plot.y.ticks.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(1);
    let frame = Frame {
        plot,
        left: 12.0 + LETTER * longest.max(2) as f64,
        right: f64::from(size.width) - RIGHT,
        top: TOP,
        bottom: f64::from(size.height) - BOTTOM,
    };
    let Size { width, height } = size;
    let (from, to) = plot.x.scale.ends();
    let log = matches!(plot.x.scale, super::Scale::Log { .. });
    let mut svg = format!(
        r#"<svg class="{class}" viewBox="0 0 {width} {height}" role="img" aria-label="{}" data-left="{:.1}" data-right="{:.1}" data-top="{:.1}" data-bottom="{:.1}" data-from="{from}" data-to="{to}" data-log="{log}">"#,
        escape(&format!("{} / {}", plot.title[0], plot.title[1])),
        frame.left,
        frame.right,
        frame.top,
        frame.bottom,
    );
    shades(&mut svg, &frame);
    axes(&mut svg, &frame);
    let mut reached: Vec<(f64, f64)> = Vec::new();
    for layer in &plot.layers {
        match layer.mark {
            Mark::Line | Mark::Dashed | Mark::Area => line(&mut svg, &frame, layer),
            Mark::Bars { width, stacked } => {
                bars(&mut svg, &frame, layer, width, stacked.then_some(&mut reached));
            }
            Mark::Steps => steps(&mut svg, &frame, layer),
        }
    }
    svg + "</svg>"
}

/// Writing to a string can't fail.
macro_rules! put {
    ($svg:expr, $($what:tt)*) => {{ let _ = write!($svg, $($what)*); }};
}

fn shades(svg: &mut String, frame: &Frame<'_>) {
    for (from, to, name) in &frame.plot.shades {
        let (left, right) = (frame.x(*from), frame.x(*to));
        if right - left < 0.5 {
            continue;
        }
        put!(
            svg,
            r#"<rect class="shade" x="{left:.1}" y="{:.1}" width="{:.1}" height="{:.1}"/>"#,
            frame.top,
            right - left,
            frame.bottom - frame.top
        );
        let longest = name.iter().map(|word| word.chars().count()).max().unwrap_or(0);
        if right - left > LETTER * longest as f64 + 6.0 {
            text(svg, "shade-name", left + 4.0, frame.top + 12.0, "start", name);
        }
    }
}

fn axes(svg: &mut String, frame: &Frame<'_>) {
    let plot = frame.plot;
    for (value, written) in &plot.y.ticks {
        let y = frame.y(*value);
        put!(
            svg,
            r#"<line class="grid" x1="{:.1}" x2="{:.1}" y1="{y:.1}" y2="{y:.1}"/><text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{written}</text>"#,
            frame.left,
            frame.right,
            frame.left - 6.0,
            y + 4.0
        );
    }
    put!(svg, r#"<text class="unit" x="{:.1}" y="12">{}</text>"#, 4.0, escape(&plot.y.unit));
    // What does not fit beside its neighbour is left out.
    let mut free_from = frame.left - 20.0;
    for (value, written) in &plot.x.ticks {
        let x = frame.x(*value);
        let half = LETTER * written.chars().count() as f64 / 2.0;
        put!(
            svg,
            r#"<line class="axis" x1="{x:.1}" x2="{x:.1}" y1="{:.1}" y2="{:.1}"/>"#,
            frame.bottom,
            frame.bottom + 4.0
        );
        if x - half < free_from || x + half > frame.right + RIGHT {
            continue;
        }
        free_from = x + half + 6.0;
        put!(
            svg,
            r#"<text class="tick" x="{x:.1}" y="{:.1}" text-anchor="middle">{written}</text>"#,
            frame.bottom + 17.0
        );
    }
    put!(
        svg,
        r#"<text class="unit" x="{:.1}" y="{:.1}" text-anchor="end">{}</text><line class="axis" x1="{:.1}" x2="{:.1}" y1="{:.1}" y2="{:.1}"/>"#,
        frame.right,
        frame.bottom + 31.0,
        escape(&plot.x.unit),
        frame.left,
        frame.right,
        frame.bottom,
        frame.bottom
    );
}

fn line(svg: &mut String, frame: &Frame<'_>, layer: &Layer) {
    let colour = layer.colour;
    let runs = layer.points.split(|(_, y)| !y.is_finite()).filter(|run| !run.is_empty());
    for run in runs {
        if let [(x, y)] = run {
            // A line of one point can't be seen.
            let (x, y) = (frame.x(*x), frame.y(*y));
            put!(svg, r#"<circle class="dot s{colour}" cx="{x:.1}" cy="{y:.1}" r="2"/>"#);
            continue;
        }
        let mut path = String::new();
        for (index, (x, y)) in run.iter().enumerate() {
            let letter = if index == 0 { 'M' } else { 'L' };
            put!(path, "{letter}{:.1} {:.1}", frame.x(*x), frame.y(*y));
        }
        if layer.mark == Mark::Area {
            let (first, last) = (frame.x(run[0].0), frame.x(run[run.len() - 1].0));
            let bottom = frame.bottom;
            put!(
                svg,
                r#"<path class="area s{colour}" d="{path}L{last:.1} {bottom:.1}L{first:.1} {bottom:.1}Z"/>"#
            );
        }
        let dashed = if layer.mark == Mark::Dashed { " dashed" } else { "" };
        put!(svg, r#"<path class="line s{colour}{dashed}" d="{path}"/>"#);
    }
}

fn bars(
    svg: &mut String,
    frame: &Frame<'_>,
    layer: &Layer,
    width: f64,
    mut reached: Option<&mut Vec<(f64, f64)>>,
) {
    for (x, height) in layer.points.iter().filter(|(_, height)| *height > 0.0) {
        let below = reached.as_mut().map_or(0.0, |reached| {
            match reached.iter_mut().find(|(at, _)| at == x) {
                Some((_, below)) => std::mem::replace(below, *below + height),
                None => {
                    reached.push((*x, *height));
                    0.0
                }
            }
        });
        let (left, right) = (frame.x(x - width / 2.0), frame.x(x + width / 2.0));
        let (top, bottom) = (frame.y(below + height), frame.y(below));
        put!(
            svg,
            r#"<rect class="bar s{}" x="{left:.1}" y="{top:.1}" width="{:.1}" height="{:.1}"/>"#,
            layer.colour,
            (right - left - 0.5).max(1.2),
            (bottom - top).max(0.8)
        );
    }
}

fn steps(svg: &mut String, frame: &Frame<'_>, layer: &Layer) {
    let Some((first, _)) = layer.points.first() else { return };
    let mut path = format!("M{:.1} {:.1}", frame.x(*first), frame.bottom);
    for pair in layer.points.windows(2) {
        let ((from, height), (to, _)) = (pair[0], pair[1]);
        put!(path, "L{:.1} {y:.1}L{:.1} {y:.1}", frame.x(from), frame.x(to), y = frame.y(height));
    }
    let last = layer.points.last().map_or(0.0, |(x, _)| *x);
    put!(
        svg,
        r#"<path class="steps s{}" d="{path}L{:.1} {:.1}Z"/>"#,
        layer.colour,
        frame.x(last),
        frame.bottom
    );
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, anchor: &str, words: &Words) {
    for (language, word) in ["en", "zh"].iter().zip(words) {
        put!(
            svg,
            r#"<text class="{class}" lang="{language}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#,
            escape(word)
        );
    }
}

/// What a script needs to show values under the pointer: one JSON object.
pub fn values(plot: &Plot) -> String {
    let mut xs: Vec<f64> =
        plot.layers.iter().flat_map(|layer| layer.points.iter().map(|(x, _)| *x)).collect();
    xs.sort_unstable_by(f64::total_cmp);
    xs.dedup();
    let layers: Vec<_> = plot
        .layers
        .iter()
        .map(|layer| {
            let mut points = layer.points.iter().peekable();
            let ys: Vec<_> = xs
                .iter()
                .map(|x| points.next_if(|(at, _)| at == x).filter(|(_, y)| y.is_finite()))
                .map(|point| point.map(|(_, y)| short(*y)))
                .collect();
            serde_json::json!({ "name": layer.name, "colour": layer.colour, "y": ys })
        })
        .collect();
    let xs: Vec<_> = xs.into_iter().map(|x| (x * 1e4).round() / 1e4).collect();
    serde_json::json!({ "x": xs, "xUnit": plot.x.unit, "yUnit": plot.y.unit, "layers": layers })
        .to_string()
}

/// Text as it may stand in an element or in an attribute.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            // Control characters may not stand in XML at all.
            c if c.is_control() && !matches!(c, '\n' | '\t') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::{Axis, words};
    use super::*;

    fn plot(mark: Mark, points: Vec<(f64, f64)>) -> Plot {
        Plot {
            title: words(["a <plot>", "图"]),
            x: Axis::exact(0.0, 10.0, 5, "s"),
            y: Axis::linear(0.0, 10.0, 5, "ms"),
            shades: Vec::new(),
            layers: vec![Layer { name: words(["it", "它"]), mark, colour: 1, points }],
        }
    }

    #[test]
    fn a_hole_breaks_the_line_and_a_single_point_is_a_dot() {
        let points = vec![(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 4.0)];
        let svg = draw(&plot(Mark::Line, points), Size::WIDE, "wide");
        assert_eq!(svg.matches(r#"<path class="line s1""#).count(), 1);
        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(svg.contains("a &lt;plot&gt;"), "titles are escaped: {svg}");
        assert!(!svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn stacked_bars_stand_on_each_other() {
        let mark = Mark::Bars { width: 1.0, stacked: true };
        let mut plot = plot(mark, vec![(5.0, 4.0)]);
        plot.layers.push(Layer { colour: 2, ..plot.layers[0].clone() });
        let svg = draw(&plot, Size::WIDE, "wide");
        let number = |text: &str, name: &str| -> f64 {
            let at = text.find(&format!(" {name}=\"")).unwrap() + name.len() + 3;
            text[at..].split('"').next().unwrap().parse().unwrap()
        };
        let bars: Vec<_> = svg.split("<rect class=\"bar").skip(1).collect();
        let [low, high] = bars[..] else { panic!("{svg}") };
        let top_of_low = number(low, "y");
        assert!((number(high, "y") + number(high, "height") - top_of_low).abs() < 0.2, "{svg}");
    }

    #[test]
    fn values_for_the_pointer_are_aligned() {
        let mut plot = plot(Mark::Line, vec![(0.0, 1.0), (2.0, 3.0)]);
        plot.layers
            .push(Layer { points: vec![(1.0, 7.0), (2.0, f64::NAN)], ..plot.layers[0].clone() });
        let values: serde_json::Value = serde_json::from_str(&values(&plot)).unwrap();
        assert_eq!(values["x"], serde_json::json!([0.0, 1.0, 2.0]));
        assert_eq!(values["layers"][0]["y"], serde_json::json!(["1", null, "3"]));
        assert_eq!(values["layers"][1]["y"], serde_json::json!([null, "7", null]));
    }
}
