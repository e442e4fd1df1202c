//! The jail as the kernel sees it, around a process that works: each thread without capabilities, with its filter, and as
//! nobody; and what a killed process leaves on an interface.

use crate::lab::{Kind, Lab, Mode, Namespace, Perigee, Wire, cpus, forwarder, ipv4, responder, say, wait_until};
use crate::modules::Bench;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

/// CAP_DAC_OVERRIDE, with which the control socket is removed that root has made.
const DAC_OVERRIDE: u64 = 1 << 1;
/// CAP_NET_ADMIN, which ports of the kernel's interfaces want for their end.
const NET_ADMIN: u64 = 1 << 12;
const NOBODY: &str = "65534";

/// What `/proc` says of a thread.
struct Thread {
    name: String,
    status: String,
}

impl Thread {
    fn field(&self, name: &str) -> &str {
        let line = self.status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("{name} in {}", self.status)).trim()
    }

    fn bits(&self, name: &str) -> u64 {
        u64::from_str_radix(self.field(name), 16).expect("bits in hexadecimal digits")
    }
}

fn threads(pid: u32) -> Vec<Thread> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
    let read = |path: PathBuf, file: &str| fs::read_to_string(path.join(file)).ok();
    // One that has ended meanwhile is nobody any more.
    let thread = |path: PathBuf| {
        Some(Thread { name: read(path.clone(), "comm")?.trim().to_owned(), status: read(path, "status")? })
    };
    tasks.flatten().filter_map(|task| thread(task.path())).collect()
}

/// DPDK's thread for interrupts and alarms: in 22.11, and in 24.11.
const DPDKS: [&str; 2] = ["eal-intr-thread", "dpdk-intr"];

/// Starts a responder behind a wire, checks every thread of it while it answers, and that it still answers after.
fn confined(kind: Kind, mode: Mode) {
    let Some(lab) = Lab::new(mode) else { return };
    if !lab.allows(kind) {
        return;
    }
    let host = lab.namespace();
    let wire = Wire::new(&host, kind, 0, 1_500);
    let mut perigee = Perigee::start(&host, "run", &responder(&lab, &wire.port("a", "")));
    wire.connect_v4(&mut perigee, 2);
    wire.peer().wait_for_answer(&ipv4(1));
    let threads = threads(perigee.pid());
    for wanted in [&["perigee-lcore"][..], &["perigee-ticker"], &DPDKS] {
        let names = || threads.iter().map(|thread| thread.name.as_str()).collect::<Vec<_>>();
        assert!(
            threads.iter().any(|thread| wanted.iter().any(|name| thread.name.starts_with(name))),
            "no {wanted:?} among {:?}",
            names()
        );
    }
    for thread in &threads {
        let name = &thread.name;
        assert_eq!((thread.field("NoNewPrivs"), thread.field("Seccomp")), ("1", "2"), "{name}");
        assert_eq!(thread.bits("CapEff") | thread.bits("CapInh") | thread.bits("CapAmb"), 0, "{name}");
        // The control thread's name is the program's. Its socket was made by root.
        let socket = if mode == Mode::Root { DAC_OVERRIDE } else { 0 };
        let kept = if name == "perigee" { NET_ADMIN | socket } else { 0 };
        assert_eq!(thread.bits("CapPrm"), kept, "{name}");
        if !["perigee-ticker", "perigee-signals"].iter().chain(&DPDKS).any(|other| other == name) {
            assert_eq!(thread.bits("CapBnd"), 0, "{name}: what is bounded off comes back by no way");
        }
        // In a user namespace with one user it stays that one, which outside is nobody already.
        for ids in ["Uid", "Gid"].into_iter().filter(|_| mode == Mode::Root) {
            assert!(thread.field(ids).split_whitespace().all(|id| id == NOBODY), "{name}: {}", thread.field(ids));
        }
    }
    if mode == Mode::Root {
        check_descriptors(perigee.pid());
    }
    let pings = wire.peer().ping(&ipv4(1), 100, "");
    assert_eq!(pings.answered, 100, "it works with its jail around it");
    say(&format!("{} threads of a run on {kind:?} are confined", threads.len()));
    perigee.stop("INT");
}

