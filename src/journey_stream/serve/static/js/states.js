// What stands where a figure would: that it is being read, that there is nothing, or why it cannot be shown.

import { h, s, show } from "./dom.js";

export function loading(root, tall = false) {
  root.setAttribute("aria-busy", "true");
  if (root.childElementCount) return; // what is there stays until the new is
  root.append(tall ? h(root.matches("ol") ? "li" : "div", { class: "bone tall" }) : h("div", { class: "bones" }, [1, 2, 3].map(() => h("div", { class: "bone" }))));
}

/** What is there is not being read any more. */
export function ready(root) {
  root.removeAttribute("aria-busy");
}

/** Says why, in place of what is there unless that is kept. */
export function failed(root, error, again, kept = false) {
  if (error.name === "AbortError") return;
  if (kept) return ready(root);
  show(root, h("div", { class: "note failed", role: "alert" },
    h("strong", {}, error.status === 404 ? "Nobody by this name" : "This could not be read"),
    error.message,
    error.passes && " The page asks again by itself.",
    again && h("div", {}, h("button", { type: "button", "data-key": "again", onclick: again }, "Try again"))));
}

export function nothing(root, sentence) {
  show(root, h("p", { class: "note" }, sentence));
}

/** In place of the whole map: a rail that waits for its first station. */
export function blank(root, title, sentences, action = null) {
  root.hidden = false;
  show(root, h("div", { class: "blank" },
    s("svg", { viewBox: "0 0 224 80", "aria-hidden": "true" },
      s("path", { d: "M12 58 H64 C96 58 96 22 128 22 H212", fill: "none", stroke: "currentColor", "stroke-width": 3, "stroke-dasharray": "2 9", "stroke-linecap": "round" }),
      [[20, 58], [96, 40], [204, 22]].map(([cx, cy]) => s("circle", { cx, cy, r: 8, fill: "none", stroke: "currentColor", "stroke-width": 3 }))),
    h("h2", {}, title),
    sentences.map((sentence) => h("p", {}, sentence)),
    action));
}
