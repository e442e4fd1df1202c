// The pages but that of a stream: what each shows of a snapshot.

import { button, report, restart, swap } from "./control.js";
import { Curves, hasCurves } from "./curves.js";
import { bits, count, h, packets, setText, shown, si, time } from "./format.js";
import { Picture } from "./graph.js";
import { log, stateOf } from "./log.js";
import { before, choose, chosen, cyclesIn, dropped, history, left, lost, model, MOST_CURVES, PHASES, rate, Series, taken } from "./model.js";
import { Table } from "./table.js";

/** Curves in one picture: more cannot be told apart. */
const IN_ONE = 8;

const text = (title, read) => ({ title, text: (row) => shown(read(row)) });
const number = (title, value, show = count, bad = undefined) => ({ title, number: true, value, text: (row) => show(value(row)), bad });
/** A number that is red where it grows. */
const drops = (title, read) => number(title, ({ now }) => read(now), count, ({ now, then }) => then && read(now) > read(then));
const perSecond = (title, read, show = packets) => number(title, ({ now, then }) => (then ? rate(read(now), read(then)) : null), show);

/** Entries with what they were a snapshot ago. */
const rows = (kind) => [...(model.now?.by[kind].values() ?? [])].map((now) => ({ key: now.key, now, then: before(kind, now.key) }));

/** A page that is one table, or several below each other. */
class Tables {
  constructor(tables, ...more) {
    this.tables = tables;
    this.element = h("div", {}, ...more, ...tables.map(({ table }) => table.element));
  }

  update() {
    for (const { table, read } of this.tables) table.set(read());
  }

  focusFilter() {
    this.tables[0].table.filter.focus();
  }

  print(isPrinting) {
    this.tables.forEach(({ table }) => table.print(isPrinting));
  }
}

/** The key c, and a click, on a row of which there is a series. */
const curveOf = (kind) => ({
  mark: (row) => toggle(new Series(kind, row.key)),
  isMarked: (row) => chosen.has(new Series(kind, row.key).id),
});

export function toggle(series) {
  if (!choose(series)) alertOnce(`${MOST_CURVES} curves are kept, no more: choose another one away first`);
}

function alertOnce(words) {
  setText(document.getElementById("state"), words);
}

export class Overview {
  constructor() {
    this.facts = h("p", { class: "facts-line" });
    this.element = h("div", {}, this.facts);
    this.curves = new Map();
  }

  /** The curves that are always there, of the first ports, chains and streams, and those that somebody chose. */
  wanted() {
    const of = (kind, is, ...series) => {
      const keys = [...(model.now?.by[kind].values() ?? [])].filter(is).slice(0, IN_ONE / series.length);
      return keys.flatMap(({ key }) => series.map((one) => new Series(one, key)));
    };
    const all = () => true;
    // Some drivers count no bytes.
    const hasBytes = (port) => port.rx_bytes + port.tx_bytes > 0;
    const groups = [
      ["Ports: packets a second", "pps", of("ports", all, "port rx", "port tx")],
      ["Ports: bits a second", "bit/s", of("ports", hasBytes, "port rx bits", "port tx bits")],
      ["Chains: packets a second", "pps", of("chains", all, "chain in", "chain dropped")],
      ["Streams: packets a second", "pps", of("streams", all, "stream sent")],
    ];
    const byUnit = Map.groupBy ? Map.groupBy([...chosen.values()], ({ unit }) => unit) : group([...chosen.values()]);
    for (const [unit, list] of byUnit) {
      for (let at = 0; at < list.length; at += IN_ONE) groups.push([`Chosen, ${unit} ${at / IN_ONE + 1}`, unit, list.slice(at, at + IN_ONE)]);
    }
    return groups.filter(([, , series]) => series.length > 0);
  }

  update() {
    const now = model.now;
    if (!now) return;
    const all = (read) => {
      const rates = now.chains.map((chain) => [chain, before("chains", chain.key)]).map(([a, b]) => (b ? rate(read(a), read(b)) : null));
      return rates.includes(null) ? null : rates.reduce((sum, one) => sum + one, 0);
    };
    const failed = now.modules.filter((module) => module.failed).length;
    setText(this.facts, `${now.ports.length} ports, ${now.chains.length} chains, ${now.modules.length} instances (${failed} failed), ${now.streams.length} streams; `
      + `taken ${packets(all(taken))}, sent ${packets(all((c) => c.sent))}, dropped ${packets(all(dropped))}; `
      + `ports lose ${packets(now.ports.every((p) => before("ports", p.key)) ? now.ports.reduce((sum, p) => sum + rate(lost(p), lost(before("ports", p.key))), 0) : null)}`);
    const groups = this.wanted();
    for (const [, , series] of groups) for (const one of series) this.keep(one);
    for (const title of [...this.curves.keys()].filter((title) => !groups.some(([wanted]) => wanted === title))) {
      this.curves.get(title).remove();
      this.curves.get(title).element.remove();
      this.curves.delete(title);
    }
    for (const [title, unit, series] of groups) {
      if (!this.curves.has(title)) {
        this.curves.set(title, new Curves(title, unit));
        this.element.append(this.curves.get(title).element);
      }
      this.curves.get(title).set(series.filter((one) => history.values.has(one.id)));
      this.curves.get(title).draw();
    }
  }