/// Only root may look at the descriptors of a process that lets nobody look into it.
fn check_descriptors(pid: u32) {
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("root looks").flatten() {
        let number = entry.file_name().to_string_lossy().into_owned();
        let target = fs::read_link(entry.path()).map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        let standard = ["0", "1", "2"].contains(&number.as_str());
        let known = ["anon_inode:", "socket:", "pipe:", "/memfd:", "/dev/null", "/dev/net/tun", "/dev/hugepages"];
        let is_known = known.iter().any(|known| target.starts_with(known)) || target.ends_with("run.json");
        assert!(standard || is_known, "descriptor {number} is {target}");
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).map(str::trim).unwrap_or_default();
        let flags = u32::from_str_radix(flags, 8).expect("flags in octal digits");
        // O_CLOEXEC: a program that is started would not get it.
        assert!(standard || flags & 0o2_000_000 != 0, "descriptor {number}, {target}, is handed on: {flags:o}");
    }
}

#[test]
fn threads_are_confined_on_af_packet_as_root() {
    confined(Kind::AfPacket, Mode::Root);
}

#[test]
fn threads_are_confined_on_af_packet_as_user() {
    confined(Kind::AfPacket, Mode::User);
}

#[test]
fn threads_are_confined_on_tap_as_root() {
    confined(Kind::Tap, Mode::Root);
}

#[test]
fn threads_are_confined_on_tap_as_user() {
    confined(Kind::Tap, Mode::User);
}

#[test]
fn threads_are_confined_on_af_xdp_as_root() {
    confined(Kind::AfXdp, Mode::Root);
}

/// The name of the program on an interface.
fn program(host: &Namespace<'_>, device: &str) -> Option<String> {
    let text = host.ip(&format!("-details link show dev {device}"));
    let mut words = text.split_whitespace().skip_while(|word| *word != "prog/xdp");
    words.find(|word| *word == "name")?;
    words.next().map(str::to_owned)
}

#[test]
fn a_program_that_was_left_is_taken_off() {
    let Some(lab) = Lab::new(Mode::Root) else { return };
    if !lab.allows(Kind::AfXdp) {
        return;
    }
    let host = lab.namespace();
    let wire = Wire::new(&host, Kind::AfXdp, 0, 1_500);
    let device = wire.lasting_device().expect("it outlives a run");
    let answers = |perigee: &mut Perigee, wire: &Wire<'_, '_>| {
        wire.connect_v4(perigee, 2);
        wire.peer().wait_for_answer(&ipv4(1));
    };
    let mut perigee = Perigee::start(&host, "first", &responder(&lab, &wire.port("a", "")));
    answers(&mut perigee, &wire);
    assert_eq!(program(&host, &device).as_deref(), Some("xsk_def_prog"));
    // While it runs, its program is not taken for a leftover.
    let packet = wire.port("a", "").replace("net_af_xdp0", "net_af_packet1");
    let packet = packet.split(",start_queue").next().unwrap_or_default().to_owned() + ",framesz=2048\"\n";
    let other = Perigee::start(&host, "beside", &responder(&lab, &packet));
    let mut other = other;
    other.wait_until_running();
    assert_eq!(program(&host, &device).as_deref(), Some("xsk_def_prog"), "a running process keeps its program");
    other.stop("INT");
    perigee.kill();
    assert_eq!(program(&host, &device).as_deref(), Some("xsk_def_prog"), "a killed process leaves it");

    // Another driver on this interface: without the program.
    let mut perigee = Perigee::start(&host, "second", &responder(&lab, &packet));
    perigee.wait_until_running();
    assert_eq!(program(&host, &device), None, "the leftover is gone");
    assert!(perigee.output().contains("an XDP program that a killed process had left"), "{}", perigee.output());
    wire.peer().wait_for_answer(&ipv4(1));
    perigee.stop("INT");

    // And the same driver after a kill.
    for name in ["third", "fourth"] {
        let mut perigee = Perigee::start(&host, name, &responder(&lab, &wire.port("a", "")));
        perigee.wait_until_running();
        wire.peer().wait_for_answer(&ipv4(1));
        if name == "third" {
            perigee.kill();
        } else {
            perigee.stop("INT");
        }
    }
    assert_eq!(program(&host, &device), None, "a clean stop leaves nothing");
}

