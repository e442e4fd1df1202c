//! `perigee run --profile`: the folder, what is named in it, a module that is replaced meanwhile, and a user without rights.

use crate::ctl_lab::{CONFIG, Process};
use crate::lab::{Lab, Mode};
use crate::modules::{Bench, GOOD};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

/// The example's module, whose function `checksum` is slow.
const SLOW: &str = include_str!("../../examples/profile/slow.wat");
const RUN: &str = r#"
[[port]]
name = "a"
device = "net_null0"
[[module]]
name = "slow"
file = "slow.wat"
[[chain]]
name = "work"
source = { port = "a" }
stages = ["slow"]
tx = ["a"]
"#;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

/// Samples of the stacks in that folder which have all these words.
fn samples(folder: &Path, words: &[&str]) -> u64 {
    let stacks = fs::read_to_string(folder.join("stacks.folded")).unwrap();
    let lines = stacks.lines().filter(|line| words.iter().all(|word| line.contains(word)));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// The function `checksum` takes most, and the files are for their owner alone.
fn names_the_slow_function(folder: &Path, said: &str) {
    let row = said.lines().skip_while(|line| !line.contains("chain/module")).nth(1).unwrap_or_default();
    let cells: Vec<&str> = row.split_ascii_whitespace().collect();
    let share: f64 = cells.get(2).and_then(|share| share.parse().ok()).unwrap_or(0.0);
    assert_eq!((cells.get(1), cells.last()), (Some(&"work/slow"), Some(&"checksum")), "{said}");
    assert!(share > 50.0, "{said}");
    let (all, slow) = (samples(folder, &[]), samples(folder, &[";chain work;module slow;process;forward;checksum"]));
    assert!(slow * 2 > all && all > 100, "{slow} of {all}\n{said}");
    let graph = fs::read_to_string(folder.join("flame.svg")).unwrap();
    assert!(graph.starts_with("<?xml") && graph.contains("<title>checksum ("), "{graph}");
    let functions = fs::read_to_string(folder.join("functions.txt")).unwrap();
    assert!(functions.lines().nth(1).unwrap_or_default().ends_with("checksum"), "{functions}");
    let mut maps = 0;
    for file in folder.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        if file.extension().is_some_and(|end| end == "map") {
            maps += 1;
            let map = fs::read_to_string(&file).unwrap();
            assert!(map.lines().any(|line| line.ends_with(" slow: checksum")), "{map}");
        }
    }
    assert_eq!((mode(folder), maps), (0o700, 1));
}

#[test]
fn the_slow_function_is_named_first() {
    let bench = Bench::new();
    bench.write("slow.wat", SLOW);
    bench.write("run.toml", RUN);
    let run = ["run", "run.toml", "--duration", "1500ms", "--jail", "on", "--profile", "kept"];
    let said = bench.perigee(&run);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    names_the_slow_function(&bench.path("kept"), &said.out);
    let phases =
        said.out.lines().skip_while(|line| !line.contains("cycles/packet  lcore  rx")).nth(1).unwrap_or_default();
    let cells: Vec<u64> =
        phases.split_ascii_whitespace().filter_map(|cell| cell.replace(',', "").parse().ok()).collect();
    let [_lcore, rx, publish, guest, collect, tx, _free, packets] = cells[..] else { panic!("{}", said.out) };
    assert!(guest > 4 * (rx + publish + collect + tx) && packets > 0, "{phases}");
    // Once more: the folder is there, and gets the new profile's files in the place of those of the old one.
    let old = fs::read_to_string(bench.path("kept/stacks.folded")).unwrap();
    let said = bench.perigee(&[&run[..], &["--profile-rate", "100"]].concat());
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.contains(" samples, 100 a second of each lcore"), "{}", said.out);
    assert_ne!(fs::read_to_string(bench.path("kept/stacks.folded")).unwrap(), old);
}

