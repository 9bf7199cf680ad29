//! The report for people, in the layout of the reference systems' guide, English or
//! Chinese.

mod circumstances;
mod plateaus;
mod traffic;

use std::fmt::Write;

use circumstances::{errors, generator, server, verdict};
use traffic::{connections, drift, messages, pings, presence, steps, times_section};

use super::{Rating, Report};
use crate::plan::Language;

/// Writes the report.
pub(super) fn write(report: &Report, language: Language) -> String {
    let mut page = Page { text: String::new(), chinese: language == Language::Zh };
    page.rule(["Results", "压测结果"]);
    conditions(&mut page, report);
    connections(&mut page, report);
    times_section(&mut page, report);
    pings(&mut page, report);
    presence(&mut page, report);
    messages(&mut page, report);
    drift(&mut page, report);
    steps(&mut page, report);
    plateaus::plateaus(&mut page, report);
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
    page.value(["Adapter", "适配器"], plan.adapter.name());
    if report.interrupted {
        let text = page.say(["interrupted by the user", "被用户中断"]);
        page.line(text);
    }
}
