// What has happened: read from the differences between two snapshots, from the run's own reports of swaps, and from its silence.

import { shown, span } from "./format.js";
import { before, model } from "./model.js";

/** Entries that are kept. */
const MOST = 500;
/** Entries of one look: a run that has restarted a thousand instances needs no thousand lines. */
const MOST_AT_ONCE = 40;

export const log = { entries: [], number: 0 };

function note(what, text, isBad = false) {
  log.number += 1;
  const at = model.now ? span(model.now.elapsed_ns) : "–";
  log.entries.unshift({ key: `${log.number}`, at, clock: new Date().toLocaleTimeString(), what, text: shown(text, 300), isBad });
  log.entries.length = Math.min(log.entries.length, MOST);
}

/** What differs between the last two snapshots. */
export function compare() {
  if (!model.last) return note("run", "figures begin");
  const found = [...ports(), ...modules(), ...streams(), ...lcores()];
  found.slice(0, MOST_AT_ONCE).forEach((entry) => note(...entry));
  if (found.length > MOST_AT_ONCE) note("log", `${found.length - MOST_AT_ONCE} more at the same moment are left out`);
}

function* ports() {
  for (const now of model.now.ports) {
    const then = before("ports", now.key);
    if (!then) continue;
    if (now.link_up !== then.link_up) yield ["link", `port ${now.name}: link ${now.link_up ? "up" : "DOWN"}`, !now.link_up];
    else if (now.link_downs > then.link_downs) yield ["link", `port ${now.name}: the link went down and came back`, true];
    for (const event of now.events.slice(then.events.length)) yield ["port", `port ${now.name}: ${event}`];
  }
}

const sum = (counts) => Object.values(counts).reduce((all, n) => all + n, 0);

function* modules() {
  for (const now of model.now.modules) {
    const then = before("modules", now.key);
    if (!then) continue;
    const who = `module ${now.key}`;
    const failures = sum(now.faults) - sum(then.faults);
    if (failures > 0) yield ["fault", `${who}: ${failures === 1 ? "failed" : `failed ${failures} times`}: ${now.last_fault ?? now.failed ?? ""}`, true];
    if (now.installs > then.installs) yield ["instance", `${who}: has a new instance`];
    if (JSON.stringify(now.state) !== JSON.stringify(then.state)) yield ["state", `${who}: is ${stateOf(now)}`, Boolean(now.failed)];
  }
}

function* streams() {
  for (const now of model.now.streams) {
    const then = before("streams", now.key);
    if (!then) continue;
    if (now.state !== then.state) yield ["stream", `stream ${now.name}: is ${now.state}`];
    if (now.rate !== then.rate) yield ["stream", `stream ${now.name}: rate ${then.rate || "–"} is ${now.rate || "–"} now`];
    if (now.pattern !== then.pattern) yield ["stream", `stream ${now.name}: pattern ${then.pattern} is ${now.pattern} now`];
    if (now.missed && !then.missed) yield ["stream", `stream ${now.name}: ${now.missed}`, true];
  }
}

function* lcores() {
  for (const now of model.now.lcores) {
    const then = before("lcores", now.key);
    if (then && now.stuck_ns > 0 && then.stuck_ns === 0) yield ["lcore", `lcore ${now.lcore}: gives no sign of life`, true];
    if (then && now.stuck_ns === 0 && then.stuck_ns > 0) yield ["lcore", `lcore ${now.lcore}: goes on`];
  }
}

/** How an instance is. */
export function stateOf(module) {
  const state = typeof module.state === "string" ? module.state : Object.keys(module.state ?? {})[0] ?? "";
  return shown(state.replaceAll("_", " "), 40);
}

/** Swaps that are new. */
export function swapped(swaps) {
  const known = model.swaps;
  model.swaps = swaps;
  if (!known) return;
  const newest = known.latest.reduce((most, report) => Math.max(most, report.number), 0);
  for (const report of swaps.latest.filter((report) => report.number > newest)) {
    note("swap", `module ${report.module}: ${report.old_digest.slice(0, 12)} replaced by ${report.new_digest.slice(0, 12)}, lost ${report.lost} packets`);
  }
  for (const report of swaps.latest) {
    const then = known.latest.find(({ number }) => number === report.number);
    if (then && !then.rolled_back && report.rolled_back) note("swap", `module ${report.module}: the old one is back: ${report.rolled_back}`, true);
  }
  if (swaps.refused > known.refused) note("swap", "a swap was refused", true);
}

/** The run answers no more, or again. */
export function silence(error) {
  note("run", error ? `does not answer: ${error}` : "answers", Boolean(error));
}

export function ended() {
  note("run", "has ended", true);
}
