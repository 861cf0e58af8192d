// Elements without a framework. Text goes in as text nodes, never as markup: what customers and campaigns are called
// cannot become part of the page.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "size") Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element; `on…` attributes are listeners, `size` holds lengths that follow from data. */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An SVG element. */
export function s(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

export const byId = (id) => document.getElementById(id);

/**
 * Puts new children into `root`. What has the focus or is open there, and has a `data-key`, has it again afterwards.
 */
export function show(root, ...children) {
  const focused = root.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const open = new Set([...root.querySelectorAll("details[open][data-key]")].map((one) => one.dataset.key));
  const scrolled = root.querySelector(".scroll")?.scrollLeft ?? 0;
  root.replaceChildren(...children.flat(Infinity).filter(Boolean));
  root.removeAttribute("aria-busy");
  for (const one of root.querySelectorAll("details[data-key]")) one.open = open.has(one.dataset.key);
  if (scrolled) root.querySelector(".scroll")?.scrollTo({ left: scrolled, behavior: "instant" });
  if (focused !== undefined) root.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

/** A part of a bar, from 0 to 1. */
export function bar(share) {
  const width = `${(Math.max(0, Math.min(1, share || 0)) * 100).toFixed(2)}%`;
  return h("span", { class: "bar", "aria-hidden": "true" }, h("span", { class: "bar-fill", size: { width } }));
}

/** A table; a column is {title, of(row), number?, head?}. */
export function table(caption, columns, rows, attributes = {}) {
  const cell = (column, row) =>
    h(column.head ? "th" : "td", { scope: column.head ? "row" : null, class: classes(column) }, column.of(row) ?? "–");
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", attributes,
      h("caption", { class: "unseen" }, caption),
      h("thead", {}, h("tr", {}, columns.map((one) => h("th", { scope: "col", class: classes(one) }, one.title)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, columns.map((one) => cell(one, row)))))));
}

const classes = (column) => [column.number && "number", column.class].filter(Boolean).join(" ") || null;

/** Renews the table under a picture and leaves its `details` open or closed. */
export function showTable(details, built) {
  details.hidden = false;
  details.replaceChildren(details.querySelector("summary"), built);
}
