// Curves of rates by uPlot, where it was there when the program was built; else their last values as a table. And curves of
// distributions, which are drawn here.

import { count, h, setText, shown, si, svg, time } from "./format.js";
import { history } from "./model.js";

const COLOURS = ["#2a78c8", "#e0762e", "#3a9a48", "#b8458f", "#8a6fd0", "#b59a14", "#2aa3a3", "#8c5a3c"];
/** Points of a table in the place of a curve. */
const COLUMNS = 8;

const clock = (at) => new Date(at * 1e3).toLocaleTimeString([], { hour12: false });

export const hasCurves = () => typeof window.uPlot === "function";

/** One picture with the rates of a few series of one unit. */
export class Curves {
  constructor(title, unit) {
    this.title = title;
    this.unit = unit;
    this.series = [];
    this.place = h("div", { class: "place" });
    this.legend = h("ul", { class: "legend" });
    this.element = h("figure", { class: "curves", "data-title": title }, h("figcaption", {}, title), this.place, this.legend);
  }

  /** Shows these series. */
  set(series) {
    const ids = (list) => list.map(({ id }) => id).join("\n");
    if (ids(series) === ids(this.series) && this.legend.childElementCount === series.length) return;
    this.series = series;
    this.legend.replaceChildren(...series.map((one, n) => {
      const key = h("i", { "aria-hidden": "true" });
      key.style.background = COLOURS[n % COLOURS.length];
      return h("li", {}, key, h("span", { class: "name" }, shown(one.name, 60)), h("output", {}, "–"));
    }));
    this.remove();
  }

  remove() {
    this.plot?.destroy();
    this.plot = null;
    this.place.replaceChildren();
  }

  draw() {
    this.series.forEach((one, n) => {
      const points = history.points(one);
      setText(this.legend.children[n].querySelector("output"), si(points.at(-1), this.unit));
    });
    if (!hasCurves()) return this.drawTable();
    const data = [history.times, ...this.series.map((one) => history.points(one))];
    const width = Math.max(280, this.place.clientWidth);
    if (!this.plot) this.plot = this.make(width, data);
    if (this.plot.width !== width) this.plot.setSize({ width, height: 200 });
    this.plot.setData(data);
  }

  make(width, data) {
    const ink = getComputedStyle(document.body);
    const axis = { stroke: ink.getPropertyValue("--ink"), grid: { stroke: ink.getPropertyValue("--line") }, ticks: { stroke: ink.getPropertyValue("--line") } };
    const options = {
      width, height: 200, legend: { show: false }, cursor: { drag: { x: false, y: false } }, scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.05, 1)] } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map(clock) }, { ...axis, size: 80, values: (_, ticks) => ticks.map((tick) => si(tick, this.unit)) }],
      series: [{}, ...this.series.map((one, n) => ({ label: one.id, stroke: COLOURS[n % COLOURS.length], width: 1.5, points: { show: false } }))],
    };
    return new window.uPlot(options, data, this.place);
  }

  drawTable() {
    const times = history.times.slice(-COLUMNS);
    const row = (name, cells) => h("tr", {}, h("th", { scope: "row" }, name), ...cells.map((cell) => h("td", { class: "number" }, cell)));
    this.place.replaceChildren(h("table", { class: "plain" },
      h("thead", {}, row("", times.map(clock))),
      h("tbody", {}, ...this.series.map((one) => row(shown(one.name, 60), history.points(one).slice(-COLUMNS).map((value) => si(value, this.unit)))))));
  }
}

const WIDTH = 640;
const HEIGHT = 240;
const LEFT = 70;
const BELOW = 36;

/** A picture over an axis of times that is logarithmic: bars, or a line that rises by steps. */
function overTimes(title, kind, points, most, label) {
  const [first, last] = [Math.max(1, points[0][0]), Math.max(2, points.at(-1)[1])];
  const low = Math.log10(first);
  const wide = Math.max(0.05, Math.log10(last) - low);
  const x = (ns) => LEFT + ((Math.log10(Math.max(first, ns)) - low) / wide) * (WIDTH - LEFT - 12);
  const y = (value) => HEIGHT - BELOW - (value / most) * (HEIGHT - BELOW - 12);
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title, class: "plot" });
  for (let n = 0; n <= 4; n++) {
    const value = (most * n) / 4;
    picture.append(svg("line", { x1: LEFT, x2: WIDTH - 12, y1: y(value), y2: y(value), class: "grid" }),
      svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, label(value)));
  }
  for (let exponent = Math.ceil(low); exponent <= low + wide; exponent++) tick(picture, x, 10 ** exponent);
  if (wide < 1) [first, last].forEach((ns) => tick(picture, x, ns));
  if (kind === "bars") {
    const path = points.map(([from, to, value]) => `M${x(from)} ${y(0)}V${y(value)}H${Math.max(x(to), x(from) + 1)}V${y(0)}Z`).join("");
    picture.append(svg("path", { d: path, class: "bars" }));
  } else {
    const path = points.map(([, to, value], n) => `${n === 0 ? `M${x(points[0][0])} ${y(0)}` : ""}L${x(to)} ${y(value)}`).join("");
    picture.append(svg("path", { d: path, class: "line" }));
  }
  return h("figure", { class: "curves" }, h("figcaption", {}, title), picture);
}

function tick(picture, x, ns) {
  picture.append(svg("line", { x1: x(ns), x2: x(ns), y1: HEIGHT - BELOW, y2: 12, class: "grid" }),
    svg("text", { x: x(ns), y: HEIGHT - BELOW + 16, "text-anchor": "middle" }, time(ns)));
}

/** Bars of a histogram that are drawn: buckets are finer than any screen. */
const BARS = 120;

/** The histogram and the distribution of latencies: buckets are pairs of their upper end and how many there are. */
export function distributions({ buckets, beyond, lost }) {
  if (buckets.length === 0) return [h("p", {}, "no probe has come yet")];
  const all = buckets.reduce((sum, [, n]) => sum + n, 0) + beyond + lost;
  const [first, last] = [Math.max(1, buckets[0][0]), Math.max(2, buckets.at(-1)[0])];
  const step = Math.max(0.002, (Math.log10(last) - Math.log10(first)) / BARS);
  const bars = new Map();
  for (const [upper, n] of buckets) {
    const bar = Math.round(Math.log10(Math.max(1, upper) / first) / step);
    bars.set(bar, (bars.get(bar) ?? 0) + n);
  }
  const edge = (bar) => first * 10 ** ((bar - 0.5) * step);
  const histogram = [...bars].map(([bar, n]) => [edge(bar), edge(bar + 1), n]);
  let sum = 0;
  const rising = buckets.map(([upper, n]) => [upper, upper, (sum += n) / all]);
  const most = Math.max(...histogram.map(([, , n]) => n));
  return [
    overTimes("Latency: how many probes took so long", "bars", histogram, most, (value) => count(value)),
    overTimes("Latency: part of all probes that took no longer", "line", rising, 1, (value) => `${(value * 100).toFixed(0)} %`),
    h("p", {}, `${count(all)} probes; ${count(lost)} of them lost, ${count(beyond)} longer than the last bucket: the curve ends as far below 100 %.`),
  ];
}
