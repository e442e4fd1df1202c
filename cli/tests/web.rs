//! The page for browsers against real processes: who may ask, what is bounded, and that it costs the run nothing.

use crate::ctl_lab::{CONFIG, Process, http, request, status_of};
use crate::modules::Bench;
use crate::web_lab::{Web, head_of, json_of, of_others};
use serde_json::Value;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// The usual run, with a page.
fn with_page(more: &str) -> String {
    CONFIG.replacen("[run]", &format!("[run]\nweb = \"127.0.0.1:0\"\n{more}"), 1)
}

#[test]
fn without_the_token_nothing_is_told() {
    let bench = Bench::new();
    let run = Process::start(&bench, &with_page(""), &[]);
    let web = Web::of(&run);
    for path in ["/api/v1/stats", "/api/v1/status", "/events", "/session"] {
        let answer = web.ask("GET", path, "", "");
        assert_eq!(status_of(&answer), 401, "{path}: {answer}");
        assert_eq!(
            status_of(&web.ask("GET", path, &format!("cookie: perigee-{}=x\r\n", web.port()), "")),
            401,
            "{path}"
        );
    }
    assert_eq!(fs::metadata(&web.file).unwrap().permissions().mode() & 0o777, 0o600);
    // The page itself holds nothing of the run.
    let page = web.ask("GET", "/", "", "");
    assert_eq!(status_of(&page), 200);
    for header in [
        "content-security-policy: default-src 'none';",
        "frame-ancestors 'none'",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
    ] {
        assert!(head_of(&page).contains(header), "{header}: {page}");
    }
    let head = web.enter_with(&web.token);
    assert_eq!(status_of(&head), 204, "{head}");
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie").to_owned();
    for flag in ["; Path=/", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(flag), "{flag}: {cookie}");
    }
    assert!(!cookie.contains(&web.token) && !cookie.contains("Secure"), "{cookie}");
    let known = web.known();
    assert_eq!(status_of(&web.ask("GET", "/api/v1/stats", &known, "")), 200);
    let (summary, said) = run.stop();
    assert_eq!(summary["accounting"]["balanced"], true);
    assert!(!said.contains(&web.token), "the token is in the log: {said}");
    assert!(!web.file.exists(), "the token's file goes with the page");
}

#[test]
fn wrong_tokens_are_slow_and_counted_and_right_ones_are_not() {
    let bench = Bench::new();
    let run = Process::start(&bench, &with_page(""), &[]);
    let web = Web::of(&run);
    let begun = Instant::now();
    assert_eq!(status_of(&web.enter_with("wrong")), 401);
    assert!(begun.elapsed() >= Duration::from_millis(450), "{:?}", begun.elapsed());
    let others: Vec<_> = (0..12)
        .map(|n| {
            let web = web.clone();
            std::thread::spawn(move || status_of(&web.enter_with(&format!("wrong{n}"))))
        })
        .collect();
    std::thread::sleep(Duration::from_millis(100));
    let begun = Instant::now();
    let known = web.known();
    assert!(begun.elapsed() < Duration::from_millis(400), "who has it waits for others: {:?}", begun.elapsed());
    let codes: Vec<u32> = others.into_iter().map(|other| other.join().unwrap()).collect();
    assert!(codes.contains(&429) && codes.iter().all(|code| [401, 429].contains(code)), "{codes:?}");
    let session = json_of(&web.ask("GET", "/session", &known, ""));
    assert_eq!(session["wrong_tokens"], 13, "{session}");
    assert_eq!(status_of(&web.post("/session", "", "no json")), 400);
    run.stop();
}

#[test]
fn other_names_and_other_pages_are_refused() {
    let bench = Bench::new();
    let run = Process::start(&bench, &with_page(""), &[]);
    let web = Web::of(&run);
    let known = web.known();
    let of = |host: &str, origin: &str| {
        let head = format!("GET /api/v1/status HTTP/1.1\r\nhost: {host}\r\n{origin}{known}connection: close\r\n\r\n");
        status_of(&web.send(head.as_bytes()))
    };
    let own = format!("127.0.0.1:{}", web.port());
    assert_eq!(of(&own, ""), 200);
    assert_eq!(of(&own, &format!("origin: http://{own}\r\n")), 200);
    // A name that somebody's DNS leads here; a page of another server, or of none.
    assert_eq!(of("evil.example", ""), 421);
    assert_eq!(of(&format!("evil.example:{}", web.port()), ""), 421);
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1", &format!("https://{own}")] {
        assert_eq!(of(&own, &format!("origin: {origin}\r\n")), 403, "{origin}");
    }
    assert_eq!(status_of(&web.send(format!("GET / HTTP/1.1\r\n{known}connection: close\r\n\r\n").as_bytes())), 421);
    run.stop();
}

