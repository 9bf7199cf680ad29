//! Plots as SVG, drawn without any library, to stand in a page that needs no network.
//!
//! A [`Plot`] says what is drawn; [`svg::draw`] draws it at a [`Size`]. Colours and fonts
//! are the page's: what is drawn has classes (`s0` … `s5`, `axis`, `grid`, `shade`), so
//! that light, dark and paper are a matter of the style sheet. Words come in two
//! languages, and the page shows one of them. What the values mean is not known here.

pub mod numbers;
pub mod scale;
pub mod svg;

pub use scale::{Axis, Scale};

/// The same in English and Chinese.
pub type Words = [String; 2];

/// The same in English and Chinese, from what is written in the program.
pub fn words(pair: [&str; 2]) -> Words {
    pair.map(str::to_owned)
}

/// A plot.
#[derive(Clone, Debug)]
pub struct Plot {
    /// What it shows, for those who cannot see it.
    pub title: Words,
    /// The axis from left to right.
    pub x: Axis,
    /// The axis from bottom to top.
    pub y: Axis,
    /// Stretches of the x axis that are set apart, with what they are.
    pub shades: Vec<(f64, f64, Words)>,
    /// What is drawn, the first at the back.
    pub layers: Vec<Layer>,
}

/// One series of a plot.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What it is.
    pub name: Words,
    /// How it is drawn.
    pub mark: Mark,
    /// Its colour: a place in the page's palette.
    pub colour: usize,
    /// From left to right. A value that is not a number breaks the line.
    pub points: Vec<(f64, f64)>,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark {
    /// A line.
    Line,
    /// A line with dashes, so that it is told from others without colour.
    Dashed,
    /// A line, and the area below it.
    Area,
    /// Bars from the bottom (or from what the layers with bars before have reached, if
    /// `stacked`), each so wide in units of the x axis.
    Bars {
        /// The width.
        width: f64,
        /// On top of the bars of the layers before.
        stacked: bool,
    },
    /// A bar from each point to the next, as of a histogram with buckets of many widths.
    Steps,
}

/// How large a plot is drawn, in the pixels of its own text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

impl Size {
    /// For a column of a wide page.
    pub const WIDE: Self = Self { width: 600, height: 270 };
    /// For a phone.
    pub const NARROW: Self = Self { width: 350, height: 250 };
}
