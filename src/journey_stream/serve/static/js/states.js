// What stands where a figure would: that it is being read, that there is nothing, or why it cannot be shown.

import { h, s, show } from "./dom.js";

export function loading(root, tall = false) {
  root.setAttribute("aria-busy", "true");
  if (root.childElementCount) return; // what is there stays until the new is
  root.append(tall ? h("div", { class: "bone tall" }) : h("div", { class: "bones" }, [1, 2, 3].map(() => h("div", { class: "bone" }))));
}

/** Says why; but what is there stays when the service is just away, for the page says that at its head. */
export function failed(root, error, again) {
  if (error.name === "AbortError") return;
  if (error.status === 0 && root.childElementCount && !root.querySelector(":scope > .bone, :scope > .bones, :scope > .failed")) {
    root.removeAttribute("aria-busy");
    return;
  }
  show(root, h("div", { class: "note failed", role: "alert" },
    h("strong", {}, error.status === 404 ? "Nobody by this name" : "This could not be read"),
    error.message,
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
