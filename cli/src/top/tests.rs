//! The view on screens of all sizes, without a terminal.

use super::draw::draw;
use super::look::Look;
use super::model::Model;
use super::pages::{MODULES, PAGES, STREAMS};
use super::ui::{Over, Ui, Wish};
use crate::client::Request;
use perigee_runtime::{
    ChainStats, ModuleState, ModuleStats, PaceStats, PathStats, PhaseCycles, PoolLevel, PortStats, RingStats, Snapshot,
    StreamState, StreamStats, text,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use serde_json::json;
use std::time::{Duration, Instant};

const SIZES: [(u16, u16); 9] = [(80, 24), (40, 10), (1, 1), (200, 50), (30, 6), (29, 6), (30, 5), (80, 3), (3, 80)];

/// Texts as a module may give them: they move the cursor, turn the direction, are long, are wide.
fn hostile() -> Vec<String> {
    let wide = "数".repeat(100);
    vec!["\x1b[2J\u{9b}2J\u{202e}\nforged".to_owned(), "x".repeat(200), wide, String::new(), "e\u{301}".repeat(90)]
}

/// A run in which everything is there once for each name.
fn snapshot(names: &[String], seconds: u64) -> Snapshot {
    let packets = seconds * seconds * 1_000;
    let mut all = Snapshot { elapsed_ns: seconds * 1_000_000_000, ..Snapshot::default() };
    for (lcore, name) in (0..).zip(names) {
        let name = name.clone();
        let counts = [(name.clone(), packets)];
        all.ports.push(PortStats {
            name: name.clone(),
            rx_packets: packets,
            rx_bytes: packets * 60,
            rx_missed: packets / 2,
            link_up: lcore % 2 == 0,
            events: vec![name.clone()],
            xstats: counts.clone().into(),
            ..PortStats::default()
        });
        all.chains.push(ChainStats {
            name: name.clone(),
            lcore,
            received: packets,
            sent: packets,
            cycles_busy: packets * 250,
            phases: PhaseCycles { packets, rx: packets * 20, guest: packets * 200, ..PhaseCycles::default() },
            dropped: counts.clone().into(),
            ..ChainStats::default()
        });
        all.modules.push(ModuleStats {
            name: name.clone(),
            chain: name.clone(),
            lcore,
            counters: counts.clone().into(),
            faults: counts.into(),
            state: ModuleState::BreakerOpen,
            failed: Some(name.repeat(20)),
            ..ModuleStats::default()
        });
        all.rings.push(RingStats { name: name.clone(), count: 7, size: 64, ..RingStats::default() });
        all.pool_levels.push(PoolLevel { name: name.clone(), size: 255, free: 55 });
        all.streams.push(PaceStats {
            name: name.clone(),
            rate: "1 Mpps".into(),
            state: StreamState::Running,
            sent: packets,
            ..PaceStats::default()
        });
        all.measured.push(StreamStats { name: name.clone(), ..StreamStats::default() });
        all.paths.push(PathStats { name, ..PathStats::default() });
    }
    all
}

/// What is known of it after some seconds.
fn model(names: &[String]) -> Model {
    let mut model = Model::new(Duration::from_secs(1));
    model.status(&json!({ "name": "demo", "state": "running" }));
    for seconds in 1..6 {
        model.figures(snapshot(names, seconds), Instant::now());
    }
    let entry = |name: &String| json!({ "name": name, "file": name, "domain": "d", "grants": { "create": true, "tx": [name], "off": false } });
    model.modules(names.iter().map(entry).collect());
    model
}

/// One picture, as lines.
fn picture((width, height): (u16, u16), model: &Model, ui: &mut Ui, at: Instant) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, model, ui, at)).unwrap();
    let buffer = terminal.backend().buffer();
    let cells = buffer.content().chunks(usize::from(width).max(1));
    let text = |line: &[ratatui::buffer::Cell]| {
        // A wide character has two cells, of which the second is empty or a blank.
        let mut text = String::new();
        let mut skip = 0;
        for cell in line {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            text += cell.symbol();
            skip = super::look::columns(cell.symbol()).saturating_sub(1);
        }
        text
    };
    cells.map(text).collect()
}

