/** The chart of one currency's price: ranges, line or candles, zoom, crosshair, and a last point that moves. */

import { Candles, candlesPath } from "./candles.js";
import { CandleTable } from "./candletable.js";
import { choice, rangeChoice } from "./choice.js";
import { now } from "./clock.js";
import { el, setText } from "./dom.js";
import { live } from "./live.js";
import { paced } from "./pacer.js";
import { Plot } from "./plot.js";
import { priceFigure } from "./pricefigure.js";
import { minuteOf, readout, summaryOf } from "./pricewords.js";
import { intervalFor, rangeFrom, RANGES } from "./ranges.js";
import { renew } from "./renew.js";
import { Stage } from "./stage.js";
import { Zoom } from "./zoom.js";

const KINDS = { line: "Line", candles: "Candles" };
/** A drawing takes some 50 ms. */
const PAUSE = 500;
/** The end of the time is now, also while no rate comes. */
const CREEP = 30_000;
const ZOOM_PAUSE = 150;

export class PriceChart {
  #currency;
  #range;
  #kind;
  #signal;
  #candles;
  #stage;
  #plot;
  #zoom;
  #table = new CandleTable();
  #readout = el("p", { class: "readout price-readout" });
  #summary = el("p", { id: "chart-summary", class: "chart-summary muted" });
  #csv = el("a", { class: "button", role: "link", download: true }, "CSV");
  #loading = new AbortController();
  /** Whether the candles are those of the range and the zoom. */
  #isLoaded = false;
  #oldest = null;
  #point = null;
  #refine;
  /** Asks for a drawing, soon. */
  #redraw;

