// What the tests of the page have in common: processes, a browser, and a run that is none but says what one would.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
/** Longest time that anything may take that is waited for. */
const LIMIT = 20_000;

const ends = [];

/** Undone at the end, however that comes. */
export function atEnd(undo) {
  ends.push(undo);
}

export async function finish() {
  for (const undo of ends.reverse()) await undo();
}

export function folder() {
  const path = mkdtempSync(join(tmpdir(), "perigee-web-"));
  atEnd(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Starts `perigee` and waits until it has printed the page's address. */
export async function perigee(args, cwd) {
  const environment = { ...process.env, XDG_RUNTIME_DIR: cwd, NO_COLOR: "1" };
  const child = spawn(process.env.PERIGEE, args, { cwd, env: environment, stdio: ["ignore", "pipe", "pipe"] });
  const run = { child, said: "", code: null };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => { run.said += bytes; });
  const over = new Promise((resolve) => child.on("exit", (code, signal) => resolve(run.code = code ?? signal)));
  run.end = async (signal = "SIGTERM") => {
    child.kill(signal);
    return over;
  };
  run.over = over;
  atEnd(() => (run.code === null ? run.end("SIGKILL") : null));
  // A run tells the token to terminals alone: elsewhere it is in a file.
  const told = await until("the page's address", () => run.said.match(/(http:\/\/\S+)( \(its token is in (.+)\))?\n/));
  run.url = told[3] ? `${told[1]}#token=${readFileSync(told[3], "utf8").trim()}` : told[1];
  return run;
}

/** Waits until something holds, and gives it. */
export async function until(what, holds, limit = LIMIT) {
  const end = Date.now() + limit;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > end) throw new Error(`after ${limit} ms there is still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A browser that asks nobody but us. */
export async function browser(home) {
  const require = createRequire(join(process.env.NODE_PACKAGES, "package.json"));
  const { chromium } = require("playwright-core");
  const context = await chromium.launchPersistentContext(join(home, "profile"), {
    executablePath: CHROMIUM,
    headless: true,
    chromiumSandbox: false,
    viewport: { width: 1180, height: 800 },
    args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  atEnd(() => context.close());
  return context;
}

/** A page of a browser, and what went wrong in it. */
export async function open(context, url) {
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT);
  page.wrongs = [];
  page.on("pageerror", (error) => page.wrongs.push(String(error)));
  page.on("console", (message) => message.type() === "error" && page.wrongs.push(message.text()));
  await page.goto(url);
  return page;
}

/** A control socket that answers as a run would, with as many counters and streams as wanted, and names that nobody should trust. */
export async function mock(socket, { counters, streams }) {
  const began = Date.now();
  const names = Array.from({ length: counters }, (_, n) => (n === 7 ? '<img src=x onerror="document.title=1">' : `flow.${n}.packets`));
  const stats = () => {
    const elapsed = Date.now() - began;
    const stream = (n) => ({ name: n === 3 ? "a\u202Eb</td>" : `stream-${n}`, chain: "c", state: "running", method: "software", calibration: null, rate: "1 kpps", pattern: "constant", ran_ns: elapsed * 1e6, sent: elapsed + n, sent_bytes: elapsed * 60, late: 0, late_worst_ns: 0, owed: 0, dropped_late: 0, moved_ns: 0, missed: null });
    return {
      elapsed_ns: elapsed * 1e6 + 1e9, tsc_hz: 2e9, ports: [{ name: "p", device: "net_null0", driver: "net_null", rx_packets: elapsed * 3, rx_bytes: elapsed * 180, tx_packets: 0, tx_bytes: 0, rx_missed: 0, rx_errors: 0, rx_nombuf: 0, rx_too_long: 0, tx_errors: 0, kernel_drops: 0, unwritten: 0, discarded: 0, link_up: true, link_downs: 0, events: [], speed_mbps: 0, xstats: {}, flows: [] }],
      chains: [{ name: "c", lcore: 1, received: elapsed * 3, created: 0, from_ring: 0, from_queue: 0, to_queue: 0, sent: elapsed * 2, sent_bytes: elapsed * 120, to_ring: 0, dropped: { verdict: elapsed }, held: 0, copied_in: 0, bypassed: 0, cycles_busy: elapsed * 100, phases: { packets: elapsed, rx: elapsed * 10, publish: elapsed * 3, guest: elapsed * 1900, collect: 0, tx: elapsed * 20, free: elapsed }, batch_time: { p50_ns: 1000, p99_ns: 2000, max_ns: 3000 } }],
      modules: [{ name: "meter", origin: { sha256: "00" }, chain: "c", lcore: 1, counters: Object.fromEntries(names.map((name, n) => [name, elapsed * n])), state: "running", restart_in_ns: null, failed: null, last_fault: null, faults: {}, installs: 0, log_lost: 0, hostcalls_denied: 0, told: 0, tell_full: 0, heard: 0, hear_refused: 0 }],
      streams: Array.from({ length: streams }, (_, n) => stream(n)), measured: [], paths: [], stage_times: [], lcores: [], rings: [], pool_levels: [],
    };
  };
  const answers = {
    "/v1/stats": stats, "/v1/status": () => ({ name: "mock", state: "running", version: "0", pid: 1 }), "/v1/swaps": () => ({ done: 0, refused: 0, rolled_back: 0, latest: [] }),
    "/v1/modules": () => [], "/v1/graph": () => ({ ports: ["p"], rings: [], chains: [{ name: "c", source: { port: "p" }, stages: ["meter"], ports: ["p"], rings: [] }] }),
  };
  const server = createServer((request, response) => {
    const answer = answers[request.url];
    response.writeHead(answer ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(answer ? answer() : { error: "none", where: "", hint: "" }));
  });
  await new Promise((resolve) => server.listen(socket, resolve));
  const close = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  atEnd(() => server.listening && close());
  return { close };
}
