/** The currencies that are picked in the table to be compared. They stay picked while the page is open. */

import { el, setText } from "./dom.js";
import { navigate } from "./state.js";

const MOST = 8;
const picked = new Set();

/** What is picked, and the buttons for it. */
export class Picks {
  /** @param {{onClear: () => void}} actions called when none is picked any more by the button */
  constructor({ onClear }) {
    this.compare = el("button", { type: "button", class: "button", onclick: () => navigate({ view: "compare", params: { ids: [...picked].join(",") } }) });
    this.clear = el("button", { type: "button", class: "button", onclick: () => this.#clear(onClear) }, "Clear");
    this.#show();
  }

  /** @returns {boolean} */
  has(id) {
    return picked.has(id);
  }

  /**
   * @param {number} id
   * @param {boolean} isPicked
   * @returns {boolean} whether it is picked now: more than the most are not taken
   */
  pick(id, isPicked) {
    if (isPicked && picked.size < MOST) picked.add(id);
    if (!isPicked) picked.delete(id);
    this.#show();
    return picked.has(id);
  }

  #clear(onClear) {
    picked.clear();
    onClear();
    this.#show();
    this.compare.focus();
  }

  #show() {
    setText(this.compare, picked.size ? `Compare ${picked.size} of at most ${MOST}` : "Compare");
    this.compare.classList.toggle("primary", picked.size > 1);
    this.clear.hidden = picked.size === 0;
  }
}
