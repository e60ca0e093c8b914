/** The part of a chart's time that is looked at, and the buttons that change it. */

import { el } from "./dom.js";
import { timeOf, timeText } from "./state.js";

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
  /** What an address says, until the whole is known. */
  #wanted;
  #buttons;

  /**
   * @param {{wanted?: {from?: string, to?: string}, bounds: () => {from: number, to: number}, onChange: () => void}} options
   *   `wanted`: for `restore`; `bounds`: the whole time, in milliseconds; its end may move on
   */
  constructor({ wanted = {}, bounds, onChange }) {
    this.#wanted = wanted.from || wanted.to ? wanted : null;
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

  /** @returns {{from: string | null, to: string | null}} for the address; null: that end is the whole's */
  get params() {
    return { from: timeText(this.#from), to: timeText(this.#to) };
  }

  /** Looks at just what was wanted, once, as far as there is anything of it; else at all. */
  restore({ isEmpty }) {
    if (this.#wanted === null) return;
    const whole = this.#bounds();
    const start = Math.max(whole.from, timeOf(this.#wanted.from) ?? whole.from);
    const end = Math.min(whole.to, timeOf(this.#wanted.to) ?? whole.to);
    const isThere = !isEmpty && end - start >= SHORTEST;
    this.#wanted = null;
    this.#from = isThere && start > whole.from ? start : null;
    this.#to = isThere && end < whole.to ? end : null;
    this.#mark();
    this.#onChange();
  }

  /** Looks at a part; at all of it where that is meant. */
  set(from, to) {
    this.#wanted = null;
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
    this.#from = this.#to = this.#wanted = null;
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
