// @ts-check
/**
 * The charts tab: latency of writes, lag of followers, throughput and availability over virtual time,
 * in the same window as the space-time diagram. A line is told apart by its dashes and its name, and
 * every value can be read at the pointer or with the arrow keys.
 */
import { make } from "../panels/drawer.js";
import { seconds } from "../store.js";
import { blank, coloursNow, SANS } from "./canvas.js";
import { write } from "./rows.js";
import { SHARE_WINDOW_US } from "./series-model.js";
import { button } from "./spacetime.js";
import { steer, ticks } from "./view.js";

/** @typedef {import("./series-model.js").Series} Series */
/** @typedef {import("./view.js").TimeView} TimeView */
/** @typedef {import("./canvas.js").Colours} Colours */
/** @typedef {{ us: number, value: number | null }} Dot */
/** @typedef {{ name: string, colour: string, dash: number[], kind: "step" | "line" | "dots" | "crosses", points: Dot[] }} Plotted */
/** @typedef {{ curves: Plotted[], most: number, least?: number, bands?: { from_us: number, to_us: number }[] }} Reading */
/** @typedef {{ chart: Chart, canvas: HTMLCanvasElement, field: HTMLElement, value: HTMLElement, sum: HTMLElement, legend: HTMLElement, named: string, width: number, height: number }} Figure */
/** @typedef {{ title: string, unit: string, says: (value: number) => string, read(series: Series, from: number, to: number, columns: number, colours: Colours): Reading, at(series: Series, us: number): string, sum(series: Series, us: number): string }} Chart */

const REFRESH_MS = 90;
const LEFT = 44;
const RIGHT = 14;
const TOP = 8;
const BOTTOM = 18;
/** @type {(keyof Colours)[]} */
const NODE_COLOURS = ["t2-ink", "t3-ink", "t4-ink", "t5-ink", "ink", "t6-ink"];
const NODE_DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3], [4, 2], [1, 3]];

/** A value at each of many times between two. @param {number} from @param {number} to @param {number} columns @param {(us: number) => number | null} value @returns {Dot[]} */
function sampled(from, to, columns, value) {
  const step = Math.max(1, (to - from) / columns);
  // On a grid of its own, so that the line keeps its shape while the window moves.
  const grid = 10 ** Math.floor(Math.log10(step));
  const pitch = Math.ceil(step / grid) * grid;
  const dots = [];
  for (let us = Math.max(0, Math.floor(from / pitch) * pitch); us <= to + pitch; us += pitch) dots.push({ us, value: us > to ? value(to) : value(us) });
  return dots;
}

/** How long nobody led, up to a time. @param {Series} series @param {number} us */
const leaderlessUs = (series, us) => series.leaderless.reduce((sum, { from_us, to_us }) => sum + Math.max(0, Math.min(to_us, us) - from_us), 0);

