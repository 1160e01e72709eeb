/* Charts as SVG: lines with bands, points with error bars, bars, parallel axes. */

const WIDTH = 480, HEIGHT = 270, LEFT = 46, RIGHT = 14, TOP = 12, BOTTOM = 38;
const color = (index) => `var(--c${index % 8})`;

function ticks(low, high, count = 5) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
  const found = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) found.push(+tick.toPrecision(12));
  return found;
}

function span(numbers, room = 0.06) {
  const real = numbers.filter(Number.isFinite);
  if (!real.length) return [0, 1];
  const low = Math.min(...real), high = Math.max(...real), more = (high - low || Math.abs(high) || 1) * room;
  return [low - more, high + more];
}

function scaled([low, high], from, to) {
  return (number) => from + ((number - low) / (high - low)) * (to - from);
}

/* The frame of a chart: axes, ticks, labels; `draw(x, y)` gives what lies inside. */
function plot({ words, xs, ys, xLabel, yLabel, draw, height = HEIGHT }) {
  const x = scaled(xs, LEFT, WIDTH - RIGHT), y = scaled(ys, height - BOTTOM, TOP);
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": words }, s("title", {}, words));
  for (const tick of ticks(...ys)) {
    svg.append(s("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick) }),
      s("text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, String(tick)));
  }
  for (const tick of ticks(...xs)) svg.append(s("text", { x: x(tick), y: height - BOTTOM + 16, "text-anchor": "middle" }, String(tick)));
  svg.append(s("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: height - 6, "text-anchor": "middle", class: "label" }, xLabel),
    s("text", { x: LEFT, y: 6, "text-anchor": "middle", class: "label" }, yLabel));
  svg.append(...draw(x, y).filter(Boolean));
  return svg;
}

function pathOf(points, x, y) {
  return points.filter((point) => Number.isFinite(point[1])).map((point, index) => `${index ? "L" : "M"}${x(point[0]).toFixed(1)} ${y(point[1]).toFixed(1)}`).join("");
}

function lineChart({ words, series, xLabel, yLabel, xs, ys }) {
  const ends = series.flatMap((line) => line.points.flatMap((point) => point.slice(1)));
  return plot({
    words, xLabel, yLabel,
    xs: xs || span(series.flatMap((line) => line.points.map((point) => point[0])), 0.02),
    ys: ys || span(ends),
    draw: (x, y) => series.flatMap((line) => {
      const banded = line.points.filter((point) => point.length === 4 && Number.isFinite(point[2]));
      const band = banded.length > 1 && pathOf(banded.map((p) => [p[0], p[3]]), x, y) + pathOf(banded.map((p) => [p[0], p[2]]).reverse(), x, y).replace("M", "L") + "Z";
      return [
        band && s("path", { d: band, fill: line.color, opacity: 0.15 }),
        s("path", { d: pathOf(line.points, x, y), fill: "none", stroke: line.color, "stroke-width": line.strong ? 2.6 : 1.8, "stroke-dasharray": line.dash }),
        ...(line.dots ? line.points.map((point) => s("circle", { cx: x(point[0]), cy: y(point[1]), r: 3.2, fill: line.color }, s("title", {}, `${line.name}: ${point[0]} → ${point[1].toPrecision(4)}`))) : []),
      ];
    }),
  });
}

function legend(series) {
  return h("div", { class: "legend" }, series.map((line) => h("span", {}, h("i", { style: { background: line.color } }), line.name)));
}

function scatter({ words, points, front, xLabel, yLabel }) {
  return plot({
    words, xLabel, yLabel,
    xs: span(points.map((point) => point.x), 0.1),
    ys: span(points.flatMap((point) => [point.y, point.low ?? point.y, point.high ?? point.y])),
    draw: (x, y) => [
      s("path", { d: pathOf(front.map((point) => [point.x, point.y]), x, y), fill: "none", stroke: color(1), "stroke-width": 1.6, "stroke-dasharray": "5 4" }),
      ...points.flatMap((point) => [
        Number.isFinite(point.low) && s("line", { x1: x(point.x), x2: x(point.x), y1: y(point.low), y2: y(point.high), stroke: color(6), opacity: 0.6 }),
        s("a", { href: point.href, "aria-label": point.name },
          s("circle", { cx: x(point.x), cy: y(point.y), r: 4.5, fill: front.includes(point) ? color(1) : color(0) }, s("title", {}, `${point.name}: ${point.words}`))),
      ]),
      ...labels(front.map((point) => ({ name: point.name, x: x(point.x), y: y(point.y) }))),
    ],
  });
}

/* Names beside points, left where the right edge is near, and none where two would overlap. */
function labels(points) {
  const placed = [];
  return points.map((point) => {
    if (placed.some((other) => Math.abs(other.y - point.y) < 12 && Math.abs(other.x - point.x) < 140)) return null;
    placed.push(point);
    const left = point.x > WIDTH * 0.6;
    const name = point.name.length > 26 ? `${point.name.slice(0, 25)}…` : point.name;
    return s("text", { class: "label", x: point.x + (left ? -9 : 9), y: point.y - 7, "text-anchor": left ? "end" : "start" }, name);
  });
}

function barChart({ words, bars, format }) {
  const step = 22, height = bars.length * step + 8, most = Math.max(...bars.map((bar) => Math.abs(bar.value)), 1e-9);
  const svg = s("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": words }, s("title", {}, words));
  bars.forEach((bar, index) => {
    const length = Math.max(1, (Math.abs(bar.value) / most) * (WIDTH - 170));
    svg.append(s("text", { x: 84, y: index * step + 18, "text-anchor": "end", class: "label" }, bar.name),
      s("rect", { x: 92, y: index * step + 6, width: length, height: 15, rx: 3, fill: color(0), opacity: 0.85 }),
      s("text", { x: 98 + length, y: index * step + 18 }, format(bar.value)));
  });
  return svg;
}

/* `axes`: [{name, values (one a row, number or null), labels: [[value, text]] or null}]; `tint(row)` is 0 to 1. */
function parallel({ words, axes, rows, tint, href }) {
  const width = Math.max(WIDTH * 1.6, axes.length * 150), height = 300, top = 30, bottom = height - 22;
  const x = (index) => 60 + (index * (width - 120)) / Math.max(axes.length - 1, 1);
  const scales = axes.map((axis) => scaled(span(axis.values, 0.04), bottom, top));
  const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words }, s("title", {}, words));
  rows.forEach((row) => {
    const points = axes.map((axis, index) => [x(index), axis.values[row.index] === null ? null : scales[index](axis.values[row.index])]).filter((point) => point[1] !== null);
    if (points.length < 2) return;
    const d = points.map((point, index) => `${index ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}`).join("");
    svg.append(s("a", { href: href(row), "aria-label": row.name }, s("path", { d, fill: "none", stroke: color(0), "stroke-width": 1 + 1.6 * tint(row), opacity: 0.12 + 0.8 * tint(row) ** 2 }, s("title", {}, row.name))));
  });
  axes.forEach((axis, index) => {
    const ends = axis.labels || ticks(...span(axis.values, 0.04), 4).map((tick) => [tick, String(tick)]);
    const name = axis.name.length > 24 ? `…${axis.name.slice(-23)}` : axis.name;
    svg.append(s("line", { class: "axis", x1: x(index), x2: x(index), y1: top, y2: bottom }),
      s("text", { class: "label", x: x(index), y: 14, "text-anchor": "middle" }, name, s("title", {}, axis.name)),
      ...ends.map(([value, text]) => s("text", { x: x(index) + 5, y: scales[index](value) + 4 }, text)));
  });
  return svg;
}
