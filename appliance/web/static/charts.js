// Charts of what the appliance does, or a VM, drawn from what was kept of the last hours. The figures beside them are
// text, so that nobody needs to see a line; the line tells how it was before.

const AGAIN = 10000; // milliseconds until fresh figures are there
const TONES = ["--accent", "--good", "--warn"];
const HISTORY = "/api/v1/metrics/history?seconds="; // of the appliance; what is chosen goes behind it
const DAY = 86400;
const DASHES = [[], [6, 3], [2, 3]]; // colour is never alone
const UNITS = {
  rate: (value) => `${short(value)}/s`,
  bytes: (value) => scaled(value, "B"),
  byterate: (value) => `${scaled(value, "B")}/s`,
  share: (value) => `${(value * 100).toFixed(value < 0.1 ? 1 : 0)}%`,
  seconds: (value) => (value < 1 ? `${short(value * 1000)} ms` : `${short(value)} s`),
};

let uPlot;
const drawn = new Map(); // figure -> its plot

export async function drawCharts() {
  const figures = [...document.querySelectorAll("figure[data-columns]")];
  if (!figures.length) return;
  uPlot = (await import("./vendor/uplot.js")).default;
  const range = document.querySelector("[data-chart-range]");
  range?.addEventListener("change", () => refresh(figures, range));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => forget(figures, range));
  new ResizeObserver(() => drawn.forEach(fit)).observe(document.getElementById("main"));
  await refresh(figures, range);
  const again = () => !document.hidden && refresh(figures, range);
  const host = range?.dataset.host; // of a VM: the appliance says when it has asked that host again
  if (!host) setInterval(again, AGAIN);
  else document.addEventListener("measured", ({ detail }) => detail === host && again());
}

async function refresh(figures, range) {
  const source = range?.dataset.source ?? HISTORY;
  const answer = await fetch(source + (range?.value ?? "3600")).catch(() => null);
  if (!answer?.ok) return; // the banner of the lost connection says it already
  const history = await answer.json();
  for (const figure of figures) draw(figure, history);
}

function draw(figure, history) {
  const times = history.time;
  const names = figure.dataset.columns.split(" ");
  const values = names.map((name) => name.split(".").reduce((found, part) => found[part], history));
  const unit = UNITS[figure.dataset.unit];
  figure.querySelectorAll("[data-latest]").forEach((place, index) => {
    const latest = values[index]?.at(-1);
    place.textContent = latest === undefined || latest === null ? "not known" : unit(latest);
  });
  const plot = drawn.get(figure);
  if (plot) plot.setData([times, ...values]);
  else if (times.length > 1) drawn.set(figure, made(figure, [times, ...values], unit));
}

function made(figure, data, unit) {
  const style = getComputedStyle(figure);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--ink-2"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const place = figure.querySelector(".plot");
  const series = data.slice(1).map((_, at) => ({ stroke: colour(TONES[at]), width: 1.5, dash: DASHES[at], points: { show: false } }));
  const options = {
    width: place.clientWidth,
    height: 120,
    legend: { show: false },
    cursor: { show: false },
    series: [{}, ...series],
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, size: 28, values: (_, splits) => splits.map((at) => hour(at, splits)) },
      { ...axis, size: 64, space: 24, values: (_, splits) => splits.map(unit) },
    ],
  };
  return new uPlot(options, data, place);
}

function fit(plot, figure) {
  const width = figure.querySelector(".plot").clientWidth;
  if (width && width !== plot.width) plot.setSize({ width, height: 120 });
}

function forget(figures, range) {
  for (const plot of drawn.values()) plot.destroy();
  drawn.clear();
  refresh(figures, range);
}

function hour(at, splits) {
  if (splits.at(-1) - splits[0] > 2 * DAY) return new Date(at * 1000).toLocaleDateString([], { weekday: "short" });
  return new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

function short(value) {
  return value >= 100 || value === Math.round(value) ? value.toFixed(0) : value.toFixed(1);
}

function scaled(value, unit) {
  let index = 0;
  for (; value >= 1000 && index < 4; index++) value /= 1000;
  return `${short(value)} ${["", "k", "M", "G", "T"][index]}${unit}`;
}
