// One customer's way through the stages over time, with touchpoints as ticks below.

import { date, moment, plural, words } from "./format.js";
import { s } from "./dom.js";

const ROW = 30, TOP = 14, RIGHT = 16, TICKS = 26, AXIS = 22;

export function pathPicture(person, model) {
  const changes = person.changes.filter((change) => change.standing).sort((one, other) => at(one.entered_at) - at(other.entered_at) || one.revision - other.revision);
  const stages = (model?.stages ?? []).map((stage) => stage.id);
  for (const change of changes) if (!stages.includes(change.to_stage)) stages.push(change.to_stage);
  const narrow = innerWidth < 640;
  const width = narrow ? 340 : 1100, left = narrow ? 92 : 110;
  const times = [...changes.map((one) => at(one.entered_at)), ...person.touchpoints.map((one) => at(one.occurred_at)), ...(person.view ? [at(person.view.updated_at)] : [])];
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const x = (time) => left + ((time - first) / Math.max(1, last - first)) * (width - left - RIGHT);
  const y = (stage) => TOP + (stages.length - 1 - stages.indexOf(stage)) * ROW;
  const bottom = TOP + (stages.length - 1) * ROW;
  const height = bottom + TICKS + AXIS + 8;
  return s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": said(changes) },
    stages.map((stage) => [
      s("line", { class: "path-grid", x1: left, x2: width - RIGHT, y1: y(stage), y2: y(stage) }),
      s("text", { class: "path-word path-stage", x: 0, y: y(stage) + 4 }, words(stage)),
    ]),
    person.touchpoints.map((one) => s("line", { class: "path-tick", x1: x(at(one.occurred_at)), x2: x(at(one.occurred_at)), y1: bottom + 16, y2: bottom + TICKS })),
    s("text", { class: "path-word", x: 0, y: bottom + TICKS }, "touchpoints"),
    s("path", { class: "path-line", d: line(changes, x, y, last) }),
    changes.map((change) => s("circle", { class: `path-dot ${change.silent_since ? "fell" : ""}`, cx: x(at(change.entered_at)), cy: y(change.to_stage), r: 4.5 },
      s("title", {}, `${words(change.to_stage)}, ${moment(change.entered_at)}: ${change.text}`))),
    s("text", { class: "path-word", x: left, y: height - 4 }, date(new Date(first))),
    s("text", { class: "path-word", x: width - RIGHT, y: height - 4, "text-anchor": "end" }, date(new Date(last))));
}

const at = (instant) => new Date(instant).getTime();

function line(changes, x, y, last) {
  const [first, ...rest] = changes;
  const steps = rest.map((change) => `H ${x(at(change.entered_at)).toFixed(1)} V ${y(change.to_stage)}`);
  return `M ${x(at(first.entered_at)).toFixed(1)} ${y(first.to_stage)} ${steps.join(" ")} H ${x(last).toFixed(1)}`;
}

const said = (changes) => `${plural(changes.length, "change")} of stage: ${changes.map((one) => `${words(one.to_stage)} on ${date(one.entered_at)}`).join(", ")}. All are in the list below.`;
