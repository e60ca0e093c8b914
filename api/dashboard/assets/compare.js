/** Up to eight currencies on one chart, and how they did. */

import { rangeChoice } from "./choice.js";
import { CompareChart } from "./comparechart.js";
import { saveComparison } from "./comparefile.js";
import { Comparison, MOST } from "./comparison.js";
import { currencyOf } from "./currencies.js";
import { el } from "./dom.js";
import { correlationTable, definitions, figuresTable } from "./figures.js";
import { getJson } from "./http.js";
import { live } from "./live.js";
import { paced } from "./pacer.js";
import { currencyPicker } from "./picker.js";
import { plotly } from "./plot.js";
import { knownRange } from "./ranges.js";
import { renew } from "./renew.js";
import { idOf, update } from "./state.js";

export const title = "Compare";

const FIRST = 5;
const PAUSE = 1000;
const CREEP = 30_000;

export async function show(container, { params, signal }) {
  const view = new CompareView(params, signal);
  // It is large: it comes while the first answers do. Who draws says where it does not.
  plotly().catch(() => {});
  container.append(view.element);
  await view.open(idsOf(params.ids));
}

/** From the address, so anything. */
function idsOf(text) {
  const ids = (text ?? "").split(",").map(idOf);
  return [...new Set(ids)].filter((id) => id !== null);
}