#[test]
fn a_run_without_it_has_no_profile() {
    let bench = Bench::new();
    bench.write("slow.wat", SLOW);
    bench.write("run.toml", RUN);
    let said = bench.perigee(&["run", "run.toml", "--duration", "300ms"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(!said.out.contains("profile") && !said.out.contains("chain/module"), "{}", said.out);
    let said = bench.perigee(&["sim", "run.toml", "--profile", "kept"]);
    assert!(said.code == Some(1) && said.err.contains("unexpected argument '--profile'"), "{}", said.err);
    let said = bench.perigee(&["run", "run.toml", "--profile-rate", "100"]);
    assert!(said.code == Some(1) && said.err.contains("--profile <DIR>"), "{}", said.err);
}

#[test]
fn folders_of_others_and_links_are_refused_before_anything_starts() {
    let bench = Bench::new();
    bench.write("slow.wat", SLOW);
    bench.write("run.toml", RUN);
    fs::create_dir(bench.path("open")).unwrap();
    fs::set_permissions(bench.path("open"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(bench.path("target")).unwrap();
    fs::set_permissions(bench.path("target"), fs::Permissions::from_mode(0o700)).unwrap();
    symlink(bench.path("target"), bench.path("link")).unwrap();
    let refused = |folder: &str| {
        let said = bench.perigee(&["run", "run.toml", "--duration", "10s", "--profile", folder]);
        assert_eq!(said.code, Some(1), "{folder}: {}", said.err);
        said.err
    };
    for (folder, why) in [
        ("link", "is a link or no folder at all: name the folder itself"),
        ("link/", "is a link or no folder at all"),
        ("run.toml", "is a link or no folder at all"),
        ("open", "others may look into it (mode 755): chmod 700 open"),
        ("not/there", "the folder above it is not there"),
    ] {
        let said = refused(folder);
        assert!(said.contains("--profile ") && said.contains(why), "{folder}: {said}");
    }
    if fs::metadata(bench.path("open")).unwrap().uid() == 0 {
        fs::set_permissions(bench.path("open"), fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::chown(bench.path("open"), Some(65_534), None).unwrap();
        let said = refused("open");
        assert!(said.contains("is user 65534's: name a folder of your own"), "{said}");
    }
    assert_eq!(fs::read_dir(bench.path("target")).unwrap().count(), 0, "nothing is written through the link");
}

/// The module that passes packets on, after it has counted to a thousand in a function of that name.
fn counting(name: &str) -> String {
    let call = format!("(call ${name})\n    (local.set $at (i32.const 0x1680))");
    let function = format!(
        "(func ${name} (local $n i32)
    (loop $on
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (i32.store (i32.const 0x800) (local.get $n))
      (br_if $on (i32.lt_u (local.get $n) (i32.const 1000)))))
  (func $process (export \"process\")"
    );
    GOOD.replace("(local.set $at (i32.const 0x1680))", &call).replace("(func (export \"process\")", &function)
}

#[test]
fn both_modules_are_named_where_one_takes_the_others_place() {
    let bench = Bench::new();
    bench.write("one.wat", &counting("first"));
    bench.write("two.wat", &counting("second"));
    let config = CONFIG.replace("echo.wat", "one.wat");
    let run = Process::start(&bench, &config, &["--profile", "kept", "--jail", "on"]);
    std::thread::sleep(Duration::from_millis(800));
    run.ctl(&["swap", "echo", "two.wat", "--grace", "0s"]);
    std::thread::sleep(Duration::from_millis(800));
    let (_, said) = run.stop();
    let folder = bench.path("kept");
    let [first, second] =
        ["first", "second"].map(|name| samples(&folder, &[";chain load;module echo ", ";process;", name]));
    assert!(first > 20 && second > 20, "{first} {second}\n{said}");
    // They have one name, and are told apart by their digests.
    let stacks = fs::read_to_string(folder.join("stacks.folded")).unwrap();
    let label = |function: &str| {
        let line = stacks.lines().find(|line| line.contains(function)).unwrap();
        line.split(';').nth(2).unwrap().to_owned()
    };
    assert_ne!(label("first"), label("second"), "{stacks}");
}

#[test]
fn a_user_without_rights_gets_one_too() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let host = lab.namespace();
    lab.write("slow.wat", SLOW.as_bytes());
    let file = lab.write("run.toml", RUN.as_bytes());
    let binary = lab.reachable(Path::new(env!("CARGO_BIN_EXE_perigee")));
    let mut command = host.command(&binary.to_string_lossy());
    command.arg("run").arg(file).args(["--duration", "1500ms", "--profile", "kept"]);
    let finished = host.start_command(command).wait(Duration::from_secs(60));
    assert_eq!(finished.status.code(), Some(0), "{}{}", finished.out, finished.err);
    names_the_slow_function(&lab.path("kept"), &finished.out);
}

/// What the host has made for a module is the module's: fields that are compiled have their name.
#[test]
fn compiled_fields_are_named() {
    let bench = Bench::new();
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/modules/stream-gen.wasm");
    fs::copy(module, bench.path("stream-gen.wasm")).expect("./x build-modules makes it");
    bench.write(
        "run.toml",
        "[[port]]\nname = \"out\"\ndevice = \"net_null0\"\n[[module]]\nname = \"gen\"\nfile = \"stream-gen.wasm\"\n\
         config = { packet = \"020000000002 020000000001 0800 4500002e00000000 40110000 0a000000 0a010001 80000009001a0000 \
         000000000000000000000000000000000000\", vary = [{ field = \"ipv4.source\", draw = \"random\" }, \
         { field = \"udp.source_port\", draw = \"random\" }] }\n\
         [[chain]]\nname = \"work\"\nsource = { module = \"gen\" }\ntx = [\"out\"]\n",
    );
    let said = bench.perigee(&["run", "run.toml", "--duration", "1500ms", "--profile", "kept"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let stacks = fs::read_to_string(bench.path("kept/stacks.folded")).unwrap();
    let fields =
        stacks.lines().find(|line| line.contains(";chain work;module gen;") && line.contains(";compiled fields "));
    assert!(fields.is_some_and(|line| line.contains(";generate;")), "{stacks}");
}
