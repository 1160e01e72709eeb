"use strict";
/* Elements and numbers. Text only ever enters through textContent. */

const board = JSON.parse(document.getElementById("data").textContent);
const MISSING = "–";
const SVG = "http://www.w3.org/2000/svg";

function element(space, name, attributes, children) {
  const made = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else if (key === "style") for (const [property, set] of Object.entries(value)) made.style.setProperty(property, set);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined).map((child) => child instanceof Node ? child : String(child)));
  return made;
}
const h = (name, attributes, ...children) => element(null, name, attributes, children);
const s = (name, attributes, ...children) => element(SVG, name, attributes, children);

function fixed(number, digits) {
  return number.toFixed(digits).replace("-", "−");
}
function shown(column, number) {
  return number === null || number === undefined ? MISSING : fixed(number * column.scale, column.digits);
}
function signed(column, number) {
  return number === null || number === undefined ? MISSING : (number >= 0 ? "+" : "") + shown(column, number);
}

/* An estimate is a number, or [number, reach down, reach up], or null. */
const valueOf = (estimate) => Array.isArray(estimate) ? estimate[0] : estimate ?? null;
const lowOf = (estimate) => Array.isArray(estimate) ? estimate[0] - estimate[1] : null;
const highOf = (estimate) => Array.isArray(estimate) ? estimate[0] + estimate[2] : null;

const columnNamed = (name) => board.columns.find((column) => column.name === name);
const columnIndex = Object.fromEntries(board.columns.map((column, index) => [column.name, index]));
const measured = (row, name) => name in columnIndex ? row.v[columnIndex[name]] : null;
const mainColumn = columnNamed(board.metric) || { name: board.metric, label: board.metric, scale: 1, digits: 3, better: 1 };
board.rows.forEach((row, index) => { row.index = index; });