  keep(series) {
    if (!history.values.has(series.id)) history.keep(series);
  }

  close() {
    for (const curves of this.curves.values()) curves.remove();
  }
}

function group(list) {
  const groups = new Map();
  for (const one of list) groups.set(one.unit, [...(groups.get(one.unit) ?? []), one]);
  return groups;
}

export function ports() {
  const columns = [
    text("port", ({ now }) => now.name), text("driver", ({ now }) => now.driver), text("link", ({ now }) => (now.link_up ? `up${now.speed_mbps ? `, ${si(now.speed_mbps * 1e6, "bit/s")}` : ""}` : "DOWN")),
    perSecond("rx", (p) => p.rx_packets), perSecond("rx bits", (p) => p.rx_bytes * 8, bits), perSecond("tx", (p) => p.tx_packets), perSecond("tx bits", (p) => p.tx_bytes * 8, bits),
    number("rx packets", ({ now }) => now.rx_packets), number("tx packets", ({ now }) => now.tx_packets),
    drops("missed", (p) => p.rx_missed), drops("rx errors", (p) => p.rx_errors), drops("no room", (p) => p.rx_nombuf), drops("too long", (p) => p.rx_too_long),
    drops("tx errors", (p) => p.tx_errors), drops("kernel", (p) => p.kernel_drops),
  ];
  columns[2].bad = ({ now }) => !now.link_up;
  return new Tables([{ table: new Table({ label: "Ports", columns, ...curveOf("port rx") }), read: () => rows("ports") }]);
}

export function chains() {
  const columns = [
    text("chain", ({ now }) => now.name), number("lcore", ({ now }) => now.lcore), perSecond("in", taken), perSecond("out", left), perSecond("out bits", (c) => c.sent_bytes * 8, bits),
    perSecond("dropped", dropped), drops("drops", dropped), number("held", ({ now }) => now.held),
    number("cycles/packet", ({ now, then }) => {
      const packets = then ? taken(now) - taken(then) : 0;
      return packets > 0 ? (now.cycles_busy - then.cycles_busy) / packets : null;
    }),
    number("batch p50", ({ now }) => now.batch_time.p50_ns, time), number("p99", ({ now }) => now.batch_time.p99_ns, time), number("longest", ({ now }) => now.batch_time.max_ns, time),
    drops("copied", (c) => c.copied_in), drops("bypassed", (c) => c.bypassed),
  ];
  const phases = [
    text("chain", ({ now }) => now.name), number("lcore", ({ now }) => now.lcore),
    ...PHASES.map((phase) => number(phase, ({ now, then }) => cyclesIn(phase, now, then))), number("packets", ({ now }) => now.phases.packets),
  ];
  const times = [
    text("chain", ({ now }) => `${now.chain} @${now.lcore}`), text("part", ({ part }) => part.part), number("packets", ({ part }) => part.times.count),
    number("shortest", ({ part }) => part.times.min_ns, time), number("mean", ({ part }) => part.times.mean_ns, time), number("longest", ({ part }) => part.times.max_ns, time),
  ];
  const parts = () => (model.now?.stage_times ?? []).flatMap((now) => now.parts.map((part, n) => ({ key: `${now.chain} @${now.lcore} ${part.part} ${n}`, now, part })));
  return new Tables([
    { table: new Table({ label: "Chains", columns, ...curveOf("chain in") }), read: () => rows("chains") },
    { table: new Table({ label: "Cycles of a packet by phase, of one poll in 251", columns: phases }), read: () => rows("chains").filter(({ now }) => now.phases.packets > 0) },
    { table: new Table({ label: "Times in stages (chains with stage_times)", columns: times }), read: parts },
  ]);
}

const faults = (module) => Object.values(module.faults).reduce((sum, n) => sum + n, 0);

