//! Words that must not stay in the tree.

use super::Finding;
use crate::files::File;

const TEXTS: [&str; 12] = [".rs", ".c", ".h", ".zig", ".ts", ".go", ".py", ".wat", ".toml", ".md", ".sh", "/run"];
const CODE: [&str; 8] = [".rs", ".c", ".h", ".zig", ".ts", ".go", ".py", ".wat"];

/// A word, the files it must not be in, and what to do.
struct Rule {
    word: &'static str,
    endings: &'static [&'static str],
    instead: &'static str,
}

// The words are written in two halves so that this file passes its own check.
const RULES: [Rule; 5] = [
    Rule { word: concat!("TO", "DO"), endings: &TEXTS, instead: "do it, or write down in the docs what is missing" },
    Rule { word: concat!("FIX", "ME"), endings: &TEXTS, instead: "mend it, or write down in the docs what is wrong" },
    Rule { word: concat!("X", "XX"), endings: &TEXTS, instead: "say what is to be known" },
    Rule { word: concat!("sla", "ve"), endings: &CODE, instead: "worker (docs/glossary.md)" },
    Rule { word: concat!("mas", "ter"), endings: &CODE, instead: "main (docs/glossary.md)" },
];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            for rule in RULES.iter().filter(|rule| file.is(rule.endings) && has_word(line, rule.word)) {
                findings.push(Finding::Error(format!("{}:{}: {}: {}", file.path, number + 1, rule.word, rule.instead)));
            }
        }
    }
    findings
}

/// Parts of a name count too: `worker_lcore` is two words.
fn has_word(line: &str, word: &str) -> bool {
    line.contains(word) && line.split(|c: char| !c.is_ascii_alphanumeric()).any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&[File { path: path.into(), text: text.into() }]).len()
    }

    #[test]
    fn leftovers_are_found_in_code_and_prose() {
        let leftover = concat!("// TO", "DO: later");
        assert_eq!((found("a.rs", leftover), found("docs/a.md", leftover), found("a.pcap.txt", leftover)), (1, 1, 0));
        assert_eq!(found("a.sh", "mktemp /tmp/a.XXXXXX"), 0);
    }

    #[test]
    fn old_names_are_found_inside_identifiers() {
        assert_eq!(found("a.rs", concat!("let mas", "ter_lcore = 0;")), 1);
        assert_eq!(found("a.rs", concat!("let web", "mas", "ter = 0;")), 0);
        assert_eq!(found("a.md", concat!("net_bonding0,sla", "ve=0000:01:00.0")), 0);
    }
}
