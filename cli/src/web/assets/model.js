// What the run tells, as it comes: two snapshots, and between them rates. Nothing is remembered of a series but where a curve of
// it is shown.

/** Points of a curve that are kept. */
const POINTS = 600;
/** Curves that are kept in all. */
export const MOST_CURVES = 48;

export const model = {
  session: null,
  status: null,
  now: null,
  last: null,
  graph: null,
  modules: null,
  swaps: null,
  /** Why the run does not answer, and for how many seconds. */
  gone: null,
  /** When the last figures came, by the browser's clock. */
  at: null,
  connected: false,
};

const listeners = new Set();

/** Calls back after each change. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function changed(what) {
  for (const listener of [...listeners]) listener(what);
}

/** Seconds between the two snapshots; nothing while there is one. */
export function seconds() {
  if (!model.last || !model.now) return 0;
  return (model.now.elapsed_ns - model.last.elapsed_ns) / 1e9;
}

/** How much a number grew in a second. */
export function rate(now, before) {
  const window = seconds();
  if (window <= 0 || now === undefined || before === undefined) return null;
  return Math.max(0, now - before) / window;
}

/** A snapshot with its parts by name, so that each finds itself in the one before. */
function indexed(snapshot) {
  const by = (list, key) => {
    const seen = new Map();
    const found = new Map();
    for (const entry of list ?? []) {
      const name = key(entry);
      const nth = seen.get(name) ?? 0;
      seen.set(name, nth + 1);
      // The same module may stand in a chain twice.
      entry.key = nth === 0 ? name : `${name} #${nth + 1}`;
      found.set(entry.key, entry);
    }
    return found;
  };
  snapshot.by = {
    ports: by(snapshot.ports, (port) => port.name),
    chains: by(snapshot.chains, (chain) => `${chain.name} @${chain.lcore}`),
    modules: by(snapshot.modules, (module) => `${module.name} in ${module.chain} @${module.lcore}`),
    streams: by(snapshot.streams, (stream) => stream.name),
    measured: by(snapshot.measured, (stream) => stream.name),
    paths: by(snapshot.paths, (path) => path.name),
    rings: by(snapshot.rings, (ring) => ring.name),
    pools: by(snapshot.pool_levels, (pool) => pool.name),
    lcores: by(snapshot.lcores, (lcore) => String(lcore.lcore)),
  };
  return snapshot;
}

/** Takes a new snapshot in; false where it is the one that is there already, as when others have asked at the same moment. */
export function take(snapshot) {
  const before = model.now;
  if (before && !model.gone && snapshot.elapsed_ns === before.elapsed_ns) return false;
  const isSame = before !== null && snapshot.elapsed_ns > before.elapsed_ns;
  model.last = isSame ? before : null;
  model.now = indexed(snapshot);
  model.gone = null;
  model.at = new Date();
  if (!isSame) history.clear();
  else history.add();
  return true;
}

/** An entry of the snapshot before, by its key. */
export function before(kind, key) {
  return model.last?.by[kind].get(key);
}

export const taken = (chain) => chain.received + chain.created + chain.from_ring + chain.from_queue;
export const left = (chain) => chain.sent + chain.to_ring + chain.to_queue;
export const dropped = (chain) => Object.values(chain.dropped).reduce((sum, n) => sum + n, 0);

/** What a chain does with a burst, in the order of a packet's way. */
export const PHASES = ["rx", "publish", "guest", "collect", "tx", "free"];

/** Cycles of a packet in a phase: since the snapshot before where a poll was measured meanwhile, else since the start. */
export function cyclesIn(phase, now, then) {
  const base = then && now.phases.packets > then.phases.packets ? then.phases : null;
  const packets = now.phases.packets - (base?.packets ?? 0);
  return packets > 0 ? (now.phases[phase] - (base?.[phase] ?? 0)) / packets : null;
}

