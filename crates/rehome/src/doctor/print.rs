//! The findings, as a list for people or one JSON document.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use rehome_core::doctor::{Area, Finding, Verdict, worst};
use rehome_core::net::Vip;
use serde::Serialize;

/// Whether words may have a color. They mean the same without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// For a file or a pipe, or where `NO_COLOR` is set.
    Plain,
    /// For a terminal.
    Color,
}

impl Style {
    pub(super) fn of_stdout() -> Style {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if io::stdout().is_terminal() && !unwanted { Style::Color } else { Style::Plain }
    }

    fn paint(self, verdict: Verdict, text: &str) -> String {
        let code = match (self, verdict) {
            (Style::Plain, _) => return text.to_owned(),
            (Style::Color, Verdict::Ok) => "32",
            (Style::Color, Verdict::Unproven) => "2",
            (Style::Color, Verdict::Warning) => "33",
            (Style::Color, Verdict::Unknown) => "35",
            (Style::Color, Verdict::Failure) => "1;31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// In the order of the summary.
const VERDICTS: [Verdict; 5] =
    [Verdict::Failure, Verdict::Unknown, Verdict::Warning, Verdict::Ok, Verdict::Unproven];

/// Columns of the verdict's word; "unproven" is the longest.
const WORD_COLUMNS: usize = 8;

/// A list, by area: one line a finding, and one for its fix.
pub(super) fn text(findings: &[Finding], style: Style) -> String {
    let mut text = String::new();
    let mut area: Option<Area> = None;
    for finding in findings {
        if area != Some(finding.area) {
            let gap = if area.is_some() { "\n" } else { "" };
            push(&mut text, format_args!("{gap}{}\n", finding.area.title()));
            area = Some(finding.area);
        }
        let word = format!("{:<WORD_COLUMNS$}", finding.verdict.word());
        let word = style.paint(finding.verdict, &word);
        push(&mut text, format_args!("  {word}  {}: {}\n", finding.check, finding.evidence));
        if let Some(fix) = &finding.fix {
            let indent = WORD_COLUMNS + 4;
            push(&mut text, format_args!("{:indent$}fix: {fix}\n", ""));
        }
    }
    let counts: Vec<String> = VERDICTS
        .into_iter()
        .filter_map(|verdict| {
            let count = findings.iter().filter(|finding| finding.verdict == verdict).count();
            let text = format!("{count} {}", verdict.word());
            (count > 0).then(|| style.paint(verdict, &text))
        })
        .collect();
    push(&mut text, format_args!("\n{}\n", counts.join(", ")));
    text
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("writing to a String can't fail");
}

#[derive(Serialize)]
struct Document<'a> {
    vip: String,
    verdict: Verdict,
    exit_code: u8,
    findings: &'a [Finding],
}

/// The lists of several addresses.
pub(super) fn text_of_many(all: &[(Vip, Vec<Finding>)], style: Style) -> String {
    let one =
        |(vip, findings): &(Vip, Vec<Finding>)| format!("== {vip}\n{}", text(findings, style));
    all.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// One document with the documents of several addresses.
pub(super) fn json_of_many(
    all: &[(Vip, Vec<Finding>)],
    exit_code: u8,
    code_of: impl Fn(Verdict) -> u8,
) -> String {
    let one = |(vip, findings): &(Vip, Vec<Finding>)| {
        let document = document(*vip, findings, code_of(worst(findings)));
        serde_json::to_value(document).expect("findings are made of plain values")
    };
    let addresses: Vec<_> = all.iter().map(one).collect();
    let whole = serde_json::json!({ "exit_code": exit_code, "addresses": addresses });
    format!("{whole:#}\n")
}

fn document(vip: Vip, findings: &[Finding], exit_code: u8) -> Document<'_> {
    Document { vip: vip.to_string(), verdict: worst(findings), exit_code, findings }
}

/// One document with all findings.
pub(super) fn json(vip: Vip, findings: &[Finding], exit_code: u8) -> String {
    let text = serde_json::to_string_pretty(&document(vip, findings, exit_code));
    text.expect("findings are made of plain values") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        let finding = |check: &str, area, verdict, fix: Option<&str>| Finding {
            check: check.to_owned(),
            area,
            verdict,
            evidence: "seen".to_owned(),
            fix: fix.map(str::to_owned),
        };
        vec![
            finding("icmp", Area::Machine, Verdict::Ok, None),
            finding("ingress", Area::Path, Verdict::Failure, Some("aws ec2 authorize")),
            finding("egress", Area::Path, Verdict::Warning, Some("a word")),
        ]
    }

    #[test]
    fn the_list_reads_without_color() {
        assert_eq!(
            text(&findings(), Style::Plain),
            "This machine\n\
             \x20 ok        icmp: seen\n\
             \n\
             Packets\n\
             \x20 FAILED    ingress: seen\n\
             \x20           fix: aws ec2 authorize\n\
             \x20 warning   egress: seen\n\
             \x20           fix: a word\n\
             \n\
             1 FAILED, 1 warning, 1 ok\n"
        );
    }

    #[test]
    fn color_changes_no_word() {
        let mut colored = text(&findings(), Style::Color);
        assert!(colored.contains("\x1b[1;31mFAILED  \x1b[0m"), "{colored}");
        for code in ["0", "2", "32", "33", "35", "1;31"] {
            colored = colored.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(colored, text(&findings(), Style::Plain));
    }

    #[test]
    fn the_document_has_verdicts_by_their_names_and_the_exit_code() {
        let json = json("10.0.0.10/32".parse().unwrap(), &findings(), 4);
        let document: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(document["verdict"], "failure");
        assert_eq!(document["exit_code"], 4);
        assert_eq!(document["vip"], "10.0.0.10");
        assert_eq!(document["findings"][1]["check"], "ingress");
        assert_eq!(document["findings"][1]["area"], "path");
        assert_eq!(document["findings"][0]["fix"], serde_json::Value::Null);
    }

    #[test]
    fn what_nothing_can_prove_leaves_the_document_well() {
        let mut findings = findings();
        findings.truncate(1);
        findings.push(Finding { verdict: Verdict::Unproven, ..findings[0].clone() });
        let json = json("10.0.0.10/32".parse().unwrap(), &findings, 0);
        let document: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(document["verdict"], "ok");
        assert_eq!(document["findings"][1]["verdict"], "unproven");
    }
}
