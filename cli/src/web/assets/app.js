// Opens the page: the token becomes a cookie, events become figures, the address says which page.

import { h, setText, shown, span } from "./format.js";
import { compare, ended, silence, swapped } from "./log.js";
import { ask, changed, listen, model, take } from "./model.js";
import { About, chains, dropsPage, GraphPage, logPage, memory, modules, Overview, ports, streams } from "./pages.js";
import { StreamPage } from "./stream.js";

const PAGES = [
  ["overview", "Overview", () => new Overview()], ["graph", "Picture", () => new GraphPage()], ["ports", "Ports", ports], ["chains", "Chains", chains],
  ["modules", "Modules", modules], ["streams", "Streams", streams], ["drops", "Drops", dropsPage], ["memory", "Rings and pools", memory], ["log", "Log", logPage], ["about", "About", () => new About()],
];

let page = null;
let isDue = false;
let source = null;

const main = document.getElementById("main");

function show() {
  const [, name = "overview", rest] = location.hash.split("/");
  const found = PAGES.find(([key]) => key === name);
  const make = name === "stream" && rest !== undefined ? () => new StreamPage(decodeURIComponent(rest)) : (found ?? PAGES[0])[2];
  page?.close?.();
  page = make();
  main.replaceChildren(page.element);
  for (const link of document.querySelectorAll("#pages a")) {
    const own = link.hash === `#/${name}` || (name === "stream" && link.hash === "#/streams");
    if (own) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  draw();
}

/** Draws once for however many events: and nothing where nobody looks. */
function draw() {
  if (isDue || document.hidden) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    tellState();
    if (model.session) page?.update();
  });
}

function tellState() {
  const { status, now, gone } = model;
  setText(document.getElementById("run"), status ? `${shown(status.name, 60)}, perigee ${shown(status.version, 30)}, process ${status.pid}, up ${span(now?.elapsed_ns ?? 0)}` : "");
  document.title = status ? `${shown(status.name, 60)} – Perigee` : "Perigee";
  const state = document.getElementById("state");
  const old = model.at ? `; the figures are of ${model.at.toLocaleTimeString()}` : "";
  const [words, isBad] = model.over ? [`the run has ended${old}`, true]
    : gone ? [`the run does not answer since ${gone.seconds} s (${shown(gone.error, 160)})${old}`, true]
      : !model.connected ? [`the page's server does not answer${old}`, true]
        : now ? ["live", false] : ["waiting for figures", false];
  state.classList.toggle("bad", isBad);
  state.dataset.state = model.over ? "ended" : gone ? "gone" : model.connected && now ? "live" : "waiting";
  setText(state, words);
}

function connect() {
  source = new EventSource("/events");
  const on = (kind, act) => source.addEventListener(kind, (event) => {
    model.connected = true;
    act(JSON.parse(event.data));
    changed(kind);
  });
  source.addEventListener("open", () => {
    model.connected = true;
    changed("open");
  });
  source.addEventListener("error", () => {
    model.connected = false;
    changed("error");
    // The browser tries again by itself, but for answers that say no.
    if (source.readyState === EventSource.CLOSED && !model.over) setTimeout(reconnect, 2000);
  });
  on("stats", (stats) => {
    if (model.gone) silence(null);
    if (take(stats)) compare();
  });
  on("status", (status) => {
    [model.status, model.over] = [status, false];
    structure();
  });
  on("swaps", (swaps) => {
    swapped(swaps);
    structure();
  });
  on("gone", (gone) => {
    if (!model.gone) silence(gone.error);
    model.gone = gone;
  });
  on("end", () => {
    model.over = true;
    ended();
    source.close();
  });
}

async function reconnect() {
  try {
    await ask("/session");
    connect();
  } catch (error) {
    if (error.status === 401) login("the session is over: the page's server has been started anew");
    else setTimeout(reconnect, 2000);
  }
}

/** What changes seldom, and is asked for when it may have changed. */
async function structure() {
  try {
    [model.graph, model.modules] = await Promise.all([ask("/api/v1/graph"), ask("/api/v1/modules")]);
    changed("structure");
  } catch {
    // The next look at the run says that it does not answer.
  }
}

/** Asks for the token, where the address has none and no cookie is there. */
function login(words) {
  page?.close?.();
  page = null;
  model.session = null;
  const token = h("input", { name: "token", type: "password", autocomplete: "off", required: true, size: "46" });
  const told = h("p", { class: words ? "bad" : null, role: "alert", id: "refused" }, words ?? "");
  const form = h("form", { class: "login" }, h("h2", {}, "Who asks?"), told,
    h("p", {}, "The address that was printed when the page's server started has a token behind the #. It is also in a file beside the run's control socket: NAME.web-token."),
    h("label", {}, h("span", {}, "token"), token), h("button", { type: "submit" }, "Open"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    enter(token.value.trim());
  });
  main.replaceChildren(form);
  token.focus();
}

async function enter(token) {
  try {
    await ask("/session", { token });
    await open();
  } catch (error) {
    login(shown(error.message, 300));
  }
}

async function open() {
  try {
    model.session = await ask("/session");
  } catch (error) {
    return login(error.status === 401 ? null : shown(error.message, 300));
  }
  show();
  connect();
}

function keys(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (!model.session) return;
  const at = "123456789".indexOf(event.key);
  if (at >= 0 && PAGES[at]) location.hash = `#/${PAGES[at][0]}`;
  else if (event.key === "?") location.hash = "#/about";
  else if (event.key === "/" && page?.focusFilter) page.focusFilter();
  else if (!page?.key?.(event.key)) return;
  event.preventDefault();
}

document.getElementById("pages").append(...PAGES.map(([key, title], n) => h("a", { href: `#/${key}`, title: n < 9 ? `key ${n + 1}` : "key ?" }, title)));
document.addEventListener("keydown", keys);
document.addEventListener("visibilitychange", draw);
window.addEventListener("hashchange", () => model.session && show());
window.addEventListener("resize", draw);
window.addEventListener("beforeprint", () => page?.print?.(true));
window.addEventListener("afterprint", () => page?.print?.(false));
listen(draw);

const given = location.hash.match(/^#token=(.+)$/);
if (given) {
  // Out of the address at once: it would stay in the history, and be seen.
  window.history.replaceState(null, "", "/");
  await enter(given[1]);
} else {
  await open();
}
