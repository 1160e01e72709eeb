/* Two rows, image by image: totals, a point an image, and a table that sorts and filters. */

const SHOWN = 200;
const points = (number) => number === null ? MISSING : fixed(number * 100, 1);
const view = { sort: 3, falling: true, filter: "" };
const lines = board.images.map(([name, a, b]) => [name, a, b, b - a]);

function drawMetrics() {
  const head = ["", board.a, board.b, "change", "95 % interval"].map((text) => h("th", { scope: "col", class: "num" }, text));
  const body = board.metrics.map((metric) => {
    const [a, b, change, low, high] = metric.numbers.map((number) => number === null ? MISSING : fixed(number, 1));
    const kind = { better: "good", worse: "bad" }[metric.verdict] || "unsure";
    return h("tr", {}, h("th", { scope: "row", title: metric.about }, metric.label), h("td", { class: "num" }, a), h("td", { class: "num" }, b), h("td", { class: `num ${kind}` }, change), h("td", { class: "num" }, `${low} to ${high}`));
  });
  document.getElementById("metrics").append(h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)));
}

function drawScatter() {
  const up = lines.filter((line) => line[3] > 0).length, down = lines.filter((line) => line[3] < 0).length;
  const words = `${up} images are better with ${board.b}, ${down} are worse, ${lines.length - up - down} are the same.`;
  const ends = [-3, 103];
  const svg = plot({ words, xs: ends, ys: ends, xLabel: board.a, yLabel: board.b, height: 360, draw: (x, y) => [
    s("line", { x1: x(0), y1: y(0), x2: x(100), y2: y(100), stroke: "var(--soft)", "stroke-dasharray": "4 4" }),
    ...lines.map(([name, a, b, change]) => s("circle", { cx: x(100 * a), cy: y(100 * b), r: 3, opacity: 0.65, fill: change > 0 ? "var(--good)" : change < 0 ? "var(--bad)" : "var(--soft)" }, s("title", {}, `${name}: ${points(a)} → ${points(b)}`))),
  ] });
  document.getElementById("scatter").append(svg, h("p", { class: "soft" }, words));
}

function drawPictures(id) {
  const made = board[id].map((picture) => h("figure", {}, h("img", { src: picture.src, alt: picture.words, loading: "lazy" }), h("figcaption", {}, picture.words)));
  document.getElementById(id).append(...(made.length ? made : [h("p", { class: "soft" }, "None.")]));
}

function drawTable() {
  const heads = ["image", board.a, board.b, "change"].map((text, index) => h("th", { scope: "col", class: index ? "" : "left", "aria-sort": view.sort === index ? (view.falling ? "descending" : "ascending") : null },
    h("button", { type: "button", on: { click: () => { view.falling = view.sort === index ? !view.falling : index > 0; view.sort = index; drawTable(); } } }, text, view.sort === index ? (view.falling ? " ↓" : " ↑") : "")));
  document.querySelector("#board thead").replaceChildren(h("tr", {}, heads));
  const word = view.filter.toLowerCase(), sign = view.falling ? -1 : 1;
  const found = lines.filter((line) => line[0].toLowerCase().includes(word));
  found.sort((a, b) => sign * (view.sort ? a[view.sort] - b[view.sort] : a[0].localeCompare(b[0])));
  document.querySelector("#board tbody").replaceChildren(...found.slice(0, SHOWN).map(([name, a, b, change]) => h("tr", { class: "row" }, h("td", { class: "left" }, name), h("td", {}, points(a)), h("td", {}, points(b)), h("td", { class: change > 0 ? "good" : change < 0 ? "bad" : "" }, (change > 0 ? "+" : "") + points(change)))));
  const left = [board.hidden ? `${board.hidden} that hardly differ are left out` : "", board.empty ? `${board.empty} have no objects` : ""].filter(Boolean).join(", ");
  document.getElementById("count").textContent = `${Math.min(found.length, SHOWN)} of ${found.length} images${left ? `; ${left}` : ""}`;
}

drawMetrics();
drawScatter();
drawPictures("improved");
drawPictures("worsened");
drawTable();
document.getElementById("filter").addEventListener("input", (event) => { view.filter = event.target.value; drawTable(); });
