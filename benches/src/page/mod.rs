//! The page about the benchmark, from results: `docs/benchmark.md` and its pictures.

mod parts;
mod svg;

use crate::against::Against;
use anyhow::{Context, Result, ensure};
use parts::{PARTS, Part};
use serde::Deserialize;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What of a run the page shows.
#[derive(Debug, Deserialize)]
struct Run {
    date: String,
    machine: Machine,
    quick: bool,
    results: Vec<Row>,
    #[serde(default)]
    moments: Vec<Moment>,
    #[serde(default)]
    against: Option<Against>,
}

#[derive(Debug, Deserialize)]
struct Moment {
    what: String,
    unit: String,
    times: usize,
    median: f64,
    p10: f64,
    p90: f64,
    worst: f64,
    aim: Option<f64>,
    is_aim_of_worst: bool,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Machine {
    cpu: String,
    cpus: usize,
    kernel: String,
    dpdk: String,
    huge_pages: bool,
}

#[derive(Debug, Deserialize)]
struct Row {
    part: String,
    work: String,
    port: String,
    burst: u16,
    variant: String,
    cycles: f64,
    p10: Option<f64>,
    p90: Option<f64>,
    twin_cycles: Option<f64>,
    twin: Option<String>,
    ratio: Option<f64>,
    aim: Option<f64>,
    missed_by: Option<f64>,
    quiet_slices: usize,
}

/// Writes page and pictures from files of results.
pub(crate) fn write(files: &[PathBuf], root: &Path) -> Result<()> {
    let runs = files.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?;
    let run = together(runs)?;
    let page = root.join("docs/benchmark.md");
    fs::write(&page, markdown(&run)).with_context(|| format!("cannot write {}", page.display()))?;
    println!("written: {}", page.display());
    for part in PARTS {
        let bars: Vec<_> = run.results.iter().filter(|row| row.part == part.name).filter_map(bar).collect();
        if part.has_picture && !bars.is_empty() {
            let picture = root.join("docs").join(picture(&part));
            fs::write(&picture, svg::bars(part.title, &bars))
                .with_context(|| format!("cannot write {}", picture.display()))?;
            println!("written: {}", picture.display());
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Run> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let run: Run =
        serde_json::from_str(&text).with_context(|| format!("{} has no results of this benchmark", file.display()))?;
    ensure!(!run.quick, "{} is of a quick run, whose figures say nothing: measure without --quick", file.display());
    Ok(run)
}

/// Runs of different parts on one machine, as one.
fn together(runs: Vec<Run>) -> Result<Run> {
    let mut runs = runs.into_iter();
    let mut all = runs.next().context("there are no results")?;
    for run in runs {
        ensure!(
            run.machine == all.machine,
            "the files are of different machines: {:?}, {:?}",
            all.machine,
            run.machine
        );
        let twice = run.results.iter().find(|row| all.results.iter().any(|other| other.part == row.part));
        ensure!(twice.is_none(), "two of the files have the part {:?}", twice.map(|row| &row.part));
        all.results.extend(run.results);
        all.moments.extend(run.moments);
        all.against = all.against.or(run.against);
    }
    Ok(all)
}

fn picture(part: &Part) -> String {
    format!("benchmark-{}.svg", part.name)
}

fn markdown(run: &Run) -> String {
    let huge = if run.machine.huge_pages { "with" } else { "without" };
    let m = &run.machine;
    let mut page = format!(
        "# Benchmark\n\n\
         <!-- Written by `perigee-bench --page bench.json`: change benches/src/page, and not this page. -->\n\n\
         Sandboxed packet processing beside native code and beside others, in cycles of the time stamp counter for a packet. Measured by \
         `./x bench --json bench.json` on {}, on {} ({} CPUs), Linux {}, {}, {huge} huge pages. This page is made of that file.\n\n\
         The **ratio** is the figure by that of the twin in the same run, in turns of slices: it holds from machine to machine far better than \
         cycles. Below 1 the module is faster. A tilde says that the core was not quiet, and that the figure is the median of all slices. [Measuring](measuring.md#x-bench) \
         says how it is measured, and in which direction each figure is wrong.\n\n{}",
        run.date.split('T').next().unwrap_or_default(),
        m.cpu,
        m.cpus,
        m.kernel,
        m.dpdk,
        missed(run)
    );
    for part in &PARTS {
        page.push_str(&section(part, run));
    }
    page + &moments(run) + &run.against.as_ref().map_or_else(String::new, against)
}

/// A part with its rows; nothing where it was not measured.
fn section(part: &Part, run: &Run) -> String {
    let rows: Vec<_> = run.results.iter().filter(|row| row.part == part.name).collect();
    let Part { title, about, why, .. } = part;
    let mut text = String::new();
    if rows.is_empty() {
        return text;
    }
    let _ = write!(text, "\n## {title}\n\n{about}\n\n");
    let missed = rows.iter().filter(|row| row.missed_by.is_some()).count();
    if missed != 0 {
        let aims = rows.iter().filter(|row| row.aim.is_some()).count();
        let _ = write!(text, "Of {aims} aims {missed} are missed. {why}\n\n");
    }
    if part.has_picture {
        let _ = write!(text, "![{title}: ratio to the twin]({})\n\n", picture(part));
    }
    text.push_str("| Work | Port | Burst | What | Ratio | Cycles | 10 % to 90 % | Twin | Aim |\n");
    text.push_str("|---|---|--:|---|--:|--:|--:|--:|---|\n");
    rows.into_iter().for_each(|row| text.push_str(&line(row)));
    text
}

/// Rows beside another build.
fn against(against: &Against) -> String {
    let mut text = format!(
        "\n## Beside an older revision\n\nThis build and one of {}, each {} times, in turns (`./x bench --against`): medians. The change is that of the ratio, \
         or of the cycles where there is no twin; less than nothing is faster. \"Apart\": by how much this build's slowest run is above its fastest. {} the older one's.\n\n\
         | Work | Port | Burst | What | Ratio before | Ratio now | Change | Cycles before | Cycles now | Apart |\n\
         |---|---|--:|---|--:|--:|--:|--:|--:|--:|\n",
        against.revision,
        against.turns,
        against.verdict()
    );
    for row in &against.rows {
        let (before, now) = (number(row.before_ratio, 2), number(row.now_ratio, 2));
        let worse = if against.worse().iter().any(|other| std::ptr::eq(*other, row)) { "**" } else { "" };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {before} | {now} | {worse}{:+.1} %{worse} | {:.1} | {:.1} | {:.1} % |",
            row.work, row.port, row.burst, row.variant, row.change, row.before_cycles, row.now_cycles, row.apart
        );
    }
    text
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(String::new, |v| format!("{v:.digits$}"))
}

impl Moment {
    /// Whether an aim is reached, or by how much it is missed.
    fn reached(&self, aim: f64) -> Result<(), f64> {
        let reached = if self.is_aim_of_worst { self.worst } else { self.median };
        if reached <= aim { Ok(()) } else { Err(reached - aim) }
    }
}

/// What is not by packet.
fn moments(run: &Run) -> String {
    if run.moments.is_empty() {
        return String::new();
    }
    let mut text = "\n## Moments\n\nWhat is not by packet, of processes as users start them: from the start of the process until its lcores work; a \
                    module that takes another one's place under load, from its bytes to its first packet; the control socket's answer on a \
                    connection of its own. Of a start a tenth of a second is DPDK's, which sleeps while it counts the time stamp counter where the CPU \
                    does not tell its rate; the first packet of a module waits until its file is read, checked and tried on a packet.\n\n\
                    | What | Median | 10 % to 90 % | Worst | Times | Aim |\n|---|--:|--:|--:|--:|---|\n"
        .to_owned();
    for m in &run.moments {
        let of = if m.is_aim_of_worst { ", worst" } else { "" };
        let aim = m.aim.map_or_else(String::new, |aim| match m.reached(aim) {
            Ok(()) => format!("{aim:.0} {}{of}: met", m.unit),
            Err(by) => format!("{aim:.0} {}{of}: **missed by {by:.1}**", m.unit),
        });
        let _ = writeln!(
            text,
            "| {} | {:.2} {} | {:.2}–{:.2} | {:.2} | {} | {aim} |",
            m.what, m.median, m.unit, m.p10, m.p90, m.worst, m.times
        );
    }
    text
}

/// What does not reach its aim.
fn missed(run: &Run) -> String {
    let moments: Vec<_> = run.moments.iter().filter_map(|m| Some((m, m.reached(m.aim?)))).collect();
    let with_aim = run.results.iter().filter(|row| row.aim.is_some()).count() + moments.len();
    let rows: Vec<_> = run.results.iter().filter(|row| row.missed_by.is_some()).collect();
    let late: Vec<_> = moments.into_iter().filter_map(|(m, reached)| Some((m, reached.err()?))).collect();
    if rows.is_empty() && late.is_empty() {
        return format!("Of {with_aim} rows that have an aim, all reach it.\n");
    }
    let mut text = format!("Of {with_aim} rows that have an aim, {} miss it:\n\n", rows.len() + late.len());
    for row in rows {
        let by = row.missed_by.unwrap_or_default();
        let _ = writeln!(
            text,
            "- {} ({}, {}, burst {}): by {by:.1} cycles, {:.1} instead of {:.1}",
            row.work,
            row.variant,
            row.port,
            row.burst,
            row.cycles,
            row.aim.unwrap_or_default()
        );
    }
    for (moment, by) in late {
        let _ = writeln!(text, "- {}: by {by:.1} {}", moment.what, moment.unit);
    }
    text
}

fn line(row: &Row) -> String {
    let tilde = if row.quiet_slices < 30 { "~" } else { "" };
    let range = row.p10.zip(row.p90).map_or_else(String::new, |(from, to)| format!("{from:.1}–{to:.1}"));
    let twin = match (&row.twin, row.twin_cycles) {
        (Some(name), Some(cycles)) => format!("{cycles:.1} ({name})"),
        _ => String::new(),
    };
    let aim = match (row.aim, row.missed_by) {
        (Some(aim), None) => format!("{aim:.1}: met"),
        (Some(aim), Some(by)) => format!("{aim:.1}: **missed by {by:.1}**"),
        (None, _) => String::new(),
    };
    format!(
        "| {} | {} | {} | {} | {} | {tilde}{:.1} | {range} | {twin} | {aim} |\n",
        row.work,
        row.port,
        row.burst,
        row.variant,
        number(row.ratio, 2),
        row.cycles
    )
}

/// What a picture shows of a row: its name, and its ratio.
fn bar(row: &Row) -> Option<(String, f64)> {
    let burst = if row.part == "works" { format!(", burst {}", row.burst) } else { String::new() };
    let twin = row.twin.as_deref().unwrap_or_default();
    let name = format!("{} {}, {}{burst}", row.work, row.port, row.variant);
    let name = if name.contains(" : ") { name } else { format!("{name} : {twin}") };
    row.ratio.map(|ratio| (name, ratio))
}

#[cfg(test)]
mod test {
    use super::*;

    const RESULTS: &str = r#"{ "date": "2026-11-30T22:00:00Z", "quick": false,
        "machine": { "cpu": "a <CPU>", "cpus": 2, "kernel": "6", "dpdk": "DPDK 22.11", "huge_pages": false },
        "results": [
            { "part": "functions", "work": "route-100k", "port": "net_ring", "burst": 64, "variant": "hot : rte_lpm", "cycles": 80.0, "p10": 79.0,
              "p90": 81.5, "twin_cycles": 50.0, "twin": "c", "ratio": 1.6, "aim": 74.5, "missed_by": 5.5, "quiet_slices": 100 },
            { "part": "works", "work": "template", "port": "net_null", "burst": 1, "variant": "wasm", "cycles": 20.0, "p10": null,
              "p90": null, "twin_cycles": 25.0, "twin": "c", "ratio": 0.8, "aim": 26.0, "missed_by": null, "quiet_slices": 3 } ],
        "moments": [
            { "what": "start", "unit": "ms", "times": 3, "median": 186.0, "p10": 180.0, "p90": 190.0, "worst": 194.0, "aim": 150.0,
              "is_aim_of_worst": false } ] }"#;

    const AGAINST: &str = r#"{ "date": "2026-12-01T08:00:00Z", "quick": false,
        "machine": { "cpu": "a <CPU>", "cpus": 2, "kernel": "6", "dpdk": "DPDK 22.11", "huge_pages": false }, "results": [],
        "against": { "revision": "5e983ea73f58", "turns": 2, "rows": [
            { "part": "works", "work": "template", "port": "net_null", "burst": 64, "variant": "wasm", "before_cycles": 20.0, "before_ratio": 1.0,
              "now_cycles": 30.0, "now_ratio": 1.5, "change": 50.0, "apart": 1.25 },
            { "part": "stages", "work": "template", "port": "net_null", "burst": 64, "variant": "price:ring", "before_cycles": 5.0,
              "before_ratio": null, "now_cycles": 4.0, "now_ratio": null, "change": -20.0, "apart": 3.0 } ] } }"#;

