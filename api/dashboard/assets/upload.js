/** Uploading a file of deals: what to send, how far it is, and what came of it. */

import { CHARSETS } from "./charsets.js";
import { el, setText } from "./dom.js";
import { DropZone } from "./dropzone.js";
import { fileSize } from "./filesize.js";
import { fileGuide } from "./guide.js";
import { KeyField } from "./keyfield.js";
import { broken, cancelled, keyWanted, loaded, tooLarge, wrongLines } from "./outcome.js";
import { Refused } from "./sending.js";
import { status } from "./status.js";
import { Stopwatch } from "./stopwatch.js";
import { Transfer } from "./transfer.js";

const KEY_NEEDED =
  "The key is missing or is none of this service's. Ask whoever runs it for one (API_KEYS), type it into the field Key, and upload again.";
const KEY_UNSENDABLE =
  "A key has no blanks and only plain letters, digits and signs. Look whether something else was copied with it.";
const UNAUTHORIZED = 401;

/** The card with the form. */
export class UploadCard {
  /** @param {{signal: AbortSignal, onTaken: (id: string) => Promise<object | undefined>, onRefused: () => void}} options `onTaken` gives
   *   the upload of that id */
  constructor({ signal, onTaken, onRefused }) {
    this.signal = signal;
    this.onTaken = onTaken;
    this.onRefused = onRefused;
    /** The upload that is under way. */
    this.transfer = null;
    this.drop = new DropZone({
      onChoice: () => this.transfer || this.show(),
      onTooMany: () => this.transfer || this.show(el("p", {}, "Drop one file: it replaces all deals as a whole.")),
    });
    this.charset = el(
      "select",
      { id: "deals-charset" },
      CHARSETS.map((name) => el("option", {}, name)),
    );
    this.header = el("input", { id: "deals-header", type: "checkbox", checked: true });
    this.key = new KeyField({ signal });
    this.button = el("button", { type: "submit", class: "button primary", dataset: { action: "upload" } }, "Upload");
    this.cancel = el(
      "button",
      { type: "button", class: "button", hidden: true, dataset: { action: "cancel" }, onclick: () => this.transfer?.cancel() },
      "Cancel",
    );
    this.waiting = el("div", { class: "upload-waiting" });
    this.told = el("div", { role: "status" });
    /** A problem is an alert by itself. */
    this.trouble = el("div");
    this.guide = el("div");
    this.element = this.card();
    this.drop.listenOn(this.element, signal);
    signal.addEventListener("abort", () => this.watch?.stop());
    const stop = status.onChange(() => this.nameSettings());
    signal.addEventListener("abort", stop);
    this.nameSettings();
  }

  /** Shows the upload that began before the view was left, if there is one. */
  resume() {
    if (Transfer.latest) this.attend(Transfer.latest);
  }

  /** They are those of the service, and may be known only later. */
  nameSettings() {
    this.drop.limit(status.value?.upload_max_bytes ?? null);
    const unit = this.guide.querySelector("[data-unit]");
    if (unit) setText(unit, unitWords());
  }

  card() {
    return el(
      "section",
      { class: "card upload", "aria-labelledby": "upload-title" },
      el("h2", { id: "upload-title" }, "Upload deals"),
      el(
        "p",
        { class: "muted" },
        "A new file replaces all deals once every line of it is found to be good. Otherwise they stay as they are.",
      ),
      el(
        "form",
        { class: "upload-form", novalidate: true, onsubmit: (event) => this.submitted(event) },
        this.drop.element,
        el(
          "div",
          { class: "upload-options" },
          el("div", { class: "field" }, el("label", { for: "deals-charset" }, "Charset"), this.charset),
          el(
            "div",
            { class: "field-check" },
            this.header,
            el("label", { for: "deals-header" }, "The first line names the columns"),
          ),
          this.key.element,
        ),
        el("div", { class: "upload-actions" }, this.button, this.cancel),
      ),
      this.waiting,
      el("div", { dataset: { result: "upload" } }, this.told, this.trouble),
      this.guide,
    );
  }

