//! Results: a table for people, JSON for machines.

use crate::against::Against;
use crate::machine::Machine;
use crate::quiet::Figures;
use serde::Serialize;

/// One measurement, beside its twin where it has one. Cycles are those of the time stamp counter, per packet.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measurement {
    /// The part of the benchmark.
    pub(crate) part: &'static str,
    /// What is done with each packet.
    pub(crate) work: String,
    /// The port's driver.
    pub(crate) port: String,
    /// Packets in a burst.
    pub(crate) burst: u16,
    /// What of it, and how, was measured.
    pub(crate) variant: String,
    /// Median of the quiet slices.
    pub(crate) cycles: f64,
    /// The 10th and the 90th percentile of the quiet slices, and what lies between them.
    pub(crate) p10: Option<f64>,
    pub(crate) p90: Option<f64>,
    pub(crate) spread: Option<f64>,
    /// The twin's median in the same run.
    pub(crate) twin_cycles: Option<f64>,
    /// What the twin is: `c`, `raw` for a module without the guest SDK, or the name of another program.
    pub(crate) twin: Option<&'static str>,
    /// `cycles` by `twin_cycles`.
    pub(crate) ratio: Option<f64>,
    /// What `cycles` should be at most, beside this twin.
    pub(crate) aim: Option<f64>,
    /// By how many cycles that is missed.
    pub(crate) missed_by: Option<f64>,
    /// Slices that nobody disturbed. Under 30 `cycles` is the median of all slices.
    pub(crate) quiet_slices: usize,
    /// Median of the disturbed slices.
    pub(crate) busy_cycles: Option<f64>,
}

impl Measurement {
    pub(crate) fn new(what: (&str, &str, u16, &str), figures: Figures) -> Self {
        let (work, port, burst, variant) = what;
        Self {
            part: "",
            work: work.to_owned(),
            port: port.to_owned(),
            burst,
            variant: variant.to_owned(),
            cycles: round(figures.cycles),
            p10: Some(round(figures.p10)),
            p90: Some(round(figures.p90)),
            spread: Some(round(figures.spread())),
            twin_cycles: None,
            twin: None,
            ratio: None,
            aim: None,
            missed_by: None,
            quiet_slices: figures.quiet_slices,
            busy_cycles: figures.busy_cycles.map(round),
        }
    }

    /// Puts the twin beside it.
    pub(crate) fn beside(mut self, twin: Figures) -> Self {
        self.quiet_slices = self.quiet_slices.min(twin.quiet_slices);
        self.beside_cycles(twin.cycles)
    }

    /// Says that the twin is not in C.
    pub(crate) fn twin_in(mut self, language: &'static str) -> Self {
        self.twin = Some(language);
        self
    }

    /// As [`Self::beside`], where the twin's cycles are a sum.
    pub(crate) fn beside_cycles(mut self, twin: f64) -> Self {
        self.twin_cycles = Some(round(twin));
        self.twin = Some("c");
        self.ratio = (twin > 0.05).then(|| round(self.cycles / twin));
        self
    }

    /// Says what it should be at most: so many times the twin, and so many cycles more.
    pub(crate) fn aim(self, times: f64, more: f64) -> Self {
        match self.twin_cycles {
            Some(twin) => self.aim_at(twin * times + more),
            None => self,
        }
    }

    /// The same in cycles.
    pub(crate) fn aim_at(mut self, cycles: f64) -> Self {
        self.aim = Some(round(cycles));
        self.missed_by = Some(round(self.cycles - cycles)).filter(|by| *by > 0.0);
        self
    }

    /// What follows from several measurements has a value, and no spread of its own.
    pub(crate) fn derived(what: (&str, &str, u16, &str), cycles: f64, quiet_slices: usize) -> Self {
        let figures = Figures { cycles, p10: cycles, p90: cycles, quiet_slices, busy_cycles: None, starts_apart: None };
        Self { p10: None, p90: None, spread: None, ..Self::new(what, figures) }
    }
}

/// Instructions of one piece for one burst.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Instructions {
    /// What is done with each packet.
    pub(crate) work: String,
    /// Packets in the burst.
    pub(crate) burst: u16,
    /// The piece.
    pub(crate) piece: String,
    /// Instructions for the burst.
    pub(crate) burst_instructions: u64,
    /// By packet.
    pub(crate) per_packet: f64,
}

/// What is not by packet: a time, or an amount.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Moment {
    /// What was measured.
    pub(crate) what: &'static str,
    /// Of its figures.
    pub(crate) unit: &'static str,
    /// How often.
    pub(crate) times: usize,
    pub(crate) median: f64,
    /// The 10th and the 90th percentile, and the largest.
    pub(crate) p10: f64,
    pub(crate) p90: f64,
    pub(crate) worst: f64,
    /// What the median should be at most, or the largest.
    pub(crate) aim: Option<f64>,
    pub(crate) is_aim_of_worst: bool,
}

impl Moment {
    pub(crate) fn new(what: &'static str, unit: &'static str, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |tenths: usize| values.get(values.len().saturating_sub(1) * tenths / 10).copied().unwrap_or(0.0);
        Self {
            what,
            unit,
            times: values.len(),
            median: round(at(5)),
            p10: round(at(1)),
            p90: round(at(9)),
            worst: round(at(10)),
            aim: None,
            is_aim_of_worst: false,
        }
    }

