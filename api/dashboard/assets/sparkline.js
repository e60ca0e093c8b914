/** A day in the width of a word: small lines without axes. */

import { svg } from "./dom.js";

const WIDTH = 110;
const HEIGHT = 32;
const MARGIN = 2;
/** With fewer prices there is no course to be seen. */
const LEAST = 3;
/** Of the price: smaller moves are not drawn as large ones, so what hardly moves looks like it. */
const LEAST_RANGE = 0.01;

/**
 * Draws prices, the oldest first. Where there is none the line has a gap. Its colour says nothing: whether the price rose stands
 * beside it, and over another span.
 *
 * @param {Array<number | null>} closes at equal distances in time
 * @param {{label: string}} options what a screen reader says
 * @returns {SVGElement} 110 x 32
 */
export function sparkline(closes, { label }) {
  const known = closes.filter((close) => close !== null);
  return svg(
    "svg",
    { class: "sparkline", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: "img", "aria-label": label },
    known.length < LEAST
      ? svg("path", { class: "baseline", d: `M${MARGIN} ${HEIGHT / 2}H${WIDTH - MARGIN}` })
      : svg("path", { d: path(closes, Math.min(...known), Math.max(...known)) }),
  );
}

function path(closes, lowest, highest) {
  const step = (WIDTH - 2 * MARGIN) / Math.max(1, closes.length - 1);
  const middle = (highest + lowest) / 2;
  const scale = (HEIGHT - 2 * MARGIN) / (Math.max(highest - lowest, middle * LEAST_RANGE) || 1);
  const parts = [];
  let isDrawing = false;
  closes.forEach((close, at) => {
    if (close === null) {
      isDrawing = false;
      return;
    }
    const x = (MARGIN + at * step).toFixed(1);
    const y = (HEIGHT / 2 - (close - middle) * scale).toFixed(1);
    // A line of no length has round ends, so a price between two gaps is a dot.
    parts.push(isDrawing ? `L${x} ${y}` : `M${x} ${y}h0`);
    isDrawing = true;
  });
  return parts.join("");
}
