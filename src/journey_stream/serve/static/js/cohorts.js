// Who comes back: a table that is a picture.

import { byId, h, show } from "./dom.js";
import { nothing } from "./states.js";
import { count, monthName, share } from "./format.js";

const LEVELS = [0, 0.1, 0.25, 0.4, 0.6, 0.8];
const root = byId("cohort-panel");

const level = (part) => (part === 0 ? 0 : LEVELS.filter((edge) => part > edge).length);

export function showCohorts({ cohorts }) {
  if (!cohorts.length) return nothing(root, "No journey has begun yet.");
  const months = Math.max(...cohorts.map((cohort) => cohort.retained.length));
  const offsets = Array.from({ length: months }, (_, index) => index);
  show(root,
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Customers by the month in which they began, and who came back" },
      h("table", { class: "heat" },
        h("caption", { class: "unseen" }, "Share of each month's new customers with a touchpoint in that month and in the months after"),
        h("thead", {}, h("tr", {},
          h("th", { scope: "col" }, "Began in"),
          h("th", { scope: "col", class: "size" }, "Customers"),
          offsets.map((k) => h("th", { scope: "col" }, k === 0 ? "at once" : `+${k}`)))),
        h("tbody", {}, cohorts.map((cohort) => row(cohort, offsets))))),
    h("p", { class: "heat-scale", "aria-hidden": "true" },
      h("span", {}, "nobody"), [0, 1, 2, 3, 4, 5, 6].map((one) => h("i", { class: `heat-${one}` })), h("span", {}, "everybody")));
}

function row(cohort, offsets) {
  return h("tr", {},
    h("th", { scope: "row" }, monthName(cohort.month)),
    h("td", { class: "size" }, count(cohort.size)),
    offsets.map((k) => {
      const kept = cohort.retained[k];
      if (kept === undefined) return h("td", {});
      const part = cohort.size ? kept / cohort.size : 0;
      return h("td", {}, h("span", { class: `cell heat-${level(part)}`, title: `${count(kept)} of ${count(cohort.size)}` }, share(part)));
    }));
}
