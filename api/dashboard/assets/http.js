/** What the API says, or why it does not. */

import { el } from "./dom.js";

const NOT_REACHED = "The server cannot be reached. It may be starting anew; this page tries again by itself.";
/** Milliseconds for an answer. */
const PATIENCE = 30_000;
/** Milliseconds beyond the time for which the server itself waits for a source. */
const MARGIN = 10_000;
const TOO_SLOW = 408;
const TOO_MANY = 429;
const SERVER = 500;

let longest = PATIENCE;

/** Why there is no answer, in words for people. */
export class Problem extends Error {
  /**
   * @param {{title: string, detail?: string, status?: number, retryAfter?: number | null, body?: unknown}} what
   *   `status` 0: no connection. `retryAfter`: seconds. `body`: the answer, where it was JSON
   */
  constructor({ title, detail = "", status = 0, retryAfter = null, body = null }) {
    super(detail ? `${title}: ${detail}` : title);
    this.name = "Problem";
    this.title = title;
    this.detail = detail;
    this.status = status;
    this.retryAfter = retryAfter;
    this.body = body;
  }
}

/**
 * Takes notice that the server may wait so long for a source, so that nobody gives up before it.
 *
 * @param {number} seconds
 */
export function expectWaits(seconds) {
  longest = Math.max(PATIENCE, seconds * 1000 + MARGIN);
}

/**
 * Asks the API for JSON.
 *
 * @param {string} path
 * @param {{signal?: AbortSignal, headers?: Object<string, string>, patience?: number}} options `patience`: milliseconds for
 *   the whole answer
 * @returns {Promise<any>} numbers in it are floats: where each digit of a JSON number matters, use `getText`
 * @throws {Problem} for all that is no 2xx; and what `fetch` throws where `signal` aborts (`signal.aborted` is true then)
 */
export async function getJson(path, options = {}) {
  const text = await getText(path, options);
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem({ title: "The answer was cut off", detail: "Try again in a moment." });
  }
}

/**
 * Asks the API for text.
 *
 * @param {string} path
 * @param {{signal?: AbortSignal, headers?: Object<string, string>, patience?: number}} options as `getJson`
 * @returns {Promise<string>}
 * @throws {Problem} as `getJson`
 */
export async function getText(path, { signal, headers, patience = longest } = {}) {
  const tooLate = AbortSignal.timeout(patience);
  const either = signal ? AbortSignal.any([signal, tooLate]) : tooLate;
  let response;
  let text;
  try {
    response = await fetch(path, { signal: either, headers: { Accept: "application/json", ...headers } });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    if (tooLate.aborted) throw new Problem({ title: "No answer in time", detail: `The server took longer than ${patience / 1000} seconds. Try again in a moment.` });
    throw new Problem({ title: "No connection", detail: NOT_REACHED });
  }
  if (!response.ok) throw problemOf(response.status, text, response.headers.get("Retry-After"));
  return text;
}

/**
 * Reads a problem (RFC 9457) from an answer, also from one that is none.
 *
 * @param {number} status of HTTP
 * @param {string} text the body
 * @param {string | null} retryAfter the header
 * @returns {Problem}
 */
export function problemOf(status, text, retryAfter = null) {
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy in between may answer with a page of its own.
  }
  // What is wrong with each field says more than the sentence that sums them up.
  const fields = messages(body?.errors);
  return new Problem({
    title: body?.title ?? `The server answered with status ${status}`,
    detail: fields.length > 0 ? fields.join(" ") : (body?.detail ?? body?.Desc ?? ""),
    status,
    retryAfter: /^[0-9]+$/.test(retryAfter ?? "") ? Number(retryAfter) : null,
    body,
  });
}

/** @returns {string[]} all texts in it, however deep: errors are listed by field, and by element of a list */
function messages(errors) {
  if (typeof errors === "string") return [errors];
  return errors && typeof errors === "object" ? Object.values(errors).flatMap(messages) : [];
}

/**
 * Says whether a question is worth asking again by itself.
 *
 * @param {unknown} problem
 * @returns {boolean} no connection, or a server that cannot answer now
 */
export function isPassing(problem) {
  return problem instanceof Problem && (problem.status === 0 || problem.status >= SERVER);
}

/** What the server refuses once it refuses again. */
function isRefused(problem) {
  return problem instanceof Problem && !isPassing(problem) && ![TOO_SLOW, TOO_MANY].includes(problem.status);
}

/**
 * A card that says what went wrong, and a button to try again where that may help.
 *
 * @param {unknown} problem a Problem, or any error
 * @param {{retry?: () => void}} options
 * @returns {HTMLElement}
 */
export function showProblem(problem, { retry } = {}) {
  const isProblem = problem instanceof Problem;
  return el(
    "div",
    { class: "card error-card", role: "alert" },
    el("p", { class: "error-title" }, isProblem ? problem.title : "This part of the page broke"),
    el("p", { class: "muted" }, isProblem ? problem.detail : "Reload the page. If that does not help, the API itself still works."),
    retry && !isRefused(problem) && el("button", { type: "button", class: "button", onclick: () => retry() }, "Try again"),
  );
}
