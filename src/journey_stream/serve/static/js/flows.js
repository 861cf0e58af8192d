// The picture of flows between stages, and its table.

import { byId, h, s, show, showTable, table } from "./dom.js";
import { capital, count, duration, plural, words } from "./format.js";
import { layOut } from "./flow_layout.js";

const UPRIGHT_BELOW_PX = 640;
const NEW = "new customers";
const root = byId("flow-picture");
const reading = byId("flow-reading");
const withNew = byId("flows-new");
let shown = null;
let drawnFor = 0;

export function start() {
  withNew.addEventListener("change", () => shown && draw());
  new ResizeObserver(() => shown && Math.abs(root.clientWidth - drawnFor) > 1 && draw()).observe(root);
}

export function showFlows(map) {
  shown = map;
  draw();
  showTable(byId("flows-table"), table("Flows between stages", [
    { title: "From", head: true, of: (flow) => nameOf(flow.from) },
    { title: "To", of: (flow) => words(flow.to) },
    { title: "Changes", number: true, of: (flow) => count(flow.count) },
    { title: "Median time before", number: true, of: (flow) => duration(flow.median_seconds) },
  ], map.flows));
}

const nameOf = (stage) => (stage === null ? NEW : words(stage));

function draw() {
  drawnFor = root.clientWidth;
  const stations = [...(withNew.checked ? [null] : []), ...shown.stages.map((stage) => stage.id)];
  const position = new Map(stations.map((stage, index) => [stage, index]));
  const flows = shown.flows
    .filter((flow) => position.has(flow.from) && position.has(flow.to))
    .map((flow) => ({ from: position.get(flow.from), to: position.get(flow.to), count: flow.count, flow }));
  if (!flows.length) {
    show(root, h("p", { class: "note" }, "No changes of stage in this time."));
    read(null);
    return;
  }
  const upright = drawnFor < UPRIGHT_BELOW_PX;
  const room = upright
    ? { length: 84 * stations.length, depth: drawnFor - 4, gap: 104, margin: 26, thickness: 130 }
    : { length: drawnFor, depth: 460, gap: 52, margin: 62, thickness: 190 };
  const laid = layOut({ size: stations.length, flows, ...room });
  show(root, picture(laid, stations, upright, room));
  read(null);
}

function picture(laid, stations, upright, room) {
  const depth = laid.above.extent + laid.below.extent;
  const slack = upright ? Math.max(0, (room.depth - depth) / 2) : 0;
  // The forward side is above, or to the right.
  const place = upright
    ? (along, across) => [slack + laid.below.extent + across, along]
    : (along, across) => [along, laid.above.extent - across];
  const [width, height] = upright ? [drawnFor, room.length] : [room.length, depth];
  const busiest = [...laid.above.ribbons, ...laid.below.ribbons].sort((one, other) => other.count - one.count);
  return s("svg", { viewBox: `0 0 ${width.toFixed(0)} ${height.toFixed(0)}`, role: "img", "aria-label": said(busiest) },
    busiest.map((ribbon) => flowPath(ribbon, laid.above.ribbons.includes(ribbon) ? 1 : -1, place)),
    [[laid.above, 1], [laid.below, -1]].flatMap(([side, sign]) => side.nodes.map((node) => nodeBar(node, sign, place, upright))),
    stations.map((stage, index) => label(stage, laid.places[index], place)));
}

function flowPath(ribbon, sign, place) {
  const parts = ribbon.points.map((points) => points.map(([along, across]) => place(along, sign * across).map((one) => one.toFixed(1)).join(" ")));
  const path = parts.map((points, index) => `${index === 0 ? "M" : points.length === 3 ? "C" : "L"} ${points.join(", ")}`).join(" ");
  const kind = ribbon.flow.from === null ? "newcomers" : sign > 0 ? "forward" : "back";
  const element = s("path", { class: `flow ${kind}`, d: path, "stroke-width": ribbon.width.toFixed(1) }, s("title", {}, sentence(ribbon.flow)));
  const choose = () => read(ribbon.flow, element);
  element.addEventListener("pointerenter", choose);
  element.addEventListener("click", choose);
  element.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && read(null));
  return element;
}

function nodeBar(node, sign, place, upright) {
  const thick = node.end - node.start;
  if (thick <= 0) return null;
  const [one, other] = [node.start, node.end].map((across) => place(node.along, sign * across));
  const [x, y] = [Math.min(one[0], other[0]), Math.min(one[1], other[1])];
  return upright
    ? s("rect", { class: "flow-node", x, y: y - 3, width: thick, height: 6, rx: 1 })
    : s("rect", { class: "flow-node", x: x - 3, y, width: 6, height: thick, rx: 1 });
}

function label(stage, along, place) {
  const [x, y] = place(along, 0);
  const now = shown.stages.find((one) => one.id === stage)?.customers_now;
  return s("g", { "text-anchor": "middle" },
    s("text", { class: "flow-name", x, y: y - 1 }, capital(stage === null ? "New" : words(stage))),
    s("text", { class: "flow-side", x, y: y + 15 }, now === undefined ? "customers" : `${count(now)} now`));
}

function sentence(flow) {
  const stay = flow.median_seconds === null ? "" : `, after a median of ${duration(flow.median_seconds)}`;
  return `${capital(nameOf(flow.from))} → ${words(flow.to)}: ${plural(flow.count, "change")}${stay}`;
}

const said = (ribbons) => `Flows between stages, the largest first. ${ribbons.slice(0, 5).map((one) => sentence(one.flow)).join(". ")}. All are in the table below.`;

function read(flow, element = null) {
  root.classList.toggle("picked", element !== null);
  for (const one of root.querySelectorAll(".chosen")) one.classList.remove("chosen");
  element?.classList.add("chosen");
  const told = flow ?? shown.flows.find((one) => one.from !== null);
  if (!told) return show(reading);
  const [path, rest] = sentence(told).split(": ");
  show(reading, document.createTextNode(flow ? "" : "Busiest: "), h("b", {}, path), document.createTextNode(`: ${rest}.`));
}
