/** The key of who may upload. It is kept in memory only, and lives as long as the page is open. */

import { el } from "./dom.js";
import { status } from "./status.js";

let key = "";

/** A field that shows itself where the service wants a key. */
export class KeyField {
  /** @param {{signal: AbortSignal}} options */
  constructor({ signal }) {
    this.input = el("input", {
      id: "deals-key",
      type: "password",
      autocomplete: "off",
      spellcheck: "false",
      value: key,
      oninput: () => this.typed(),
    });
    const label = el("label", { for: "deals-key" }, "Key (kept in memory only)");
    this.element = el("div", { class: "field", hidden: true }, label, this.input);
    signal.addEventListener(
      "abort",
      status.onChange(() => this.showWhereNeeded()),
      { once: true },
    );
    this.showWhereNeeded();
  }

  /** @returns {string} none where nothing is typed */
  get key() {
    return key;
  }

  /** @returns {boolean} whether a header can hold it */
  get isSendable() {
    return /^[\x21-\x7e]*$/.test(key);
  }

  /** Asks for another one. */
  ask() {
    this.element.hidden = false;
    this.input.setAttribute("aria-invalid", "true");
    this.input.focus();
  }

  typed() {
    key = this.input.value.trim();
    this.input.removeAttribute("aria-invalid");
  }

  showWhereNeeded() {
    if (status.value?.upload_needs_key) this.element.hidden = false;
  }
}
