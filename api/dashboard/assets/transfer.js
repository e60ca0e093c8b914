/** An upload: it goes on when its view is left, and waits for the view to come back and say what became of it. */

import { send } from "./sending.js";

/** @type {Transfer | null} under way, or ended without anybody having been told */
let latest = null;

/** One file on its way, and then what became of it: `uploadId`, or `error`. */
export class Transfer {
  #stopper = new AbortController();
  #listener = () => {};
  sent = 0;
  /** `performance.now()` of the moment when all of it was there; null before. */
  arrivedAt = null;
  isOver = false;
  uploadId = null;
  error = null;

  /**
   * @param {File} file
   * @param {{charset: string, hasHeader: boolean, key: string}} options as `send`
   */
  constructor(file, options) {
    this.name = file.name;
    this.size = file.size;
    latest = this;
    // Whoever closes the page ends the upload, so the browser asks first.
    window.addEventListener("beforeunload", hold);
    this.#run(file, options);
  }

  /** @returns {Transfer | null} the one that a view must show */
  static get latest() {
    return latest;
  }

  /**
   * @param {() => void} listener called after each step, in place of the one before
   * @param {AbortSignal} signal ends it
   */
  follow(listener, signal) {
    this.#listener = listener;
    signal.addEventListener("abort", () => (this.#listener = () => {}), { once: true });
  }

  cancel() {
    this.#stopper.abort();
  }

  /** People know what became of it. */
  told() {
    if (latest === this) latest = null;
  }

  async #run(file, options) {
    try {
      this.uploadId = await send(file, {
        ...options,
        signal: this.#stopper.signal,
        onProgress: (sent, total) => this.#step({ sent, size: total }),
        onSent: () => this.#step({ arrivedAt: performance.now() }),
      });
    } catch (error) {
      this.error = error;
    }
    window.removeEventListener("beforeunload", hold);
    this.#step({ isOver: true });
  }

  #step(change) {
    Object.assign(this, change);
    this.#listener();
  }
}

function hold(event) {
  event.preventDefault();
}
