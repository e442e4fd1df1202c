// A table of any length: only the rows that are seen are in the document.

import { h, setText } from "./format.js";

const ROW = 26;
/** Rows beyond the edges, so that scrolling shows no gaps. */
const MARGIN = 6;
/** Most rows that are printed. */
const PRINTED = 400;

export class Table {
  /**
   * `columns` have a title, a `text` of a row, a `value` by which it sorts (a number or text), and `bad`, which says where it is
   * red. `open` is what Enter or a click on a row does; `mark` what the key `c` does.
   */
  constructor({ label, columns, open, mark, isMarked }) {
    Object.assign(this, { columns, open, mark, isMarked });
    this.rows = [];
    this.view = [];
    this.sorted = null;
    this.selected = null;
    this.lines = [];
    this.filter = h("input", {
      type: "search", placeholder: "filter ( / )", "aria-label": `filter ${label}`, class: "filter", oninput: () => this.refresh(),
    });
    this.told = h("span", { class: "told" });
    this.body = h("tbody");
    this.top = h("tr", { "aria-hidden": "true", class: "space" }, h("td", { colspan: columns.length }));
    this.bottom = this.top.cloneNode(true);
    const heads = columns.map((column, at) => h("th", { scope: "col", class: column.number ? "number" : null },
      h("button", { type: "button", title: `sort by ${column.title}`, onclick: () => this.sort(at) }, column.title)));
    this.heads = heads;
    this.table = h("table", { "aria-label": label, "aria-rowcount": "0" }, h("thead", {}, h("tr", {}, ...heads)), this.body);
    this.scroll = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, this.table);
    this.scroll.addEventListener("scroll", () => this.draw(), { passive: true });
    this.scroll.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("click", (event) => this.click(event));
    this.element = h("section", { class: "table" }, h("div", { class: "tools" }, h("h2", {}, label), this.told, this.filter), this.scroll);
    this.printing = false;
  }

  sort(at) {
    const down = this.sorted?.at === at ? !this.sorted.down : Boolean(this.columns[at].number);
    this.sorted = { at, down };
    this.heads.forEach((head, n) => head.setAttribute("aria-sort", n !== at ? "none" : down ? "descending" : "ascending"));
    this.refresh();
  }

  /** Shows other rows; each has a `key` that stays the same from one second to the next. */
  set(rows) {
    this.rows = rows;
    this.refresh();
  }

  refresh() {
    const wanted = this.filter.value.trim().toLowerCase();
    let view = this.rows;
    if (wanted !== "") view = view.filter((row) => row.key.toLowerCase().includes(wanted));
    if (this.sorted) {
      const { at, down } = this.sorted;
      const value = this.columns[at].value ?? this.columns[at].text;
      const keyed = view.map((row) => [value(row) ?? -Infinity, row]);
      keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      if (down) keyed.reverse();
      view = keyed.map(([, row]) => row);
    }
    this.view = view;
    setText(this.told, view.length === this.rows.length ? `${this.rows.length}` : `${view.length} of ${this.rows.length}`);
    this.table.setAttribute("aria-rowcount", String(view.length + 1));
    this.scroll.classList.toggle("empty", this.rows.length === 0);
    // Where there is little, there is nothing to look for.
    this.filter.classList.toggle("idle", this.rows.length < 6 && wanted === "");
    this.draw();
  }

  /** The rows that are seen now. */
  range() {
    if (this.printing) return [0, Math.min(PRINTED, this.view.length)];
    const height = this.scroll.clientHeight || 600;
    const first = Math.max(0, Math.floor(this.scroll.scrollTop / ROW) - MARGIN);
    return [first, Math.min(this.view.length, first + Math.ceil(height / ROW) + 2 * MARGIN)];
  }

  draw() {
    let [first, end] = this.range();
    if (first > this.view.length) [first, end] = [0, Math.min(end, this.view.length)];
    while (this.lines.length < end - first) this.lines.push(this.line());
    const lines = this.lines.slice(0, Math.max(0, end - first));
    lines.forEach((line, n) => this.fill(line, this.view[first + n], first + n));
    this.top.firstChild.style.height = `${first * ROW}px`;
    this.bottom.firstChild.style.height = `${Math.max(0, this.view.length - end) * ROW}px`;
    if (this.body.childElementCount !== lines.length + 2) {
      this.body.replaceChildren(this.top, ...lines.map((line) => line.row), this.bottom);
    }
  }

  line() {
    const cells = this.columns.map((column) => h("td", { class: column.number ? "number" : "text" }));
    return { row: h("tr", {}, ...cells), cells, key: null };
  }

  fill(line, row, at) {
    line.key = row.key;
    line.row.setAttribute("aria-rowindex", String(at + 2));
    line.row.classList.toggle("selected", row.key === this.selected);
    line.row.classList.toggle("marked", Boolean(this.isMarked?.(row)));
    line.row.classList.toggle("opens", Boolean(this.open));
    this.columns.forEach((column, n) => {
      const text = column.text(row);
      setText(line.cells[n], text);
      if (line.cells[n].title !== text && !column.number) line.cells[n].title = text;
      line.cells[n].classList.toggle("bad", Boolean(column.bad?.(row)));
    });
  }

  click(event) {
    const line = this.lines.find(({ row }) => row.contains(event.target));
    const row = line && this.view.find((row) => row.key === line.key);
    if (!row) return;
    this.select(row);
    this.open?.(row);
  }

  select(row) {
    this.selected = row.key;
    this.draw();
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const at = this.view.findIndex((row) => row.key === this.selected);
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / ROW) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps && this.view.length > 0) {
      const to = Math.min(this.view.length - 1, Math.max(0, at + steps[event.key]));
      this.selected = this.view[to].key;
      const top = to * ROW;
      if (top < this.scroll.scrollTop) this.scroll.scrollTop = top;
      const below = top + 3 * ROW - this.scroll.clientHeight;
      if (below > this.scroll.scrollTop) this.scroll.scrollTop = below;
      this.draw();
    } else if (event.key === "Enter" && at >= 0 && this.open) this.open(this.view[at]);
    else if (event.key === "c" && at >= 0 && this.mark) this.mark(this.view[at]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  print(isPrinting) {
    this.printing = isPrinting;
    this.draw();
  }
}
