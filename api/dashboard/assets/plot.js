/**
 * Drawing by Plotly, in the colours of the page.
 *
 * Plotly is given everything with each drawing, the ranges of its axes too, and is told to ask nobody: no topojson, no
 * logo, no link to its makers. Zoom is the state of whoever draws; here it is only heard of.
 */

import { Problem } from "./http.js";

const NOT_LOADED = { title: "The charts could not be loaded", detail: "The server may have been renewed. Reload the page." };
const CONFIG = {
  displayModeBar: false,
  displaylogo: false,
  doubleClick: false,
  responsive: false,
  scrollZoom: false,
  sendData: false,
  showLink: false,
  showTips: false,
  plotlyServerURL: "",
  topojsonURL: "/none/",
};
const DARK = window.matchMedia("(prefers-color-scheme: dark)");
const SERIES = 8;

let loading = null;

/**
 * Loads the library, once.
 *
 * @returns {Promise<object>} Plotly
 * @throws {Problem}
 */
export function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.documentElement.dataset.plotly;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      loading = null;
      script.remove();
      reject(new Problem(NOT_LOADED));
    };
    document.head.append(script);
  });
  return loading;
}

/**
 * The colours of the scheme that is in force.
 *
 * @returns {{surface: string, border: string, text: string, muted: string, accent: string, accentText: string, up: string,
 *   down: string, series: string[]}}
 */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    surface: colour("surface"),
    border: colour("border"),
    text: colour("text"),
    muted: colour("muted"),
    accent: colour("accent"),
    accentText: colour("accent-text"),
    up: colour("up"),
    down: colour("down"),
    series: Array.from({ length: SERIES }, (_, at) => colour(`series-${at + 1}`)),
  };
}

/**
 * @param {() => void} listener called when the visitor's scheme becomes another
 * @returns {() => void} ends it
 */
function onScheme(listener) {
  DARK.addEventListener("change", listener);
  return () => DARK.removeEventListener("change", listener);
}

/**
 * @typedef {{traces: object[], x: Axis, y: Axis, shapes?: object[], annotations?: object[], right: number}} Figure
 *   `right`: pixels beside the plot, for the marks of the prices
 * @typedef {{range: [number, number], values: number[], texts: string[]}} Axis
 */

/** One chart in one element, until the view is left. */
export class Plot {
  #element;
  #figure;
  #library = null;
  #isHeld = false;
  #isDue = false;

  /**
   * @param {HTMLElement} element gets `data-drawn` when the first figure stands in it
   * @param {{figure: (size: {width: number, height: number}) => Figure | null,
   *   onZoom: (from: number, to: number) => void, onReset: () => void, onPoint: (x: number | null) => void,
   *   signal: AbortSignal}} options `figure` is asked at each drawing, also when the size or the scheme changed; null:
   *   nothing to draw. `onPoint`: where the crosshair stands
   */
  constructor(element, { figure, onZoom, onReset, onPoint, signal }) {
    this.#element = element;
    this.#figure = figure;
    const observer = new ResizeObserver(() => this.draw());
    observer.observe(element);
    const stopScheme = onScheme(() => this.draw());
    const release = () => this.#release();
    // A finger that moves over a chart scrolls the page; Plotly would take it for a zoom. A tap still moves the crosshair.
    element.addEventListener("touchstart", (event) => event.stopPropagation(), { capture: true, passive: true });
    // The menu of the right button takes the release of that button, so it would hold for good.
    element.addEventListener("pointerdown", ({ button }) => (this.#isHeld ||= button === 0), { signal });
    for (const kind of ["pointerup", "pointercancel"]) window.addEventListener(kind, release, { signal });
    this.#listen = () => {
      element.on("plotly_relayout", (change) => {
        const [from, to] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
        if (from !== undefined && to !== undefined) onZoom(Number(from), Number(to));
      });
      element.on("plotly_doubleclick", onReset);
      element.on("plotly_hover", ({ points }) => onPoint(points[0].x));
      element.on("plotly_unhover", () => onPoint(null));
    };
    signal.addEventListener("abort", () => {
      observer.disconnect();
      stopScheme();
      this.#library?.purge(element);
      this.#library = null;
      this.#figure = () => null;
    });
  }

  #listen;

  /**
   * Loads what it needs, where that is not done. Until then nothing is drawn.
   *
   * @throws {Problem}
   */
  async load() {
    this.#library = await plotly();
  }

  /** Draws the figure anew; while the visitor drags, afterwards. */
  draw() {
    if (this.#isHeld) this.#isDue = true;
    if (this.#isHeld || !this.#library) return;
    const { clientWidth: width, clientHeight: height } = this.#element;
    const figure = width && height ? this.#figure({ width, height }) : null;
    if (!figure) return;
    this.#library.react(this.#element, figure.traces, layout(figure, { width, height }), CONFIG);
    if (this.#element.dataset.drawn !== undefined) return;
    this.#listen();
    this.#element.dataset.drawn = "";
  }

  #release() {
    if (!this.#isHeld) return;
    // Plotly hears of the same event, and makes a zoom of it first.
    setTimeout(() => {
      this.#isHeld = false;
      if (this.#isDue) this.draw();
      this.#isDue = false;
    });
  }
}

function layout({ x, y, shapes = [], annotations = [], right }, { width, height }) {
  const { surface, border, muted } = palette();
  const spike = {
    showspikes: true,
    spikemode: "across",
    spikesnap: "cursor",
    spikethickness: -1,
    spikedash: "dot",
    spikecolor: muted,
  };
  const axis = ({ range, values, texts }) => ({
    type: "linear",
    range,
    tickmode: "array",
    tickvals: values,
    ticktext: texts,
    gridcolor: border,
    zeroline: false,
    ...spike,
  });
  return {
    width,
    height,
    margin: { l: 6, r: right, t: 8, b: 28 },
    paper_bgcolor: surface,
    plot_bgcolor: surface,
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: muted },
    xaxis: { ...axis(x), rangeslider: { visible: false }, tickangle: 0 },
    yaxis: { ...axis(y), side: "right", fixedrange: true },
    hovermode: "x",
    hoverdistance: 40,
    spikedistance: -1,
    dragmode: "zoom",
    showlegend: false,
    shapes,
    annotations,
  };
}
