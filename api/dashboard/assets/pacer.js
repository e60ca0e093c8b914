/** Work that is asked for more often than it is worth doing. */

/**
 * Does it at once, and then no sooner than `pause` after the last time.
 *
 * @param {() => void} work
 * @param {{pause: number, signal: AbortSignal}} options milliseconds; `signal` ends it
 * @returns {() => void} asks for the work
 */
export function paced(work, { pause, signal }) {
  let last = -Infinity;
  let timer = 0;
  signal.addEventListener("abort", () => clearTimeout(timer));
  return () => {
    if (timer || signal.aborted) return;
    timer = setTimeout(
      () => {
        timer = 0;
        last = performance.now();
        work();
      },
      Math.max(0, last + pause - performance.now()),
    );
  };
}
