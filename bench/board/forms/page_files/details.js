/* What a row opens to: how it was made, what it changed, and its curves. */

function detailsOf(row) {
  const parts = [summaryCard(row), configCard(row), commandCard(row), publishedCard(row), curveCard(row), reliabilityCard(row), errorCard(row), classCard(row), pictureCard(row)];
  return h("div", { class: "inside" }, h("div", { class: "grid" }, parts.filter(Boolean)));
}

function pairs(entries, left = "left") {
  return h("table", {}, h("tbody", {}, entries.map(([name, ...cells]) => h("tr", {}, h("th", { scope: "row" }, name), cells.map((cell) => h("td", { class: left }, cell))))));
}

function summaryCard(row) {
  const runs = (row.runs || []).map(([seed, status, reason, id, url, hours]) => h("tr", {},
    h("td", {}, seed === null ? MISSING : `seed ${seed}`), h("td", { class: status === "failed" ? "bad" : "" }, status),
    h("td", { class: "num" }, hours === null ? "" : hours < 1 ? `${fixed(hours * 60, 1)} min` : `${fixed(hours, 1)} h`),
    h("td", {}, url ? h("a", { href: url, rel: "noreferrer" }, "open in MLflow") : h("span", { title: "run in MLflow" }, id)), reason ? h("td", { class: "bad" }, reason) : null));
  const made = Object.entries(row.made || {});
  return card(row.name, row.about ? h("p", {}, row.about) : null, row.reason ? h("p", { class: "bad" }, `${row.status}: ${row.reason}`) : null,
    runs.length ? h("table", {}, h("caption", { class: "hidden" }, "Runs"), h("tbody", {}, runs)) : h("p", { class: "soft" }, row.printed ? "A row of the paper that is not measured here." : "This row was not run."), made.length ? h("details", {}, h("summary", {}, "How it was made"), pairs(made)) : null);
}

function configCard(row) {
  const entries = Object.entries(row.config || {});
  if (!entries.length) return null;
  const head = h("tr", {}, ["setting", "baseline", "this row"].map((text) => h("th", { scope: "col" }, text)));
  return card("Config against the baseline", h("table", {}, h("thead", {}, head), h("tbody", {}, entries.map(([name, [base, own]]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, base), h("td", {}, own))))));
}

function commandCard(row) {
  if (!row.command) return null;
  const copy = h("button", { type: "button", on: { click: () => { navigator.clipboard?.writeText(row.command).then(() => { copy.textContent = "Copied"; }, () => {}); } } }, "Copy");
  const revision = row.made?.git_revision;
  return card("Do it again", h("pre", {}, row.command), copy, revision ? h("p", { class: "soft" }, `It was made by the code at ${revision}.`) : null);
}

function publishedCard(row) {
  const names = Object.keys(row.p || {});
  if (!names.length) return null;
  const head = h("tr", {}, ["", "paper", "here", "Δ paper", "Δ here"].map((text) => h("th", { scope: "col", class: "num" }, text)));
  const lines = names.map((name) => {
    const column = columnNamed(name);
    return h("tr", {}, h("th", { scope: "row" }, column.label), [shown(column, row.p[name]), shown(column, valueOf(measured(row, name))), signed(column, row.pd?.[name]), signed(column, valueOf(row.d?.[name]))].map((text) => h("td", { class: "num" }, text)));
  });
  const source = Object.values(row.paper || {}).join(" · ");
  return card("Published and measured", h("table", { class: "numbers" }, h("thead", {}, head), h("tbody", {}, lines)), source ? h("p", { class: "soft" }, source) : null);
}

function curveCard(row) {
  const found = Object.entries(row.curves?.pr || {});
  if (!found.length) return null;
  const series = found.map(([iou, curve], index) => ({ name: `IoU ${iou}`, color: color(index), points: curve.recall.map((recall, at) => [recall, curve.precision[at]]) }));
  return card("Precision and recall", lineChart({ words: `Precision over recall of ${row.name} at ${series.map((line) => line.name).join(", ")}`, series, xLabel: "recall", yLabel: "precision", xs: [0, 1], ys: [0, 1.02] }), legend(series));
}

function reliabilityCard(row) {
  const found = Object.entries(row.curves?.reliability || {});
  if (!found.length) return null;
  const series = found.map(([name, part], index) => ({ name, color: color(index), dots: true, points: part.predicted.map((x, at) => [x, part.actual[at]]) }));
  series.push({ name: "perfect", color: "var(--soft)", dash: "3 4", points: [[0, 0], [1, 1]] });
  return card("Reliability", lineChart({ words: `What ${found.map(([name]) => name).join(", ")} of ${row.name} promises against what comes true`, series, xLabel: "predicted", yLabel: "actual", xs: [0, 1], ys: [0, 1.02] }), legend(series));
}

function errorCard(row) {
  const bars = Object.entries(row.curves?.errors || {}).map(([name, value]) => ({ name, value }));
  if (!bars.length) return null;
  const format = (value) => fixed(value * 100, 1);
  return card("AP50 lost to each kind of error", barChart({ words: `Points of AP50 lost: ${bars.map((bar) => `${bar.name} ${format(bar.value)}`).join(", ")}`, bars, format }));
}

function classCard(row) {
  const classes = Object.entries(row.curves?.per_class || {}).filter(([, metrics]) => "AP" in metrics).sort((a, b) => b[1].AP - a[1].AP);
  if (!classes.length) return null;
  return card("AP of each class", barChart({ words: `AP of each class: ${classes.map(([name, metrics]) => `${name} ${fixed(metrics.AP * 100, 1)}`).join(", ")}`, bars: classes.slice(0, 20).map(([name, metrics]) => ({ name: name.length > 13 ? `${name.slice(0, 12)}…` : name, value: metrics.AP })), format: (value) => fixed(value * 100, 1) }));
}

function pictureCard(row) {
  if (!row.pictures) return null;
  const made = card("Gallery", h("div", { class: "pictures" }, row.pictures.map((picture) => h("figure", {}, h("img", { src: picture.src, alt: picture.words }), h("figcaption", {}, picture.words)))));
  made.classList.add("wide");
  return made;
}
