/**
 * The state of the page, which stands in the fragment of its address, so that a view can be shared:
 * `#prices?sort=change_24h&down=1&q=bit&page=2`, `#currency/1?range=7d&from=2026-11-19T00:00:00Z&to=2026-11-20T00:00:00Z`, `#compare?ids=1,1027`.
 *
 * @typedef {{view: string, id: number | null, params: Object<string, string>}} State
 */

const VIEWS = ["prices", "currency", "compare", "convert", "deals"];
const HOME = "prices";
const LARGEST_ID = 9_007_199_254_740_991;

/**
 * Reads a fragment. What no view is called leads to the prices, and so does a currency without an id.
 *
 * @param {string} fragment with or without its `#`
 * @returns {State}
 */
export function parse(fragment) {
  const [path, query = ""] = split(fragment.replace(/^#/, ""), "?");
  const [view, rest = ""] = split(path, "/");
  const params = Object.fromEntries(new URLSearchParams(query));
  if (!VIEWS.includes(view)) return { view: HOME, id: null, params: {} };
  if (view !== "currency") return { view, id: null, params };
  const id = idOf(rest);
  return id === null ? { view: HOME, id: null, params: {} } : { view, id, params };
}

/**
 * Reads the id of a currency.
 *
 * @param {string | null | undefined} text
 * @returns {number | null} null where it is none
 */
export function idOf(text) {
  const id = /^[1-9][0-9]{0,15}$/.test(text ?? "") ? Number(text) : 0;
  return id > 0 && id <= LARGEST_ID ? id : null;
}

/**
 * Reads a moment.
 *
 * @param {string | null | undefined} text
 * @returns {number | null} milliseconds since 1970; null where it is none
 */
export function timeOf(text) {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text ?? "") ? Date.parse(text) : NaN;
  return Number.isNaN(time) ? null : time;
}

/**
 * Writes a moment, to the second.
 *
 * @param {number | null} time milliseconds since 1970
 * @returns {string | null}
 */
export function timeText(time) {
  return time === null ? null : `${new Date(time).toISOString().slice(0, 19)}Z`;
}

/**
 * Writes a fragment; parameters that are empty or null are left out.
 *
 * @param {{view: string, id?: number | null, params?: Object<string, string | number | null>}} state
 * @returns {string} with its `#`
 */
export function format({ view, id = null, params = {} }) {
  const said = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== "");
  // These may stand in a fragment as they are, and make lists of ids and times readable.
  const encoded = new URLSearchParams(said.map(([name, value]) => [name, String(value)])).toString();
  const query = encoded.replaceAll("%2C", ",").replaceAll("%3A", ":");
  return `#${view}${id === null ? "" : `/${id}`}${query ? `?${query}` : ""}`;
}

/** @returns {State} of the address as it is now */
export function current() {
  return parse(location.hash);
}

/**
 * Changes parameters of the view that is shown: the address follows, the view is not shown anew.
 *
 * @param {Object<string, string | number | null>} params null removes one
 */
export function update(params) {
  const state = current();
  const next = format({ ...state, params: { ...state.params, ...params } });
  if (next !== location.hash) history.replaceState(history.state, "", next);
}

/** Writes what is shown into the address, where that names something that there is not. */
export function settle() {
  const [said] = location.hash.split("?");
  const next = format(current());
  if (said !== "" && said !== next.split("?")[0]) history.replaceState(history.state, "", next);
}

/**
 * Goes to another view, as a link to it does.
 *
 * @param {{view: string, id?: number | null, params?: Object<string, string | number | null>}} state
 */
export function navigate(state) {
  location.hash = format(state);
}

function split(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
