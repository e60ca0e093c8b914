/** The view of all prices: a table that moves, with search, order and pages, all kept in the fragment. */

import { whenReachedAgain } from "./again.js";
import { learn, secondsSince } from "./clock.js";
import { el, setText } from "./dom.js";
import { age } from "./format.js";
import { getJson, isPassing, showProblem } from "./http.js";
import { live } from "./live.js";
import { Market, ORDERS } from "./market.js";
import { Elsewhere } from "./elsewhere.js";
import { pager } from "./pager.js";
import { Picks } from "./picks.js";
import { downloadPrices } from "./pricefile.js";
import { sorter } from "./sorter.js";
import { Sparklines } from "./sparklines.js";
import { update } from "./state.js";
import { Table } from "./table.js";

export const title = "Prices";

const PATH = "/api/market/?limit=500";
const PER_PAGE = 50;
const RENEW = 60_000;
const RENEW_EMPTY = 2000;
/** Where nobody tells of new rates, they are asked for. */
const RENEW_SILENT = 10_000;
const REORDER_TICKS = 5;

/** Stay while the page does, so that coming back to the view shows it at once. */
const market = new Market();
const sparklines = new Sparklines();

/** @param {HTMLElement} container */
export function show(container, { params, signal }) {
  new Prices(container, params, signal).start();
}

class Prices {
  #changed = new Set();
  #frame = 0;
  #renewal = 0;
  #ticks = 0;
  #stopWatching = () => {};
  #watched = "";
  #isDue = false;
  #isWaiting = false;
  /** @type {number[]} the currencies of the rows that are seen */
  #seen = [];
  #stopAgain = () => {};