/** @type {Chart[]} */
const CHARTS = [
  {
    title: "Write latency", unit: "ms", says: (value) => (value >= 1000 ? `${value / 1000} s` : `${value} ms`),
    read(series, from, to, _columns, colours) {
      const endings = series.endingsWithin(from, to).filter((ending) => !ending.isRead);
      const dots = (/** @type {boolean} */ isAnswered) => endings.filter((ending) => ending.isAnswered === isAnswered).map(({ at_us: us, latency_us }) => ({ us, value: latency_us / 1000 }));
      const curves = [{ name: "told OK", colour: colours["leader-strong"], dash: [], kind: /** @type {const} */ ("dots"), points: dots(true) }, { name: "not answered", colour: colours["bad-strong"], dash: [], kind: /** @type {const} */ ("crosses"), points: dots(false) }];
      return { curves, most: Math.max(1000, ...endings.map(({ latency_us }) => latency_us / 1000)) };
    },
    at(series, us) {
      const last = series.endingsWithin(-1, us).findLast((ending) => !ending.isRead);
      return last === undefined ? "no write yet" : `${Math.round(last.latency_us / 1000)} ms${last.isAnswered ? "" : ", not answered"}`;
    },
    sum(series, us) {
      const answered = series.endingsWithin(-1, us).filter((ending) => !ending.isRead && ending.isAnswered).map((ending) => ending.latency_us / 1000).sort((a, b) => a - b);
      return answered.length === 0 ? "no write answered" : `${answered.length} answered, middle ${Math.round(answered[answered.length >> 1])} ms, longest ${Math.round(answered[answered.length - 1])} ms`;
    },
  },
  {
    title: "Replication lag", unit: "entries", says: (value) => String(value),
    read(series, from, to, _columns, colours) {
      const curves = [...series.lags.entries()].sort().map(([node, samples], position) => {
        const first = Math.max(0, samples.findLastIndex((sample) => sample.at_us <= from));
        const points = samples.slice(first).filter((sample) => sample.at_us <= to).map(({ at_us, value }) => ({ us: at_us, value }));
        if (points.length > 0) points.push({ us: to, value: points[points.length - 1].value });
        return { name: node, colour: colours[NODE_COLOURS[position % NODE_COLOURS.length]], dash: NODE_DASHES[position % NODE_DASHES.length], kind: /** @type {const} */ ("step"), points };
      });
      return { curves, most: Math.max(2, ...curves.flatMap(({ points }) => points.map(({ value }) => value ?? 0))) };
    },
    at: (series, us) => [...series.lags.keys()].sort().map((node) => `${node} ${series.lagAt(node, us) ?? "–"}`).join(", "),
    sum(series, us) {
      const worst = [...series.lags].map(([node, samples]) => ({ node, most: Math.max(0, ...samples.filter((sample) => sample.at_us <= us).map(({ value }) => value ?? 0)) })).sort((a, b) => b.most - a.most)[0];
      return worst === undefined || worst.most === 0 ? "no follower was behind" : `at most ${worst.most} behind (${worst.node})`;
    },
  },
  {
    title: "Throughput", unit: "answers / s", says: (value) => String(value),
    read(series, from, to, columns, colours) {
      const curves = [
        { name: "writes", colour: colours["leader-strong"], dash: [], kind: /** @type {const} */ ("step"), points: sampled(from, to, columns, (us) => series.rateAt(us, false)) },
        { name: "reads", colour: colours["follower-strong"], dash: [6, 3], kind: /** @type {const} */ ("step"), points: sampled(from, to, columns, (us) => series.rateAt(us, true)) },
      ];
      return { curves, most: Math.max(2, ...curves.flatMap(({ points }) => points.map(({ value }) => value ?? 0))) };
    },
    at: (series, us) => `${series.rateAt(us, false)} writes/s, ${series.rateAt(us, true)} reads/s`,
    sum(series, us) {
      const answered = series.endingsWithin(-1, us).filter((ending) => ending.isAnswered);
      return `${answered.filter((ending) => !ending.isRead).length} writes and ${answered.filter((ending) => ending.isRead).length} reads answered`;
    },
  },
  {
    title: "Availability", unit: "%", says: (value) => `${value} %`,
    read(series, from, to, columns, colours) {
      const share = (/** @type {number} */ us) => { const found = series.shareAt(us); return found === null ? null : found * 100; };
      const points = sampled(from, to, columns, share);
      return { curves: [{ name: `answered, last ${SHARE_WINDOW_US / 1e6} s`, colour: colours["ok-strong"], dash: [], kind: "step", points }], most: 100, bands: series.leaderless };
    },
    at(series, us) {
      const share = series.shareAt(us);
      return `${share === null ? "nothing due lately" : `${Math.round(share * 100)} % answered`}${series.isLeaderless(us) ? ", no leader" : ""}`;
    },
    sum(series, us) {
      const without = leaderlessUs(series, us);
      const ended = series.endingsWithin(-1, us);
      const answered = ended.filter((ending) => ending.isAnswered).length;
      return `${ended.length === 0 ? "nothing ended" : `${Math.round((answered / ended.length) * 100)} % answered`}, ${seconds(without, 1)} without a leader`;
    },
  },
];

export class ChartsTab {
  #atMs = 0;
  #drawn = "";
  /** The time at the pointer or at the keys; null for the moment shown. @type {number | null} */
  #readUs = null;
  /** @type {Figure[]} */
  #figures = [];