  /** @param {{isEmpty: boolean}} deals open while there are none yet */
  showGuide({ isEmpty }) {
    if (!this.guide.firstChild) this.guide.append(fileGuide(unitWords()));
    if (this.wasEmpty !== isEmpty) this.guide.firstChild.open = isEmpty;
    this.wasEmpty = isEmpty;
  }

  submitted(event) {
    event.preventDefault();
    const { file } = this.drop;
    if (this.transfer) return;
    const most = status.value?.upload_max_bytes ?? Infinity;
    if (!file) {
      this.show(el("p", {}, "Choose a file first."));
      this.drop.focus();
    } else if (file.size > most) this.show(tooLarge(file, most));
    else if (!this.key.isSendable) this.askForKey(KEY_UNSENDABLE);
    else
      this.attend(
        new Transfer(file, { charset: this.charset.value, hasHeader: this.header.checked, key: this.key.key }),
      );
  }

  attend(transfer) {
    this.transfer = transfer;
    this.toggle(true);
    this.show(el("p", {}, `Uploading ${transfer.name}…`));
    this.bar = el("progress", { max: 1, value: 0, "aria-label": `How much of ${transfer.name} is uploaded` });
    this.far = el("span", { class: "muted", dataset: { progress: "text" } });
    this.waiting.replaceChildren(this.bar, this.far);
    this.watch = null;
    transfer.follow(() => this.proceed(), this.signal);
    this.proceed();
  }

  proceed() {
    const { sent, size, arrivedAt, isOver } = this.transfer;
    if (isOver) this.finish();
    else if (arrivedAt !== null) this.watch ?? this.arrived(arrivedAt);
    else {
      this.bar.max = size || 1;
      this.bar.value = sent;
      this.far.textContent = `${fileSize(sent)} of ${fileSize(size)}, ${Math.floor((100 * sent) / (size || 1))} %`;
    }
  }

  arrived(since) {
    this.watch = new Stopwatch({ label: "Time that checking and loading takes", since });
    this.waiting.replaceChildren(this.watch.element);
    this.show(el("p", {}, "The file is there. Checking and loading…"));
  }

  async finish() {
    const { name, uploadId, error } = this.transfer;
    const upload = error ? null : await this.onTaken(uploadId);
    // Otherwise the view that comes next says it.
    if (this.signal.aborted) return;
    const { transfer } = this;
    transfer.told();
    this.watch?.stop();
    this.transfer = null;
    this.toggle(false);
    if (error) this.failed(error, transfer);
    else this.show(loaded(name, upload?.rows ?? null));
  }

  failed(error, { name, arrivedAt }) {
    if (error.name === "AbortError") this.show(cancelled(arrivedAt !== null));
    else if (error instanceof Refused) this.show(wrongLines(name, error.lines));
    else if (error.status === UNAUTHORIZED) this.askForKey(KEY_NEEDED);
    else {
      this.show();
      this.trouble.append(broken(error, this.signal));
    }
    if (error instanceof Refused || arrivedAt !== null) this.onRefused();
  }

  askForKey(words) {
    this.show(keyWanted(words));
    this.key.ask();
  }

  show(...what) {
    this.told.replaceChildren(...what);
    this.trouble.replaceChildren();
  }

  toggle(isSending) {
    if (!isSending) {
      this.waiting.replaceChildren();
      if (document.activeElement === this.cancel) this.button.focus();
    }
    this.cancel.hidden = !isSending;
    if (isSending) this.button.setAttribute("aria-disabled", "true");
    else this.button.removeAttribute("aria-disabled");
  }
}

/** Of the column `total`. */
function unitWords() {
  const unit = status.value?.deals_currency;
  return unit ? `, in ${unit}` : "";
}