    fn run(text: &str) -> Run {
        serde_json::from_str(text).unwrap()
    }

    fn says(page: &str, texts: &[&str]) {
        texts.iter().for_each(|text| assert!(page.contains(text), "{text}\n{page}"));
    }

    #[test]
    fn a_page_says_what_misses_its_aim_and_by_how_much() {
        let page = markdown(&run(RESULTS));
        says(
            &page,
            &[
                "Of 3 rows that have an aim, 2 miss it:",
                "- route-100k (hot : rte_lpm, net_ring, burst 64): by 5.5 cycles, 80.0 instead of 74.5",
                "- start: by 36.0 ms",
                "Of 1 aims 1 are missed. By samples of the modules' machine code",
                "| route-100k | net_ring | 64 | hot : rte_lpm | 1.60 | 80.0 | 79.0–81.5 | 50.0 (c) | 74.5: **missed by 5.5** |",
                "| template | net_null | 1 | wasm | 0.80 | ~20.0 |  | 25.0 (c) | 26.0: met |",
                "](benchmark-functions.svg)",
            ],
        );
        assert!(!page.contains("## Chains"), "a part that was not measured has no place");
        assert!(!page.contains("older revision"));
    }

    #[test]
    fn each_part_that_has_aims_can_say_why_they_are_missed() {
        let without: Vec<_> = PARTS.iter().filter(|part| part.why.is_empty()).map(|part| part.name).collect();
        assert_eq!(without, ["pacing", "measuring"]);
    }