  /** @param {Page} page @param {import("./feed.js").Feed} feed @param {TimeView} view @param {() => void} redraw */
  constructor(page, feed, view, redraw) {
    this.page = page;
    this.feed = feed;
    this.view = view;
    this.redraw = redraw;
    this.follow = button("Follow", "Keep the moment shown in view", () => view.resume());
    const tools = make("div", { className: "dock-tools" }, button("−", "Zoom out", () => view.zoom(1.6)), button("+", "Zoom in", () => view.zoom(1 / 1.6)), button("Whole run", "Show the whole run", () => view.fit()), this.follow);
    this.element = make("div", { className: "dock-tab charts" }, tools, make("div", { className: "chart-grid" }, ...CHARTS.map((chart) => this.#make(chart))));
  }

  /** @param {Chart} chart */
  #make(chart) {
    const { view, page } = this;
    const canvas = /** @type {HTMLCanvasElement} */ (make("canvas"));
    canvas.setAttribute("aria-hidden", "true");
    const field = make("div", { className: "chart-field", tabIndex: 0 }, canvas);
    field.setAttribute("role", "slider");
    field.setAttribute("aria-label", `${chart.title} over time, in ${chart.unit}`);
    // A slider has a value from the beginning, before anything is drawn.
    for (const name of ["aria-valuemin", "aria-valuemax", "aria-valuenow"]) field.setAttribute(name, "0");
    const value = make("span", { className: "chart-value" });
    const sum = make("p", { className: "hidden" });
    const legend = make("span", { className: "chart-legend" });
    const head = make("figcaption", {}, make("b", { textContent: chart.title }), make("small", { textContent: chart.unit }), legend, value);
    /** @type {Figure} */
    const figure = { chart, canvas, field, value, sum, legend, named: "", width: 0, height: 0 };
    this.#figures.push(figure);
    new ResizeObserver(() => {
      [figure.width, figure.height] = [field.clientWidth, field.clientHeight];
      this.redraw();
    }).observe(field);
    const plot = () => ({ left: LEFT, width: Math.max(1, figure.width - LEFT - RIGHT) });
    const timeAt = (/** @type {number} */ x) => Math.max(0, view.fromUs + ((x - LEFT) / plot().width) * view.spanUs);
    steer(field, view, plot, (x) => {
      const us = Math.round(timeAt(x));
      page.seek(us >= page.store.nowUs ? null : us);
    });
    field.addEventListener("pointermove", (event) => this.#read(timeAt(event.clientX - field.getBoundingClientRect().left)));
    field.addEventListener("pointerleave", () => this.#read(null));
    field.addEventListener("blur", () => this.#read(null));
    field.addEventListener("keydown", (event) => this.#key(event));
    return make("figure", {}, head, field, sum);
  }

  /** @param {number | null} us */
  #read(us) {
    this.#readUs = us === null ? null : Math.min(us, this.page.store.nowUs);
    this.redraw();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { view, page } = this;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const us = this.#readUs ?? page.shownUs();
    const step = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1 }[event.key];
    if (event.shiftKey && step !== undefined) view.pan(step * 10);
    else if (step !== undefined || event.key === "Home" || event.key === "End") {
      const next = event.key === "Home" ? 0 : event.key === "End" ? page.store.nowUs : us + /** @type {number} */ (step) * view.spanUs;
      this.#read(Math.max(0, next));
      view.reveal(/** @type {number} */ (this.#readUs));
    } else if (event.key === "Enter") page.seek(us >= page.store.nowUs ? null : Math.round(us));
    else if (event.key === "+" || event.key === "=") view.zoom(1 / 1.6);
    else if (event.key === "-") view.zoom(1.6);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {{ timeUs: number, atMs: number }} moment */
  frame({ timeUs, atMs }) {
    const { page, feed, view } = this;
    view.follow(timeUs, page.viewUs === null, page.store.earliestUs, page.store.nowUs);
    this.follow.setAttribute("aria-pressed", String(view.isFollowing));
    const colours = coloursNow();
    const sizes = this.#figures.map(({ width, height }) => `${width} ${height}`).join();
    const drawn = [feed.version, page.store.sequence, timeUs, view.fromUs, view.spanUs, this.#readUs, sizes, colours.paper].join();
    if (drawn === this.#drawn || (page.isPlaying && this.#readUs === null && atMs - this.#atMs < REFRESH_MS)) return;
    this.#atMs = atMs;
    this.#drawn = drawn;
    for (const figure of this.#figures) this.#draw(figure, timeUs, colours);
  }

  /** @param {Figure} figure @param {number} shownUs @param {Colours} colours */
  #draw(figure, shownUs, colours) {
    const { chart, canvas, field, value, sum, legend, width, height } = figure;
    const { view, feed, page } = this;
    if (width === 0 || height < TOP + BOTTOM + 10) return;
    const readUs = this.#readUs ?? shownUs;
    const to = Math.min(view.toUs, Math.max(page.store.nowUs, shownUs));
    const reading = chart.read(feed.series, view.fromUs, to, Math.min(300, Math.ceil(width / 3)), colours);
    const scale = axisOf(reading.most);
    const plot = { left: LEFT, right: width - RIGHT, top: TOP, bottom: height - BOTTOM };
    const x = (/** @type {number} */ us) => plot.left + view.at(us) * (plot.right - plot.left);
    const y = (/** @type {number} */ v) => plot.bottom - (v / scale.top) * (plot.bottom - plot.top);
    const context = blank(canvas, width, height);
    drawGrid(context, plot, scale, chart, view, x, y, colours);
    context.save();
    context.beginPath();
    context.rect(plot.left, 0, plot.right - plot.left + 4, plot.bottom + 3);
    context.clip();
    for (const band of reading.bands ?? []) drawBand(context, x(band.from_us), x(Math.min(band.to_us, to)), plot, colours);
    for (const curve of reading.curves) drawCurve(context, curve, x, y);
    context.fillStyle = colours.paper;
    context.globalAlpha = 0.62;
    context.fillRect(x(shownUs), 0, width, height);
    context.globalAlpha = 1;
    upright(context, x(shownUs), plot, colours.ink, 1.5, []);
    if (this.#readUs !== null) upright(context, x(readUs), plot, colours["ink-3"], 1, [3, 3]);
    context.restore();
    const words = chart.at(feed.series, readUs);
    write(value, this.#readUs === null ? words : `${seconds(readUs)}: ${words}`);
    field.setAttribute("aria-valuemax", (page.store.nowUs / 1e6).toFixed(2));
    field.setAttribute("aria-valuenow", (readUs / 1e6).toFixed(2));
    field.setAttribute("aria-valuetext", `${seconds(readUs)}: ${words}`);
    write(sum, `${chart.title} up to ${seconds(shownUs)}: ${chart.sum(feed.series, shownUs)}.`);
    const without = `no leader: ${seconds(leaderlessUs(feed.series, shownUs), 1)}`;
    const named = reading.curves.map((curve) => curve.name + curve.colour).join() + (reading.bands === undefined ? "" : without);
    if (named === figure.named) return;
    figure.named = named;
    legend.replaceChildren(...reading.curves.map((curve) => sample(curve)), ...(reading.bands === undefined ? [] : [sample({ name: without, colour: colours.bad, dash: [], kind: "band" })]));
  }
}

/** A round top for an axis and what to label it with. @param {number} most */
function axisOf(most) {
  let unit = 1;
  for (let factor = 0; most / unit > 3; factor++) unit *= [2, 2.5, 2][factor % 3];
  const top = Math.ceil(most / unit) * unit;
  return { top: top * 1.06, values: Array.from({ length: Math.round(top / unit) + 1 }, (_, position) => position * unit) };
}

/** @param {CanvasRenderingContext2D} context @param {{ left: number, right: number, top: number, bottom: number }} plot @param {ReturnType<typeof axisOf>} scale @param {Chart} chart @param {TimeView} view @param {(us: number) => number} x @param {(value: number) => number} y @param {Colours} colours */
function drawGrid(context, plot, scale, chart, view, x, y, colours) {
  context.font = `10.5px ${SANS}`;
  context.fillStyle = colours["ink-3"];
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.beginPath();
  context.textAlign = "right";
  for (const value of scale.values) {
    const at = Math.round(y(value)) + 0.5;
    context.moveTo(plot.left, at);
    context.lineTo(plot.right, at);
    context.fillText(chart.says(value), plot.left - 6, at + 3.5);
  }
  context.textAlign = "center";
  for (const { us, words } of ticks(view.fromUs, view.toUs, (plot.right - plot.left) / 58)) {
    if (x(us) >= plot.left && x(us) < plot.right - 8) context.fillText(words, x(us), plot.bottom + 14);
  }
  context.stroke();
}

/** A stretch without a leader: hatched, so that it is not the colour alone. @param {CanvasRenderingContext2D} context @param {number} from @param {number} to @param {{ top: number, bottom: number }} plot @param {Colours} colours */
function drawBand(context, from, to, plot, colours) {
  if (to < 0 || to <= from) return;
  context.save();
  context.beginPath();
  context.rect(from, plot.top, to - from, plot.bottom - plot.top);
  context.clip();
  context.fillStyle = colours["bad-soft"];
  context.fillRect(from, plot.top, to - from, plot.bottom - plot.top);
  context.strokeStyle = colours.bad;
  context.globalAlpha = 0.35;
  context.beginPath();
  const height = plot.bottom - plot.top;
  for (let at = Math.max(-height, from - height); at < Math.min(to, 4000); at += 7) {
    context.moveTo(at, plot.bottom);
    context.lineTo(at + height, plot.top);
  }
  context.stroke();
  context.restore();
}

/** @param {CanvasRenderingContext2D} context @param {Plotted} curve @param {(us: number) => number} x @param {(value: number) => number} y */
function drawCurve(context, { colour, dash, kind, points }, x, y) {
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 1.8;
  context.setLineDash(dash);
  context.beginPath();
  let last = null;
  for (const { us, value } of points) {
    if (value !== null && kind === "dots") {
      context.moveTo(x(us) + 2.6, y(value));
      context.arc(x(us), y(value), 2.6, 0, 7);
    } else if (value !== null && kind === "crosses") {
      context.moveTo(x(us) - 3, y(value) - 3);
      context.lineTo(x(us) + 3, y(value) + 3);
      context.moveTo(x(us) + 3, y(value) - 3);
      context.lineTo(x(us) - 3, y(value) + 3);
    } else if (value === null) {
      if (last !== null) context.lineTo(x(us), y(last));
    } else if (last === null) context.moveTo(x(us), y(value));
    else {
      if (kind === "step") context.lineTo(x(us), y(last));
      context.lineTo(x(us), y(value));
    }
    last = value;
  }
  if (kind === "dots") context.fill();
  else context.stroke();
  context.setLineDash([]);
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {{ top: number, bottom: number }} plot @param {string} colour @param {number} width @param {number[]} dash */
function upright(context, x, plot, colour, width, dash) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.beginPath();
  context.moveTo(x, plot.top - 4);
  context.lineTo(x, plot.bottom);
  context.stroke();
  context.setLineDash([]);
}

/** A line of a chart as its legend shows it. @param {{ name: string, colour: string, dash: number[], kind: string }} curve */
function sample({ name, colour, dash, kind }) {
  const canvas = /** @type {HTMLCanvasElement} */ (make("canvas"));
  const context = blank(canvas, 22, 10);
  if (kind === "band") drawBand(context, 0, 22, { top: 0, bottom: 10 }, coloursNow());
  else drawCurve(context, { name, colour, dash, kind: kind === "step" ? "line" : /** @type {"dots"} */ (kind), points: kind === "dots" || kind === "crosses" ? [{ us: 11, value: 5 }] : [{ us: 0, value: 5 }, { us: 22, value: 5 }] }, (us) => us, (value) => value);
  canvas.setAttribute("aria-hidden", "true");
  return make("span", { className: "chart-name" }, canvas, name);
}
