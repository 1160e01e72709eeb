/* The charts below the table: they show the rows that the filter leaves. */

const LINES = 6;
const rowLink = (row) => `#row=${encodeURIComponent(row.id)}`;
const points = (number) => number === null || number === undefined ? null : +(number * mainColumn.scale).toPrecision(6);

function card(title, ...children) {
  return h("div", { class: "card" }, h("h3", {}, title), ...children);
}

function drawFigures(rows) {
  const ranked = rows.filter((row) => valueOf(measured(row, board.metric)) !== null);
  const made = [costFigure(ranked), thresholdFigure(ranked), ...sweepFigures(rows), parallelFigure(ranked)];
  document.getElementById("figures").replaceChildren(...made.filter(Boolean));
}

function costFigure(rows) {
  const costs = board.columns.filter((column) => column.group === "cost" && rows.some((row) => valueOf(measured(row, column.name)) !== null));
  if (!costs.length) return null;
  const body = h("div");
  const choice = h("select", { "aria-label": "Cost on the horizontal axis", on: { change: () => draw() } },
    costs.map((column) => h("option", { value: column.name }, column.about)));
  function draw() {
    const cost = columnNamed(choice.value);
    const shownRows = rows.filter((row) => valueOf(measured(row, cost.name)) !== null);
    const dots = shownRows.map((row) => {
      const own = measured(row, board.metric), x = valueOf(measured(row, cost.name)) * cost.scale;
      return { x, y: points(valueOf(own)), low: points(lowOf(own)) ?? undefined, high: points(highOf(own)) ?? undefined, name: row.name, href: rowLink(row), words: `${shown(mainColumn, valueOf(own))} at ${shown(cost, valueOf(measured(row, cost.name)))} ${cost.label}` };
    });
    body.replaceChildren(scatter({
      points: dots, front: paretoFront(dots), xLabel: `${cost.label} (less is better)`, yLabel: mainColumn.label,
      words: `${mainColumn.label} against ${cost.about}. On the front: ${paretoFront(dots).map((dot) => `${dot.name} ${dot.words}`).join("; ")}.`,
    }));
  }
  draw();
  return card(`${mainColumn.label} against cost`, choice, body, h("p", { class: "soft" }, "The dashed line joins the rows that no other row beats in both."));
}

function paretoFront(dots) {
  const better = mainColumn.better || 1;
  let best = -Infinity;
  return [...dots].sort((a, b) => a.x - b.x || better * (b.y - a.y)).filter((dot) => {
    if (better * dot.y <= best) return false;
    best = better * dot.y;
    return true;
  });
}

function thresholdFigure(rows) {
  const drawn = rows.filter((row) => row.curves?.ap_over_iou).filter((row, index) => index < LINES || row.base);
  if (!drawn.length) return null;
  const series = drawn.map((row, index) => ({
    name: row.name + (row.base ? " (baseline)" : ""), color: color(index), dash: row.base ? "6 4" : null, strong: index === 0,
    points: row.curves.ap_over_iou.iou.map((iou, at) => [iou, (row.curves.ap_over_iou.ap[at] ?? NaN) * 100]),
  }));
  const words = `AP at each IoU threshold for ${series.map((line) => line.name).join(", ")}`;
  return card("AP over IoU threshold", lineChart({ words, series, xLabel: "IoU threshold", yLabel: "AP" }), legend(series));
}

function sweepFigures(rows) {
  const left = new Set(rows.map((row) => row.index));
  return board.sweeps.map((sweep) => {
    const on = sweep.points.filter(([, index]) => left.has(index)).map(([x, index]) => [x, board.rows[index]]);
    const own = on.filter(([, row]) => valueOf(measured(row, board.metric)) !== null);
    const paper = on.filter(([, row]) => row.p && board.metric in row.p);
    if (own.length < 2 && paper.length < 2) return null;
    const series = [{ name: "measured", color: color(0), dots: true, strong: true, points: own.map(([x, row]) => {
      const estimate = measured(row, board.metric);
      return Array.isArray(estimate) ? [x, valueOf(estimate), lowOf(estimate), highOf(estimate)].map((n, i) => i ? points(n) : n) : [x, points(estimate)];
    }) }];
    if (paper.length > 1) series.push({ name: "published", color: color(1), dots: true, dash: "6 4", points: paper.map(([x, row]) => [x, points(row.p[board.metric])]) });
    const words = `${mainColumn.label} along ${sweep.param}: ${own.map(([x, row]) => `${x}: ${shown(mainColumn, valueOf(measured(row, board.metric)))}`).join(", ")}`;
    return card(`Sweep of ${sweep.param}`, lineChart({ words, series, xLabel: sweep.param, yLabel: mainColumn.label }), legend(series));
  });
}

function parallelFigure(rows) {
  if (!board.axes.length || rows.length < 3) return null;
  const settings = board.axes.map((axis) => settingAxis(axis));
  const results = [board.metric, "ms_per_image"].filter((name) => rows.some((row) => valueOf(measured(row, name)) !== null)).map((name) => {
    const column = columnNamed(name);
    return { name: column.label, values: board.rows.map((row) => { const own = valueOf(measured(row, name)); return own === null ? null : own * column.scale; }) };
  });
  const values = rows.map((row) => valueOf(measured(row, board.metric))), low = Math.min(...values), high = Math.max(...values);
  const tint = (row) => high > low ? (valueOf(measured(row, board.metric)) - low) / (high - low) : 1;
  const made = card("Settings and results", parallel({ words: `Parallel coordinates of ${[...settings, ...results].map((axis) => axis.name).join(", ")}; the best rows are drawn strongest`, axes: [...settings, ...results], rows, tint, href: rowLink }));
  made.classList.add("wide", "long");
  return made;
}

/* A setting that some rows lack, or that is no number, has places instead of a scale; "–" is the place of lacking it. */
function settingAxis(axis) {
  const own = axis.values.map((value, index) => board.rows[index].known ? value ?? MISSING : null);
  const texts = [...new Set(own.filter((value) => value !== null))];
  if (texts.every((text) => text !== "" && Number.isFinite(Number(text)))) return { name: axis.name, values: own.map((value) => value === null ? null : Number(value)) };
  texts.sort((a, b) => (b === MISSING) - (a === MISSING) || a.localeCompare(b, undefined, { numeric: true }));
  return { name: axis.name, values: own.map((value) => value === null ? null : texts.indexOf(value)), labels: texts.slice(0, 12).map((text, index) => [index, text.length > 18 ? `${text.slice(0, 17)}…` : text]) };
}
