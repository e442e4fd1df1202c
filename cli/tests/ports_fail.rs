//! What becomes of a run whose ports fail while it runs: libraries log, ask and clear up on every kind of thread, and the jail
//! lets them.

use crate::lab::{Kind, Lab, Mode, Perigee, Wire, cpus};
use crate::modules::Bench;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

/// Links are looked at each second.
const LOOKED_AT: Duration = Duration::from_millis(1_200);

/// A run on an interface that is changed under it: it lives, stops when it is asked to, and accounts for its packets.
fn changes(kind: Kind, device: &str, change: &str) {
    let Some(lab) = Lab::new(Mode::Root) else { return };
    if !lab.allows(kind) {
        return;
    }
    let host = lab.namespace();
    let wire = Wire::new(&host, kind, 0, 1_500);
    let (module, lcore) = (lab.module("l2-forward", "{}", &["a"]), cpus()[0]);
    let config = format!(
        "[[port]]\nname = \"a\"\ndevice = \"{device}\"\n{module}[[chain]]\nname = \"back\"\nlcores = [{lcore}]\n\
         source = {{ port = \"a\" }}\nstages = [\"l2-forward\"]\ntx = [\"a\"]\n"
    );
    let mut perigee = Perigee::start(&host, "run", &config);
    wire.connect(&mut perigee, 2);
    host.ip(change);
    sleep(LOOKED_AT);
    perigee.stop("INT");
}

#[test]
fn an_interface_of_af_packet_goes_or_is_down() {
    changes(Kind::AfPacket, "net_af_packet0,iface=port0", "link del port0");
    changes(Kind::AfPacket, "net_af_packet0,iface=port0", "link set port0 down");
}

#[test]
fn an_interface_of_af_xdp_goes_or_is_down() {
    changes(Kind::AfXdp, "net_af_xdp0,iface=port0", "link del port0");
    changes(Kind::AfXdp, "net_af_xdp0,iface=port0", "link set port0 down");
}

#[test]
fn an_interface_of_pcap_goes_or_is_down() {
    changes(Kind::AfPacket, "net_pcap0,iface=port0", "link del port0");
    changes(Kind::AfPacket, "net_pcap0,iface=port0", "link set port0 down");
}

#[test]
fn an_interface_of_tap_goes_or_is_down() {
    changes(Kind::Tap, "net_tap0,iface=kernel0", "link del kernel0");
    changes(Kind::Tap, "net_tap0,iface=kernel0", "link set kernel0 down");
}

/// A peer that connects with a ring larger than its memory, three times, and one that says nothing of the protocol.
const PEER: &str = r#"
import os, socket, struct, time
def peer():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(5); s.connect("m.sock")
    return s, len(s.recv(400))
for turn in range(3):
    s, size = peer()
    def send(kind, body, *fds):
        m = (struct.pack("<H", kind) + body).ljust(size, b"\0")
        socket.send_fds(s, [m], fds) if fds else s.send(m)
        return s.recv(400)
    region = os.memfd_create("r"); os.ftruncate(region, 1 << 22)
    send(3, struct.pack("<HIB24s32s", 0x0200, 1, 0, b"", b"peer"))
    send(4, struct.pack("<QH", 1 << 22, 0), region)
    send(5, struct.pack("<HHHIBH", 1, 0, 0, 0, 10, 0), os.eventfd(0))
    send(5, struct.pack("<HHHIBH", 0, 0, 0, 1 << 16, 10, 0), os.eventfd(0))
    try: send(6, b"x" * 32)
    except OSError: pass
    s.close()
s, size = peer()
for kind in range(0, 400, 13):
    try: s.send(struct.pack("<H", kind).ljust(size, b"\1"))
    except OSError: break
time.sleep(.3)
"#;

/// The peer's run: with a socket for syslog, or without. /dev is another one, with what a program needs.
const MEMIF: &str = r#"
python3 -c 'import socket, time; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("log"); time.sleep(60)' & log=$!
until [ -S log ]; do sleep 0.02; done
mkdir dev; mount -t tmpfs tmpfs dev; for f in null zero random urandom; do : > dev/$f; mount --bind /dev/$f dev/$f; done
if [ $1 = with ]; then : > dev/log; mount --bind log dev/log; fi
mount --move dev /dev
"$P" forward good.wat --port net_memif0,role=server,id=1,socket=$PWD/m.sock,socket-abstract=no --port net_null0 \
    --quiet --json s.json --control off --log info 2>err & run=$!
until grep -q running err || ! kill -0 $run; do sleep 0.02; done
python3 -c "$PEER" 2>&1
kill -INT $run; wait $run; code=$?; kill $log; cat err; exit $code
"#;

#[test]
fn a_memif_peer_with_wrong_rings_is_turned_away() {
    for socket in ["with", "without"] {
        let bench = Bench::new();
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "--net", "bash", "-c", MEMIF, "bash", socket]);
        command.env("P", env!("CARGO_BIN_EXE_perigee")).env("PEER", PEER).current_dir(bench.path("."));
        let output = command.output().expect("unshare");
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{socket} /dev/log: {}\n{told}", output.status);
        assert!(told.contains("memif_connect(): Wrong ring"), "{told}");
        assert!(bench.read("s.json").contains("\"balanced\": true"), "{}", bench.read("s.json"));
    }
}
