//! `perigee top` and `run --view` on a real terminal, which tmux is: what is seen, what keys do, and how the terminal is left.

use crate::ctl_lab::{CONFIG, Process};
use crate::modules::Bench;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Longest time that anything may take to be seen.
const LIMIT: Duration = Duration::from_secs(30);

/// Waits for a condition; `what` tells of it where it does not come.
fn until<T>(what: impl Fn() -> String, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < LIMIT, "{}", what());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A terminal with a script in it, in which $P is the binary.
struct Terminal<'bench> {
    bench: &'bench Bench,
    /// The socket of a tmux of its own: one that was told to end may still be there.
    socket: PathBuf,
}

static NUMBER: AtomicUsize = AtomicUsize::new(0);

impl<'bench> Terminal<'bench> {
    /// Runs `command` between two looks at the terminal's modes; its exit code goes to `rc`, its number to `pid`.
    fn start(bench: &'bench Bench, command: &str) -> Self {
        for old in ["rc", "pid", "before", "after"] {
            let _ = fs::remove_file(bench.path(old));
        }
        let script = format!(
            "stty -g > before; bash -c 'echo $$ > pid; exec {command}'; rc=$?; stty -g > after; echo $rc > rc.new; mv rc.new rc; \
             exec sleep 600"
        );
        let socket = bench.path(&format!("tmux-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let terminal = Self { bench, socket };
        let started = terminal.tmux(&["new-session", "-d", "-x", "80", "-y", "24", "bash", "-c", &script]);
        assert!(started.is_some(), "tmux does not start");
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Option<String> {
        let mut tmux = Command::new("tmux");
        tmux.arg("-u").arg("-S").arg(&self.socket).args(["-f", "/dev/null"]).args(arguments);
        tmux.current_dir(self.bench.path(".")).env("P", env!("CARGO_BIN_EXE_perigee")).env_remove("TMUX");
        tmux.env("XDG_RUNTIME_DIR", self.bench.path("runtime")).env_remove("PERIGEE_LOG").env_remove("NO_COLOR");
        let output = tmux.env("LC_ALL", "C.UTF-8").env("SHELL", "/bin/sh").output().expect("tmux is there: ./x setup");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What is seen; what a line's end has broken stands on one line.
    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-pJ"]).unwrap_or_default()
    }

    /// Waits until something is seen.
    fn sees(&self, what: &str) -> String {
        let look = || Some(self.screen()).filter(|screen| screen.contains(what));
        until(|| format!("{what:?} is not seen:\n{}", self.screen()), look)
    }

    /// Presses keys, as tmux names them.
    fn press(&self, keys: &[&str]) {
        assert!(self.tmux(&[&["send-keys"][..], keys].concat()).is_some(), "{keys:?}");
    }

    /// Types a text, and Enter.
    fn type_in(&self, text: &str) {
        self.press(&["-l", text]);
        self.press(&["Enter"]);
    }

    fn resize(&self, width: &str, height: &str) {
        assert!(self.tmux(&["resize-window", "-x", width, "-y", height]).is_some());
    }

    fn pid(&self) -> String {
        let read = || fs::read_to_string(self.bench.path("pid")).ok().filter(|pid| pid.ends_with('\n'));
        until(|| "it does not start".to_owned(), read).trim().to_owned()
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid()]).status();
        assert!(status.expect("kill").success());
    }

    /// Waits for the command's end; its exit code. The terminal must be as it was.
    fn ended(&self) -> String {
        let read = || fs::read_to_string(self.bench.path("rc")).ok();
        let code = until(|| format!("it does not end:\n{}", self.screen()), read);
        assert_eq!(self.bench.read("before"), self.bench.read("after"), "the terminal's modes");
        let state = self.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag} #{bracket_paste_flag}"]);
        let state = state.unwrap_or_default();
        assert!(state.starts_with("0 1"), "alternate screen, cursor: {state}");
        code.trim().to_owned()
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

fn with_stream() -> String {
    format!("{CONFIG}\n[[stream]]\nname = \"voice\"\nchain = \"load\"\nrate = \"1 kpps\"\n")
}

fn stream(run: &Process<'_>) -> Value {
    serde_json::from_str::<Value>(&run.ctl(&["streams", "--json"])).unwrap()[0].clone()
}

fn digest(run: &Process<'_>, module: &str) -> String {
    let modules: Value = serde_json::from_str(&run.ctl(&["modules", "--json"])).unwrap();
    let found = modules.as_array().unwrap().iter().find(|one| one["name"] == module).unwrap();
    found["digest"].as_str().unwrap().to_owned()
}

/// Ends a run, whose books must balance.
fn balanced(run: Process<'_>) {
    let (summary, _) = run.stop();
    assert_eq!(summary["accounting"]["balanced"], true, "{summary}");
    let pools = summary["pools"].as_array().unwrap();
    assert!(!pools.is_empty() && pools.iter().all(|pool| pool["full"] == true), "{summary}");
}

#[test]
fn figures_are_seen_and_keys_act() {
    let bench = Bench::new();
    let run = Process::start(&bench, &with_stream(), &[]);
    let top = Terminal::start(&bench, "\"$P\" top --every 200ms");
    top.sees("run (running)");
    top.sees("kpps");
    top.press(&["5"]);
    top.sees("voice");
    top.press(&["r"]);
    top.sees("rate of stream voice:");
    top.type_in("50 kpps");
    top.sees("stream voice: running, 50 kpps");
    until(|| stream(&run).to_string(), || (stream(&run)["rate"] == "50 kpps").then_some(()));
    top.press(&["r"]);
    top.type_in("no rate");
    top.sees("no rate: ");
    top.press(&["p", "y"]);
    top.sees("stream voice: paused");
    until(|| stream(&run).to_string(), || (stream(&run)["state"] == "paused").then_some(()));
    // The stage stands below its generator.
    top.press(&["3", "Down", "m"]);
    top.sees("message to echo");
    top.type_in("how are you");
    top.sees("how are you");
    let before = digest(&run, "echo");
    top.press(&["s"]);
    top.type_in("good.wat");
    top.sees("replaced by");
    assert_ne!(digest(&run, "echo"), before);
    top.press(&["s"]);
    top.type_in("nowhere.wat");
    top.sees("nowhere.wat");
    top.press(&["Enter"]);
    top.sees("trust domain");
    for (width, height) in [("40", "10"), ("20", "4"), ("1", "1"), ("200", "50"), ("80", "24")] {
        top.resize(width, height);
        let seen = if width == "20" { "too small" } else { "" };
        top.sees(seen);
    }
    top.sees("trust domain");
    top.press(&["q"]);
    assert_eq!(top.ended(), "0");
    assert!(!top.screen().contains("trust domain"), "{}", top.screen());
    balanced(run);
}

#[test]
fn packets_are_captured_by_a_key_and_with_the_view_it_ends() {
    let bench = Bench::new();
    let run = Process::start(&bench, &with_stream(), &[]);
    let top = Terminal::start(&bench, "\"$P\" top --every 200ms");
    top.sees("kpps");
    top.press(&["2", "c"]);
    top.sees("capture (POINT FILE): ");
    // What stands there is the chosen row's; another point is typed in its place.
    top.press(&["C-u"]);
    top.type_in("load:tx one.pcapng");
    top.sees("captures load:tx into one.pcapng; c ends it");
    until(|| top.screen(), || fs::metadata(bench.path("one.pcapng")).ok().filter(|file| file.len() > 10_000));
    top.press(&["c"]);
    top.sees("captured load:tx into one.pcapng");
    top.press(&["c", "C-u"]);
    top.type_in("nowhere:tx two.pcapng");
    top.sees("there is no chain");
    top.press(&["c", "C-u"]);
    top.type_in("one.pcapng");
    top.sees("name the point");
    top.press(&["c", "C-u"]);
    top.type_in("load:tx three.pcapng");
    until(|| top.screen(), || fs::metadata(bench.path("three.pcapng")).ok().filter(|file| file.len() > 10_000));
    top.press(&["q"]);
    assert_eq!(top.ended(), "0");
    for file in ["one.pcapng", "three.pcapng"] {
        let read =
            Command::new("capinfos").arg("-cM").arg(bench.path(file)).output().expect("capinfos is there: ./x setup");
        assert!(read.status.success(), "{file}: {}", String::from_utf8_lossy(&read.stderr));
    }
    balanced(run);
}

#[test]
fn however_it_ends_the_terminal_is_as_it_was_and_the_run_goes_on() {
    let bench = Bench::new();
    let run = Process::start(&bench, CONFIG, &[]);
    for signal in ["TERM", "HUP", "INT", "QUIT"] {
        let top = Terminal::start(&bench, "\"$P\" top");
        top.sees("run (running)");
        top.signal(signal);
        assert_eq!(top.ended(), "0", "SIG{signal}");
    }
    let top = Terminal::start(&bench, "\"$P\" top");
    top.sees("run (running)");
    top.press(&["C-c"]);
    assert_eq!(top.ended(), "0");
    drop(top);
    // The terminal goes away.
    let top = Terminal::start(&bench, "\"$P\" top");
    top.sees("run (running)");
    let process = format!("/proc/{}/exe", top.pid());
    drop(top);
    until(|| "it outlives its terminal".to_owned(), || fs::read_link(&process).is_err().then_some(()));
    assert!(run.ctl(&["status"]).contains("running"));
    balanced(run);
}

#[test]
fn a_run_that_ends_ends_the_view_and_one_that_hangs_does_not() {
    let bench = Bench::new();
    let run = Process::start(&bench, CONFIG, &[]);
    let top = Terminal::start(&bench, "\"$P\" top --every 200ms");
    top.sees("run (running)");
    top.sees("pps");
    let send = |name: &str| Command::new("kill").args([name, &run.pid().to_string()]).status().expect("kill");
    assert!(send("-STOP").success());
    top.sees("the run does not answer");
    // It is usable all the same.
    top.press(&["2"]);
    top.sees("cyc/packet");
    assert!(send("-CONT").success());
    until(|| top.screen(), || (!top.screen().contains("figures are")).then_some(()));
    // Any key but y leaves it.
    top.press(&["x", "n"]);
    top.sees("nothing was done");
    top.press(&["x"]);
    top.sees("stop the run? y/n");
    top.press(&["y"]);
    top.sees("the run run has ended");
    assert_eq!(top.ended(), "0");
    let (summary, _) = run.end();
    assert_eq!(summary["accounting"]["balanced"], true);
}

#[test]
fn where_nothing_can_be_seen_it_is_said() {
    let bench = Bench::new();
    bench.write("run.toml", CONFIG);
    for (arguments, why) in [
        (&["top"][..], "perigee ctl stats --watch"),
        (
            &["forward", "good.wat", "--port", "net_null0", "--port", "net_null1", "--view"],
            "--view draws on a terminal",
        ),
    ] {
        let said = bench.perigee(arguments);
        let is_one = said.err.lines().count() == 1 && said.err.starts_with("error: ");
        assert!(said.code == Some(1) && is_one && said.err.contains(why) && said.out.is_empty(), "{}", said.err);
    }
    for command in ["top", "forward good.wat --port net_null0 --port net_null1 --view"] {
        let top = Terminal::start(&bench, &format!("env TERM=dumb \"$P\" {command}"));
        top.sees("can place the cursor");
        assert_eq!(top.ended(), "1");
    }
    let off = "\"$P\" forward good.wat --port net_null0 --port net_null1 --view --control off";
    let view = Terminal::start(&bench, off);
    view.sees("leave --control off away");
    assert_eq!(view.ended(), "1");
    drop(view);
    let top = Terminal::start(&bench, "\"$P\" top --every 1ms");
    top.sees("from 100ms to 1h");
    assert_eq!(top.ended(), "1");
}

/// A server of the tests' own, which gives one answer or none.
fn server(path: &Path, answer: Option<&'static str>) {
    let listener = UnixListener::bind(path).expect("a socket");
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            if let Some(answer) = answer {
                let _ = stream.write_all(answer.as_bytes());
            }
            kept.push(stream);
        }
    });
}

