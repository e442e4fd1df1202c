// The page in a browser: `./x test web`. With PICTURE it leaves a picture of the page there, for docs/web.md.

import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { browser, finish, folder, mock, open, perigee, until } from "./lab.mjs";

const MODULES = process.env.MODULES;

/** A stream of probes that comes back, and a counter behind it: chains, a ring, drops and latencies are there. */
const CONFIG = `
[run]
web = "127.0.0.1:0"
web_control = true
[[port]]
name = "loop"
device = "net_ring0"
[[port]]
name = "sink"
device = "net_null0"
[[module]]
name = "gen"
file = "${MODULES}/udp-gen.wasm"
grants = { tx = ["loop"], hostcalls = ["log", "counter"] }
config = { size = 128 }
[[module]]
name = "count"
file = "${MODULES}/counter.wasm"
grants = { hostcalls = ["log", "counter"] }
[[chain]]
name = "send"
source = { module = "gen" }
tx = ["loop"]
[[chain]]
name = "receive"
source = { port = "loop" }
stages = ["count"]
tx = ["sink"]
[[stream]]
name = "probes"
chain = "send"
rate = "5 kpps"
probes = { received_by = ["receive"] }
`;

const state = (page) => page.getAttribute("#state", "data-state");

/** Goes to a page, and waits until that is what is drawn. */
async function go(page, name) {
  await page.click(`#pages a[href="#/${name}"]`);
  await page.waitForSelector(`#pages a[href="#/${name}"][aria-current=page]`);
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
}

const rowOf = (page, name) => page.locator("tbody tr", { hasText: name }).first();

/** The number of packets that the table of ports shows as received; none while the table is still another page's. */
async function received(page) {
  const cells = await rowOf(page, "loop").locator("td").allTextContents();
  return Number(cells[7]?.replace(/\D/g, ""));
}

/** The cells of a chain in the table of phases: its name, lcore, six phases, packets. */
async function phases(page, chain) {
  const row = page.locator("section.table", { hasText: "by phase" }).locator("tbody tr", { hasText: chain }).first();
  return (await row.count()) > 0 ? (await row.locator("td").allTextContents()).map((cell) => cell.replace(/\s/g, "")) : [];
}

