// `./x soak web`: what the page and its server take of memory stays the same, however long somebody looks on.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { browser, finish, folder, mock, open, perigee, until } from "./lab.mjs";

const SECONDS = Number(process.env.SECONDS ?? 600);
/** How often figures come: ten times as often as usual, so that ten minutes are like a hundred. */
const EVERY = "100ms";
/** What may grow meanwhile: noise of two collectors. */
const MOST_HEAP = 6 << 20;
const MOST_RESIDENT = 6 << 20;
const MOST_NODES = 300;

async function measure(page, devtools, pid) {
  await devtools.send("HeapProfiler.collectGarbage");
  const { metrics } = await devtools.send("Performance.getMetrics");
  const of = (name) => metrics.find((metric) => metric.name === name).value;
  const resident = Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]) * 1024;
  return { heap: of("JSHeapUsedSize"), nodes: of("Nodes"), resident };
}

try {
  const home = folder();
  const socket = join(home, "long.sock");
  await mock(socket, { counters: 2_000, streams: 200 });
  const served = await perigee(["web", "--socket", socket, "--listen", "0", "--every", EVERY], home);
  const context = await browser(home);
  const page = await open(context, served.url);
  await until("figures", async () => (await page.getAttribute("#state", "data-state")) === "live");
  const devtools = await context.newCDPSession(page);
  await devtools.send("Performance.enable");
  await devtools.send("HeapProfiler.enable");
  const begin = Date.now();
  const names = ["overview", "modules", "streams", "graph", "drops", "log", "ports", "chains"];
  const seen = [];
  for (let round = 0; Date.now() - begin < SECONDS * 1e3; round++) {
    await page.click(`#pages a[href="#/${names[round % names.length]}"]`);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    if (round % names.length === names.length - 1) {
      // Always of the same page: others have other numbers of elements.
      await page.click('#pages a[href="#/overview"]');
      seen.push({ seconds: Math.round((Date.now() - begin) / 1e3), ...(await measure(page, devtools, served.child.pid)) });
    }
  }
  for (const one of seen) console.log(`${one.seconds} s: heap ${(one.heap / 1e6).toFixed(1)} MB, ${one.nodes} nodes, server ${(one.resident / 1e6).toFixed(1)} MB`);
  // What is kept of the past is full after 60 s: until a third has passed, it may grow.
  const [then, now] = [seen[Math.floor(seen.length / 3)], seen.at(-1)];
  assert.ok(now.heap < then.heap + MOST_HEAP, "the page's memory grows");
  assert.ok(now.nodes < then.nodes + MOST_NODES, "the document grows");
  assert.ok(now.resident < then.resident + MOST_RESIDENT, "the server's memory grows");
  console.log(`${SECONDS} s: memory is flat`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await finish();
}