#[test]
fn the_user_can_be_chosen() {
    let Some(lab) = Lab::new(Mode::Root) else { return };
    let host = lab.namespace();
    let run = "[run]\nuser = \"4242:4243\"\n";
    let ports = "[[port]]\nname = \"a\"\ndevice = \"net_null0\"\n[[port]]\nname = \"b\"\ndevice = \"net_null1\"\n";
    let module = lab.module("l2-forward", "{}", &["a", "b"]);
    let config = run.to_owned() + &forwarder(ports, &module, "l2-forward", [cpus()[0]; 2]);
    let mut perigee = Perigee::start(&host, "run", &config);
    perigee.wait_until_running();
    for thread in threads(perigee.pid()) {
        assert_eq!(thread.field("Uid"), "4242\t4242\t4242\t4242", "{}", thread.name);
        assert_eq!(thread.field("Gid"), "4243\t4243\t4243\t4243", "{}", thread.name);
        assert_eq!(thread.field("Groups"), "", "{}", thread.name);
        let kept = if thread.name == "perigee" { DAC_OVERRIDE } else { 0 };
        assert_eq!(thread.bits("CapPrm"), kept, "{}: such ports need nothing", thread.name);
    }
    perigee.stop("TERM");
}

/// Waits until a command runs guest code, looks at its threads, and ends it.
fn look_at_a_command(bench: &Bench, arguments: &[&str]) {
    let is_root = fs::metadata(bench.path(".")).expect("its own directory").uid() == 0;
    let mut command = bench.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let pid = command.id();
    let guest = || threads(pid).into_iter().any(|thread| thread.name == "perigee-guest");
    wait_until("its guest ran", Duration::from_secs(30), || {
        assert_eq!(command.try_wait().expect("its state"), None, "{arguments:?} has ended before");
        guest()
    });
    for thread in threads(pid) {
        let Thread { name, .. } = &thread;
        assert_eq!((thread.field("NoNewPrivs"), thread.field("Seccomp")), ("1", "2"), "{arguments:?}: {name}");
        assert_eq!(thread.bits("CapEff") | thread.bits("CapPrm"), 0, "{arguments:?}: {name}");
        let ids = thread.field("Uid").split_whitespace().all(|id| id == NOBODY);
        assert!(ids || !is_root, "{arguments:?}: {name}: {}", thread.field("Uid"));
    }
    command.kill().expect("it runs");
    command.wait().expect("it was there");
}

