/** Choosing one file, by the browser's dialogue or by dropping it. */

import { el } from "./dom.js";
import { fileSize } from "./filesize.js";

/** `element` is the place to choose; a file may be dropped anywhere on `target`. */
export class DropZone {
  /** @param {{onChoice: () => void, onTooMany: () => void}} options */
  constructor({ onChoice, onTooMany }) {
    this.onChoice = onChoice;
    this.onTooMany = onTooMany;
    this.input = el("input", {
      id: "deals-file",
      class: "drop-input",
      type: "file",
      accept: ".csv,text/csv,text/plain",
      onchange: () => this.chosen(),
    });
    this.invitation = "or drop it here";
    this.name = el("span", { class: "drop-name" }, this.invitation);
    this.zone = el("label", { class: "drop-zone", for: "deals-file" }, el("strong", {}, "Choose a CSV file"), this.name);
    this.element = el("div", { class: "drop" }, this.input, this.zone);
  }

  /** @returns {File | undefined} */
  get file() {
    return this.input.files[0];
  }

  /**
   * @param {HTMLElement} target
   * @param {AbortSignal} signal ends it
   */
  listenOn(target, signal) {
    target.addEventListener("dragover", (event) => this.dragged(event, true));
    target.addEventListener("dragleave", (event) => this.dragged(event, false));
    target.addEventListener("drop", (event) => this.dropped(event));
    // A file that is dropped beside it would open in place of the page.
    for (const kind of ["dragover", "drop"]) window.addEventListener(kind, keepOut, { signal });
  }

  /** @param {number | null} bytes that a file may have, where that is known */
  limit(bytes) {
    this.invitation = bytes === null ? "or drop it here" : `or drop it here, up to ${fileSize(bytes)}`;
    if (!this.file) this.name.textContent = this.invitation;
  }

  focus() {
    this.input.focus();
  }

  chosen() {
    const { file } = this;
    this.name.textContent = file ? `${file.name}, ${fileSize(file.size)}` : this.invitation;
    this.zone.classList.toggle("chosen", Boolean(file));
    this.onChoice();
  }

  dragged(event, isOver) {
    if (!hasFiles(event)) return;
    event.preventDefault();
    this.zone.classList.toggle("dragged", isOver);
  }

  dropped(event) {
    if (!hasFiles(event)) return;
    this.dragged(event, false);
    const { files } = event.dataTransfer;
    if (files.length > 1) this.onTooMany();
    if (files.length !== 1) return;
    this.input.files = files;
    this.chosen();
  }
}

/** Text that is dragged into a field is none of this. */
function hasFiles({ dataTransfer }) {
  return Boolean(dataTransfer?.types.includes("Files"));
}

function keepOut(event) {
  if (event.defaultPrevented || !hasFiles(event)) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "none";
}
