// Where customers stall and drop off, who comes back, and what deserves the credit.

import { card, h, table } from "./dom.js";
import { count, credit, duration, share, stage } from "./words.js";

export function stalls(map) {
  const rows = map.stalls.filter((one) => one.count !== null);
  if (!rows.length) return card("Where they stall", null, "Too few have left any stage to say what is long.");
  return card("Where they stall", "in a stage for longer than nine of ten of those who left it",
    table("Stalls, the most customers first", ["stage", "customers", "of those there", "longer than"],
      rows.map((one) => [one.stage, count(one.count), share(one.share), duration(one.threshold_seconds)])));
}

export function dropOffs(map) {
  if (!map.drop_offs.length) return card("Where they drop off", null, "Nobody fell back in silence in this range.");
  return card("Where they drop off", "fell back because nothing happened any more",
    table("Drop-offs, the most first", ["from", "to", "customers", "of all who left"],
      map.drop_offs.map((one) => [one.from, one.to, count(one.count), share(one.share)])));
}

export function cohorts(answer) {
  if (!answer.cohorts.length) return card("Who comes back", null, "No journey has begun yet.");
  const longest = Math.max(...answer.cohorts.map((one) => one.retained.length));
  const heads = ["began in", "customers", ...Array.from({ length: longest }, (_, at) => (at === 0 ? "same month" : `+${at}`))];
  const rows = answer.cohorts.map((one) => h("tr", {},
    h("th", { scope: "row" }, one.month), h("td", {}, count(one.size)),
    one.retained.map((kept) => h("td", { class: "cell", vars: { "--share": kept / Math.max(1, one.size) }, title: `${count(kept)} customers` },
      share(kept / Math.max(1, one.size)))),
    Array.from({ length: longest - one.retained.length }, () => h("td", {}))));
  return card("Who comes back", "share of those who began in a month with a touchpoint in the months after",
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Cohorts" },
      h("table", { class: "heat" }, h("caption", {}, "Retention by month of the first stage"),
        h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows))));
}

export const MODELS = [["first", "First touch"], ["last", "Last touch"], ["linear", "Linear"], ["position", "Position based"],
  ["time_decay", "Time decay"], ["markov", "Markov removal"], ["shapley", "Shapley"]];

export function attribution(answer, model, by, onChange) {
  const choose = (name, title, options, chosen) => h("label", {}, title, h("select", { name, onchange: (event) => onChange(name, event.target.value) },
    options.map(([value, text]) => h("option", { value, selected: value === chosen }, text))));
  const credits = answer.models[model] ?? [];
  const rows = answer.keys.map((key, at) => [key ?? "none", credits[at]]).sort((a, b) => b[1] - a[1]).slice(0, 12);
  const most = Math.max(1e-9, ...rows.map((row) => row[1]));
  return card(`What leads to ${answer.goal}`, `${count(answer.conversions)} entries, looking back ${answer.look_back_days} days`,
    h("div", { class: "filters" }, choose("credit", "Credit", MODELS, model),
      choose("by", "By", [["type", "touchpoint"], ["channel", "channel"], ["campaign", "campaign"]], by)),
    rows.length
      ? h("table", {}, h("caption", {}, "Credit in entries"),
          h("thead", {}, h("tr", {}, ["what", "credit", ""].map((head) => h("th", { scope: "col" }, head || h("span", { class: "quiet" }, "share"))))),
          h("tbody", {}, rows.map(([key, value]) => h("tr", {}, h("th", { scope: "row" }, key), h("td", {}, credit(value)),
            h("td", { class: "text" }, h("span", { class: "bar", vars: { width: `${(100 * value) / most}%` } }))))))
      : h("p", { class: "quiet" }, "No entry to this stage in the range."));
}

export { stage };
