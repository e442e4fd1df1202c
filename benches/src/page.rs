//! The page about the benchmark, from the results of one run: `docs/benchmark.md` and its pictures.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// What of a run the page shows.
#[derive(Debug, Deserialize)]
struct Run {
    date: String,
    machine: Machine,
    quick: bool,
    results: Vec<Row>,
    #[serde(default)]
    moments: Vec<Moment>,
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

#[derive(Debug, Deserialize)]
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

/// Parts of the page: title, and what is said of them.
const PARTS: [(&str, &str, &str); 7] = [
    (
        "opponents",
        "The works, and who else does them",
        "Burst 64, 60 bytes. A module beside C, beside LuaJIT with FFI structs as scripts for MoonGen are written, beside DPDK's testpmd and beside \
         eBPF; and what other decisions would have cost the module's call. testpmd is a process of its own, and its figures are of windows of \
         time: nothing says whether the core was quiet.",
    ),
    (
        "functions",
        "Network functions",
        "A module beside C that checks and changes the same, between two net_ring ports. C makes the packets and takes them away, which is not \
         measured. Behind the colon stands what the twin looks up with. Aims allow 12 cycles for a stage. Firewall: the packets are those of 65,536 \
         flows, whose first packets were judged before.\n\n\
         Why aims are missed, by samples of the modules' machine code: ports and the stage take some 17 cycles; the rest of what a hot router takes goes \
         in equal parts to reading and checking packets, looking up, and writing headers. No part of it is slow. Each access is compared with the end of its \
         slice, each turn of a loop looks at the epoch, and the engine keeps on the stack what a compiler for this CPU alone keeps in registers, \
         so there are more instructions than in the twin. Where tables are large, waiting for memory comes on top: the router looks at a \
         shortcut, a node and a value, where DIR24-8 has one entry of 32 MiB, for which the module's region has no room; NAT and balancer look at a \
         chain and at a session, and the chains of NAT are as many as it is configured for, so they are on as many pages. WebAssembly has no instruction \
         that asks for memory ahead: loads whose values nobody needs stand for it.",
    ),
    (
        "fields",
        "The field engine, compiled",
        "What stream-gen varies as machine code, and interpreted, beside modules in whose code the same fields stand.",
    ),
    ("works", "Bursts", "Whole loops at bursts from 1 to 256, beside C."),
    (
        "varied",
        "Where packets lie, their length, lcores",
        "A MAC swap on net_ring: with packets that come again after a thousand others, after sixteen thousand, after a quarter of a million; of three \
         lengths; and a template on one lcore and on two (cycles of one CPU for a packet of all lcores).",
    ),
    ("stages", "Chains", "What one more stage costs, and a hop over a ring."),
    ("pieces", "A burst taken apart", "What the way through a module consists of."),
];

/// Writes page and pictures from a file of results.
pub(crate) fn write(json: &Path, root: &Path) -> Result<()> {
    let text = fs::read_to_string(json).with_context(|| format!("cannot read {}", json.display()))?;
    let run: Run =
        serde_json::from_str(&text).with_context(|| format!("{} has no results of this benchmark", json.display()))?;
    ensure!(!run.quick, "{} is of a quick run, whose figures say nothing: measure without --quick", json.display());
    let page = root.join("docs/benchmark.md");
    fs::write(&page, markdown(&run)).with_context(|| format!("cannot write {}", page.display()))?;
    println!("written: {}", page.display());
    for (part, title, _) in PARTS {
        let bars: Vec<_> = run.results.iter().filter(|row| row.part == part).filter_map(bar).collect();
        if has_picture(part) && !bars.is_empty() {
            let picture = root.join(picture(part));
            fs::write(&picture, svg(title, &bars)).with_context(|| format!("cannot write {}", picture.display()))?;
            println!("written: {}", picture.display());
        }
    }
    Ok(())
}

fn has_picture(part: &str) -> bool {
    matches!(part, "opponents" | "functions" | "works")
}

fn picture(part: &str) -> String {
    format!("docs/benchmark-{part}.svg")
}

fn markdown(run: &Run) -> String {
    let huge = if run.machine.huge_pages { "with" } else { "without" };
    let m = &run.machine;
    let mut page = format!(
        "# Benchmark\n\n\
         <!-- Written by `perigee-bench --page bench.json`: change benches/src/page.rs, and not this page. -->\n\n\
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
    for (part, title, about) in PARTS {
        let rows: Vec<_> = run.results.iter().filter(|row| row.part == part).collect();
        if rows.is_empty() {
            continue;
        }
        let _ = write!(page, "\n## {title}\n\n{about}\n\n");
        if has_picture(part) {
            let file = picture(part).replacen("docs/", "", 1);
            let _ = write!(page, "![{title}: ratio to the twin]({file})\n\n");
        }
        page.push_str("| Work | Port | Burst | What | Ratio | Cycles | 10 % to 90 % | Twin | Aim |\n");
        page.push_str("|---|---|--:|---|--:|--:|--:|--:|---|\n");
        for row in rows {
            page.push_str(&line(row));
        }
    }
    page + &moments(run)
}

/// What is not by packet.
fn moments(run: &Run) -> String {
    if run.moments.is_empty() {
        return String::new();
    }
    let mut text = "\n## Moments\n\nWhat is not by packet, of processes as users start them: from the start of the process until its lcores work; a \
                    module that takes another one's place under load, from its bytes to its first packet; the control socket's answer on a \
                    connection of its own.\n\n\
                    | What | Median | 10 % to 90 % | Worst | Times | Aim |\n|---|--:|--:|--:|--:|---|\n"
        .to_owned();
    for m in &run.moments {
        let reached = if m.is_aim_of_worst { m.worst } else { m.median };
        let of = if m.is_aim_of_worst { ", worst" } else { "" };
        let aim = m.aim.map_or_else(String::new, |aim| match reached <= aim {
            true => format!("{aim:.0} {}{of}: met", m.unit),
            false => format!("{aim:.0} {}{of}: **missed by {:.1}**", m.unit, reached - aim),
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
    let with_aim = run.results.iter().filter(|row| row.aim.is_some()).count();
    let rows: Vec<_> = run.results.iter().filter(|row| row.missed_by.is_some()).collect();
    if rows.is_empty() {
        return format!("Of {with_aim} rows that have an aim, all reach it.\n");
    }
    let mut text = format!("Of {with_aim} rows that have an aim, {} miss it:\n\n", rows.len());
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
    text
}

fn line(row: &Row) -> String {
    let tilde = if row.quiet_slices < 30 { "~" } else { "" };
    let number = |value: Option<f64>, digits: usize| value.map_or_else(String::new, |v| format!("{v:.digits$}"));
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

/// Bars from 0 on, with a line at 1, where both are as fast. Text stays text.
fn svg(title: &str, bars: &[(String, f64)]) -> String {
    let (left, width, row, top) = (360.0, 480.0, 20.0, 40.0);
    let most = bars.iter().fold(1.5_f64, |most, bar| most.max(bar.1)).min(6.0);
    let x = |ratio: f64| left + width * ratio.min(most) / most;
    let height = top + row * bars.len() as f64 + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"900\" height=\"{height:.0}\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"20\" font-size=\"14\">{}: ratio to the twin (less is faster)</text>\n",
        escaped(title)
    );
    for (number, (name, ratio)) in bars.iter().enumerate() {
        let y = top + row * number as f64;
        let colour = if *ratio <= 1.0 { "#009e73" } else { "#0072b2" };
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{left:.0}\" y=\"{:.0}\" width=\"{:.1}\" height=\"14\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{:.0}\">{ratio:.2}</text>",
            left - 6.0,
            y + 12.0,
            escaped(name),
            y + 1.0,
            x(*ratio) - left,
            x(*ratio) + 4.0,
            y + 12.0
        );
    }
    let one = x(1.0);
    let _ =
        writeln!(svg, "<path d=\"M{one:.1} {:.0}V{height:.0}\" stroke=\"black\" stroke-dasharray=\"3\"/>", top - 6.0);
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
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
              "p90": null, "twin_cycles": 25.0, "twin": "c", "ratio": 0.8, "aim": 26.0, "missed_by": null, "quiet_slices": 3 } ] }"#;

    #[test]
    fn a_page_says_what_misses_its_aim_and_by_how_much() {
        let run: Run = serde_json::from_str(RESULTS).unwrap();
        let page = markdown(&run);
        for text in [
            "Of 2 rows that have an aim, 1 miss it:",
            "- route-100k (hot : rte_lpm, net_ring, burst 64): by 5.5 cycles, 80.0 instead of 74.5",
            "| route-100k | net_ring | 64 | hot : rte_lpm | 1.60 | 80.0 | 79.0–81.5 | 50.0 (c) | 74.5: **missed by 5.5** |",
            "| template | net_null | 1 | wasm | 0.80 | ~20.0 |  | 25.0 (c) | 26.0: met |",
            "](benchmark-functions.svg)",
        ] {
            assert!(page.contains(text), "{text}\n{page}");
        }
        assert!(!page.contains("## Chains"), "a part that was not measured has no place");
    }

    #[test]
    fn a_picture_has_a_bar_for_each_ratio() {
        let run: Run = serde_json::from_str(RESULTS).unwrap();
        let bars: Vec<_> = run.results.iter().filter_map(bar).collect();
        let svg = svg("a < b", &bars);
        assert_eq!(svg.matches("height=\"14\"").count(), 2, "{svg}");
        assert!(svg.contains("a &lt; b") && svg.contains("template net_null, wasm, burst 1 : c"), "{svg}");
    }
}
