/** What became of an upload, in words. */

import { el } from "./dom.js";
import { fileSize } from "./filesize.js";
import { showProblem } from "./http.js";
import { countdown } from "./stopwatch.js";

/** @returns {HTMLElement} `rows`: how many deals the file has; null where that is not known */
export function loaded(name, rows) {
  const count = rows === null ? "" : `: ${rows.toLocaleString()} ${rows === 1 ? "deal" : "deals"}`;
  return el(
    "p",
    { class: "upload-good", dataset: { outcome: "ok" } },
    el("strong", {}, "OK. "),
    `${name} is loaded${count}.`,
  );
}

/** @returns {HTMLElement} `hadArrived`: all of it was at the server when it was cancelled */
export function cancelled(hadArrived) {
  return el(
    "p",
    { dataset: { outcome: "cancelled" } },
    hadArrived
      ? "Cancelled, but the file had arrived: the list below says whether it was loaded all the same."
      : "Cancelled. The deals are as they were.",
  );
}

/** @returns {HTMLElement} */
export function wrongLines(name, lines) {
  return el(
    "div",
    { class: "card error-card", dataset: { outcome: "refused" } },
    el("p", { class: "error-title" }, `${name} was refused`),
    el(
      "ul",
      { class: "wrong-lines" },
      lines.map((line) => el("li", {}, line)),
    ),
    el("p", { class: "muted" }, "The deals are as they were. Mend the file, choose it again, and upload it."),
  );
}

/** @returns {HTMLElement} for a file that is not even sent */
export function tooLarge(file, most) {
  return el(
    "div",
    { class: "card error-card", dataset: { outcome: "failed" } },
    el("p", { class: "error-title" }, `${file.name} is too large`),
    el(
      "p",
      { class: "muted" },
      `It has ${fileSize(file.size)}; this service takes at most ${fileSize(most)} (${most.toLocaleString()} bytes, DEALS_MAX_BYTES). Whoever runs it can raise that.`,
    ),
  );
}

/** @returns {HTMLElement} */
export function keyWanted(words) {
  return el(
    "div",
    { class: "error-card card", dataset: { outcome: "key" } },
    el("p", { class: "error-title" }, "A key is needed"),
    el("p", {}, words),
  );
}

/** @returns {HTMLElement} of any other failure */
export function broken(error, signal) {
  return el(
    "div",
    { dataset: { outcome: "failed" } },
    showProblem(error),
    error.retryAfter && countdown(error.retryAfter, signal),
  );
}
