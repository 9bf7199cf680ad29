//! A comparison for people: text, Markdown, and GitHub's summaries.

use super::{Comparison, Difference, Judgement};
use crate::plan::Language;
use crate::plot::numbers::{milliseconds, rate};
use crate::verdict::Outcome;

impl Judgement {
    /// In English and Chinese.
    pub fn words(self) -> [&'static str; 2] {
        match self {
            Self::Worse => ["WORSE", "变差"],
            Self::Better => ["better", "变好"],
            Self::Same => ["same", "相同"],
            Self::Unclear => ["unclear", "不确定"],
        }
    }
}

impl Difference {
    fn values(&self) -> [String; 2] {
        let write = |value: f64| match self.unit.as_str() {
            "ms" => format!("{} ms", milliseconds(value)),
            unit => format!("{}{unit}", rate(value)),
        };
        [write(self.before), write(self.after)]
    }

    fn change(&self) -> String {
        format!("{:+.1} %", self.change_percent)
    }

    fn interval(&self) -> String {
        if self.low_percent.is_finite() {
            format!("{:+.1} … {:+.1} %", self.low_percent, self.high_percent)
        } else {
            "–".to_owned()
        }
    }
}

impl Comparison {
    /// For a terminal.
    pub fn text(&self, language: Language) -> String {
        let say = |words: [&'static str; 2]| words[usize::from(language == Language::Zh)];
        let [before, after] = self.runs;
        let mut text = format!(
            "{}: {} {before}, {} {after}\n\n{:<14}{:>16}{:>16}{:>11}{:>24}   \n",
            self.scenario,
            say(["runs of A", "A 次数"]),
            say(["of B", "B 次数"]),
            "",
            "A",
            "B",
            say(["change", "变化"]),
            format!("{:.0} %", self.confidence_percent),
        );
        for difference in &self.differences {
            let [was, is] = difference.values();
            text += &format!(
                "{:<14}{was:>16}{is:>16}{:>11}{:>24}   {}\n",
                difference.figure,
                difference.change(),
                difference.interval(),
                say(difference.judgement.words())
            );
        }
        for warning in &self.warnings {
            text += &format!("\n{}: {warning}", say(["warning", "警告"]));
        }
        if !self.warnings.is_empty() {
            text.push('\n');
        }
        text + &format!("\n{}\n", self.sentence(language))
    }

    /// For a job's summary.
    pub fn markdown(&self, language: Language) -> String {
        let say = |words: [&'static str; 2]| words[usize::from(language == Language::Zh)];
        let sign = if self.outcome() == Outcome::Ok { "✅" } else { "❌" };
        let mut text = format!(
            "### {sign} wsbench compare {}\n\n{}\n\n| | A | B | {} | {:.0} % | |\n|:---|---:|---:|---:|---:|:---|\n",
            self.scenario,
            self.sentence(language),
            say(["change", "变化"]),
            self.confidence_percent
        );
        for difference in &self.differences {
            let [was, is] = difference.values();
            text += &format!(
                "| {} | {was} | {is} | {} | {} | {} |\n",
                difference.figure,
                difference.change(),
                difference.interval(),
                say(difference.judgement.words())
            );
        }
        for warning in &self.warnings {
            text += &format!("\n> [!WARNING]\n> {warning}\n");
        }
        text
    }

    /// What it comes to, in a sentence.
    fn sentence(&self, language: Language) -> String {
        let say = |words: [&'static str; 2]| words[usize::from(language == Language::Zh)];
        let tolerated = self.tolerated_percent;
        if self.newly_broken {
            return say([
                "REGRESSION: deliveries are broken in B and were not in A",
                "退化：B 的投递出错，A 没有",
            ])
            .to_owned();
        }
        let of = |judgement| {
            let names =
                self.differences.iter().filter(|difference| difference.judgement == judgement);
            names.map(|difference| difference.figure.as_str()).collect::<Vec<_>>().join(", ")
        };
        let (worse, unclear) = (of(Judgement::Worse), of(Judgement::Unclear));
        match (worse.as_str(), unclear.as_str()) {
            ("", "") => format!("{} ({tolerated} %)", say(["No regression", "无退化"])),
            ("", unclear) => format!(
                "{} ({tolerated} %); {}: {unclear}",
                say(["No regression is shown", "未发现退化"]),
                say(["longer runs or more repeats would tell", "需更长或更多次运行才能确定"])
            ),
            (worse, _) => {
                format!("{} {tolerated} %: {worse}", say(["REGRESSION of more than", "退化超过"]))
            }
        }
    }
}