#[test]
fn a_page_looks_on_and_changes_only_where_it_may() {
    let bench = Bench::new();
    let run = Process::start(&bench, &with_page(""), &[]);
    let web = Web::of(&run);
    let known = web.known() + "x-perigee: 1\r\n";
    for path in ["/api/v1/modules/echo/restart", "/api/v1/modules/echo/swap", "/api/v1/streams/a", "/api/v1/stop"] {
        assert_eq!(status_of(&web.post(path, &known, "{}")), 403, "{path}");
    }
    let session = json_of(&web.ask("GET", "/session", &known, ""));
    assert_eq!(session["control"], false);
    run.stop();

    let run = Process::start(&bench, &with_page("web_control = true"), &[]);
    let web = Web::of(&run);
    let known = web.known();
    let path = "/api/v1/modules/echo/restart";
    assert_eq!(status_of(&web.post(path, &known, "")), 403, "a form of another page sends no header of ours");
    let ours = format!("{known}x-perigee: 1\r\n");
    let answer = web.post(path, &ours, "");
    assert_eq!((status_of(&answer), json_of(&answer)["instances"].as_u64()), (200, Some(0)), "{answer}");
    // What is not listed stays out of reach, whoever asks.
    for path in ["/api/v1/stop", "/api/v1/log-level", "/api/v1/config/apply", "/api/v1/modules/echo/message"] {
        assert_eq!(status_of(&web.post(path, &ours, "{}")), 404, "{path}");
    }
    for path in ["/api/v1/metrics", "/api/v1/../v1/stats", "/api/v1/log-level", "/nothing"] {
        assert_eq!(status_of(&web.ask("GET", path, &known, "")), 404, "{path}");
    }
    assert_eq!(status_of(&web.ask("GET", "/api/v1/stats?x", &known, "")), 400);
    // A swap by the page is one as any other.
    let module = base64(&fs::read(bench.path("echo.wat")).unwrap());
    let answer = web.post("/api/v1/modules/echo/swap", &ours, &format!("{{\"module\": \"{module}\"}}"));
    assert_eq!((status_of(&answer), json_of(&answer)["lost"].as_u64()), (200, Some(0)), "{answer}");
    let (summary, _) = run.stop();
    assert_eq!(summary["accounting"]["balanced"], true);
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn figures_are_those_of_the_control_socket() {
    let bench = Bench::new();
    // One chain that has made all that it makes, and one that waits: the counters stand still.
    let config = with_page("").replace("gen.wat", "finishes.wat")
        + "[[port]]\nname = \"idle\"\ndevice = \"net_null1,no-rx=1\"\n[[chain]]\nname = \"idle\"\nsource = { port = \"idle\" }\n";
    let run = Process::start(&bench, &config, &[]);
    let web = Web::of(&run);
    let known = web.known();
    let direct = || {
        let answer = http(&run.socket(), request("GET", "/v1/stats", "").as_bytes());
        still(&json_of(&answer))
    };
    let begun = Instant::now();
    let mut before = direct();
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let now = direct();
        if now == before && now["chains"][0]["created"].as_u64() > Some(0) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{now}");
        before = now;
    }
    assert_eq!(still(&json_of(&web.ask("GET", "/api/v1/stats", &known, ""))), before);
    let graph = json_of(&web.ask("GET", "/api/v1/graph", &known, ""));
    assert_eq!(graph["chains"][0]["source"]["module"], "gen", "{graph}");
    let event = web.event(&known, "stats");
    assert_eq!(still(&serde_json::from_str(&event).unwrap()), before);
    run.stop();
}

/// Those of the counters that stand still where no packets flow.
fn still(stats: &Value) -> Value {
    let mut kept =
        serde_json::json!({ "ports": stats["ports"], "modules": stats["modules"], "chains": stats["chains"] });
    for chain in kept["chains"].as_array_mut().unwrap() {
        for moving in [
            "polls",
            "cycles_busy",
            "cycles_waited",
            "cycles_per_packet",
            "batch_time",
            "batches",
            "pool_empty",
            "phases",
        ] {
            chain.as_object_mut().unwrap().remove(moving);
        }
    }
    kept
}