  /**
   * @param {{id: number, name: string, symbol: string}} currency
   * @param {{params: Object<string, string>, signal: AbortSignal, onChoice: (params: Object<string, string | null>) => void}}
   *   options `params`: `range`, `chart`, and the zoom's `from` and `to`; `onChoice`: the visitor chose others
   */
  constructor(currency, { params, signal, onChoice }) {
    this.#currency = currency;
    this.#range = rangeFrom(params);
    this.#kind = Object.hasOwn(KINDS, params.chart ?? "") ? params.chart : "line";
    this.#signal = signal;
    this.#candles = new Candles(currency.id);
    this.#stage = new Stage({
      id: "chart",
      label: `Chart of the price of ${currency.name} in USD`,
      describedBy: "chart-summary",
    });
    this.#redraw = paced(() => this.#draw(), { pause: PAUSE, signal });
    this.#refine = paced(() => this.#refineZoom(), { pause: ZOOM_PAUSE, signal });
    this.#zoom = new Zoom({ wanted: params, bounds: () => this.#whole(), onChange: () => this.#zoomed(onChoice) });
    this.#plot = new Plot(this.#stage.chart, {
      figure: (size) => this.#figure(size),
      onZoom: (from, to) => this.#zoom.set(from, to),
      onReset: () => this.#zoom.reset(),
      onPoint: (time) => this.#pointAt(time),
      signal,
    });
    this.element = this.#frame(onChoice);
    const creep = setInterval(() => document.visibilityState === "visible" && this.#redraw(), CREEP);
    const stopState = live.onState((state) => state === "live" && this.#renew());
    signal.addEventListener("abort", () => {
      clearInterval(creep);
      stopState();
      this.#loading.abort();
    });
    this.#load();
  }

  /** Takes a live rate. */
  apply(rate) {
    if (!this.#isLoaded) return;
    const isEmpty = this.#candles.list.length === 0;
    const change = this.#candles.apply(rate);
    if (change === "nothing") return;
    // A young history is drawn by candles that fit it, which by and by are too many.
    if (!this.#zoom.isOn && (isEmpty || this.#candles.list.length > 2 * this.#most())) this.#load();
    else if (change === "begun") this.#renew();
    this.#redraw();
  }

  #frame(onChoice) {
    const chooseRange = (range) => {
      this.#range = range;
      this.#zoom.clear();
      onChoice({ range, ...this.#zoom.params });
      this.#load();
    };
    const chooseKind = (kind) => {
      this.#kind = kind;
      onChoice({ chart: kind });
      this.#load(this.#asked());
    };
    return el(
      "section",
      { class: "card chart-card", "aria-label": "Chart" },
      el(
        "div",
        { class: "chart-tools" },
        rangeChoice({ value: this.#range, onChoose: chooseRange }),
        choice({ label: "Kind of chart", options: KINDS, value: this.#kind, onChoose: chooseKind }),
        el("div", { class: "chart-group" }, this.#zoom.element, this.#csv),
      ),
      this.#readout,
      this.#stage.element,
      this.#summary,
      this.#table.element,
    );
  }

  /** Fetches what is looked at; the last that was asked for wins. */
  async #load({ from, to } = { from: this.#rangeStart(), to: null }) {
    this.#loading.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    this.#isLoaded = false;
    this.#stage.loading();
    try {
      await Promise.all([this.#plot.load(), this.#candles.load({ from, to, most: this.#most(), signal })]);
      if (signal.aborted) return;
      this.#isLoaded = true;
      if (!this.#zoom.isOn) this.#oldest = this.#candles.since;
      const known = live.last(this.#currency.id);
      if (known) this.#candles.apply(known);
      this.#loaded();
      this.#zoom.restore({ isEmpty: this.#candles.list.length === 0 });
    } catch (error) {
      if (signal.aborted) return;
      this.#stage.problem(error, { retry: () => this.#load({ from, to }), signal });
    }
  }

  #loaded() {
    const { id, symbol } = this.#currency;
    const { interval, from, to, list } = this.#candles;
    if (list.length) this.#csv.href = candlesPath(id, { interval, from, to, format: "csv" });
    else this.#csv.removeAttribute("href");
    this.#csv.ariaDisabled = String(list.length === 0);
    this.#csv.title = `Candles of ${symbol} as CSV, the newest 1000 at most`;
    this.#point = null;
    if (list.length || this.#zoom.isOn) this.#stage.ready();
    else this.#stage.empty(...this.#whyEmpty());
    this.#draw();
  }

  #whyEmpty() {
    const { symbol, last_rate: newest } = this.#currency;
    if (!newest) return [el("p", {}, `There are no rates of ${symbol} yet. Press “Refresh now” to fetch the first.`)];
    const words = `There are no rates of ${symbol} in this time: the newest is of ${minuteOf(Date.parse(newest.actual_date))}.`;
    return [
      el("p", {}, words),
      this.#range !== "all" &&
        el("button", { type: "button", class: "button", onclick: () => this.#chooseAll() }, "Show all time"),
    ];
  }

  /** By its own button, which is left and takes the focus. */
  #chooseAll() {
    const button = this.element.querySelector(".choice-button[data-value=all]");
    button.click();
    button.focus();
  }

  /** Asks for the newest candles again. What fails here is asked for by the next rate. */
  async #renew() {
    if (!this.#isLoaded) return;
    try {
      await this.#candles.renew({ signal: this.#signal });
      this.#redraw();
    } catch {
      // The connection's state tells the visitor.
    }
  }

  #zoomed(onChoice) {
    onChoice({ range: this.#range, ...this.#zoom.params });
    this.#draw();
    this.#refine();
  }

  /** Shorter candles where the part that is looked at has room for them, longer ones where it has not. */
  #refineZoom() {
    const { from, to } = this.#zoom.window;
    const { interval, since, to: end } = this.#candles;
    const isCovered = since <= from && (end === null || end >= to);
    if (!isCovered || intervalFor(to - from, this.#most()) !== interval) this.#load(this.#asked());
  }

  #asked() {
    if (!this.#zoom.isOn) return { from: this.#rangeStart(), to: null };
    const { from, to } = this.#zoom.window;
    return { from, to: this.#zoom.isOpen ? null : to };
  }

  #rangeStart() {
    const { span } = RANGES[this.#range];
    return span === null ? null : now() - span;
  }

  #whole() {
    const from = Math.max(this.#rangeStart() ?? 0, this.#oldest ?? 0);
    return { from, to: Math.max(now(), from + 1) };
  }

  #most() {
    const width = this.#stage.chart.clientWidth || 800;
    return this.#kind === "line" ? Math.min(750, Math.max(300, width)) : Math.min(220, Math.max(100, width / 4));
  }

  #figure(size) {
    const { list, step } = this.#candles;
    return priceFigure({ candles: list, step, kind: this.#kind, window: this.#zoom.window, isOpen: this.#zoom.isOpen }, size);
  }

  #draw() {
    const { from, to } = this.#zoom.window;
    if (!this.#zoom.isOn && RANGES[this.#range].span !== null) this.#candles.forget(from);
    const seen = this.#candles.list.filter(({ time }) => time + this.#candles.step > from && time <= to);
    this.#plot.draw();
    setText(this.#summary, summaryOf(seen, this.#candles));
    this.#table.show(seen);
    this.#pointAt(this.#point);
  }

  /** The candle under the crosshair; without one, the last. */
  #pointAt(time) {
    this.#point = time;
    const { list } = this.#candles;
    const candle = list.find((one) => one.time === time) ?? list.at(-1);
    renew(this.#readout, candle ? readout(candle) : []);
  }
}
