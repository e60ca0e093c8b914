/** Seconds that pass on the page while something is waited for. */

import { el } from "./dom.js";

const STEP = 100;
const SECOND = 1000;
const UNITS = [
  ["d", 86_400],
  ["h", 3600],
  ["min", 60],
];

/** Counts from its making until it is stopped. `element` shows how long, and how much of the limit that is. */
export class Stopwatch {
  /**
   * @param {{label: string, limit?: number | null, since?: number}} options what it measures; the seconds that it may take where
   *   those are known; `performance.now()` of its beginning
   */
  constructor({ label, limit = null, since = performance.now() }) {
    this.began = since;
    this.limit = limit;
    this.bar = el("progress", { max: limit ?? 1, value: limit ? 0 : null, "aria-label": label });
    this.text = el("span", { class: "muted stopwatch-text" });
    this.element = el("div", { class: "stopwatch" }, this.bar, this.text);
    this.timer = setInterval(() => this.show(), STEP);
    this.show();
  }

  /** @returns {number} seconds */
  get seconds() {
    return (performance.now() - this.began) / SECOND;
  }

  show() {
    const passed = this.seconds.toFixed(1);
    if (this.limit) this.bar.value = this.seconds;
    this.text.textContent = this.limit ? `${passed} s of at most ${this.limit} s` : `${passed} s`;
  }

  /** @returns {string} how long it took: `0.4 s` */
  stop() {
    clearInterval(this.timer);
    return `${Math.max(0.1, this.seconds).toFixed(1)} s`;
  }
}

/**
 * A line that counts down to the time from which to try again. It is no live region: who listens is told once.
 *
 * @param {number} seconds
 * @param {AbortSignal | undefined} signal ends the counting
 * @returns {HTMLElement}
 */
export function countdown(seconds, signal) {
  const until = performance.now() + seconds * SECOND;
  const line = el("p", { class: "muted countdown" });
  const timer = setInterval(show, SECOND);
  signal?.addEventListener("abort", () => clearInterval(timer), { once: true });
  show();
  return line;

  function show() {
    const left = Math.ceil((until - performance.now()) / SECOND);
    line.textContent = left > 0 ? `Try again in ${spelled(left)}.` : "You can try again now.";
    if (left <= 0) clearInterval(timer);
  }
}

/** `75 s`, and from two minutes on in the two largest units: `26 h`, `3 min 20 s`. */
function spelled(seconds) {
  if (seconds < 120) return `${seconds} s`;
  const [unit, size] = UNITS.find(([, length]) => seconds >= 2 * length || length === 60);
  const whole = Math.floor(seconds / size);
  return unit === "min" ? `${whole} min ${seconds % size} s` : `${whole} ${unit}`;
}