    #[test]
    fn what_has_become_slower_than_in_an_older_revision_stands_out() {
        let page = markdown(&together(vec![run(RESULTS), run(AGAINST)]).unwrap());
        says(
            &page,
            &[
                "one of 5e983ea73f58, each 2 times, in turns",
                "Of 1 rows with a twin, 1 have a ratio more than 2 % above the older one's.",
                "| template | net_null | 64 | wasm | 1.00 | 1.50 | **+50.0 %** | 20.0 | 30.0 | 1.2 % |",
                "| template | net_null | 64 | price:ring |  |  | -20.0 % | 5.0 | 4.0 | 3.0 % |",
            ],
        );
    }

    #[test]
    fn files_of_other_machines_or_with_the_same_parts_are_no_page() {
        let other = AGAINST.replace("a <CPU>", "another");
        assert!(together(vec![run(RESULTS), run(&other)]).is_err());
        assert!(together(vec![run(RESULTS), run(RESULTS)]).is_err());
        assert!(together(Vec::new()).is_err());
    }

    #[test]
    fn a_bar_is_called_like_its_row() {
        let run = run(RESULTS);
        let names: Vec<_> = run.results.iter().filter_map(bar).map(|(name, _)| name).collect();
        assert_eq!(names, ["route-100k net_ring, hot : rte_lpm", "template net_null, wasm, burst 1 : c"]);
    }
}