class CompareView {
  #signal;
  #range;
  #comparison = new Comparison();
  #chart;
  #loading = new AbortController();
  #stopWatch = () => {};
  #lines = [];
  /** Ids that are being opened. */
  #wanted = null;
  #picking = el("div", { class: "compare-picker" });
  #note = el("p", { class: "compare-note", role: "status" });
  #figures = scrolling("figures", "Figures of the range");
  #correlations = scrolling("correlations", "Correlation of returns");
  #csv = el(
    "button",
    { type: "button", class: "button", disabled: true, onclick: () => saveComparison(this.#lines, this.#range) },
    "CSV",
  );
  #isLoaded = false;
  #results = el(
    "div",
    { class: "compare-results", hidden: true },
    el("section", { class: "card" }, el("h2", {}, "Over the range"), this.#figures),
    el("section", { class: "card" }, el("h2", {}, "Correlation of returns"), this.#correlations),
    el("div", { class: "card" }, definitions()),
  );
  #redraw;

  constructor(params, signal) {
    this.#signal = signal;
    this.#range = knownRange(params.range);
    this.#chart = new CompareChart(this.#comparison, { onRemove: (id) => this.#remove(id), signal });
    this.#redraw = paced(() => this.#draw(), { pause: PAUSE, signal });
    const creep = setInterval(() => document.visibilityState === "visible" && this.#redraw(), CREEP);
    const stopState = live.onState((state) => state === "live" && this.#renew());
    signal.addEventListener("abort", () => {
      clearInterval(creep);
      stopState();
      this.#stopWatch();
      this.#loading.abort();
    });
    this.element = el("div", { class: "view" }, this.#frame(), this.#results);
  }

  /** Shows the currencies with these ids, as many as there is room for. */
  async open(ids) {
    this.#wanted = ids;
    const signal = this.#renewed();
    const shown = ids.slice(0, MOST);
    let found;
    this.#chart.stage.loading();
    try {
      found = await Promise.all(shown.map((id) => currencyOf(id, signal)));
    } catch (error) {
      if (!signal.aborted) this.#chart.stage.problem(error, { retry: () => this.open(ids), signal });
      return;
    }
    if (signal.aborted) return;
    this.#wanted = null;
    for (const currency of found) if (currency !== null) this.#comparison.add(currency);
    const unknown = shown.filter((_, at) => found[at] === null);
    this.#note.textContent = [
      ids.length > MOST && `Only the first ${MOST} of ${ids.length} are shown.`,
      unknown.length > 0 && `There is no currency with the id ${unknown.join(", ")}.`,
    ]
      .filter(Boolean)
      .join(" ");
    await this.#changed();
  }

  #frame() {
    return el(
      "section",
      { class: "card chart-card", "aria-label": "Comparison" },
      el(
        "div",
        { class: "chart-tools" },
        rangeChoice({ value: this.#range, onChoose: (range) => this.#choose(range) }),
        el("div", { class: "chart-group" }, this.#chart.zoom.element, this.#csv),
        this.#picking,
      ),
      this.#note,
      this.#chart.element,
    );
  }

  #choose(range) {
    this.#range = range;
    update({ range });
    this.#chart.zoom.clear();
    this.#load();
  }

  #add(currency) {
    const isNew = this.#comparison.add(currency);
    const words = isNew ? "is added" : this.#comparison.has(currency.id) ? "is compared already" : "is one too many";
    this.#note.textContent = `${currency.name} ${words}.`;
    if (isNew) this.#changed();
  }

  #remove(id) {
    this.#comparison.remove(id);
    this.#note.textContent = "";
    this.#changed();
    // The button that was pressed is gone.
    this.#picking.querySelector("input")?.focus();
  }

  /** Other currencies than before are compared. */
  async #changed() {
    const { ids, members, isFull } = this.#comparison;
    update({ ids: ids.join(",") || null });
    // The new one first: what nobody watches, not even for a moment, has no last rate.
    const stopFormer = this.#stopWatch;
    this.#stopWatch = live.watch(ids, (rate) => this.#isLoaded && this.#comparison.apply(rate) && this.#redraw());
    stopFormer();
    this.#chart.legend.list(members);
    this.#showPicker(!isFull);
    await this.#load();
  }

  #showPicker(hasRoom) {
    const isShown = this.#picking.childElementCount > 0 && this.#picking.dataset.room === String(hasRoom);
    if (isShown) return;
    this.#picking.dataset.room = String(hasRoom);
    this.#picking.replaceChildren(
      hasRoom
        ? currencyPicker({ label: "Add a currency", keeps: false, onPick: (currency) => this.#add(currency) })
        : el("p", { class: "muted" }, `${MOST} are the most: remove one to add another.`),
    );
  }

  async #load() {
    if (this.#wanted) return this.open(this.#wanted);
    const signal = this.#renewed();
    const { stage } = this.#chart;
    this.#isLoaded = false;
    if (this.#comparison.size === 0) return this.#showNone();
    stage.loading();
    try {
      await Promise.all([this.#chart.load(), this.#comparison.load({ range: this.#range, signal })]);
      if (signal.aborted) return;
      this.#isLoaded = true;
      this.#draw();
    } catch (error) {
      if (!signal.aborted) stage.problem(error, { retry: () => this.#load(), signal });
    }
  }

  /** Ends what is loading. @returns {AbortSignal} of what is to be loaded now */
  #renewed() {
    this.#loading.abort();
    this.#loading = new AbortController();
    return this.#loading.signal;
  }

  #draw() {
    if (!this.#isLoaded) return;
    const { stage } = this.#chart;
    this.#comparison.forget();
    const { lines } = this.#comparison;
    if (lines.length) stage.ready();
    else if (this.#comparison.size === this.#comparison.absent.length)
      stage.empty("There are no rates of these in this time. Choose a longer range, or refresh them on their pages.");
    else stage.empty("There is no time in this range at which all of these have a rate. Choose a longer range, or remove one.");
    this.#show(lines);
    renew(this.#figures, figuresTable(lines));
    renew(this.#correlations, correlationTable(lines));
  }

  #show(lines) {
    this.#lines = lines;
    this.#chart.draw(lines);
    this.#results.hidden = this.#csv.disabled = lines.length === 0;
  }

  /** Nothing is chosen yet. */
  #showNone() {
    this.#show([]);
    this.#chart.stage.empty(
      el("p", {}, "Choose up to eight currencies to see how they did from a common start."),
      el("button", { type: "button", class: "button", onclick: () => this.#openFirst() }, `Compare the first ${FIRST}`),
    );
  }

  async #openFirst() {
    const signal = this.#renewed();
    try {
      const { results } = await getJson(`/api/market/?limit=${FIRST}`, { signal });
      if (!signal.aborted) await this.open(results.map(({ currency }) => currency));
    } catch (error) {
      if (!signal.aborted) this.#chart.stage.problem(error, { retry: () => this.#openFirst(), signal });
    }
  }

  /** Asks for the newest candles again. What fails here is asked for when the connection is back. */
  async #renew() {
    if (!this.#isLoaded) return;
    try {
      await this.#comparison.renew({ signal: this.#signal });
      this.#redraw();
    } catch {
      // The connection's state tells the visitor.
    }
  }
}

function scrolling(id, name) {
  return el("div", { id, class: "table-scroll", role: "group", tabindex: 0, "aria-label": name });
}
