// Where flows between stages in an order run. The axis is the journey: what goes forward runs on its one side, what goes
// back on the other, so that the direction of a flow is a matter of place and back-flows cross nothing.
//
// `along` counts down the axis, `across` away from it: positive on the forward side. The picture turns these into x and y.

const WIDTH_MIN = 1.5;
const LANE_GAP = 7;
const NODE_HALF = 3;
const BEND = 14;
const SHRINK = 0.94;
const THICKNESS_LEAST = 8;

/**
 * Lays out `flows` ({from, to, count} with positions on the axis) between `size` nodes.
 *
 * `length` and `depth` is the room; `gap` lies between the sides, for names; `thickness` is how thick the thickest node
 * may be on one side, less if the lanes would not fit into `depth`.
 */
export function layOut({ size, flows, length, depth, gap, margin, thickness }) {
  const forward = flows.filter((flow) => flow.to > flow.from).map((flow) => ({ ...flow, a: flow.from, b: flow.to }));
  const back = flows.filter((flow) => flow.to < flow.from).map((flow) => ({ ...flow, a: flow.to, b: flow.from }));
  const step = size > 1 ? (length - 2 * margin) / (size - 1) : 0;
  const places = Array.from({ length: size }, (_, index) => margin + index * step);
  const most = Math.max(1, ...[forward, back].flatMap((side) => places.map((_, node) => Math.max(...sums(side, node)))));
  for (let thick = thickness; ; thick *= SHRINK) {
    const above = layOutSide(forward, places, thick / most, gap / 2);
    const below = layOutSide(back, places, thick / most, gap / 2);
    if (above.extent + below.extent <= depth || thick < THICKNESS_LEAST) return { places, above, below };
  }
}

const sums = (flows, node) => [total(flows.filter((flow) => flow.a === node)), total(flows.filter((flow) => flow.b === node))];
const total = (flows) => flows.reduce((sum, flow) => sum + flow.count, 0);

function layOutSide(flows, places, scale, start) {
  const ribbons = flows.map((flow) => ({ ...flow, width: Math.max(WIDTH_MIN, flow.count * scale), span: flow.b - flow.a }));
  ribbons.sort((one, other) => one.span - other.span || one.a - other.a);
  const nodes = places.map((along, node) => {
    const right = stack(ribbons.filter((ribbon) => ribbon.a === node), "atA", start);
    const left = stack(ribbons.filter((ribbon) => ribbon.b === node), "atB", start);
    return { along, start, end: Math.max(right, left) };
  });
  const ceilings = nodes.map((node) => node.end);
  for (const ribbon of ribbons) {
    if (ribbon.span < 2) continue;
    const passed = ceilings.slice(ribbon.a + 1, ribbon.b);
    ribbon.lane = Math.max(...passed) + LANE_GAP + ribbon.width / 2;
    ceilings.fill(ribbon.lane + ribbon.width / 2, ribbon.a + 1, ribbon.b);
  }
  for (const ribbon of ribbons) ribbon.points = course(ribbon, places);
  return { ribbons, nodes, extent: Math.max(start, ...ceilings) };
}

/** Ports lie side by side, those of short flows next to the axis; returns where the last one ends. */
function stack(ribbons, port, start) {
  let at = start;
  for (const ribbon of ribbons) {
    ribbon[port] = at + ribbon.width / 2;
    at += ribbon.width;
  }
  return at;
}

/** Points of a path: the first, then for each part either one (a line) or three (a curve). */
function course(ribbon, places) {
  const from = [places[ribbon.a] + NODE_HALF, ribbon.atA];
  const to = [places[ribbon.b] - NODE_HALF, ribbon.atB];
  if (ribbon.lane === undefined) return [[from], bend(from, to)];
  const up = [places[ribbon.a + 1] - BEND, ribbon.lane];
  const down = [places[ribbon.b - 1] + BEND, ribbon.lane];
  return [[from], bend(from, up), [down], bend(down, to)];
}

function bend([along, across], to) {
  const middle = (along + to[0]) / 2;
  return [[middle, across], [middle, to[1]], to];
}
