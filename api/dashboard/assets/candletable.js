/** Candles as a table, with exact prices: for screen readers, and for whoever wants to copy one. */

import { el } from "./dom.js";
import { minuteOf, PRICES } from "./pricewords.js";

const MOST_ROWS = 500;
const HEADS = ["Time", "Open USD", "High USD", "Low USD", "Close USD", "Rates"];
const NAME = "Table of the candles";

/** Closed at first, and made when it is opened. */
export class CandleTable {
  #candles = [];
  #shown = [];
  #words = el("summary", {}, NAME);
  #rows = el("tbody");
  #place = el("div", { class: "table-scroll", role: "region", "aria-label": NAME, tabindex: 0 }, table(this.#rows));

  constructor() {
    this.element = el("details", { class: "candle-table", ontoggle: () => this.#fill() }, this.#words, this.#place);
  }

  /** @param {import("./candles.js").Candle[]} candles the oldest first */
  show(candles) {
    this.#candles = candles.slice(-MOST_ROWS).reverse();
    const some =
      this.#candles.length < candles.length ? `the newest ${this.#candles.length} of ${candles.length}` : candles.length;
    this.#words.textContent = `${NAME} (${some})`;
    this.element.hidden = candles.length === 0;
    this.#fill();
  }

  /** A row that says what it said is left alone: live rates change but the first. */
  #fill() {
    const candles = this.element.open ? this.#candles : [];
    const isSameLength = candles.length === this.#shown.length && candles.at(-1)?.time === this.#shown.at(-1)?.time;
    if (!isSameLength) this.#rows.replaceChildren(...candles.map(row));
    else candles.forEach((candle, at) => candle !== this.#shown[at] && this.#rows.rows[at].replaceWith(row(candle)));
    this.#shown = candles;
  }
}

function table(rows) {
  const heads = HEADS.map((text, at) => el("th", { scope: "col", class: at ? "number" : null }, text));
  return el(
    "table",
    { class: "plain-table" },
    el("caption", { class: "visually-hidden" }, "Candles, the newest first"),
    el("thead", {}, el("tr", {}, heads)),
    rows,
  );
}

function row(candle) {
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, el("time", { datetime: new Date(candle.time).toISOString() }, minuteOf(candle.time))),
    PRICES.map((name) => el("td", { class: "number" }, candle[name])),
    el("td", { class: "number" }, candle.count),
  );
}
