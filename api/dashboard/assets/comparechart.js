/** The chart of a comparison, with its legend, and what follows from it. */

import { now } from "./clock.js";
import { compareFigure } from "./comparefigure.js";
import { el, setText } from "./dom.js";
import { percent } from "./format.js";
import { Legend } from "./legend.js";
import { Plot } from "./plot.js";
import { minuteOf } from "./pricewords.js";
import { INTERVAL_WORDS } from "./ranges.js";
import { Stage } from "./stage.js";
import { Zoom } from "./zoom.js";

export class CompareChart {
  #comparison;
  #lines = [];
  #point = null;
  #plot;
  #readout = el("p", { class: "readout" });
  #summary = el("p", { id: "comparison-summary", class: "chart-summary muted" });

  /**
   * @param {import("./comparison.js").Comparison} comparison
   * @param {{onRemove: (id: number) => void, signal: AbortSignal}} options
   */
  constructor(comparison, { onRemove, signal }) {
    this.#comparison = comparison;
    this.stage = new Stage({
      id: "comparison",
      label: "Chart of the change of prices from a common start",
      describedBy: "comparison-summary",
    });
    this.legend = new Legend({ onRemove });
    this.zoom = new Zoom({ bounds: () => this.#whole(), onChange: () => this.#plot.draw() });
    this.#plot = new Plot(this.stage.chart, {
      figure: (size) => this.#figure(size),
      onZoom: (from, to) => this.zoom.set(from, to),
      onReset: () => this.zoom.reset(),
      onPoint: (time) => this.#pointAt(time),
      signal,
    });
    this.element = el("div", { class: "compare-chart" }, this.#readout, this.stage.element, this.legend.element, this.#summary);
  }

  /** @throws {Problem} */
  async load() {
    await this.#plot.load();
  }

  /** @param {import("./comparison.js").Line[]} lines */
  draw(lines) {
    this.#lines = lines;
    this.#plot.draw();
    this.#pointAt(this.#point);
    setText(this.#summary, this.#words());
  }

  #whole() {
    const from = this.#lines[0]?.points[0].time ?? 0;
    return { from, to: Math.max(now(), from + 1) };
  }

  #figure(size) {
    const { zoom } = this;
    return compareFigure({ lines: this.#lines, step: this.#comparison.step, window: zoom.window, isOpen: zoom.isOpen }, size);
  }

  #pointAt(time) {
    this.#point = time;
    this.legend.show(this.#lines, time);
    const start = this.#lines[0]?.points[0].time;
    setText(
      this.#readout,
      start === undefined
        ? ""
        : time === null
          ? `Change since ${minuteOf(start)}`
          : `${minuteOf(time)}: change since ${minuteOf(start)}`,
    );
  }

  #words() {
    const [first] = this.#lines;
    if (!first) return "";
    const changes = this.#lines.map(({ currency, points }) => `${currency.name} ${percent(points.at(-1).change).text}`);
    const more = this.#comparison.hasMore ? " Older candles exist; they are not shown." : "";
    return `Since ${minuteOf(first.points[0].time)}, by candles of ${INTERVAL_WORDS[this.#comparison.interval]}: ${changes.join(", ")}.${more}`;
  }
}
