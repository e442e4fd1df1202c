// Numbers and texts as people read them, and elements that hold them. Texts come from modules, files and other machines: they
// are set as text and never as markup, and what a reader would not see, or what turns the direction of writing, is replaced.

const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/gu;

/** A text of others as one line of at most so many characters. */
export function shown(text, most = 200) {
  const whole = String(text ?? "");
  const cut = whole.length > most ? whole.slice(0, most) + "…" : whole;
  return cut.replace(/[\n\t]/g, " ").replace(HIDDEN, "\uFFFD");
}

/** A count with blanks between its thousands. */
export function count(number) {
  if (number === null || number === undefined || Number.isNaN(number)) return "–";
  return Math.round(number).toString().replace(/\B(?=(\d{3})+(?!\d))/g, "\u202F");
}

const STEPS = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

/** A number with a unit, as `1.25 Mpps`. */
export function si(number, unit) {
  if (number === null || number === undefined || Number.isNaN(number)) return "–";
  const [by, letter] = STEPS.find(([by]) => Math.abs(number) >= by) ?? [1, ""];
  const value = number / by;
  const digits = by === 1 ? (Number.isInteger(value) ? 0 : 1) : Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${letter}${unit}`;
}

export const packets = (rate) => si(rate, "pps");
export const bits = (rate) => si(rate, "bit/s");

/** A time in nanoseconds. */
export function time(ns) {
  if (ns === null || ns === undefined || Number.isNaN(ns)) return "–";
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  if (ns < 1e6) return `${(ns / 1e3).toFixed(ns < 1e4 ? 2 : 1)} µs`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(ns < 1e7 ? 2 : 1)} ms`;
  return `${(ns / 1e9).toFixed(ns < 1e10 ? 2 : 1)} s`;
}

/** How long a run is up. */
export function span(ns) {
  const seconds = Math.floor(ns / 1e9);
  const two = (number) => String(number).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** A percentile as the run tells it: a value, a least value, or why there is none. */
export function percentile({ value }) {
  if (value.ns !== undefined) return time(value.ns);
  if (value.at_least !== undefined) return `at least ${time(value.at_least)}`;
  const { needs, samples } = value.refused ?? {};
  return `needs ${count(needs)} samples, there are ${count(samples)}`;
}

/** An element with properties, listeners (`onclick`) and children, which are elements or texts. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The same in SVG. */
export function svg(tag, properties = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Sets a text where it differs: most cells stay as they are from one second to the next. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
