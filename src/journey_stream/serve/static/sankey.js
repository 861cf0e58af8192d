// Flows between stages: every stage stands twice, left where customers come from, right where they go to. So a way back
// is as readable as one forward, and nothing crosses that need not.

import { card, svg, table } from "./dom.js";
import { count, duration, stage } from "./words.js";

const WIDTH = 900, NODE = 12, GAP = 16, LABEL = 170, HEIGHT = 330;

export function flows(map) {
  const shown = map.flows.filter((flow) => flow.count > 0);
  if (!shown.length) return card("Flows between stages", null, "Nobody has moved in this range.");
  return card("Flows between stages", "from the left to the right; orange goes back, green is new",
    picture(map, shown), details(shown));
}

function details(shown) {
  const list = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "The same as a table";
  list.append(summary, table("Flows between stages", ["from", "to", "customers", "median time before"],
    shown.map((flow) => [stage(flow.from), flow.to, count(flow.count), duration(flow.median_seconds)])));
  return list;
}

function picture(map, shown) {
  const order = [null, ...map.stages.map((one) => one.id)];
  const place = (id) => order.indexOf(id);
  const left = column(order, shown, "from"), right = column(order, shown, "to");
  const most = Math.max(left.total, right.total);
  const gaps = GAP * (Math.max(left.nodes.length, right.nodes.length) - 1);
  const scale = (HEIGHT - gaps - 10) / most;
  for (const side of [left, right]) {
    let top = 5;
    for (const node of side.nodes) {
      Object.assign(node, { top, next: top, height: Math.max(1, node.total * scale) });
      top += node.height + GAP;
    }
    side.bottom = top - GAP;
  }
  const x0 = LABEL + NODE, x1 = WIDTH - LABEL - NODE, bend = (x1 - x0) / 2;
  const ribbons = [...shown]
    .sort((a, b) => place(a.from) - place(b.from) || place(a.to) - place(b.to))
    .map((flow) => {
      const from = left.by.get(flow.from), height = flow.count * scale;
      const start = from.next + height / 2;
      from.next += height;
      return { flow, height, start };
    });
  for (const ribbon of [...ribbons].sort((a, b) => place(a.flow.to) - place(b.flow.to) || place(a.flow.from) - place(b.flow.from))) {
    const to = right.by.get(ribbon.flow.to);
    ribbon.end = to.next + ribbon.height / 2;
    to.next += ribbon.height;
  }
  const bottom = Math.max(left.bottom, right.bottom) + 8;
  const box = document.createElement("div");
  box.className = "scroll";
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "Picture of the flows; the table below says the same");
  box.append(svg("svg", { class: "sankey", viewBox: `0 0 ${WIDTH} ${bottom}`, role: "img", "aria-label": "Flows between stages" },
    ribbons.map(({ flow, height, start, end }) => svg("path", {
      class: flow.from === null ? "new" : place(flow.to) < place(flow.from) ? "back" : null,
      d: `M${x0} ${start} C${x0 + bend} ${start} ${x1 - bend} ${end} ${x1} ${end}`, "stroke-width": Math.max(1, height),
    }, svg("title", {}, `${stage(flow.from)} → ${flow.to}: ${count(flow.count)}, after ${duration(flow.median_seconds)}`))),
    left.nodes.map((node) => label(node, LABEL, LABEL - 8, "end")),
    right.nodes.map((node) => label(node, x1, x1 + NODE + 8, "start"))));
  return box;
}

function column(order, shown, end) {
  const nodes = order
    .map((id) => ({ id, total: shown.filter((flow) => flow[end] === id).reduce((sum, flow) => sum + flow.count, 0) }))
    .filter((node) => node.total > 0);
  return { nodes, total: nodes.reduce((sum, node) => sum + node.total, 0), by: new Map(nodes.map((node) => [node.id, node])) };
}

function label(node, x, textAt, anchor) {
  const middle = node.top + node.height / 2;
  return [
    svg("rect", { x, y: node.top, width: NODE, height: node.height, rx: 2 }),
    svg("text", { x: textAt, y: middle + 4, "text-anchor": anchor }, `${stage(node.id)} `,
      svg("tspan", { class: "count" }, count(node.total))),
  ];
}