export const lost = (port) =>
  port.rx_missed + port.rx_errors + port.rx_nombuf + port.rx_too_long + port.tx_errors + port.kernel_drops;

/** Series by what they are of: each reads one number from a snapshot. */
const KINDS = {
  "port rx": { of: "ports", unit: "pps", read: (port) => port.rx_packets },
  "port tx": { of: "ports", unit: "pps", read: (port) => port.tx_packets },
  "port rx bits": { of: "ports", unit: "bit/s", read: (port) => port.rx_bytes * 8 },
  "port tx bits": { of: "ports", unit: "bit/s", read: (port) => port.tx_bytes * 8 },
  "port lost": { of: "ports", unit: "pps", read: lost },
  "chain in": { of: "chains", unit: "pps", read: taken },
  "chain out": { of: "chains", unit: "pps", read: left },
  "chain dropped": { of: "chains", unit: "pps", read: dropped },
  "stream sent": { of: "streams", unit: "pps", read: (stream) => stream.sent },
  counter: { of: "modules", unit: "/s", read: (module, name) => module.counters[name] },
};

/** What a series is: kind, whose, and for counters which. */
export class Series {
  constructor(kind, key, part) {
    Object.assign(this, { kind, key, part });
    this.id = JSON.stringify([kind, key, part ?? null]);
    this.unit = KINDS[kind].unit;
    this.name = part === undefined ? `${key} ${kind.split(" ").slice(1).join(" ")}` : `${part} (${key})`;
  }

  /** Its rate between the last two snapshots. */
  rate() {
    const { of, read } = KINDS[this.kind];
    const [now, then] = [model.now?.by[of].get(this.key), before(of, this.key)];
    return now && then ? rate(read(now, this.part), read(then, this.part)) : null;
  }
}

/** The past of those series that have a curve: of each at most so many points, of one axis of time. */
class History {
  constructor() {
    this.times = [];
    this.values = new Map();
  }

  /** Keeps a series from now on; false where there are too many. */
  keep(series) {
    if (this.values.has(series.id)) return true;
    if (this.values.size >= MOST_CURVES) return false;
    this.values.set(series.id, { series, points: this.times.map(() => null) });
    return true;
  }

  forget(series) {
    this.values.delete(series.id);
  }

  clear() {
    this.times = [];
    for (const kept of this.values.values()) kept.points = [];
  }

  add() {
    this.times.push(Date.now() / 1e3);
    for (const kept of this.values.values()) kept.points.push(kept.series.rate());
    if (this.times.length > POINTS) {
      this.times.shift();
      for (const kept of this.values.values()) kept.points.shift();
    }
  }

  points(series) {
    return this.values.get(series.id)?.points ?? [];
  }
}

export const history = new History();

/** Series that somebody has chosen for the curves on the first page. */
export const chosen = new Map();

/** Chooses a series, or no more; false where there are too many. */
export function choose(series) {
  if (chosen.delete(series.id)) {
    history.forget(series);
    return true;
  }
  if (!history.keep(series)) return false;
  chosen.set(series.id, series);
  return true;
}

/** Asks the page's server, and gives the answer as JSON; where it refuses, an error with its words. */
export async function ask(path, body, method = body === undefined ? "GET" : "POST") {
  const options = { method, headers: {}, credentials: "same-origin" };
  if (method !== "GET") options.headers["x-perigee"] = "1";
  if (body !== undefined) options.body = JSON.stringify(body);
  const answer = await fetch(path, options);
  if (answer.status === 204) return null;
  const told = await answer.json().catch(() => ({ error: `answer ${answer.status}` }));
  if (!answer.ok) {
    const where = told.where && told.where !== "the page's server" ? `${told.where}: ` : "";
    const error = new Error(`${where}${told.error}${told.hint ? `; ${told.hint}` : ""}`);
    error.status = answer.status;
    throw error;
  }
  return told;
}

/** A name as a part of a path. */
export const part = (name) => encodeURIComponent(name).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16));
