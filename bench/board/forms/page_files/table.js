/* The table: columns, sorting, filtering, and as many rows as are asked for. */

const PAGE = 100;
const state = { sort: "rank", falling: false, filter: "", columns: null, open: new Set(), limit: PAGE };

/* Every column there can be: key, heading, words, what to sort by (rows without it go last), how a cell looks. */
function allColumns() {
  const main = mainColumn, name = board.metric;
  const list = [
    { key: "rank", label: "#", about: "Rank; a span where rows cannot be told apart", sort: (row) => row.rank ?? null, cell: (row) => row.rank ? (row.last > row.rank ? `${row.rank}–${row.last}` : row.rank) : MISSING, fixed: true },
    { key: "row", label: "row", about: "Name", sort: (row) => row.name, cell: nameCell, kind: "left name", fixed: true },
    { key: "study", label: "study", about: "Study and profile", sort: (row) => row.study, cell: (row) => row.study, kind: "left", shown: board.manyStudies },
    ...metricColumns([name]),
    { key: `diff ${name}`, label: "Δ baseline", about: `Change of ${main.label} to the baseline and its interval`, sort: (row) => valueOf(row.d?.[name]), cell: changeCell, shown: true },
    { key: "published", label: "published", about: `${main.label} that the paper prints`, sort: (row) => row.p?.[name] ?? null, cell: (row) => shown(main, row.p?.[name]), shown: true },
    { key: "diff published", label: "Δ published", about: "Change to the baseline in the paper", sort: (row) => row.pd?.[name] ?? null, cell: (row) => signed(main, row.pd?.[name]), shown: true },
    { key: "diff of diff", label: "ΔΔ", about: "Measured change less published change: how much more the row gains here than in the paper", sort: changeOfChange, cell: changeOfChangeCell, shown: true },
    ...metricColumns(board.columns.map((column) => column.name).filter((other) => other !== name)),
    { key: "seeds", label: "seeds", about: "Runs of this row", sort: (row) => row.seeds ?? null, cell: (row) => row.seeds ?? MISSING, shown: false },
    { key: "status", label: "status", about: "How the runs ended", sort: (row) => row.status, cell: statusCell, kind: "left", shown: true },
    { key: "run", label: "run", about: "The runs in MLflow", sort: (row) => row.runs?.[0]?.[3] ?? null, cell: runCell, kind: "left", shown: board.rows.some((row) => row.runs?.some((run) => run[4])) },
  ];
  return list.filter((column) => column.fixed || column.key === "status" || board.rows.some((row) => column.sort(row) !== null));
}

function metricColumns(names) {
  return names.filter((name) => name in columnIndex).map((name) => {
    const column = columnNamed(name), main = name === board.metric;
    return { key: name, label: column.label, about: column.about, group: column.group, kind: main ? "main" : "", shown: column.shown, rising: column.better < 0, number: true, sort: (row) => valueOf(measured(row, name)), cell: (row) => name === "ms_per_image" ? latencyCell(column, row) : estimateCell(column, measured(row, name), main) };
  });
}

const changeOfChange = (row) => {
  const own = valueOf(row.d?.[board.metric]), paper = row.pd?.[board.metric];
  return own === null || paper === undefined ? null : own - paper;
};

/* The main number shows its interval; the others tell theirs when pointed at. */
function estimateCell(column, estimate, whole) {
  const text = shown(column, valueOf(estimate));
  if (!Array.isArray(estimate)) return text;
  const ends = `95 % interval: ${shown(column, lowOf(estimate))} to ${shown(column, highOf(estimate))}`;
  if (!whole) return h("span", { title: ends }, text);
  return [text, h("span", { class: "pm", title: ends }, ` ±${shown(column, (estimate[1] + estimate[2]) / 2)}`)];
}

/* Median and 95th percentile together: one without the other says little. */
function latencyCell(column, row) {
  const slow = valueOf(measured(row, "ms_p95"));
  return [estimateCell(column, measured(row, column.name), false), slow === null ? null : h("span", { class: "pm", title: "median / 95th percentile" }, ` / ${shown(column, slow)}`)];
}

/* The paper's change is taken as exact, so the interval is that of the measured one. */
function changeOfChangeCell(row) {
  const value = changeOfChange(row), own = row.d?.[board.metric];
  if (value === null || !Array.isArray(own)) return signed(mainColumn, value);
  const ends = [value - own[1], value + own[2]], clear = ends[0] > 0 || ends[1] < 0;
  return h("span", { class: clear ? "differs" : "", title: `95 % interval: ${signed(mainColumn, ends[0])} to ${signed(mainColumn, ends[1])}` }, signed(mainColumn, value));
}

