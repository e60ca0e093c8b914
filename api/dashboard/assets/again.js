/** A question that failed because the server was away, asked again when it is back. */

import { live } from "./live.js";
import { status } from "./status.js";

/** Milliseconds until the server is asked how it is: by itself the page asks more seldom while all seems well. */
const SOON = 2000;

/**
 * Runs something once, when the server is reached again: it has said how it is, or has taken the connection for rates.
 * May be called again by what it runs, where that fails once more (`isPassing` of http.js says after which problems).
 *
 * @param {AbortSignal | undefined} signal ends the waiting
 * @param {() => void} run
 * @returns {() => void} ends the waiting; may be called twice
 */
export function whenReachedAgain(signal, run) {
  if (signal?.aborted) return () => {};
  const timer = setTimeout(() => status.ask(), SOON);
  const stops = [
    status.onChange((_value, isReached) => isReached && again()),
    live.onState((state) => state === "live" && again()),
    () => clearTimeout(timer),
  ];
  const stop = () => {
    for (const one of stops.splice(0)) one();
    signal?.removeEventListener("abort", stop);
  };
  function again() {
    stop();
    run();
  }
  signal?.addEventListener("abort", stop);
  return stop;
}
