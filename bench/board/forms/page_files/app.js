/* State to address and back, and everything that is drawn once. */

function draw() { drawHead(); drawBody(); }

function sortBy(column) {
  if (state.sort === column.key) state.falling = !state.falling;
  else { state.sort = column.key; state.falling = Boolean(column.number && !column.rising) || column.key.startsWith("diff"); }
  state.limit = PAGE;
  draw();
  remember();
  document.querySelectorAll("#board thead button")[visible().indexOf(column)]?.focus();
}

function toggleRow(id) {
  if (!state.open.delete(id)) state.open.add(id);
  drawBody();
  remember();
  document.querySelector(`[data-row="${CSS.escape(id)}"]`)?.focus();
}

function drawClaims() {
  if (!board.claims.length) return;
  const kinds = { holds: ["✓", "good"], fails: ["✗", "bad"] };
  const items = board.claims.map((claim) => {
    const [sign, kind] = kinds[claim.verdict] || ["?", "unsure"];
    return h("li", {}, h("b", { class: kind }, `${sign} ${claim.verdict}`), h("span", {}, claim.text), h("span", { class: "soft" }, claim.detail));
  });
  const section = document.getElementById("claims");
  section.append(h("h2", {}, "Claims"), h("ul", {}, items));
  section.hidden = false;
}

function drawColumnChoice() {
  const groups = Map.groupBy ? Map.groupBy(COLUMNS.filter((column) => !column.fixed), (column) => column.group || "table") : new Map([["all", COLUMNS]]);
  const box = document.querySelector("#columns > div");
  for (const [group, columns] of groups) {
    box.append(h("fieldset", {}, h("legend", {}, group), columns.map((column) => h("label", { title: column.about },
      h("input", { type: "checkbox", "data-column": column.key, on: { change: chooseColumns } }), ` ${column.label}`))));
  }
  box.append(h("button", { type: "button", on: { click: () => { state.columns = null; showChoice(); draw(); remember(); } } }, "Usual columns"));
}
function chooseColumns() {
  state.columns = new Set([...document.querySelectorAll("[data-column]")].filter((input) => input.checked).map((input) => input.dataset.column));
  draw();
  remember();
}
function showChoice() {
  const keys = new Set(visible().map((column) => column.key));
  for (const input of document.querySelectorAll("[data-column]")) input.checked = keys.has(input.dataset.column);
}

/* The address holds what is shown, so that it can be sent: #sort=-AP50&q=paa&cols=AP,status&row=study/mini/paa */
function remember() {
  const parts = new URLSearchParams();
  if (state.sort !== "rank" || state.falling) parts.set("sort", (state.falling ? "-" : "") + state.sort);
  if (state.filter) parts.set("q", state.filter);
  if (state.columns) parts.set("cols", [...state.columns].join(","));
  for (const id of state.open) parts.append("row", id);
  try { history.replaceState(null, "", `#${parts}`); } catch { /* a sandboxed frame has no address of its own */ }
}
function recall() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const sort = parts.get("sort") || "rank";
  state.falling = sort.startsWith("-");
  state.sort = sort.replace(/^-/, "");
  state.filter = parts.get("q") || "";
  state.columns = parts.has("cols") ? new Set(parts.get("cols").split(",")) : null;
  state.open = new Set(parts.getAll("row"));
  document.getElementById("filter").value = state.filter;
  showChoice();
  draw();
  const first = document.querySelector("tr.detail");
  if (first) first.previousElementSibling.scrollIntoView({ block: "start" });
}
function follow() {
  /* A link inside the page names only a row: open it beside what is shown. */
  const parts = new URLSearchParams(location.hash.slice(1));
  if ([...parts.keys()].every((key) => key === "row") && parts.has("row")) {
    parts.getAll("row").forEach((id) => state.open.add(id));
    state.limit = Infinity;
    drawBody();
    document.querySelector(`[data-row="${CSS.escape(parts.get("row"))}"]`)?.closest("tr").scrollIntoView({ block: "start" });
    remember();
  } else recall();
}

let waiting = 0;
document.getElementById("filter").addEventListener("input", (event) => {
  state.filter = event.target.value;
  state.limit = PAGE;
  drawBody();
  clearTimeout(waiting);
  waiting = setTimeout(() => { remember(); drawFigures(filtered()); }, 250);
});
document.getElementById("more").addEventListener("click", () => { state.limit = Infinity; drawBody(); });
addEventListener("hashchange", follow);
addEventListener("beforeprint", () => { state.limit = Infinity; drawBody(); });
addEventListener("afterprint", () => { state.limit = PAGE; drawBody(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") document.getElementById("columns").open = false; });

document.getElementById("notes").append(...board.notes.map((note) => h("li", {}, note)));
drawClaims();
drawColumnChoice();
recall();
requestAnimationFrame(() => setTimeout(() => drawFigures(filtered())));
