//! The report as one HTML file that needs no network and no other file: hand-made plots,
//! tables, light and dark, English and Chinese, for screens, phones and paper.
//!
//! It reads whole without JavaScript. Language and theme are radio buttons and a style
//! sheet; the script only shows values under the pointer and remembers the choice.

mod figures;
mod series;
mod summary;
mod tables;

pub(crate) use summary::outcome_words;

use super::Report;
use crate::plan::Language;
use crate::plot::svg::escape;

/// Writes the report. `language` is what is shown first; the page holds both.
pub(super) fn write(report: &Report, language: Language) -> String {
    let title = format!("wsbench: {}, {}", report.plan.scenario, summary::date(report));
    let body = [
        summary::write(report),
        figures::write(report),
        tables::write(report),
        summary::footer(report),
    ];
    page(&title, language, &body.concat())
}

/// A whole page, with the house's style and switches around a body.
pub(crate) fn page(title: &str, language: Language, body: &str) -> String {
    let (lang, english, chinese) = match language {
        Language::En => ("en", " checked", ""),
        Language::Zh => ("zh-CN", "", " checked"),
    };
    let switches = format!(
        r#"<div class="switches"><fieldset class="switch"><legend>Language / 语言</legend><input type="radio" name="lang" id="lang-en" value="en"{english}><label for="lang-en">English</label><input type="radio" name="lang" id="lang-zh" value="zh"{chinese}><label for="lang-zh">中文</label></fieldset><fieldset class="switch"><legend>Theme / 主题</legend><input type="radio" name="theme" id="theme-auto" value="auto" checked><label for="theme-auto">{}</label><input type="radio" name="theme" id="theme-light" value="light"><label for="theme-light">{}</label><input type="radio" name="theme" id="theme-dark" value="dark"><label for="theme-dark">{}</label></fieldset></div>"#,
        both(["Auto", "自动"]),
        both(["Light", "浅色"]),
        both(["Dark", "深色"]),
    );
    format!(
        "<!DOCTYPE html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"wsbench {}\">\n<title>{}</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n<header class=\"top\"><div class=\"brand\">wsbench<em>{}</em></div>{switches}</header>\n\
         <main>\n{body}</main>\n<script>\n{}</script>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
        escape(title),
        include_str!("style.css"),
        both(["load and delivery report", "负载与投递报告"]),
        include_str!("script.js"),
    )
}

/// The same in both languages; the style sheet shows one of them. Escapes.
pub(crate) fn both<T: AsRef<str>>([english, chinese]: [T; 2]) -> String {
    let (english, chinese) = (english.as_ref(), chinese.as_ref());
    if english == chinese {
        return escape(english);
    }
    format!(
        r#"<span lang="en">{}</span><span lang="zh">{}</span>"#,
        escape(english),
        escape(chinese)
    )
}