#[test]
fn another_version_is_refused_and_a_server_without_an_answer_is_shown() {
    let bench = Bench::new();
    let body = r#"{"error":"another version asks","where":"this process","hint":"restart it"}"#;
    let answer = format!("HTTP/1.1 409 Conflict\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    server(&bench.path("other.sock"), Some(answer.leak()));
    let top = Terminal::start(&bench, "\"$P\" top --socket ./other.sock");
    top.sees("this process: another version asks; restart it");
    assert_eq!(top.ended(), "1");
    drop(top);
    server(&bench.path("mute.sock"), None);
    let top = Terminal::start(&bench, "\"$P\" top --socket ./mute.sock");
    top.sees("no answer within 2 s");
    top.press(&["?"]);
    top.sees("stop the run, after a question");
    top.press(&["q"]);
    assert_eq!(top.ended(), "0");
}

const VIEW: &str = "\"$P\" --log info run run.toml --view --json s.json > out";

/// What a run with `--view` has left in its files.
fn told(bench: &Bench, why: &str) {
    let summary: Value = serde_json::from_str(&bench.read("s.json")).expect("a summary");
    assert_eq!(summary["accounting"]["balanced"], true, "{summary}");
    let out = bench.read("out");
    assert!(out.contains(why) && out.contains(": balanced") && !out.contains('\x1b'), "{out}");
}

#[test]
fn a_run_with_its_view_is_seen_and_its_log_tears_nothing() {
    let bench = Bench::new();
    bench.write("generator2.wat", &bench.read("generator.wat"));
    bench.write("run.toml", &CONFIG.replace("gen.wat", "generator2.wat").replace("echo.wat", "good.wat"));
    fs::create_dir_all(bench.path("runtime")).expect("a directory");
    let view = Terminal::start(&bench, VIEW);
    view.sees("run (running)");
    let screen = view.sees("perigee::run: running");
    assert!(screen.lines().next().is_some_and(|line| line.starts_with("perigee  run")), "{screen}");
    // A new module comes from a file, which the run itself cannot read any more.
    view.press(&["3", "Down", "s"]);
    view.type_in("good.wat");
    view.sees("replaced by");
    // Left, the run goes on with lines, below the log that came meanwhile.
    view.press(&["q"]);
    let screen = view.sees("cycles/packet");
    assert!(view.tmux(&["display-message", "-p", "#{alternate_on}"]).unwrap_or_default().starts_with('0'), "{screen}");
    view.signal("TERM");
    assert_eq!(view.ended(), "0");
    told(&bench, "a signal asked for it");
    drop(view);
    for (key, why) in [(&["C-c"][..], "a signal asked for it"), (&["x", "y"], "perigee ctl asked for it")] {
        let view = Terminal::start(&bench, VIEW);
        view.sees("run (running)");
        view.press(key);
        assert_eq!(view.ended(), "0", "{key:?}");
        told(&bench, why);
        assert!(view.screen().contains("perigee::run: running"), "the log is told at the end: {}", view.screen());
    }
    let view = Terminal::start(&bench, VIEW);
    view.sees("run (running)");
    view.signal("TERM");
    assert_eq!(view.ended(), "0");
    told(&bench, "a signal asked for it");
    drop(view);
    // Killed, it says nothing, but the terminal is free again.
    let view = Terminal::start(&bench, VIEW);
    view.sees("run (running)");
    view.signal("KILL");
    let free =
        || view.tmux(&["display-message", "-p", "#{alternate_on} #{pane_tty}"]).filter(|said| said.starts_with("0 "));
    let tty = until(|| format!("the screen is not left:\n{}", view.screen()), free);
    let modes = || Command::new("stty").args(["-g", "-F", tty[2..].trim()]).output().expect("stty").stdout;
    until(|| "the modes are not as before".to_owned(), || (modes() == bench.read("before").as_bytes()).then_some(()));
}

#[test]
fn a_run_with_its_view_that_cannot_start_says_why() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("runtime")).expect("a directory");
    bench.write("run.toml", &CONFIG.replace("gen.wat", "wrong-abi.wat").replace("echo.wat", "good.wat"));
    let view = Terminal::start(&bench, "\"$P\" run run.toml --view");
    view.sees("error: ");
    assert_eq!(view.ended(), "1");
    assert!(view.screen().contains("99"), "{}", view.screen());
}