export function modules() {
  let selected = null;
  const detail = h("p", { class: "buttons" });
  const columns = [
    text("module", ({ now }) => now.name), text("chain", ({ now }) => now.chain), number("lcore", ({ now }) => now.lcore),
    { ...text("state", ({ now }) => stateOf(now)), bad: ({ now }) => Boolean(now.failed) }, drops("failures", faults), number("installs", ({ now }) => now.installs),
    drops("log lost", (m) => m.log_lost), drops("denied", (m) => m.hostcalls_denied), number("told", (m) => m.now.told), number("heard", (m) => m.now.heard), drops("not told", (m) => m.tell_full), drops("not heard", (m) => m.hear_refused), number("counters", ({ now }) => Object.keys(now.counters).length),
    text("last failure", ({ now }) => now.failed ?? now.last_fault ?? ""), text("digest", ({ now }) => now.origin.sha256.slice(0, 12)),
  ];
  const counter = [
    text("counter", ({ name }) => name), number("a second", ({ now, then }) => (then === undefined ? null : rate(now, then)), (value) => si(value, "/s")), number("value", ({ now }) => now),
  ];
  const open = (row) => {
    selected = row.key;
    const { name } = row.now;
    const buttons = [button("Swap… ( s )", () => swap(name)), button("Restart…", () => restart(name))].filter(Boolean);
    detail.replaceChildren(`${shown(row.key, 120)}: ${grants(name)} `, ...buttons);
    update();
  };
  const of = () => {
    const entry = selected === null ? (model.now?.modules[0] ?? null) : model.now?.by.modules.get(selected);
    if (!entry) return [];
    const then = before("modules", entry.key)?.counters ?? {};
    return Object.entries(entry.counters).map(([name, now]) => ({ key: name, name, now, then: then[name], module: entry.key }));
  };
  const series = (row) => new Series("counter", row.module, row.name);
  const mark = (row) => {
    toggle(series(row));
    update();
  };
  const isMarked = (row) => chosen.has(series(row).id);
  const counters = new Table({ label: "Counters of the module (its own word); c draws a curve", columns: counter, mark, open: mark, isMarked });
  const page = new Tables([{ table: new Table({ label: "Modules", columns, open }), read: () => rows("modules") }, { table: counters, read: of }]);
  page.element.insertBefore(detail, counters.element);
  const update = () => page.update();
  page.key = (key) => {
    const name = model.now?.by.modules.get(selected)?.name;
    if (key !== "s" || !model.session?.control || name === undefined) return false;
    swap(name);
    return true;
  };
  return page;
}

/** What a module may do, where it was asked for. */
function grants(name) {
  const entry = model.modules?.find((module) => module.name === name);
  if (!entry) return "";
  const { grants, domain } = entry;
  const told = [`domain ${domain}`];
  if (grants.tx.length > 0) told.push(`sends by ${grants.tx.join(", ")}`);
  if (grants.rings.length > 0) told.push(`rings ${grants.rings.join(", ")}`);
  if (grants.create) told.push("makes packets");
  if (grants.pace) told.push("says when packets leave");
  if (grants.hostcalls.length > 0) told.push(`calls ${grants.hostcalls.join(", ")}`);
  return shown(`${told.join("; ")}.`, 400);
}

export function memory() {
  const rings = [text("ring", ({ now }) => now.name), number("packets in it", ({ now }) => now.count), number("places", ({ now }) => model.graph?.rings.find((ring) => ring.name === now.name)?.size ?? null),
    number("times pressed", ({ now }) => now.backpressure?.times ?? null, count, ({ now }) => now.backpressure?.presses === true)];
  const pools = [text("pool", ({ now }) => now.name), number("rooms", ({ now }) => now.size), number("free", ({ now }) => now.free, count, ({ now }) => now.free === 0),
    number("in use", ({ now }) => (now.size === 0 ? null : (now.size - now.free) / now.size), (part) => (part === null ? "–" : `${(part * 100).toFixed(1)} %`))];
  const lcores = [number("lcore", ({ now }) => now.lcore), number("no sign of life for", ({ now }) => now.stuck_ns, time, ({ now }) => now.stuck_ns > 0), number("the longest so far", ({ now }) => now.stuck_worst_ns, time)];
  return new Tables([
    { table: new Table({ label: "Rings", columns: rings }), read: () => rows("rings") }, { table: new Table({ label: "Pools", columns: pools }), read: () => rows("pools") },
    { table: new Table({ label: "Lcores", columns: lcores }), read: () => rows("lcores") },
  ]);
}

/** Each cause for which packets were lost, wherever it was. */
function causes() {
  const found = [];
  const add = (where, cause, now, then) => now > 0 && found.push({ key: `${where} ${cause}`, where, cause, now, then });
  for (const { now, then } of rows("chains")) {
    for (const [cause, n] of Object.entries(now.dropped)) add(`chain ${now.key}`, cause, n, then ? (then.dropped[cause] ?? 0) : undefined);
  }
  for (const { now, then } of rows("ports")) {
    for (const cause of ["rx_missed", "rx_errors", "rx_nombuf", "rx_too_long", "tx_errors", "kernel_drops", "unwritten", "discarded"]) add(`port ${now.key}`, cause, now[cause], then?.[cause]);
  }
  return found;
}