fn press(ui: &mut Ui, model: &Model, key: KeyCode) -> Option<Wish> {
    ui.event(&Event::Key(KeyEvent::new(key, KeyModifiers::NONE)), model)
}

fn type_in(ui: &mut Ui, model: &Model, text: &str) -> Option<Wish> {
    text.chars().for_each(|c| assert!(press(ui, model, KeyCode::Char(c)).is_none(), "{text}"));
    press(ui, model, KeyCode::Enter)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn every_page_is_drawn_at_every_size_whatever_the_names_are() {
    for known in [model(&hostile()), model(&[]), Model::new(Duration::from_secs(1))] {
        for (is_rich, size) in [true, false].into_iter().flat_map(|rich| SIZES.map(|size| (rich, size))) {
            let mut ui = Ui::new(Look::of(is_rich));
            hostile().iter().for_each(|line| ui.line(line));
            for page in 0..PAGES.len() {
                for over in [Over::Nothing, Over::Details, Over::Help, Over::Log] {
                    (ui.page, ui.over, ui.scroll) = (page, over, 1_000);
                    for (row, line) in picture(size, &known, &mut ui, Instant::now()).iter().enumerate() {
                        assert!(text::is_plain(line), "{line:?}");
                        let wide = super::look::columns(line);
                        assert_eq!(wide, usize::from(size.0), "page {page} {over:?} {size:?} line {row}: {line:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_name_of_any_width_moves_no_column() {
    let mut all = hostile();
    all.push("plain".to_owned());
    let known = model(&all);
    for size in [(80, 24), (40, 10), (200, 50)] {
        for page in 0..PAGES.len() {
            let mut ui = Ui::new(Look::of(true));
            ui.page = page;
            let shown = picture(size, &known, &mut ui, Instant::now());
            // A right edge of numbers stands in one column on all lines: what is left of it is as wide on each.
            let edge = |line: &String, what: &str| line.find(what).map(|at| super::look::columns(&line[..at]));
            let what = ["9.00 kpps", "9.00 kpps", "breaker", "ring", "1 Mpps", "9.00 kpps"][page];
            let edges: Vec<_> = shown.iter().skip(3).filter_map(|line| edge(line, what)).collect();
            assert!(!edges.is_empty() && edges.iter().all(|at| *at == edges[0]), "page {page} {size:?}: {shown:#?}");
        }
    }
}

#[test]
fn figures_are_rates_between_two_snapshots() {
    let known = model(&names(&["out"]));
    let mut ui = Ui::new(Look::of(true));
    let ports = picture((80, 24), &known, &mut ui, Instant::now());
    // 25,000 packets after 5 seconds, 16,000 after 4.
    assert!(ports[0].contains("demo (running), up 5s"), "{ports:#?}");
    assert!(ports[1].contains("1 ports") && ports[1].contains("6 drops"), "{ports:#?}");
    assert!(ports[3].starts_with("out        up     9.00 kpps") && ports[3].contains("4.50 kpps"), "{ports:#?}");
    assert!(ports[3].contains('█'), "{ports:#?}");
    press(&mut ui, &known, KeyCode::Char('2'));
    let chains = picture((80, 24), &known, &mut ui, Instant::now());
    assert!(chains[3].contains("9.00 kpps") && chains[3].contains("250"), "{chains:#?}");
    press(&mut ui, &known, KeyCode::Enter);
    let details = picture((80, 24), &known, &mut ui, Instant::now()).join("\n");
    assert!(details.contains("packets in") && details.contains("25,000  (9.00 kpps)"), "{details}");
    assert!(details.contains("rx 20, publish 0, guest 200, collect 0, tx 0, free 0"), "{details}");
    press(&mut ui, &known, KeyCode::Char('3'));
    press(&mut ui, &known, KeyCode::Enter);
    let details = picture((200, 50), &known, &mut ui, Instant::now()).join("\n");
    for text in ["breaker_open", "counts out", "25,000  (+9,000/s)", "grant create", "grant tx", "[\"out\"]"] {
        assert!(details.contains(text), "{text}: {details}");
    }
    assert!(!details.contains("grant off"), "{details}");
    press(&mut ui, &known, KeyCode::Char('6'));
    let drops = picture((80, 24), &known, &mut ui, Instant::now());
    assert!(
        drops[3].starts_with("out          9.00 kpps chain out lcore 0") && drops[3].contains("25,000"),
        "{drops:#?}"
    );
    assert!(drops[4].starts_with("rx_missed    4.50 kpps port out") && drops[4].contains("12,500"), "{drops:#?}");
}

#[test]
fn keys_ask_and_answers_become_requests() {
    let known = model(&names(&["one", "two"]));
    let mut ui = Ui::new(Look::of(true));
    // Not here: no stream is chosen on this page.
    press(&mut ui, &known, KeyCode::Char('r'));
    assert!(ui.prompt.is_none() && ui.status.0.contains("page 5"), "{:?}", ui.status);
    ui.page = STREAMS;
    press(&mut ui, &known, KeyCode::Down);
    press(&mut ui, &known, KeyCode::Char('r'));
    let shown = picture((80, 24), &known, &mut ui, Instant::now());
    assert!(shown[23].starts_with("rate of stream two: "), "{shown:#?}");
    assert!(type_in(&mut ui, &known, "a lot").is_none());
    assert!(ui.status.0.starts_with("a lot: "), "{:?}", ui.status);
    press(&mut ui, &known, KeyCode::Char('r'));
    let wish = type_in(&mut ui, &known, "1.5 Mpps");
    assert!(
        matches!(wish, Some(Wish::Ask(Request::Rate { stream, rate })) if stream == "two" && rate.to_string() == "1.5 Mpps")
    );
    press(&mut ui, &known, KeyCode::Char('p'));
    let wish = press(&mut ui, &known, KeyCode::Char('y'));
    assert!(matches!(wish, Some(Wish::Ask(Request::Hold { paused: true, .. }))));
    ui.page = MODULES;
    press(&mut ui, &known, KeyCode::Char('s'));
    ui.event(&Event::Paste("new\n.wasm".to_owned()), &known);
    let wish = press(&mut ui, &known, KeyCode::Enter);
    assert!(
        matches!(wish, Some(Wish::Ask(Request::Swap { module, swap })) if module == "one" && swap.file.ends_with("new.wasm"))
    );
    press(&mut ui, &known, KeyCode::Char('m'));
    let wish = type_in(&mut ui, &known, "rules?");
    assert!(matches!(wish, Some(Wish::Ask(Request::Message { bytes, .. })) if bytes == b"rules?"));
    press(&mut ui, &known, KeyCode::Char('m'));
    assert!(type_in(&mut ui, &known, "@-").is_none() && ui.status.0.contains("standard input"), "{:?}", ui.status);
    // q is a letter in an answer, and any key but y is a no.
    press(&mut ui, &known, KeyCode::Char('x'));
    assert!(press(&mut ui, &known, KeyCode::Char('q')).is_none() && ui.prompt.is_none());
    press(&mut ui, &known, KeyCode::Char('x'));
    assert!(matches!(press(&mut ui, &known, KeyCode::Char('y')), Some(Wish::Ask(Request::Stop))));
    assert!(matches!(press(&mut ui, &known, KeyCode::Char('q')), Some(Wish::Leave)));
    let interrupt = Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert!(matches!(ui.event(&interrupt, &known), Some(Wish::Interrupt)));
}

#[test]
fn a_long_answer_shows_its_end() {
    let known = model(&names(&["one"]));
    let mut ui = Ui::new(Look::of(true));
    ui.page = MODULES;
    press(&mut ui, &known, KeyCode::Char('s'));
    ui.event(&Event::Paste(format!("/{}/end.wasm", "数".repeat(300))), &known);
    for size in SIZES {
        let shown = picture(size, &known, &mut ui, Instant::now());
        let is_seen = shown.last().unwrap().trim_end().ends_with("end.wasm");
        assert!(is_seen || size.0 < 30 || size.1 < 6, "{size:?}: {shown:#?}");
    }
}

#[test]
fn a_run_that_does_not_answer_leaves_its_last_figures_and_says_so() {
    let mut known = model(&names(&["out"]));
    let mut ui = Ui::new(Look::of(false));
    let later = Instant::now() + Duration::from_secs(7);
    let shown = picture((80, 24), &known, &mut ui, later);
    assert!(shown[0].contains("figures are 7 s old: the run does not answer"), "{shown:#?}");
    known.problem("an lcore does not answer");
    let shown = picture((80, 24), &known, &mut ui, later);
    assert!(shown[0].contains("an lcore does not answer") && shown[3].starts_with("out"), "{shown:#?}");
    known.figures(snapshot(&names(&["out"]), 9), later);
    assert!(!picture((80, 24), &known, &mut ui, later)[0].contains("old"));
}

#[test]
fn without_colours_nothing_has_one() {
    let known = model(&hostile());
    for page in 0..PAGES.len() {
        let mut ui = Ui::new(Look::of(false));
        ui.page = page;
        ui.line("a warning");
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, &known, &mut ui, Instant::now())).unwrap();
        let plain = ratatui::style::Color::Reset;
        let cells = terminal.backend().buffer().content();
        assert!(cells.iter().all(|cell| (cell.fg, cell.bg) == (plain, plain)), "page {page}");
        assert!(!cells.iter().any(|cell| "▁█░…".contains(cell.symbol()) && !cell.symbol().is_empty()), "page {page}");
    }
}

#[test]
fn of_many_rows_those_that_are_seen_are_made() {
    let all: Vec<String> = (0..1_000).map(|number| format!("chain-{number}")).collect();
    let known = model(&all);
    let mut ui = Ui::new(Look::of(true));
    ui.page = 1;
    picture((80, 24), &known, &mut ui, Instant::now());
    press(&mut ui, &known, KeyCode::End);
    let shown = picture((80, 24), &known, &mut ui, Instant::now());
    assert!(shown[22].starts_with("chain-999") && shown[3].starts_with("chain-980"), "{shown:#?}");
    press(&mut ui, &known, KeyCode::PageUp);
    let shown = picture((80, 24), &known, &mut ui, Instant::now());
    assert!(shown[3].starts_with("chain-979"), "{shown:#?}");
    // A hundred pictures while a key is held take no time that is felt; a picture of all rows would take fifty times as long.
    let begun = Instant::now();
    for _ in 0..100 {
        press(&mut ui, &known, KeyCode::Up);
        picture((80, 24), &known, &mut ui, Instant::now());
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn an_answer_stands_below_and_whole_in_the_log() {
    let known = model(&names(&["out"]));
    let mut ui = Ui::new(Look::of(true));
    ui.told("module out replaced", "module out replaced\n  pause 3 us\n", false);
    let shown = picture((80, 24), &known, &mut ui, Instant::now());
    assert!(shown[23].starts_with("module out replaced") && shown[22].contains("pause 3 us"), "{shown:#?}");
    press(&mut ui, &known, KeyCode::Char('l'));
    let shown = picture((40, 10), &known, &mut ui, Instant::now());
    assert!(shown[2].starts_with("log and answers") && shown[4].contains("pause 3 us"), "{shown:#?}");
    press(&mut ui, &known, KeyCode::Char('?'));
    let shown = picture((80, 24), &known, &mut ui, Instant::now()).join("\n");
    assert!(shown.contains("stop the run, after a question"), "{shown}");
}
