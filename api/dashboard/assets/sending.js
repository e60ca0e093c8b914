/** One file of deals on its way to the API. `fetch` tells no progress of what is sent, so this is an XMLHttpRequest. */

import { Problem, problemOf } from "./http.js";

const PATH = "/api/deals/";
const BROKEN =
  "The file did not arrive. It may have been moved or changed since you chose it, or the connection broke. Choose it again and upload it; the same file twice does no harm.";

/** The API read the file and says what is wrong with it. */
export class Refused extends Error {
  /** @param {string} text a line for each error, as the API says them */
  constructor(text) {
    super(text);
    this.name = "Refused";
    this.lines = text.split("\n");
  }
}

/**
 * Sends a file.
 *
 * @param {File} file
 * @param {{charset: string, hasHeader: boolean, key: string, signal: AbortSignal, onProgress: (sent: number, total: number) => void,
 *   onSent: () => void}} options `key`: none where it is empty; `onSent`: all of it is there, the answer is not
 * @returns {Promise<string>} the id of the upload whose deals are the deals now
 * @throws {Refused | Problem} and a DOMException named AbortError where `signal` aborts
 */
export function send(file, { charset, hasHeader, key, signal, onProgress, onSent }) {
  const request = new XMLHttpRequest();
  request.open("POST", PATH);
  request.setRequestHeader("Accept", "application/json");
  if (key) request.setRequestHeader("X-API-Key", key);
  request.upload.onprogress = (event) => onProgress(event.loaded, event.total);
  request.upload.onload = () => onSent();
  return new Promise((resolve, reject) => {
    request.onload = () => settle(request, resolve, reject);
    request.onerror = () => reject(new Problem({ title: "The upload broke off", detail: BROKEN }));
    request.onabort = () => reject(new DOMException("The upload was cancelled.", "AbortError"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(formWith(file, charset, hasHeader));
  });
}

/** What the file is stands in the Content-Type of its part, which is the type of a file. */
function formWith(file, charset, hasHeader) {
  const form = new FormData();
  const type = `text/csv; charset=${charset}; header=${hasHeader ? "present" : "absent"}`;
  form.append("deals", new File([file], file.name, { type }));
  return form;
}

function settle(request, resolve, reject) {
  const { status, responseText } = request;
  if (status === 200) return resolve(request.getResponseHeader("Freshrate-Deals-Upload"));
  const problem = problemOf(status, responseText, request.getResponseHeader("Retry-After"));
  return reject(problem.body?.Status === "Error" ? new Refused(problem.body.Desc) : problem);
}
