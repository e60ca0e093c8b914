/** The chart of a comparison: one line for each currency, from 0 %. */

import { unbroken } from "./gaps.js";
import { palette } from "./plot.js";
import { roomFor, TICK_HEIGHT, TICK_WIDTH, timeTicks, valueTicks } from "./ticks.js";

/** So that no line is told by its colour alone. */
const DASHES = [
  "solid",
  "dash",
  "dot",
  "dashdot",
  "longdash",
  "longdashdot",
  "10px,3px,2px,3px,2px,3px",
  "14px,4px,6px,4px",
];
/** The same for a stroke of SVG, of width 2.5. */
export const STROKES = ["none", "7 4", "2 3", "7 3 2 3", "13 4", "13 3 2 3", "9 2 2 2 2 2", "12 3 5 3"];

const MARGIN = 0.08;

/**
 * @param {{lines: import("./comparison.js").Line[], step: number, window: {from: number, to: number}, isOpen: boolean}} what
 * @param {{width: number, height: number}} size
 * @returns {import("./plot.js").Figure | null}
 */
export function compareFigure({ lines, step, window, isOpen }, { width, height }) {
  const changes = lines.flatMap(({ points }) =>
    points.filter(({ time }) => time >= window.from && time <= window.to).map(({ change }) => change),
  );
  if (changes.length === 0) return null;
  const { series, muted } = palette();
  const [low, high] = [Math.min(...changes), Math.max(...changes)];
  const air = (high - low) * MARGIN || 0.1;
  const range = [low - air, high + air];
  const y = { range, ...valueTicks(...range, height / TICK_HEIGHT, { unit: "\u00a0%", isSigned: true }) };
  const to = window.to + (window.to - window.from) * 0.008;
  return {
    traces: lines.flatMap((line) => [
      lineTrace(line, step, series[line.slot]),
      ...(isOpen ? [dot(line, series[line.slot])] : []),
    ]),
    x: { range: [window.from, to], ...timeTicks(window.from, to, width / TICK_WIDTH) },
    y,
    right: roomFor(y.texts),
    shapes: [{ type: "line", layer: "below", xref: "paper", x0: 0, x1: 1, y0: 0, y1: 0, line: { color: muted, width: 1 } }],
  };
}

function lineTrace({ points, slot }, step, color) {
  const parts = unbroken(points, step);
  const drawn = parts.flatMap((part) => [...part, null]);
  const alone = new Set(parts.filter((part) => part.length === 1).flat());
  return {
    type: "scatter",
    mode: alone.size ? "lines+markers" : "lines",
    x: drawn.map((point) => point?.time ?? null),
    y: drawn.map((point) => point?.change ?? null),
    line: { color, width: 2, dash: DASHES[slot] },
    marker: { color, size: drawn.map((point) => (alone.has(point) ? 5 : 0)), line: { width: 0 } },
    connectgaps: false,
    hoverinfo: "none",
  };
}

function dot({ points }, color) {
  const { time, change } = points.at(-1);
  return {
    type: "scatter",
    mode: "markers",
    x: [time],
    y: [change],
    marker: { color, size: 7 },
    cliponaxis: false,
    hoverinfo: "skip",
  };
}
