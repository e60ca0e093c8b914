/** The page: which view is shown, where the focus goes, and what stands above every view. */

import { whenReachedAgain } from "./again.js";
import { el, setText } from "./dom.js";
import { isPassing, Problem, showProblem } from "./http.js";
import { live } from "./live.js";
import { goTo, linkAt, places } from "./place.js";
import { current, settle } from "./state.js";
import { status } from "./status.js";

const SITE = "freshrate";
const CONNECTION = { connecting: "Connecting …", live: "Live", offline: "Offline, trying again …" };

/** Each view is loaded when it is first shown. */
const VIEWS = {
  prices: () => import("./prices.js"),
  currency: () => import("./currency.js"),
  compare: () => import("./compare.js"),
  convert: () => import("./convert.js"),
  deals: () => import("./deals.js"),
};

const heading = document.getElementById("title");
let leave = new AbortController();

/** @param {{movesFocus?: boolean}} options false where nobody asked for another view */
async function show({ movesFocus = true } = {}) {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  settle();
  const place = places.enter();
  const { view, id, params } = current();
  markLinks(view);
  const container = el("div", { class: "view", dataset: { view } });
  document.getElementById("content").replaceChildren(container);
  const module = await load(view, container, signal);
  if (!module || signal.aborted) return;
  setTitle(module.title);
  if (movesFocus) focusTitle();
  try {
    await module.show(container, { id, params, signal, setTitle: (text) => signal.aborted || setTitle(text) });
  } catch (error) {
    if (signal.aborted) return;
    container.replaceChildren(showProblem(error, { retry: () => show() }));
    if (isPassing(error)) whenReachedAgain(signal, () => show({ movesFocus: false }));
    if (!(error instanceof Problem)) reportError(error);
  }
  if (!place || signal.aborted) return;
  goTo(place, signal);
  if (movesFocus) linkAt(place, container)?.focus();
}

/** @returns {Promise<object | null>} the module of a view; null where its file did not come, which the container says */
async function load(view, container, signal) {
  try {
    const module = await VIEWS[view]();
    if (history.state?.isAnew) history.replaceState({ ...history.state, isAnew: false }, "");
    return module;
  } catch (error) {
    if (signal.aborted) return null;
    container.replaceChildren(notLoaded());
    // Only once: a file that is broken is broken again.
    if (history.state?.isAnew) reportError(error);
    else whenReachedAgain(signal, loadAnew);
    return null;
  }
}

/** A browser remembers which module it could not have, until the page is loaded anew. */
function loadAnew() {
  history.replaceState({ ...history.state, isAnew: true }, "");
  location.reload();
}

/** The page of a currency belongs to the prices. */
function markLinks(view) {
  for (const link of document.querySelectorAll("nav a[data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else if (link.dataset.view === "prices" && view === "currency") link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

/** The other views come while nothing else is to be done, so that they open also when the server is away. */
function loadOthers() {
  const whenIdle = window.requestIdleCallback ?? setTimeout;
  whenIdle(async () => {
    // What fails here is said when the view is opened.
    for (const one of Object.values(VIEWS)) await one().catch(() => {});
  });
}

function setTitle(text) {
  setText(heading, text);
  document.title = `${text} · ${SITE}`;
}

function focusTitle() {
  window.scrollTo(0, 0);
  heading.focus({ preventScroll: true });
}

function notLoaded() {
  return el(
    "div",
    { class: "card error-card", role: "alert" },
    el("p", { class: "error-title" }, "This part of the page could not be loaded"),
    el("p", { class: "muted" }, "The server is away, or was renewed. The page is loaded anew by itself when the server is back."),
    el("button", { type: "button", class: "button", onclick: () => location.reload() }, "Reload"),
  );
}

function showConnection(state) {
  const place = document.getElementById("connection");
  place.dataset.state = state;
  setText(place.querySelector(".connection-text"), CONNECTION[state]);
}

function showVersion(value) {
  if (!value) return;
  setText(document.getElementById("version"), `freshrate ${value.version}`);
  setText(document.getElementById("sources"), `Prices from ${value.sources.join(", ")}`);
}

/** Each of the two ways to the server tells the other that it is gone, or back. */
function keepTogether() {
  let wasReached = true;
  live.onState((state) => state !== "connecting" && status.ask());
  status.onChange((_value, isReached) => {
    if (isReached && !wasReached) live.retry();
    wasReached = isReached;
  });
}

live.onState(showConnection);
showConnection(live.state);
status.onChange(showVersion);
keepTogether();
// The fragment is the state of the view, so a jump to the content must not change it.
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  heading.focus();
});
window.addEventListener("hashchange", () => show());
places.start();
show({ movesFocus: false }).then(loadOthers);
live.start();
status.start(document.getElementById("banners"));
