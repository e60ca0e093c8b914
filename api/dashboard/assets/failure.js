/** What failed on this page, what there is to do about it, and the next try. */

import { whenReachedAgain } from "./again.js";
import { isPassing, showProblem } from "./http.js";
import { countdown } from "./stopwatch.js";

/** A hint for those who write programs. */
const PATH_HINT = /\s*\bGET \/[^\s]+[^.]*\./g;

/**
 * A card of what failed, and the seconds until to try again. Where the server was away, it is tried again by itself.
 *
 * @param {unknown} error
 * @param {{retry: () => void, signal: AbortSignal}} options `signal` ends with this try: with the next one, or with the view
 * @returns {HTMLElement[]}
 */
export function failure(error, { retry, signal }) {
  if (isPassing(error)) whenReachedAgain(signal, retry);
  return [showProblem(error, { retry }), ...(error.retryAfter ? [countdown(error.retryAfter, signal)] : [])];
}

/**
 * What is wrong with one field of a question, for people.
 *
 * @param {unknown} error
 * @param {string} field by its name in the API
 * @returns {string} none where nothing is
 */
export function wrongField(error, field) {
  const said = error.body?.errors?.[field] ?? [];
  return [said].flat(Infinity).join(" ").replace(PATH_HINT, "");
}