/// Threads that read files ahead may read what is open, and the run's user could not open it any more.
#[test]
fn files_are_read_ahead_in_the_jail() {
    let bench = Bench::new();
    let mut file = [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0, 1].map(u32::to_le_bytes).concat();
    for n in 0..10_000_u32 {
        file.extend([0, n, 800, 800].map(u32::to_le_bytes).concat());
        file.extend([&[2; 12], &[8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0][..], &n.to_be_bytes()].concat());
        file.resize(file.len() + 770, 7);
    }
    fs::write(bench.path("in.pcap"), &file).expect("a file");
    fs::set_permissions(bench.path("in.pcap"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("its rights");
    bench.write(
        "ahead.toml",
        "[[port]]\nname = \"in\"\ndevice = \"file:in.pcap,preload=no,memory=512K,rate=20kpps,loop=4\"\n\
         [[port]]\nname = \"out\"\ndevice = \"net_null0\"\n\
         [[chain]]\nsource = { port = \"in\" }\nlcores = [0, 1]\ntx = [\"out\"]\n",
    );
    let mut command = bench.command(&["run", "ahead.toml", "--quiet", "--json", "summary.json"]);
    let command = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    let readers = |pid| threads(pid).into_iter().filter(|thread| thread.name == "perigee-reader").collect::<Vec<_>>();
    wait_until("files were read", Duration::from_secs(30), || readers(command.id()).len() == 2);
    for thread in readers(command.id()) {
        assert_eq!((thread.field("NoNewPrivs"), thread.field("Seccomp")), ("1", "2"));
        assert_eq!(thread.bits("CapEff") | thread.bits("CapPrm") | thread.bits("CapBnd"), 0);
    }
    let output = command.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let summary: serde_json::Value = serde_json::from_str(&bench.read("summary.json")).expect("a summary");
    let replay = &summary["ports"][0]["replay"];
    assert_eq!(
        (&replay["packets"], &replay["rounds"], &replay["changed"]),
        (&40_000.into(), &4.into(), &0.into()),
        "{replay}"
    );
}

#[test]
fn commands_run_guest_code_in_the_jail_too() {
    let bench = Bench::new();
    let good = bench.read("good.wat");
    let forever = "(loop $always (br $always))";
    bench.write(
        "starts.wat",
        &good.replace("(func (export", &format!("(func (export \"_initialize\") {forever})\n(func (export")),
    );
    let config = |file: &str, deadline: &str| {
        format!(
            "[[port]]\nname = \"a\"\ndevice = \"net_null0\"\n[[module]]\nname = \"m\"\nfile = \"{file}\"\n\
             grants = {{ deadline = \"{deadline}\" }}\non_fault = \"stop\"\n\
             [[chain]]\nsource = {{ port = \"a\" }}\nstages = [\"m\"]\n"
        )
    };
    bench.write("starts.toml", &config("starts.wat", "1000h"));
    look_at_a_command(&bench, &["check", "starts.toml"]);
    look_at_a_command(&bench, &["inspect", "starts.wat"]);
    // A bundle of a call that took all of its time.
    bench.write("loops.wat", &good.replace("(local $at i32)", &format!("(local $at i32)\n{forever}")));
    bench.write("loops.toml", &config("loops.wat", "2s"));
    let said = bench.perigee(&["run", "loops.toml", "--quiet", "--record", "recorded"]);
    assert_eq!(said.code, Some(2), "{}", said.err);
    let bundle = fs::read_dir(bench.path("recorded")).expect("bundles").flatten().next().expect("a bundle").path();
    let bundle = bundle.to_str().expect("a path of ours");
    look_at_a_command(&bench, &["replay", bundle]);
    let said = bench.perigee(&["replay", bundle, "--core", "core.wasm"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.contains("The deadline passes in the same call"), "{}", said.out);
    assert!(bench.path("core.wasm").metadata().expect("a core dump").len() > 100);
    // Calls of a suite have ten milliseconds each: there are many of them.
    let works = "(local $at i32) (local $n i32)
        (loop $a_while (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $a_while (i32.lt_u (local.get $n) (i32.const 4000000))))";
    bench.write("works.wat", &good.replace("(local $at i32)", works));
    look_at_a_command(&bench, &["conformance", "works.wat"]);
    let said = bench.perigee(&["conformance", "good.wat", "--json", "report.json"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(bench.read("report.json").contains("\"failed\": 0"), "{}", bench.read("report.json"));
}

#[test]
fn without_a_jail_nothing_is_given_up() {
    let Some(lab) = Lab::new(Mode::Root) else { return };
    let host = lab.namespace();
    let wire = Wire::new(&host, Kind::Tap, 0, 1_500);
    let config = "[run]\njail = \"off\"\n".to_owned() + &responder(&lab, &wire.port("a", ""));
    let mut perigee = Perigee::start(&host, "run", &config);
    perigee.wait_until_running();
    wait_until("it had its threads", Duration::from_secs(5), || threads(perigee.pid()).len() > 2);
    for thread in threads(perigee.pid()) {
        assert_eq!((thread.field("Seccomp"), thread.field("Uid")), ("0", "0\t0\t0\t0"), "{}", thread.name);
    }
    perigee.stop("INT");
}
