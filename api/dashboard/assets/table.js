/** The table of prices: its head, its rows, and what changes in them. */

import { secondsSince } from "./clock.js";
import { el, setText } from "./dom.js";
import { age, changeElement, compact, percent, price } from "./format.js";
import { sparkline } from "./sparkline.js";
import { format } from "./state.js";

const STILL = window.matchMedia("(prefers-reduced-motion: reduce)");
const FLASH = { duration: 900, easing: "ease-out" };
const SKELETONS = 12;

/** The columns from left to right. `sort`: the name of its order; without, it has none. */
const COLUMNS = [
  { name: "pick", label: "Compare", isHidden: true },
  { name: "rank", label: "#", sort: "rank", long: "Rank" },
  { name: "name", label: "Name", sort: "name" },
  { name: "price", label: "Price", sort: "price", long: "Price in USD" },
  { name: "change_1h", label: "1 h", sort: "change_1h", long: "Change in 1 hour" },
  { name: "change_24h", label: "24 h", sort: "change_24h", long: "Change in 24 hours" },
  { name: "volume_24h", label: "Volume 24 h", sort: "volume_24h", long: "Volume of 24 hours in USD" },
  { name: "market_cap", label: "Market cap", sort: "market_cap", long: "Market capitalisation in USD" },
  { name: "spark", label: "Last 24 h" },
  { name: "age", label: "Age", sort: "age", long: "Time since observed" },
];

/** What rows may be ordered by: the name of the order, and how it is called. */
export const SORTS = COLUMNS.filter(({ sort }) => sort).map(({ sort, label, long }) => ({ sort, label: long ?? label }));

/** A table that shows rows of the market. */
export class Table {
  #body = el("tbody");
  #head = el("tr");
  /** @type {Map<number, RowView>} */
  #views = new Map();
  /** @type {HTMLElement} */
  element;

