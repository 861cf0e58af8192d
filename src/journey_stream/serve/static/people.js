// Customers in a list, and one of them with the reasons of everything.

import { card, h, table } from "./dom.js";
import { count, day, duration, moment, share, stage } from "./words.js";

export const link = (id) => `#/customers/${encodeURIComponent(id)}`;
const chip = (band) => h("span", { class: `chip ${band ?? ""}` }, band ? `${band} risk` : "no score");

export function customers(answer, search, onSearch) {
  return card("Customers", "find one and ask why",
    h("form", { class: "filters", role: "search", onsubmit: (event) => { event.preventDefault(); onSearch(new FormData(event.target).get("q")); } },
      h("label", {}, "Profile id or identifier", h("input", { name: "q", type: "search", value: search, autocomplete: "off" })), h("button", {}, "Search")),
    answer.customers.length
      ? table("The latest first", ["customer", "stage", "since", "churn risk", "segment", "last touchpoint"],
          answer.customers.map((one) => [h("a", { href: link(one.profile_id) }, one.profile_id), one.stage ?? "–", day(one.entered_at),
            h("span", {}, chip(one.band), one.probability === null ? "" : ` ${share(one.probability)}`), one.segment ?? "–", day(one.last_touchpoint_at)]))
      : h("p", { class: "quiet" }, "No customer fits."));
}

export function person(one) {
  const view = one.view;
  return [
    h("p", {}, h("a", { href: "#/" }, "← Back to the map")),
    h("section", { class: "card", "aria-label": "Customer" },
      h("header", {}, h("h2", {}, one.profile_id), view ? chip(view.band) : null),
      one.merged_into ? h("p", {}, "Became known as ", h("a", { href: link(one.merged_into) }, one.merged_into), ".") : null,
      view ? h("dl", { class: "totals" }, [["Stage", view.stage ?? "none yet"], ["Since", day(view.entered_at)], ["Segment", view.segment ?? "–"],
        ["Risk of staying away", view.probability === null ? "–" : share(view.probability)],
        ["Recency · frequency · money", [view.rfm_recency, view.rfm_frequency, view.rfm_monetary].map((score) => score ?? "–").join(" · ")]]
        .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))) : h("p", { class: "quiet" }, "Nothing of its own is left."),
      view?.identifiers.length ? h("p", {}, "Also: ", view.identifiers.map((id) => [h("a", { class: "chip", href: link(id) }, id), " "])) : null),
    h("div", { class: "pair" },
      card("Why this stage", "newest first; struck out is what was corrected", history(one.changes)),
      card("Churn risk", "each change with what weighs most", risks(one.risks))),
    h("div", { class: "pair" },
      card("Touchpoints", `${count(one.touchpoints.length)} that count`, touchpoints(one.touchpoints)),
      card("Identifiers", "what was linked to what, and why", identities(one.identities))),
  ];
}

function history(changes) {
  if (!changes.length) return h("p", { class: "quiet" }, "No stage yet.");
  return h("ol", { class: "timeline" }, changes.filter((one) => one.kind === "entered").map((one) => h("li", { class: one.standing ? null : "gone" },
    h("time", { datetime: one.entered_at }, moment(one.entered_at)),
    h("strong", {}, `${stage(one.from_stage)} → ${one.to_stage}`), one.standing ? "" : " (corrected)",
    h("p", { class: "why" }, one.text),
    h("p", { class: "why" }, one.silent_since ? `silent since ${moment(one.silent_since)}, for ${duration(one.window_seconds)}` :
      `because of ${one.evidence.slice(0, 5).join(", ")}${one.evidence.length > 5 ? ` and ${one.evidence.length - 5} more` : ""}`))));
}

function risks(changes) {
  const shown = changes.filter((one) => one.kind === "entered").slice(0, 20);
  if (!shown.length) return h("p", { class: "quiet" }, "No score yet: that takes a first purchase.");
  return h("ol", { class: "timeline" }, shown.map((one) => h("li", { class: one.standing ? null : "gone" },
    h("time", { datetime: one.entered_at }, moment(one.entered_at)),
    h("strong", {}, `${one.previous_band ?? "no score"} → ${one.band}`), ` ${share(one.probability)}`,
    h("p", { class: "why" }, one.text),
    h("ul", { class: "contributions" }, one.contributions.slice(0, 4).map((part) => h("li", {},
      h("b", { class: part.log_odds > 0 ? "up" : "down" }, `${part.log_odds > 0 ? "+" : "−"}${Math.abs(part.log_odds).toFixed(2)}`), h("span", {}, part.text)))))));
}

function touchpoints(list) {
  if (!list.length) return h("p", { class: "quiet" }, "None.");
  const shown = table("The latest first", ["when", "what", "campaign", "value"], list.slice(0, 200).map((one) => [moment(one.occurred_at),
    `${one.channel} · ${one.type}`, one.campaign ?? "–", one.value === null ? "–" : `${count(one.value)} ${one.currency ?? ""}`]));
  shown.classList.add("tall");
  return shown;
}

function identities(list) {
  if (!list.length) return h("p", { class: "quiet" }, "Nothing was linked.");
  return h("ol", { class: "timeline" }, list.map((one) => h("li", {}, h("time", { datetime: one.at }, moment(one.at)),
    h("strong", {}, one.kind), h("p", { class: "why" }, one.text))));
}
