//! What of a bundle people and programs read: `fault.json`, `descriptors.json`, `backtrace.txt`.

use super::case::Case;
use super::{FaultPlace, hex};
use perigee_abi::{ABI_VERSION, PacketDesc, verdict as v};
use perigee_core::judge::Way;
use perigee_wasm::log::LogLine;
use serde_json::{Value, json};
use std::time::{Duration, UNIX_EPOCH};

/// Why a bundle has no core dump.
const LEFT_OUT: &str = "the module has secrets: its memory and globals are in no file";

/// A verdict's name, for people.
pub(super) fn verdict(word: u32) -> String {
    match Way::of(word) {
        Some(Way::Drop) => "Drop".to_owned(),
        Some(Way::Next) => "Next".to_owned(),
        Some(Way::Tx(port)) => format!("Tx to port {port}"),
        Some(Way::Ring(ring)) => format!("Ring {ring}"),
        Some(Way::Hold) => "Hold".to_owned(),
        Some(Way::Listed) => "Listed".to_owned(),
        None => format!("none that exists, kind {}", v::kind(word)),
    }
}

/// `fault.json`.
pub(super) fn fault(case: &Case, seated: &FaultPlace) -> Value {
    let unix_ns = case.started.start_unix_ns.saturating_add(case.at_ns);
    let when = UNIX_EPOCH + Duration::from_nanos(unix_ns);
    json!({
        "class": seated.class,
        "trap": case.trace,
        "module": {
            "name": case.module,
            "sha256": hex(&case.probe.digest),
            "bytes": case.probe.wasm.len(),
            "settings": seated.settings,
        },
        "place": { "chain": seated.chain, "lcore": seated.lcore, "stage": seated.stage, "seat": seated.seat },
        "batch": { "sequence": case.sequence, "packets": case.packets.len(), "held": case.held },
        "time": {
            "utc": humantime::format_rfc3339_nanos(when).to_string(),
            "unix_ns": unix_ns,
            "since_start_ns": case.at_ns,
        },
        "grants": case.started.grants,
        "seed": case.started.seed,
        "memory": {
            "bytes": case.image.len,
            "window": { "at": case.image.window.0, "bytes": case.image.window.1 },
            // With it who knows all else of the memory could guess a secret in it.
            "sha256_without_window": case.secrets.is_empty().then(|| hex(&case.image.digest())),
            "left_out": (!case.secrets.is_empty()).then_some(LEFT_OUT),
        },
        "recording": match &case.recording {
            None if !case.secrets.is_empty() => json!("none: a module with secrets is not recorded"),
            None => json!("none: the run was not recorded"),
            Some(Ok(bytes)) => json!({ "bytes": bytes.len() }),
            Some(Err(why)) => json!(format!("given up: {why}")),
        },
        "versions": {
            "perigee": env!("CARGO_PKG_VERSION"),
            "wasmtime": super::wasmtime_version(),
            "engine": case.started.engine,
            "dpdk": seated.dpdk,
            "abi": ABI_VERSION,
        },
    })
}

/// `descriptors.json`.
pub(super) fn descriptors(case: &Case) -> Value {
    let word = |at: usize| case.head.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
    let packets = case.packets.iter().enumerate().map(|(i, packet)| {
        json!({
            "index": i,
            "room": { "offset": packet.room.0, "bytes": packet.room.1 },
            "published": descriptor(&packet.published),
            "left": descriptor(&packet.left),
        })
    });
    json!({
        "header": {
            "count": word(0), "flags": word(4), "time_ns": long(8), "sequence": long(16), "out_count": word(24),
            "held": word(28), "spare_count": word(32), "hold_quota": word(36), "window": word(48), "window_len": word(52),
            "seed": long(56), "start_unix_ns": long(64), "instance": word(72), "instances": word(76),
            "port_count": word(80), "ring_count": word(84), "headroom": word(88), "next_port": word(92),
            "room_len": word(96),
        },
        "packets": packets.collect::<Vec<_>>(),
    })
}

fn descriptor(d: &PacketDesc) -> Value {
    json!({
        "addr": d.addr, "len": d.len, "port": d.port, "verdict": d.verdict, "verdict_text": verdict(d.verdict),
        "mark": d.mark, "slot": d.slot, "generation": d.generation, "rx_flags": d.rx_flags, "tx_flags": d.tx_flags,
        "hash": d.hash, "queue": d.queue, "vlan": d.vlan, "l2_len": d.l2_len, "l3_len": d.l3_len, "time": d.time,
    })
}

/// `log.txt`: a line for each line, the oldest first.
pub(super) fn log(lines: &[LogLine]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// `backtrace.txt`.
pub(super) fn backtrace(case: &Case, seated: &FaultPlace) -> String {
    let FaultPlace { chain, lcore, .. } = seated;
    format!(
        "module {}, chain {chain}, lcore {lcore}, batch {}\n{}\nOffsets are those of module.wasm; names are from its name \
         section.\n",
        case.module, case.sequence, case.trace
    )
}