export function dropsPage() {
  const columns = [text("where", ({ where }) => where), text("cause", ({ cause }) => cause), number("packets", ({ now }) => now),
    number("a second", ({ now, then }) => (then === undefined ? null : rate(now, then)), packets, ({ now, then }) => then !== undefined && now > then)];
  return new Tables([{ table: new Table({ label: "Drops by cause", columns }), read: causes }]);
}

export function streams() {
  const measured = (row) => model.now?.by.measured.get(row.key);
  const columns = [
    text("stream", ({ now }) => now.name), text("state", ({ now }) => now.state), text("rate asked", ({ now }) => now.rate), perSecond("got", (s) => s.sent), number("sent", ({ now }) => now.sent),
    drops("late", (s) => s.late), drops("dropped late", (s) => s.dropped_late), number("lost", (row) => measured(row)?.probes.lost ?? null), number("reordered", (row) => measured(row)?.order.reordered ?? null),
    number("duplicated", (row) => measured(row)?.probes.duplicated ?? null), number("mean latency", (row) => measured(row)?.latency.mean_ns ?? null, time), number("longest", (row) => measured(row)?.latency.max_ns ?? null, time),
  ];
  const paths = [text("path", ({ now }) => now.name), drops("first place", (p) => p.packets.first), number("in time", ({ now }) => now.packets.in_time), drops("late", (p) => p.packets.late), drops("lost", (p) => p.packets.lost),
    drops("ambiguous", (p) => p.packets.ambiguous), drops("reordered", (p) => p.packets.reordered), number("mean latency", ({ now }) => now.latency.mean_ns, time), number("longest", ({ now }) => now.latency.max_ns, time)];
  return new Tables([
    { table: new Table({ label: "Streams; Enter opens one", columns, open: (row) => { location.hash = `#/stream/${encodeURIComponent(row.key)}`; }, ...curveOf("stream sent") }), read: () => rows("streams") },
    { table: new Table({ label: "Paths", columns: paths }), read: () => rows("paths") },
  ]);
}

export class GraphPage {
  constructor() {
    this.picture = new Picture();
    this.element = this.picture.element;
    this.drawn = null;
  }

  update() {
    if (model.graph && this.drawn !== model.graph) {
      this.drawn = model.graph;
      this.picture.draw(model.graph);
    }
    this.picture.update();
  }
}

export function logPage() {
  const columns = [text("run", ({ at }) => at), text("clock", ({ clock }) => clock), text("of", ({ what }) => what), { ...text("what happened", ({ text }) => text), bad: ({ isBad }) => isBad }];
  const swaps = h("section", { class: "swaps" });
  const page = new Tables([{ table: new Table({ label: "What has happened since this page was opened", columns }), read: () => log.entries }]);
  page.element.append(swaps);
  const update = page.update.bind(page);
  let shownSwaps = null;
  page.update = () => {
    update();
    if (model.swaps === shownSwaps) return;
    shownSwaps = model.swaps;
    const { done, refused, rolled_back: back, latest } = shownSwaps;
    swaps.replaceChildren(h("h2", {}, `Swaps: ${count(done)} done, ${count(refused)} refused, ${count(back)} rolled back`), ...latest.slice(-5).reverse().map((one) => h("details", {}, h("summary", {}, `${one.number}: ${shown(one.module, 60)}`), ...report(one))));
  };
  return page;
}

export class About {
  constructor() {
    const keys = [["1 – 9", "the pages, in their order"], ["/", "to the filter of a table"], ["arrows, Page, Home, End", "another row of a table"], ["Enter", "opens the row"], ["c", "draws a curve of the row on the first page, or no more"],
      ["r, p", "on a stream's page: its rate; pause or go on"], ["s", "on the modules' page: swap the selected one"], ["?", "this page"]];
    const licence = h("pre");
    this.element = h("section", {}, h("h2", {}, "About this page"),
      h("p", {}, `perigee ${shown(model.session?.version ?? "")}. ${model.session?.control ? "It may change the run." : "It only looks on: --control, or web_control = true, lets it change the run."}`),
      h("p", {}, `${count(model.session?.wrong_tokens ?? 0)} wrong tokens were tried before this page was opened.`),
      h("p", {}, "All figures are those of GET /v1/stats; rates are between two of them. A red figure grew since the last look."),
      h("h3", {}, "Keys"), h("dl", { class: "keys" }, ...keys.flatMap(([key, what]) => [h("dt", {}, key), h("dd", {}, what)])),
      h("h3", {}, "Curves"), hasCurves() ? h("p", {}, "by uPlot, whose licence is:") : h("p", { class: "bad" }, "This program was built without uPlot, which draws curves: their last values are shown as tables. ./x setup fetches it."), licence);
    if (hasCurves()) fetch("/vendor/licence.txt").then((answer) => answer.text()).then((words) => setText(licence, words)).catch(() => {});
  }

  update() {}
}
