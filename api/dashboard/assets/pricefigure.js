/** The chart of a price, as a line or as candles. */

import { price } from "./format.js";
import { unbroken } from "./gaps.js";
import { palette } from "./plot.js";
import { roomFor, TICK_HEIGHT, TICK_WIDTH, timeTicks, valueTicks, without } from "./ticks.js";

const MARGIN = 0.07;
/** Pixels: the tag of the last price would half cover a mark that is nearer. */
const TAG = 18;
/** Two hexadecimal digits of opacity behind a colour. */
const FAINT = "17";
/** With more gaps than that, the ground below the line is left out. */
const MOST_PARTS = 24;

/**
 * @param {{candles: import("./candles.js").Candle[], step: number, kind: "line" | "candles",
 *   window: {from: number, to: number}, isOpen: boolean}} what `isOpen`: the window ends now, so that the last candle is the last price
 * @param {{width: number, height: number}} size
 * @returns {import("./plot.js").Figure | null} null where no candle lies in the window
 */
export function priceFigure({ candles, step, kind, window, isOpen }, { width, height }) {
  const seen = candles.filter(({ time }) => time + step > window.from && time <= window.to);
  if (seen.length === 0) return null;
  const [low, high] = bounds(seen, kind);
  const colours = palette();
  const last = isOpen ? candles.at(-1) : null;
  const marks = valueTicks(low, high, height / TICK_HEIGHT);
  const half = kind === "candles" ? step / 2 : 0;
  const from = window.from - half;
  // Room for the dot that stands at the last price.
  const to = window.to + Math.max(half, last ? (window.to - window.from) * 0.008 : 0);
  const tag = last ? price(last.close) : "";
  return {
    traces:
      kind === "candles"
        ? [candleTrace(seen, colours)]
        : [...lineTraces(candles, step, colours), ...(last ? [dot(last, colours)] : [])],
    x: { range: [from, to], ...timeTicks(from, to, width / TICK_WIDTH) },
    y: { range: [low, high], ...(last ? without(marks, Number(last.close), ((high - low) * TAG) / height) : marks) },
    right: roomFor([`${tag} `, ...marks.texts]),
    ...(last ? lastPrice(last, tag, colours) : {}),
  };
}

function bounds(seen, kind) {
  const lows = seen.map((one) => Number(kind === "candles" ? one.low : one.close));
  const highs = seen.map((one) => Number(kind === "candles" ? one.high : one.close));
  const [low, high] = [Math.min(...lows), Math.max(...highs)];
  // A price that did not move is drawn in the middle.
  const air = (high - low) * MARGIN || high * 0.001;
  return [low - air, high + air];
}

function lineTraces(candles, step, { accent }) {
  const parts = unbroken(candles, step);
  const points = parts.flatMap((part) => [...part, null]);
  // A point between two gaps has no line to be seen by.
  const isAlone = points.map((point, at) => point && !points[at - 1] && !points[at + 1]);
  const line = {
    ...trace(points),
    mode: isAlone.some(Boolean) ? "lines+markers" : "lines",
    line: { color: accent, width: 2 },
    marker: { color: accent, size: isAlone.map((is) => (is ? 5 : 0)), line: { width: 0 } },
    connectgaps: false,
    hoverinfo: "none",
  };
  return [line, ...(parts.length > MOST_PARTS ? [] : parts.map((part) => ground(part, accent)))];
}

/** What is below a part without a gap: the ground of the whole line would reach across its gaps. */
function ground(points, color) {
  return { ...trace(points), mode: "none", fill: "tozeroy", fillcolor: color + FAINT, hoverinfo: "skip" };
}

function trace(points) {
  return {
    type: "scatter",
    x: points.map((point) => point?.time ?? null),
    y: points.map((point) => (point ? Number(point.close) : null)),
  };
}

function candleTrace(seen, { up, down, surface }) {
  const numbers = (name) => seen.map((candle) => Number(candle[name]));
  return {
    type: "candlestick",
    x: seen.map(({ time }) => time),
    open: numbers("open"),
    high: numbers("high"),
    low: numbers("low"),
    close: numbers("close"),
    // Hollow and filled, so that the direction is not told by colour alone.
    increasing: { line: { color: up, width: 1 }, fillcolor: surface },
    decreasing: { line: { color: down, width: 1 }, fillcolor: down },
    hoverinfo: "none",
  };
}

function dot({ time, close }, { accent, surface }) {
  return {
    type: "scatter",
    mode: "markers",
    x: [time],
    y: [Number(close)],
    marker: { color: accent, size: 9, line: { color: surface, width: 2 } },
    cliponaxis: false,
    hoverinfo: "skip",
  };
}

function lastPrice({ close }, tag, { accent, accentText }) {
  const at = Number(close);
  return {
    shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: at, y1: at, line: { color: accent, width: 1, dash: "dot" } }],
    annotations: [
      {
        xref: "paper",
        x: 1,
        xanchor: "left",
        y: at,
        text: tag,
        showarrow: false,
        bgcolor: accent,
        borderpad: 2,
        xshift: 3,
        font: { color: accentText, size: 12 },
      },
    ],
  };
}