  /**
   * @param {{onSort: (sort: string) => void, onPick: (id: number, isPicked: boolean) => boolean, isPicked: (id: number) => boolean}}
   *   actions `onPick` says whether it may be
   */
  constructor({ onSort, onPick, isPicked }) {
    this.actions = { onPick, isPicked };
    this.#head.append(...COLUMNS.map((column) => headCell(column, onSort)));
    this.element = el(
      "table",
      { id: "prices", class: "prices" },
      el("caption", { class: "visually-hidden" }, "Currencies with their prices in US dollars"),
      el("thead", {}, this.#head),
      this.#body,
    );
    this.#body.append(...Array.from({ length: SKELETONS }, skeletonRow));
    this.element.setAttribute("aria-busy", "true");
  }

  /** @returns {boolean} whether somebody points into the rows, so that they had better stay where they are */
  get isInUse() {
    return this.#body.matches(":hover, :focus-within");
  }

  /**
   * Shows these rows in this order.
   *
   * @param {import("./market.js").Row[]} rows
   * @param {{sort: string, down: boolean}} order
   */
  show(rows, { sort, down }) {
    for (const cell of this.#head.children) {
      if (cell.dataset.sort === sort) cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    const before = this.#views;
    this.#views = new Map(rows.map((row) => [row.currency, before.get(row.currency) ?? new RowView(row, this.actions)]));
    for (const row of rows) this.#views.get(row.currency).show(row);
    const elements = [...this.#views.values()].map(({ element }) => element);
    const isSame = elements.length === this.#body.children.length && elements.every((one, at) => one === this.#body.children[at]);
    if (!isSame) this.#body.replaceChildren(...elements);
    this.element.removeAttribute("aria-busy");
  }

  /**
   * Shows what has changed in a row, if it is seen, and lets its price flash.
   *
   * @param {import("./market.js").Row} row
   */
  change(row) {
    this.#views.get(row.currency)?.show(row, { isNews: true });
  }

  /**
   * @param {number} id
   * @param {Array<number | null> | undefined} closes
   */
  draw(id, closes) {
    this.#views.get(id)?.draw(closes);
  }

  /** Time has passed. */
  tick() {
    for (const view of this.#views.values()) view.showAge();
  }

  /** Boxes show what is picked, also where that changed elsewhere. */
  showPicked() {
    for (const [id, view] of this.#views) view.pick.checked = this.actions.isPicked(id);
  }
}

/** One row, and the cells in it that change. */
class RowView {
  #cells = {};
  #closes;
  #rate = null;
  #isFirst = true;

  constructor(row, { onPick, isPicked }) {
    this.row = row;
    this.pick = el("input", { type: "checkbox", "aria-label": `Compare ${row.name}`, onchange: () => this.#picked(onPick) });
    this.pick.checked = isPicked(row.currency);
    this.#cells = Object.fromEntries(COLUMNS.map(({ name }) => [name, el(name === "name" ? "th" : "td", cellAttributes(name))]));
    this.price = el("data", { class: "price" });
    this.#cells.pick.append(el("label", { class: "pick" }, this.pick));
    this.#cells.name.append(
      el("a", { href: format({ view: "currency", id: row.currency }) }, el("span", { class: "coin", title: row.name }, row.name), " ", el("span", { class: "symbol" }, row.symbol)),
    );
    this.#cells.price.append(this.price);
    this.element = el("tr", { dataset: { currency: row.currency } }, ...Object.values(this.#cells));
  }

  show(row, { isNews = false } = {}) {
    this.row = row;
    setText(this.#cells.rank, String(row.rank));
    const { rate } = row;
    if (rate === this.#rate && !this.#isFirst) return;
    const before = this.#rate;
    this.#rate = rate;
    this.#isFirst = false;
    this.#showPrice(rate, isNews ? before : null);
    for (const name of ["change_1h", "change_24h"]) this.#showChange(name, rate?.[`percent_${name}`] ?? null);
    for (const name of ["volume_24h", "market_cap"]) this.#showAmount(name, rate?.[name] ?? null);
    this.showAge();
  }

  showAge() {
    const cell = this.#cells.age;
    const isStale = this.#rate?.stale === true;
    const shown = age(secondsSince(this.#rate?.actual_date));
    if (setText(cell, isStale ? `stale, ${shown}` : shown)) cell.classList.toggle("is-stale", isStale);
  }

  draw(closes) {
    if (closes === this.#closes || !closes) return;
    this.#closes = closes;
    this.#cells.spark.replaceChildren(sparkline(closes, { label: `${this.row.name} in the last 24 hours: ${trendOf(closes)}` }));
  }

  #picked(onPick) {
    this.pick.checked = onPick(this.row.currency, this.pick.checked);
  }

  #showPrice(rate, before) {
    this.price.title = rate ? `${rate.price_usd} USD, ${rate.source}` : "No price is known yet";
    if (!setText(this.price, price(rate?.price_usd)) && this.price.value === (rate?.price_usd ?? "")) return;
    this.price.value = rate?.price_usd ?? "";
    const change = before && rate ? Number(rate.price_usd) - Number(before.price_usd) : 0;
    if (change === 0 || STILL.matches) return;
    this.price.animate([{ backgroundColor: `var(--${change > 0 ? "up" : "down"}-wash)` }, { backgroundColor: "transparent" }], FLASH);
  }

  #showChange(name, value) {
    const cell = this.#cells[name];
    const { text, trend } = percent(value);
    const shown = cell.firstElementChild;
    if (shown?.textContent === text && shown.classList.contains(trend)) shown.title = value === null ? "" : `${value} %`;
    else cell.replaceChildren(changeElement(value));
  }

  #showAmount(name, text) {
    const cell = this.#cells[name];
    setText(cell, compact(text));
    cell.title = text === null ? "" : `${text} USD`;
  }
}

function headCell({ name, label, sort, long, isHidden }, onSort) {
  const attributes = { scope: "col", dataset: { cell: name, ...(sort && { sort }) } };
  if (!sort) return el("th", attributes, isHidden ? el("span", { class: "visually-hidden" }, label) : label);
  return el("th", attributes, el("button", { type: "button", class: "sort", title: `Sort by ${lowered(long ?? label)}`, onclick: () => onSort(sort) }, label));
}

/** As in the middle of a sentence: "USD" stays. */
function lowered(text) {
  return text[0].toLowerCase() + text.slice(1);
}

function cellAttributes(name) {
  return { dataset: { cell: name }, ...(name === "name" && { scope: "row" }) };
}

function skeletonRow() {
  return el("tr", { class: "waiting", "aria-hidden": "true" }, ...COLUMNS.map(({ name }) => el("td", { dataset: { cell: name } }, el("span", { class: "skeleton" }, "\u00a0"))));
}

function trendOf(closes) {
  const known = closes.filter((close) => close !== null);
  if (known.length < 2) return "no prices yet";
  return percent((known.at(-1) / known[0] - 1) * 100).text;
}
