// What changes the run, where the page may: each asks first, and shows what came of it.

import { count, h, shown, time } from "./format.js";
import { ask, model, part } from "./model.js";

/** A dialogue with fields; `act` does what it says and gives what came of it, as elements. */
function dialogue(title, fields, verb, act) {
  const told = h("div", { class: "result", role: "status", "aria-live": "polite" });
  const go = h("button", { type: "submit", class: "go" }, verb);
  const close = h("button", { type: "button", onclick: () => box.close() }, "Close");
  const form = h("form", { method: "dialog" }, h("h2", {}, title), ...fields, told, h("p", { class: "buttons" }, go, close));
  const box = h("dialog", { "aria-label": title }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    told.className = "result";
    told.replaceChildren(h("p", {}, "…"));
    try {
      told.replaceChildren(...(await act()));
    } catch (error) {
      told.classList.add("bad");
      told.replaceChildren(h("p", {}, shown(error.message, 1000)));
    }
    go.disabled = false;
  });
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}

const field = (label, input) => h("label", {}, h("span", {}, label), input);

/** Another rate for a stream. */
export function changeRate(stream) {
  const rate = h("input", { name: "rate", required: true, value: stream.rate, placeholder: "1.5 Mpps, 1 Gbit/s, 25 %" });
  dialogue(`Rate of stream ${shown(stream.name, 60)}`, [field("rate from now on", rate)], "Change", async () => {
    const now = await ask(`/api/v1/streams/${part(stream.name)}`, { rate: rate.value });
    return [h("p", {}, `the rate is ${shown(now.rate, 80)} now`)];
  });
}

/** A stream pauses, or goes on. */
export function pause(stream) {
  const paused = stream.state !== "paused";
  const verb = paused ? "Pause" : "Go on";
  dialogue(`${verb}: stream ${shown(stream.name, 60)}`, [], verb, async () => {
    const now = await ask(`/api/v1/streams/${part(stream.name)}`, { paused });
    return [h("p", {}, `the stream is ${shown(now.state, 40)} now`)];
  });
}

/** Bytes as base64: in pieces, for a call takes only so many arguments. */
async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}

/** Another module in the place of one. */
export function swap(name) {
  const file = h("input", { type: "file", name: "module", required: true, accept: ".wasm,.wat,application/wasm" });
  const config = h("textarea", { name: "config", rows: "3", placeholder: "without one, the new module gets what the old one had" });
  const grace = h("input", { name: "grace", value: "1s", size: "6" });
  const fresh = h("input", { type: "checkbox", name: "fresh" });
  const fields = [
    field("the new module (.wasm, .wat)", file), field("its configuration, as its text", config),
    field("how long the old instances are kept", grace), field("begin without the old module's state", fresh),
  ];
  dialogue(`Swap module ${shown(name, 60)}`, fields, "Swap", async () => {
    const body = { module: await base64(file.files[0]), grace: grace.value, fresh: fresh.checked };
    if (config.value.trim() !== "") body.config = config.value;
    return report(await ask(`/api/v1/modules/${part(name)}/swap`, body));
  });
}

/** New instances in the place of those that have failed. */
export function restart(name) {
  dialogue(`Restart module ${shown(name, 60)}`, [h("p", {}, "Instances that have failed get new ones. Those that run are left alone.")], "Restart", async () => {
    const { instances } = await ask(`/api/v1/modules/${part(name)}/restart`, {});
    return [h("p", {}, `${count(instances)} new instances`)];
  });
}

/** What a swap cost. */
export function report(told) {
  const row = (cells, tag) => h("tr", {}, ...cells.map((cell, n) => h(tag, { class: n > 0 ? "number" : null }, cell)));
  const seats = told.seats.map((seat) => row([
    `${shown(seat.chain, 40)} @${seat.lcore}`, count(seat.stage), time(seat.pause_ns), seat.state_moved ? "moved" : "new",
    count(seat.state_bytes + seat.region_bytes), count(seat.held_moved), count(seat.held_returned), count(seat.held_dropped),
  ], "td"));
  return [
    h("p", {}, `${shown(told.module, 60)}: ${told.old_digest.slice(0, 12)} replaced by ${told.new_digest.slice(0, 12)}`),
    h("p", {}, `longest pause ${time(told.max_pause_ns)}, packets lost ${count(told.lost)}, missed by ports ${count(told.missed)}, effective blocked time ${time(told.blocked_ns)}`),
    h("p", {}, `compiled in ${time(told.load_ns)}, tried in ${time(told.canary_ns)}, instances made in ${time(told.prepare_ns)}, switched in ${time(told.switch_ns)}`),
    told.rolled_back ? h("p", { class: "bad" }, `the old one is back: ${shown(told.rolled_back, 300)}`) : null,
    h("table", { class: "plain" }, h("thead", {}, row(["chain", "stage", "pause", "state", "bytes", "held: moved", "returned", "dropped"], "th")), h("tbody", {}, ...seats)),
  ].filter(Boolean);
}

/** A button for something that changes the run; nothing where the page only looks on. */
export function button(label, act) {
  return model.session?.control ? h("button", { type: "button", onclick: act }, label) : null;
}
