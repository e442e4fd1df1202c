// A picture of the run: ports, chains with their stages, rings; rates on the arrows, drops in red.

import { h, packets, setText, shown, svg } from "./format.js";
import { before, dropped, left, model, rate, taken } from "./model.js";

/** Chains that are drawn: a picture of more is none. */
const MOST = 120;
const BOX = { width: 190, gap: 110, stage: 22, head: 44, foot: 26, between: 22 };

/** In which column each chain and ring stands: behind all that feed it. Rings that feed themselves end the search. */
function columns(graph) {
  const chainAt = new Map(graph.chains.map((chain) => [chain.name, 1]));
  const ringAt = new Map(graph.rings.map((ring) => [ring.name, 2]));
  for (let round = 0; round < Math.min(graph.rings.length + 1, 20); round++) {
    for (const chain of graph.chains) {
      const ring = chain.source.ring;
      if (ring !== undefined) chainAt.set(chain.name, Math.min(41, (ringAt.get(ring) ?? 0) + 1));
      for (const to of chain.rings) ringAt.set(to, Math.min(40, Math.max(ringAt.get(to) ?? 2, chainAt.get(chain.name) + 1)));
    }
  }
  return { chainAt, ringAt };
}

/** Boxes with their places. */
function layout(graph) {
  const { chainAt, ringAt } = columns(graph);
  const last = Math.max(1, ...chainAt.values(), ...ringAt.values()) + 1;
  const boxes = [];
  const box = (column, kind, name, lines, height) => boxes.push({ column, kind, name, lines, height, id: `${kind} ${name}` });
  const isRead = new Set(graph.chains.map((chain) => chain.source.port));
  const isWritten = new Set(graph.chains.flatMap((chain) => chain.ports));
  for (const port of graph.ports) {
    if (isRead.has(port)) box(0, "rx", port, [], BOX.head);
    if (isWritten.has(port)) box(last, "tx", port, [], BOX.head);
  }
  for (const chain of graph.chains) {
    const made = chain.source.module;
    const stages = [...(made === undefined ? [] : [`makes: ${made}`]), ...chain.stages];
    box(chainAt.get(chain.name), "chain", chain.name, stages, BOX.head + BOX.stage * stages.length + BOX.foot);
  }
  for (const ring of graph.rings) box(ringAt.get(ring.name), "ring", ring.name, [], BOX.head);
  const heights = [];
  for (const one of boxes) {
    one.x = 10 + one.column * (BOX.width + BOX.gap);
    one.y = heights[one.column] ?? 10;
    heights[one.column] = one.y + one.height + BOX.between;
  }
  return { boxes, width: 20 + (last + 1) * (BOX.width + BOX.gap) - BOX.gap, height: Math.max(80, ...heights.filter(Boolean)) };
}

export class Picture {
  constructor() {
    this.element = h("section", {}, h("h2", {}, "The run"));
    this.texts = [];
  }

  /** Draws the boxes and arrows; the figures on them are set by `update`. */
  draw(whole) {
    const graph = { ...whole, chains: whole.chains.slice(0, MOST) };
    const { boxes, width, height } = layout(graph);
    const at = new Map(boxes.map((box) => [box.id, box]));
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "graph", role: "img", "aria-label": "ports, chains and rings, and what flows between them" });
    picture.style.minWidth = `${Math.min(width, 2000) * 0.7}px`;
    this.texts = [];
    const arrow = (from, to, read) => from && to && this.arrow(picture, from, to, read);
    for (const chain of graph.chains) {
      const own = at.get(`chain ${chain.name}`);
      const { port, ring } = chain.source;
      if (port !== undefined) arrow(at.get(`rx ${port}`), own, (sum) => sum(chain.name, (c) => c.received));
      if (ring !== undefined) arrow(at.get(`ring ${ring}`), own, (sum) => sum(chain.name, (c) => c.from_ring));
      // Counted are a chain's packets, whatever port or ring they left by: with several, each arrow would say the same.
      chain.ports.forEach((name) => arrow(own, at.get(`tx ${name}`), chain.ports.length === 1 ? (sum) => sum(chain.name, (c) => c.sent) : null));
      chain.rings.forEach((name) => arrow(own, at.get(`ring ${name}`), chain.rings.length === 1 ? (sum) => sum(chain.name, (c) => c.to_ring) : null));
    }
    boxes.forEach((box) => this.box(picture, box));
    const more = whole.chains.length - graph.chains.length;
    this.element.replaceChildren(h("h2", {}, "The run"), h("div", { class: "wide" }, picture),
      ...(more > 0 ? [h("p", {}, `${more} more chains are not drawn: the page "chains" has them.`)] : []));
    this.update();
  }

  text(parent, x, y, read, kind = "") {
    const element = svg("text", { x, y, class: kind });
    parent.append(element);
    this.texts.push({ element, read });
  }

  box(picture, { kind, name, lines, x, y, height }) {
    const group = svg("g", { class: `box ${kind}` });
    group.append(svg("rect", { x, y, width: BOX.width, height, rx: 6 }), svg("title", {}, `${kind} ${shown(name)}`));
    const put = (text, at, style) => group.append(svg("text", { x: x + 10, y: at, class: style }, shown(text, 24)));
    put(name, y + 18, "name");
    lines.forEach((line, n) => {
      const top = y + BOX.head + n * BOX.stage;
      group.append(svg("rect", { x: x + 8, y: top, width: BOX.width - 16, height: BOX.stage - 4, rx: 3, class: "stage" }));
      put(line, top + 13, "stage");
    });
    const sums = {
      rx: () => this.port(name, (port) => port.rx_packets),
      tx: () => this.port(name, (port) => port.tx_packets),
      ring: () => `${model.now?.by.rings.get(name)?.count ?? "–"} packets in it`,
      chain: () => `${packets(this.chains(name, taken))} in, ${packets(this.chains(name, left))} out`,
    };
    this.text(group, x + 10, y + 36, sums[kind], "small");
    if (kind === "chain") {
      const drops = () => {
        const now = this.chains(name, dropped);
        return now > 0 ? `${packets(now)} dropped` : "";
      };
      this.text(group, x + 10, y + height - 8, drops, "bad");
    }
    picture.append(group);
  }

  arrow(picture, from, to, read) {
    const back = to.x <= from.x;
    const [x1, y1] = [from.x + BOX.width, from.y + Math.min(from.height, 60) / 2];
    const [x2, y2] = [to.x, to.y + Math.min(to.height, 60) / 2];
    const bend = back ? 90 : (x2 - x1) / 2;
    picture.append(svg("path", { d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`, class: "arrow" }),
      svg("path", { d: `M${x2} ${y2}l-9 -5v10z`, class: "tip" }));
    if (read) this.text(picture, (x1 + x2) / 2, (y1 + y2) / 2 - 6, () => packets(read((name, of) => this.chains(name, of))), "rate");
  }

  /** A rate over all lcores of a chain. */
  chains(name, read) {
    const own = (model.now?.chains ?? []).filter((chain) => chain.name === name);
    const rates = own.map((chain) => [chain, before("chains", chain.key)]).map(([now, then]) => (then ? rate(read(now), read(then)) : null));
    return rates.length === 0 || rates.includes(null) ? null : rates.reduce((sum, one) => sum + one, 0);
  }

  port(name, read) {
    const [now, then] = [model.now?.by.ports.get(name), before("ports", name)];
    if (!now) return "–";
    return `${packets(then ? rate(read(now), read(then)) : null)}${now.link_up ? "" : ", link DOWN"}`;
  }

  update() {
    for (const { element, read } of this.texts) setText(element, read());
  }
}