#[test]
fn the_run_listens_nowhere_and_loses_nothing_with_its_page() {
    let bench = Bench::new();
    let run = Process::start(&bench, &with_page(""), &[]);
    let web = Web::of(&run);
    let known = web.known();
    assert_eq!(status_of(&web.ask("GET", "/api/v1/stats", &known, "")), 200);
    match (listening(run.pid()), listening(web.pid)) {
        (Some(own), Some(page)) => assert_eq!((own, page), (0, 1), "sockets that wait for others"),
        _ => eprintln!("not run: only root looks into processes that are in their jail"),
    }
    // The page's process is confined before it serves anybody.
    let status = fs::read_to_string(format!("/proc/{}/status", web.pid)).unwrap();
    let line =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    assert_eq!((line("Seccomp:").as_str(), line("NoNewPrivs:").as_str()), ("2", "1"), "{status}");
    assert!(line("CapPrm:").trim_start_matches('0').is_empty(), "{status}");
    assert_eq!(line("Threads:"), "1");

    let created = |run: &Process<'_>| {
        json_of(&http(&run.socket(), request("GET", "/v1/stats", "").as_bytes()))["chains"][0]["created"]
            .as_u64()
            .unwrap()
    };
    of_others(&["-KILL", &web.pid.to_string()]);
    let before = created(&run);
    std::thread::sleep(Duration::from_millis(50));
    assert!(created(&run) > before, "packets flow on");
    assert!(TcpStream::connect(&web.address).is_err(), "nobody serves the page");
    let (summary, _) = run.stop();
    let accounting = &summary["accounting"];
    assert_eq!(
        (&accounting["balanced"], &accounting["dropped"]),
        (&true.into(), &serde_json::json!({})),
        "{accounting}"
    );
    assert!(summary["pools"].as_array().unwrap().iter().all(|pool| pool["full"] == true));
}

/// How many TCP sockets of a process wait for others; `None` where that cannot be seen.
fn listening(pid: u32) -> Option<usize> {
    let own = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    let own: Vec<String> =
        own.filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned())).collect();
    let tables = ["tcp", "tcp6"].map(|name| fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default());
    const LISTEN: &str = "0A";
    let waiting = tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (*fields.get(3)? == LISTEN).then(|| format!("socket:[{}]", fields[9]))
    });
    Some(waiting.filter(|socket| own.contains(socket)).count())
}

#[test]
fn a_page_ends_with_its_run_however_that_ends() {
    let bench = Bench::new();
    let run = Process::start(&bench, &with_page(""), &[]);
    let web = Web::of(&run);
    run.kill();
    let process = format!("/proc/{}", web.pid);
    let begun = Instant::now();
    while Path::new(&process).exists() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the page outlives its run");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!web.file.exists());
}

#[test]
fn a_page_of_its_own_attaches_to_any_run() {
    let bench = Bench::new();
    let run = Process::start(&bench, CONFIG, &[]);
    let web = Web::attach(&bench, &["--every", "100ms"]);
    let known = web.known();
    assert!(web.event(&known, "stats").contains("\"created\""));
    let status = json_of(&web.ask("GET", "/api/v1/status", &known, ""));
    assert_eq!(status["pid"].as_u64(), Some(run.pid().into()));
    run.stop();
    let answer = web.ask("GET", "/api/v1/status", &known, "");
    assert_eq!(status_of(&answer), 502, "{answer}");
    assert!(web.event(&known, "gone").contains("error"), "whoever looks on hears that it is gone");
    // Another run of that name is found again.
    let run = Process::start(&bench, CONFIG, &[]);
    let status = json_of(&web.ask("GET", "/api/v1/status", &known, ""));
    assert_eq!(status["pid"].as_u64(), Some(run.pid().into()));
    web.end();
    run.stop();
}

#[test]
fn what_is_wrong_is_said_before_anything_runs() {
    let bench = Bench::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let good = bench.read("good.wat");
    bench.write("gen.wat", &good.replace("\"process\"", "\"generate\""));
    bench.write("echo.wat", &good);
    fs::create_dir_all(bench.path("runtime")).unwrap();
    let run = |config: &str| {
        bench.write("run.toml", config);
        let output = bench
            .command(&["run", "run.toml", "--duration", "1s"])
            .env("XDG_RUNTIME_DIR", bench.path("runtime"))
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run(&with_page("").replace("127.0.0.1:0", &address.to_string()));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("the page at {address}: another program listens there")), "{said}");
    let (code, said) = run(&with_page("").replace("127.0.0.1:0", "0.0.0.0:0"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("run.toml:3") && said.contains("web_insecure = true"), "{said}");
    // Where it goes well, a file or a journal hears where the page is, and not its token.
    let (code, said) = run(&with_page(""));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("page: http://127.0.0.1:") && said.contains("(its token is in "), "{said}");
    assert!(!said.contains("token="), "{said}");
    let web = |arguments: &[&str]| {
        let output =
            bench.command(&["web"]).args(arguments).env("XDG_RUNTIME_DIR", bench.path("runtime")).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = web(&[]);
    assert!(code == Some(1) && said.contains("no run of this user can be asked"), "{said}");
    let (code, said) = web(&["--listen", "0.0.0.0:0"]);
    assert!(code == Some(1) && said.contains("--insecure"), "{said}");
    let (code, said) = web(&["--socket", "nobody"]);
    assert!(code == Some(1) && said.contains("there is no socket"), "{said}");
}