async function live(home) {
  writeFileSync(join(home, "live.toml"), CONFIG);
  const run = await perigee(["run", "live.toml"], home);
  await until("the run", () => existsSync(join(home, "perigee/live.sock")));
  const context = await browser(home);

  // Whoever has a wrong token sees nothing, and hears it.
  const stranger = await open(context, run.url.replace(/token=.*/, "token=wrong"));
  await until("a refusal", async () => (await stranger.locator("#refused").textContent()).includes("the token is wrong"));
  assert.equal(await stranger.locator(".curves").count(), 0);
  await stranger.close();

  const page = await open(context, run.url);
  await until("figures", async () => (await state(page)) === "live");
  assert.equal(new URL(page.url()).hash.includes("token"), false, "the token stays in the address");
  const cookies = await context.cookies();
  assert.ok(cookies.length === 1 && cookies[0].httpOnly && cookies[0].sameSite === "Strict", JSON.stringify(cookies));

  // Curves move: their last values change, and where there is uPlot, something is drawn.
  const legend = page.locator(".curves .legend output").first();
  await until("a rate", async () => /\d/.test(await legend.textContent()));
  const first = await page.locator(".curves .legend output").allTextContents();
  await until("another rate", async () => (await page.locator(".curves .legend output").allTextContents()).join() !== first.join());
  assert.ok((await page.locator(".curves canvas").count()) > 0 && (await page.locator(".curves table").count()) === 0, "curves");

  await go(page, "ports");
  const before = await until("packets", () => received(page));
  await until("more packets", async () => (await received(page)) > before);

  // Cycles by phase: some polls have been measured, and a module's call is a part of them.
  await go(page, "chains");
  await until("cycles of the module's call", async () => Number((await phases(page, "receive"))[4]) > 0);

  // Another rate, by the keys alone.
  await go(page, "streams");
  await page.focus(".scroll");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await until("the stream's page", () => page.locator("h2", { hasText: "Stream probes" }).count());
  await page.keyboard.press("r");
  await page.fill("dialog input[name=rate]", "nonsense");
  await page.keyboard.press("Enter");
  await until("a refusal", async () => /rate/i.test(await page.locator("dialog .result.bad").textContent().catch(() => "")));
  await page.fill("dialog input[name=rate]", "8 kpps");
  await page.keyboard.press("Enter");
  await until("its answer", async () => (await page.locator("dialog .result").textContent()).includes("the rate is 8"));
  await page.keyboard.press("Escape");
  await until("the rate that was asked", async () => (await page.locator(".facts").first().textContent()).includes("8"));
  await until("that rate", async () => /[78]\.\d+ kpps/.test(await page.locator(".legend output").first().textContent()));
  await until("a histogram and a curve", async () => (await page.locator("svg.plot").count()) === 2);

  // A swap, and what it cost.
  await go(page, "modules");
  await rowOf(page, "count").click();
  await page.keyboard.press("s");
  await page.setInputFiles("dialog input[name=module]", join(MODULES, "counter.wasm"));
  await page.click("dialog button.go");
  await until("what the swap cost", async () => (await page.locator("dialog .result").textContent()).includes("packets lost 0"));
  await page.keyboard.press("Escape");
  await go(page, "log");
  await until("the swap in the log", () => page.locator("tbody tr", { hasText: "replaced by" }).count());
  await until("the change of the rate there", () => page.locator("tbody tr", { hasText: "rate 5" }).count());

  await go(page, "graph");
  await until("rates on the arrows", async () => /kpps/.test((await page.locator("svg.graph text.rate").allTextContents()).join()));
  assert.equal(await page.locator("svg.graph g.box.chain").count(), 2);

  if (process.env.PICTURE) await picture(page, context, run.url);

  // The end of the run: the page says so, and keeps the last figures.
  const port = Number(new URL(run.url).port);
  assert.equal(await run.end(), 0, run.said);
  await until("the word that it has ended", async () => (await state(page)) === "ended");
  await go(page, "ports");
  await until("the last figures", async () => (await rowOf(page, "loop").count()) > 0 && (await received(page)) > before);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`), "its server is still there");
  // Rates that are refused are answers with an error's code, and a server that has ended answers nobody.
  assert.deepEqual(page.wrongs.filter((wrong) => !/400|422|ERR_/.test(wrong)), []);
  await context.close();
}

async function picture(page, context, url) {
  await page.goto(url);
  await go(page, "overview");
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  await page.setViewportSize({ width: 1000, height: 560 });
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await page.screenshot({ path: process.env.PICTURE });
}

/** Thousands of series: what is clicked is answered within a second, and the document stays small. */
async function many(home) {
  const socket = join(home, "many.sock");
  const run = await mock(socket, { counters: 10_000, streams: 2_000 });
  const served = await perigee(["web", "--socket", socket, "--listen", "0"], home);
  const context = await browser(join(home, "second"));
  const page = await open(context, served.url);
  await until("figures", async () => (await state(page)) === "live");
  await go(page, "chains");
  await until("cycles by phase", async () => (await phases(page, "c")).slice(2, 8).join() === "10,3,1900,0,20,1");
  await go(page, "modules");
  await until("the counters", async () => (await page.locator(".table .told").last().textContent()) === "10000");
  assert.ok((await page.locator("tbody tr").count()) < 150, "only rows that are seen are in the document");
  const slowest = { took: 0, what: "" };
  const timed = async (what, act) => {
    const start = Date.now();
    await act();
    const took = Date.now() - start;
    if (took > slowest.took) Object.assign(slowest, { took, what });
    assert.ok(took < 1_000, `${what} took ${took} ms`);
  };
  const counters = page.locator("section.table").last();
  for (let round = 0; round < 3; round++) {
    await timed("sorting", () => counters.locator("thead button", { hasText: "value" }).click());
    await timed("scrolling to the end", () => counters.locator(".scroll").evaluate((scroll) => { scroll.scrollTop = scroll.scrollHeight; }));
    await timed("filtering", () => counters.locator(".filter").fill(`flow.77${round}`));
    await timed("choosing a curve", () => counters.locator("tbody tr td.text").first().click());
    await counters.locator(".filter").fill("");
    await timed("the streams", async () => {
      await go(page, "streams");
      await page.locator("tbody tr", { hasText: "stream-1" }).first().waitFor();
    });
    await timed("the overview", async () => {
      await go(page, "overview");
      await page.locator(".curves").first().waitFor();
    });
    await go(page, "modules");
    await until("the counters", () => counters.locator("tbody tr td.text").count());
  }
  console.log(`10,000 counters and 2,000 streams: the slowest answer was ${slowest.took} ms (${slowest.what})`);

  // Names of others are text: nothing of them is run, and no mark turns the line around.
  await counters.locator(".filter").fill("onerror");
  await until("a name as it is", async () => (await counters.locator("tbody tr td.text").first().textContent()) === '<img src=x onerror="document.title=1">');
  assert.equal(await page.locator("main img").count(), 0);
  await go(page, "streams");
  await page.locator(".filter").first().fill("</td>");
  await until("a mark that is replaced", async () => (await page.locator("tbody tr td.text").first().textContent()) === "a\uFFFDb</td>");

  // Without what draws curves there are tables, and the page says what is missing.
  await context.route("**/vendor/*", (route) => route.abort());
  const plain = await open(context, served.url);
  await until("a table in the place of curves", () => plain.locator(".curves table td").count());
  assert.equal(await plain.locator("canvas").count(), 0);
  await go(plain, "about");
  await until("the word that they are missing", async () => (await plain.locator("main").textContent()).includes("built without uPlot"));
  await plain.close();

  // A page that only looks on has no way to change anything.
  assert.equal(await page.locator("button", { hasText: "…" }).count(), 0);
  assert.deepEqual(page.wrongs.filter((wrong) => !/404|502|ERR_/.test(wrong)), []);

  // A run that is gone: the page says since when, and shows the last figures.
  await run.close();
  await until("the word that it is gone", async () => (await state(page)) === "gone");
  await go(page, "ports");
  await until("the last figures", async () => (await page.locator("tbody tr td").count()) > 5);
  await context.close();
  assert.equal(await served.end(), 0, served.said);
}

try {
  const home = folder();
  await live(home);
  await many(home);
  console.log("the page works in a browser");
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await finish();
}
