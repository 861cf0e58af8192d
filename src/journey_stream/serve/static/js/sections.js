// Marks in the navigation which part of the map is looked at.

import { byId } from "./dom.js";

const nav = byId("sections");
const links = new Map([...nav.querySelectorAll('a[href^="#"]')].map((link) => [link.hash.slice(1), link]));
const seen = new Set();

export function mark(current) {
  for (const [id, link] of links) {
    if (id === current) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

/** `leave` is called with the hash of a part that somebody goes to. */
export function start(leave) {
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) seen[isIntersecting ? "add" : "delete"](target.id);
    const first = [...links.keys()].find((id) => seen.has(id));
    if (first) mark(first);
  }, { rootMargin: "-20% 0px -75% 0px" });
  for (const id of links.keys()) observer.observe(byId(id));
  nav.addEventListener("click", ({ target }) => links.has(target.hash?.slice(1)) && leave(target.hash));
}