function runCell(row) {
  const runs = (row.runs || []).map(([seed, , , id, url]) => url ? h("a", { href: url, rel: "noreferrer", title: id }, seed ?? "run") : h("span", { title: id }, seed ?? id.slice(0, 8)));
  return runs.length ? runs.flatMap((run, index) => index ? [" ", run] : [run]) : MISSING;
}

function changeCell(row) {
  const change = row.d?.[board.metric];
  if (change === undefined || change === null) return MISSING;
  const clear = Array.isArray(change) && (lowOf(change) > 0 || highOf(change) < 0);
  const good = valueOf(change) * (mainColumn.better || 1) > 0;
  const made = h("span", { class: clear ? (good ? "good" : "bad") : "" }, signed(mainColumn, valueOf(change)));
  return Array.isArray(change) ? [made, h("span", { class: "pm" }, ` [${signed(mainColumn, lowOf(change))}, ${signed(mainColumn, highOf(change))}]`)] : made;
}

function nameCell(row) {
  const open = state.open.has(row.id);
  return [h("button", { type: "button", "aria-expanded": String(open), "data-row": row.id, on: { click: () => toggleRow(row.id) } }, row.name), row.base ? h("span", { class: "tag" }, "baseline") : null, row.printed ? h("span", { class: "tag", title: "A row of the paper that is not measured here" }, "paper") : null, row.reason ? h("div", { class: "reason" }, row.reason) : null];
}

function statusCell(row) {
  const kind = row.status === "done" || row.printed ? "soft" : row.status.includes("failed") ? "bad" : "unsure";
  return h("span", { class: kind, title: row.reason || "" }, row.status);
}

const COLUMNS = allColumns();
const visible = () => COLUMNS.filter((column) => column.fixed || (state.columns ? state.columns.has(column.key) : column.shown));

function filtered() {
  const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
  return board.rows.filter((row) => words.every((word) => row.text.includes(word)));
}
board.rows.forEach((row) => {
  row.text = [row.name, row.study, row.status, row.about, row.reason, ...Object.values(row.paper || {}), ...Object.entries(row.config || {}).flatMap(([name, values]) => [name, values[1]])].join(" ").toLowerCase();
});

function sorted(rows) {
  const column = COLUMNS.find((found) => found.key === state.sort) || COLUMNS[0], sign = state.falling ? -1 : 1;
  const keyed = rows.map((row) => [column.sort(row), row]);
  keyed.sort(([a, first], [b, second]) => {
    if (a === null || b === null) return (a === null) - (b === null) || first.index - second.index;
    return sign * (typeof a === "string" ? a.localeCompare(b) : a - b) || first.index - second.index;
  });
  return keyed.map(([, row]) => row);
}

function drawHead() {
  const cells = visible().map((column) => h("th", { scope: "col", class: column.kind || "", "aria-sort": column.key === state.sort ? (state.falling ? "descending" : "ascending") : null },
    h("button", { type: "button", title: column.about, on: { click: () => sortBy(column) } }, column.label, column.key === state.sort ? (state.falling ? " ↓" : " ↑") : "")));
  document.querySelector("#board thead").replaceChildren(h("tr", {}, cells));
}

/* Lines are made once for a choice of columns; sorting and filtering only put them in another order. */
function lineOf(row, columns, most) {
  const key = `${state.open.has(row.id)} ${columns.map((column) => column.key).join()}`;
  if (row.drawn?.key === key) return row.drawn.line;
  const share = `calc(${((100 * Math.abs(valueOf(measured(row, board.metric)) ?? 0)) / most).toFixed(1)}% - 20px)`;
  const cells = columns.map((column) => h("td", { class: column.kind, style: column.kind === "main" ? { "--share": share } : null }, column.cell(row)));
  row.drawn = { key, line: h("tr", { class: `row${row.base ? " base" : ""}${row.printed ? " printed" : ""}` }, cells) };
  return row.drawn.line;
}

function drawBody() {
  const rows = sorted(filtered()), columns = visible();
  const most = Math.max(...board.rows.map((row) => Math.abs(valueOf(measured(row, board.metric)) ?? 0)), 1e-12);
  const body = document.createDocumentFragment();
  for (const row of rows.slice(0, state.limit)) {
    body.append(lineOf(row, columns, most));
    if (state.open.has(row.id)) body.append(h("tr", { class: "detail" }, h("td", { colspan: columns.length }, detailsOf(row))));
  }
  if (!rows.length) body.append(h("tr", {}, h("td", { class: "left", colspan: columns.length }, board.rows.length ? "No row fits the filter." : "No rows were recorded yet.")));
  document.querySelector("#board tbody").replaceChildren(body);
  document.getElementById("count").textContent = rows.length === board.rows.length ? `${rows.length} rows` : `${rows.length} of ${board.rows.length} rows`;
  const more = document.getElementById("more");
  more.hidden = rows.length <= state.limit;
  more.textContent = `Show all ${rows.length} rows`;
}
