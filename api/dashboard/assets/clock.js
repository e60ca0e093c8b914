/** The server's clock: ages are judged by it, for the visitor's may be wrong by minutes. */

let offset = 0;

/**
 * Takes the time from an answer that was just made.
 *
 * @param {string | null | undefined} iso
 */
export function learn(iso) {
  const time = Date.parse(iso ?? "");
  if (!Number.isNaN(time)) offset = time - Date.now();
}

/** @returns {number} milliseconds since 1970 */
export function now() {
  return Date.now() + offset;
}

/**
 * @param {string | null | undefined} iso
 * @returns {number | null} seconds that have passed since then
 */
export function secondsSince(iso) {
  const time = Date.parse(iso ?? "");
  return Number.isNaN(time) ? null : (now() - time) / 1000;
}
