/**
 * Where a line must be broken.
 *
 * A source may be polled more rarely than candles are long: then empty candles between two points are no gap. A gap is a
 * distance that passes three times what is usual there, in the middle of its neighbours: the pace of polls may have
 * been another in earlier times.
 */

import { median } from "./statistics.js";

const PASSED = 3;
const NEIGHBOURS = 6;

/**
 * Parts points at the gaps between them.
 *
 * @template {{time: number}} Point
 * @param {Point[]} points in order of time
 * @param {number} step the length of a candle, in milliseconds: no distance below three of them is a gap
 * @returns {Point[][]} none of them empty
 */
export function unbroken(points, step) {
  const distances = points.slice(1).map(({ time }, at) => time - points[at].time);
  const parts = points.length ? [[points[0]]] : [];
  distances.forEach((distance, at) => {
    if (distance > PASSED * Math.max(step, usualAround(distances, at))) parts.push([]);
    parts.at(-1).push(points[at + 1]);
  });
  return parts;
}

function usualAround(distances, at) {
  const around = distances.slice(Math.max(0, at - NEIGHBOURS), at + NEIGHBOURS + 1);
  around.splice(Math.min(at, NEIGHBOURS), 1);
  return median(around) ?? 0;
}
