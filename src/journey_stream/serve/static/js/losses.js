// Where customers stall, and where they fall back in silence; the most first.

import { bar, byId, h, show } from "./dom.js";
import { nothing } from "./states.js";
import { count, duration, plural, share, words } from "./format.js";

export function showLosses(map) {
  const stalls = map.stalls.filter((stall) => stall.count);
  const unsure = map.stalls.filter((stall) => stall.count === null).map((stall) => words(stall.stage));
  ranked(byId("stalls"), stalls, "Nobody stalls: everybody moves on as fast as usual.", (stall) => ({
    what: words(stall.stage),
    of: "customer",
    more: `${share(stall.share)} of those who are in it, there for more than ${duration(stall.threshold_seconds)}`,
  }), unsure.length ? `Too few have left ${unsure.join(", ")} to say what long is.` : null);
  ranked(byId("drop-offs"), map.drop_offs, "Nobody has fallen back because of silence.", (drop) => ({
    what: `${words(drop.from)} → ${words(drop.to)}`,
    of: "change",
    more: `${share(drop.share)} of all who left ${words(drop.from)}`,
  }));
}

function ranked(root, entries, none, describe, note = null) {
  if (!entries.length) return nothing(root, note ?? none);
  const most = entries[0].count;
  show(root,
    h("ol", { class: "ranked loss" }, entries.map((entry) => {
      const { what, of, more } = describe(entry);
      return h("li", {},
        h("span", { class: "what capital" }, what),
        h("span", { class: "how-many", "aria-label": plural(entry.count, of) }, count(entry.count)),
        bar(entry.count / most),
        h("span", { class: "more" }, more));
    })),
    note && h("p", { class: "hint" }, note));
}
