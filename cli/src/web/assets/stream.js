// A page of one stream: what was asked and what became of it, and how its latencies are distributed.

import { button, changeRate, pause } from "./control.js";
import { Curves, distributions } from "./curves.js";
import { bits, count, h, packets, percentile, setText, shown, time } from "./format.js";
import { ask, before, history, model, part, rate, Series } from "./model.js";

/** How often the distribution is asked for, of the looks: it is larger than all else. */
const EVERY = 2;

export class StreamPage {
  constructor(name) {
    this.name = name;
    this.curves = new Curves("Packets a second", "pps");
    this.series = new Series("stream sent", name);
    this.wasKept = history.values.has(this.series.id);
    history.keep(this.series);
    this.curves.set([this.series]);
    this.facts = h("dl", { class: "facts" });
    this.measured = h("div");
    this.distribution = h("div");
    this.buttons = h("p", { class: "buttons" },
      button("Rate… ( r )", () => this.now() && changeRate(this.now())), button("Pause or go on… ( p )", () => this.now() && pause(this.now())));
    this.element = h("section", {}, h("p", {}, h("a", { href: "#/streams" }, "all streams")), h("h2", {}, `Stream ${shown(name, 80)}`),
      this.buttons, this.facts, this.curves.element, this.measured, this.distribution);
    this.looks = 0;
  }

  now() {
    return model.now?.by.streams.get(this.name);
  }

  key(key) {
    if (!model.session?.control || !this.now()) return false;
    if (key === "r") changeRate(this.now());
    else if (key === "p") pause(this.now());
    else return false;
    return true;
  }

  close() {
    if (!this.wasKept) history.forget(this.series);
    this.curves.remove();
  }

  update() {
    const now = this.now();
    if (!now) return setText(this.measured, model.now ? "there is no such stream any more" : "");
    const then = before("streams", now.key);
    const got = (field) => (then ? rate(now[field], then[field]) : null);
    this.pairs(this.facts, [
      ["state", shown(now.state)], ["rate asked", shown(now.rate) || "by its pattern"], ["rate got", `${packets(got("sent"))}, ${bits(got("sent_bytes") === null ? null : got("sent_bytes") * 8)}`],
      ["pattern", shown(now.pattern)], ["chain", shown(now.chain)], ["method", shown(now.method)], ["calibration", shown(now.calibration ?? "none is known")],
      ["sent", count(now.sent)], ["late", `${count(now.late)}, the worst by ${time(now.late_worst_ns)}`, now.late > (then?.late ?? now.late)],
      ["owed", count(now.owed)], ["dropped late", count(now.dropped_late), now.dropped_late > (then?.dropped_late ?? now.dropped_late)],
      ["missed", shown(now.missed ?? "no", 400), Boolean(now.missed)],
    ]);
    this.curves.draw();
    const measured = model.now.by.measured.get(this.name);
    if (!measured) return setText(this.measured, "No latency: the stream has no probes (docs: How to measure).");
    this.measure(measured, model.last?.by.measured.get(this.name));
    if (this.looks++ % EVERY === 0) this.distribute();
  }

  pairs(list, pairs) {
    if (list.children.length !== pairs.length) {
      list.replaceChildren(...pairs.map(() => h("div", {}, h("dt"), h("dd"))));
    }
    pairs.forEach(([name, value, isBad], n) => {
      const [dt, dd] = list.children[n].children;
      setText(dt, name);
      setText(dd, value);
      dd.classList.toggle("bad", Boolean(isBad));
    });
  }

  measure(now, then) {
    if (!this.probes) {
      this.probes = h("dl", { class: "facts" });
      this.percentiles = h("tbody");
      const head = h("tr", {}, ...["percentile", "latency", "lost ones counted", "from the intended time"].map((text) => h("th", { scope: "col" }, text)));
      this.measured.replaceChildren(h("h3", {}, "Probes"), this.probes, h("table", { class: "plain" }, h("thead", {}, head), this.percentiles));
    }
    const grows = (field) => now.probes[field] > (then?.probes[field] ?? now.probes[field]);
    const { probes, order, variation, latency } = now;
    this.pairs(this.probes, [
      ["sent", count(probes.sent)], ["in time", count(probes.in_time)], ["late", count(probes.late), grows("late")], ["lost", count(probes.lost), grows("lost")],
      ["outstanding", count(probes.outstanding)], ["duplicated", count(probes.duplicated), grows("duplicated")],
      ["reordered", count(order.reordered), order.reordered > (then?.order.reordered ?? order.reordered)],
      ["shortest", time(latency.min_ns)], ["mean", time(latency.mean_ns)], ["longest", time(latency.max_ns)], ["jitter", time(variation.jitter_ns)],
      ["times by", shown([now.stamps.departure, ...now.stamps.arrival].join("; "), 160)],
    ]);
    const rows = latency.percentiles.map((one, n) => [one.name, ...[latency.percentiles, latency.percentiles_with_lost, now.latency_intended.percentiles]
      .map((list) => (list[n] ? percentile(list[n]) : "–"))]);
    this.percentiles.replaceChildren(...rows.map(([name, ...cells]) => h("tr", {}, h("th", { scope: "row" }, shown(name, 20)), ...cells.map((cell) => h("td", { class: "number" }, cell)))));
  }

  async distribute() {
    try {
      this.distribution.replaceChildren(...distributions(await ask(`/api/v1/streams/${part(this.name)}/latency`)));
    } catch (error) {
      setText(this.distribution, shown(error.message, 300));
    }
  }
}