    pub(crate) fn aim(self, most: f64) -> Self {
        Self { aim: Some(most), ..self }
    }

    pub(crate) fn aim_of_worst(self, most: f64) -> Self {
        Self { is_aim_of_worst: true, ..self.aim(most) }
    }

    pub(crate) fn line(&self) -> String {
        let Self { what, unit, times, median, p10, p90, worst, .. } = self;
        let aim = self.aim.map_or_else(String::new, |aim| {
            let reached = if self.is_aim_of_worst { *worst } else { *median } <= aim;
            let of = if self.is_aim_of_worst { " (worst)" } else { "" };
            format!("  aim {aim:.0}{of}: {}", if reached { "met" } else { "missed" })
        });
        format!("  {what:<52} {median:>9.2} {unit:<4} {p10:.2} to {p90:.2}, worst {worst:.2}, of {times}{aim}")
    }
}

/// All of a benchmark's run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) date: String,
    pub(crate) machine: Machine,
    pub(crate) tsc_hz: u64,
    /// What the probe takes on a quiet core, in cycles.
    pub(crate) probe_floor: f64,
    pub(crate) quick: bool,
    pub(crate) results: Vec<Measurement>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) moments: Vec<Moment>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) instructions: Vec<Instructions>,
    /// Beside another build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) against: Option<Against>,
}

/// Three decimals: a thousandth of a cycle is finer than anything here.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// The table's head, with a title above it.
pub(crate) fn head(title: &str) -> String {
    format!(
        "\n{title}\n{:<13} {:<9} {:>5}  {:<24} {:>6} {:>8} {:>7} {:>8} {:>7} {:>8}  aim",
        "work", "port", "burst", "variant", "ratio", "cycles", "spread", "twin", "quiet", "busy"
    )
}

/// A line of the table. A tilde marks figures of a core that was never quiet.
pub(crate) fn line(m: &Measurement) -> String {
    let number = |value: Option<f64>, digits: usize| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"));
    let mark = if Figures::are_quiet(m.quiet_slices) { "" } else { "~" };
    // Of what is below a cycle, such as the cost of a byte, two digits say too little.
    let digits = if m.cycles < 1.0 { 3 } else { 2 };
    let cycles = format!("{mark}{:.digits$}", m.cycles);
    let (spread, twin) = (number(m.spread, digits), number(m.twin_cycles, digits));
    let (ratio, busy) = (number(m.ratio, 3), number(m.busy_cycles, 1));
    format!(
        "{:<13} {:<9} {:>5}  {:<24} {ratio:>6} {cycles:>8} {spread:>7} {twin:>8} {:>7} {busy:>8}  {}",
        m.work,
        m.port,
        m.burst,
        m.variant,
        m.quiet_slices,
        aim(m)
    )
}

/// Whether the aim is met.
pub(crate) fn aim(m: &Measurement) -> String {
    match (m.aim, m.missed_by) {
        (Some(aim), None) => format!("{aim:.1} met"),
        (Some(aim), Some(by)) => format!("{aim:.1} missed by {by:.1}"),
        (None, _) => "-".to_owned(),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    const FIGURES: Figures = Figures {
        cycles: 24.0,
        p10: 23.75,
        p90: 24.25,
        quiet_slices: 500,
        busy_cycles: Some(40.0),
        starts_apart: None,
    };

    #[test]
    fn a_measurement_has_what_readers_of_the_json_expect() {
        let twin = Figures { cycles: 20.0, quiet_slices: 400, ..FIGURES };
        let m = Measurement::new(("template", "net_null", 64, "wasm"), FIGURES).beside(twin);
        let json = serde_json::to_value(&m).unwrap();
        for key in ["work", "port", "variant", "twin"] {
            assert!(json[key].is_string(), "{key}");
        }
        for key in ["burst", "cycles", "p10", "p90", "spread", "twin_cycles", "quiet_slices", "busy_cycles"] {
            assert!(json[key].is_number(), "{key}");
        }
        assert_eq!((m.ratio, m.quiet_slices), (Some(1.2), 400));
    }

    #[test]
    fn the_table_is_aligned() {
        let m = Measurement::new(("template", "net_null", 64, "wasm"), FIGURES);
        let head = head("title");
        let lines = [head.lines().last().unwrap().to_owned(), line(&m), line(&m.clone().beside(FIGURES))];
        let widths = lines.map(|line| line.rfind("  ").unwrap());
        assert!(widths.iter().all(|w| *w == widths[0]), "{widths:?}");
    }

    #[test]
    fn an_aim_is_so_many_times_the_twin_and_some_cycles() {
        let twin = Figures { cycles: 20.0, ..FIGURES };
        let m = Measurement::new(("template", "net_null", 64, "wasm"), FIGURES).beside(twin);
        assert_eq!(aim(&m.clone().aim(1.05, 1.5)), "22.5 missed by 1.5");
        assert_eq!((m.clone().aim(1.0, 4.0).missed_by, aim(&m.aim(1.25, 12.0))), (None, "37.0 met".to_owned()));
    }

    #[test]
    fn a_noisy_figure_is_marked() {
        let noisy = Figures { quiet_slices: 3, ..FIGURES };
        assert!(line(&Measurement::new(("template", "net_null", 64, "wasm"), noisy)).contains("~24.00"));
    }
}