  constructor(container, params, signal) {
    this.container = container;
    this.signal = signal;
    this.text = params.q ?? "";
    this.sort = Object.hasOwn(ORDERS, params.sort ?? "") ? params.sort : "rank";
    this.down = params.down === "1";
    this.page = Math.max(1, Number.parseInt(params.page, 10) || 1);
    this.picks = new Picks({ onClear: () => this.table.showPicked() });
    this.table = new Table({ onSort: (sort) => this.#sortBy(sort), onPick: (id, isPicked) => this.picks.pick(id, isPicked), isPicked: (id) => this.picks.has(id) });
  }

  start() {
    this.facts = el("p", { class: "muted ranked" }, "\u00a0");
    this.found = el("p", { class: "muted", role: "status" });
    this.place = el("div", { class: "card table-card" }, this.table.element);
    this.none = el("div");
    this.elsewhere = new Elsewhere(this.none, this.signal);
    this.pages = el("nav", { class: "pager", "aria-label": "Pages" });
    this.container.append(this.facts, this.#controls(), this.place, this.none, el("div", { class: "below" }, this.found, this.pages));
    this.#write();
    if (market.size) this.#render();
    const tick = setInterval(() => this.#tick(), 1000);
    document.addEventListener("visibilitychange", () => this.#look(), { signal: this.signal });
    this.signal.addEventListener("abort", () => {
      clearInterval(tick);
      clearTimeout(this.#renewal);
      cancelAnimationFrame(this.#frame);
      this.#stopWatching();
    });
    this.#renew();
  }

  #controls() {
    const search = el("input", { type: "search", id: "search", placeholder: "Name or symbol", autocomplete: "off", spellcheck: "false", oninput: () => this.#search(search.value) });
    search.value = this.text;
    this.csv = el("button", { type: "button", class: "button", disabled: true, onclick: () => downloadPrices(market.select(this)) }, "Download CSV");
    this.sorter = sorter({ onSort: (sort) => this.#sortBy(sort), onTurn: () => this.#sortBy(this.sort) });
    this.sorter.show(this);
    return el(
      "div",
      { class: "controls" },
      el("div", { class: "field search" }, el("label", { for: "search", class: "visually-hidden" }, "Search by name or symbol"), search),
      this.sorter.element,
      this.picks.compare,
      this.picks.clear,
      this.csv,
    );
  }

  // What the API says

  async #renew() {
    clearTimeout(this.#renewal);
    this.#isDue = market.size > 0 && isHidden();
    if (this.#isDue) return;
    try {
      const answer = await getJson(PATH, { signal: this.signal });
      learn(answer.datetime);
      market.take(answer);
      this.#watch();
      this.#render();
    } catch (problem) {
      if (this.signal.aborted) return;
      if (isPassing(problem)) this.#again(() => this.#renew());
      if (!market.size) this.#showProblem(problem);
    }
    clearTimeout(this.#renewal);
    if (!this.signal.aborted) this.#renewal = setTimeout(() => this.#renew(), this.#pause());
  }

  /** Nobody looks: nothing is asked until somebody does. */
  #look() {
    if (isHidden()) return;
    if (this.#isDue) this.#renew();
    this.#drawSparklines();
  }

  #again(run) {
    this.#stopAgain();
    this.#stopAgain = whenReachedAgain(this.signal, run);
  }

  #pause() {
    if (!market.size) return RENEW_EMPTY;
    return live.state === "live" ? RENEW : RENEW_SILENT;
  }

  #watch() {
    const ids = market.ids.join();
    if (ids === this.#watched) return;
    const stop = this.#stopWatching;
    this.#watched = ids;
    this.#stopWatching = live.watch(market.ids, (rate) => this.#note(rate));
    stop();
  }

  #note(rate) {
    if (!market.note(rate)) return;
    this.#changed.add(rate.currency);
    this.#frame ||= requestAnimationFrame(() => this.#showChanges());
  }

  #showChanges() {
    this.#frame = 0;
    for (const id of this.#changed) {
      const row = market.row(id);
      if (row) this.table.change(row);
    }
    this.#changed.clear();
  }

  // What is shown

  #render() {
    const rows = market.select(this);
    const pages = Math.max(1, Math.ceil(rows.length / PER_PAGE));
    if (this.page > pages) {
      this.page = pages;
      this.#write();
    }
    const first = (this.page - 1) * PER_PAGE;
    const seen = rows.slice(first, first + PER_PAGE);
    this.table.show(seen, this);
    this.sorter.show(this);
    this.#showFacts();
    this.csv.disabled = rows.length === 0;
    setText(this.found, rows.length ? `${first + 1}–${first + seen.length} of ${rows.length}` : "");
    this.place.hidden = rows.length === 0;
    this.elsewhere.show(rows.length ? "" : this.text, { isAll: market.size === 0 });
    pager(this.pages, { page: this.page, pages, onPage: (page) => this.#turnTo(page) });
    this.#seen = seen.map(({ currency }) => currency);
    for (const id of this.#seen) this.table.draw(id, sparklines.closes(id));
    this.#drawSparklines();
  }

  async #drawSparklines() {
    if (isHidden() || this.#isWaiting) return;
    try {
      for (const id of await sparklines.renew(this.#seen, this.signal)) this.table.draw(id, sparklines.closes(id));
    } catch (problem) {
      this.#isWaiting = isPassing(problem);
      if (this.#isWaiting) whenReachedAgain(this.signal, () => this.#drawAgain());
    }
  }

  #drawAgain() {
    this.#isWaiting = false;
    this.#drawSparklines();
  }

  #showFacts() {
    setText(this.facts, market.size ? factsOf(market.facts) : "\u00a0");
  }

  #showProblem(problem) {
    this.place.hidden = true;
    this.none.replaceChildren(showProblem(problem, { retry: () => this.#renew() }));
  }

  #tick() {
    this.table.tick();
    if (market.facts) this.#showFacts();
    this.#ticks += 1;
    if (this.#ticks % REORDER_TICKS === 0 && this.sort !== "rank" && market.size && !this.table.isInUse) this.#render();
  }

  // What people do

  #sortBy(sort) {
    this.down = sort === this.sort ? !this.down : ORDERS[sort].isGreatestFirst;
    this.sort = sort;
    this.#turnTo(1);
  }

  #search(text) {
    this.text = text;
    this.#turnTo(1);
  }

  #turnTo(page) {
    this.page = page;
    this.#write();
    if (market.size) this.#render();
  }

  /** The address says what is shown. */
  #write() {
    const isUsual = this.sort === "rank" && !this.down;
    update({ sort: isUsual ? null : this.sort, down: this.down ? 1 : null, q: this.text.trim(), page: this.page > 1 ? this.page : null });
  }
}

function isHidden() {
  return document.visibilityState === "hidden";
}

function factsOf({ ranked_at: rankedAt, ranked_by: rankedBy }) {
  if (!rankedAt) return "In US dollars, in the catalog's order until the first ranking arrives.";
  return `In US dollars. Ranked by the volume of 24 hours: ${rankedBy}, ${age(secondsSince(rankedAt))} ago.`;
}
