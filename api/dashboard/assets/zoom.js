/** The part of a chart's time that is looked at, and the buttons that change it. */

import { el } from "./dom.js";

const SHORTEST = 5 * 60_000;
const IN = 0.5;
const OUT = 2;
const MOVE = 0.5;
/** So near to an end, in parts of the whole, the end is meant. */
const NEAR = 0.01;

export class Zoom {
  #bounds;
  #onChange;
  #from = null;
  #to = null;
  #buttons;

  /**
   * @param {{bounds: () => {from: number, to: number}, onChange: () => void}} options `bounds`: the whole time,
   *   in milliseconds; its end may move on
   */
  constructor({ bounds, onChange }) {
    this.#bounds = bounds;
    this.#onChange = onChange;
    const button = (text, name, act) =>
      el("button", { type: "button", class: "choice-button", "aria-label": name, title: name, onclick: act }, text);
    this.#buttons = {
      earlier: button("←", "Earlier", () => this.#move(-MOVE)),
      later: button("→", "Later", () => this.#move(MOVE)),
      in: button("+", "Zoom in", () => this.#scale(IN)),
      out: button("−", "Zoom out", () => this.#scale(OUT)),
      reset: button("Reset", "Reset the zoom", () => this.reset()),
    };
    this.element = el("div", { class: "choice", role: "group", "aria-label": "Zoom" }, Object.values(this.#buttons));
    this.#mark();
  }

  get isOn() {
    return this.#from !== null || this.#to !== null;
  }

  /** @returns {{from: number, to: number}} what is looked at */
  get window() {
    const whole = this.#bounds();
    return { from: this.#from ?? whole.from, to: this.#to ?? whole.to };
  }

  /** Whether the end is now, so that what is looked at goes on with time. */
  get isOpen() {
    return this.#to === null;
  }

  /** What the address says of it; null: that end is not another than that of the whole. */
  get params() {
    return { from: textOf(this.#from), to: textOf(this.#to) };
  }

  /** Looks at what an address says; what is no time there stands for that end of the whole. */
  restore({ from, to }) {
    const whole = this.#bounds();
    const [start, end] = [Date.parse(from ?? ""), Date.parse(to ?? "")];
    if (Number.isNaN(start) && Number.isNaN(end)) return;
    this.set(Number.isNaN(start) ? whole.from : start, Number.isNaN(end) ? whole.to : end);
  }

  /** Looks at a part; at all of it where that is meant. */
  set(from, to) {
    const whole = this.#bounds();
    const near = (whole.to - whole.from) * NEAR;
    const length = Math.max(SHORTEST, to - from);
    const end = Math.min(whole.to, Math.max(to, whole.from + length));
    const start = Math.max(whole.from, end - length);
    this.#from = start - whole.from < near ? null : start;
    this.#to = whole.to - end < near ? null : end;
    this.#mark();
    this.#onChange();
  }

  reset() {
    this.clear();
    this.#onChange();
  }

  /** As `reset`, for one who draws anew in any case. */
  clear() {
    this.#from = this.#to = null;
    this.#mark();
  }

  #move(part) {
    const { from, to } = this.window;
    const whole = this.#bounds();
    const wanted = (to - from) * part;
    const by = Math.max(whole.from - from, Math.min(whole.to - to, wanted));
    this.set(from + by, to + by);
  }

  #scale(factor) {
    const { from, to } = this.window;
    const length = (to - from) * factor;
    // What ends now goes on to end now: there the news are.
    const end = this.isOpen ? to : (from + to + length) / 2;
    this.set(end - length, end);
  }

  /** Not `disabled`, which would take the focus away from who presses them by the keyboard. */
  #mark() {
    for (const name of ["earlier", "later", "out", "reset"]) {
      const isIdle = name === "later" ? this.isOpen : name === "earlier" ? !this.isOn || this.#from === null : !this.isOn;
      this.#buttons[name].setAttribute("aria-disabled", String(isIdle));
    }
  }
}

/** To the second. */
function textOf(time) {
  return time === null ? null : `${new Date(time).toISOString().slice(0, 19)}Z`;
}
