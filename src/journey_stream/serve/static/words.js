// Numbers and instants as people read them.

const COUNT = new Intl.NumberFormat("en");
const SHORT = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const LONG = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

export const count = (value) => (value === null || value === undefined ? "–" : COUNT.format(value));
export const credit = (value) => COUNT.format(Math.round(value * 10) / 10);
export const share = (value) => (value === null || value === undefined ? "–" : `${Math.round(value * 100)} %`);
export const day = (instant) => (instant ? SHORT.format(new Date(instant)) : "–");
export const moment = (instant) => (instant ? LONG.format(new Date(instant)) : "–");

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const [name, size] = units.find(([, size]) => seconds >= size) ?? ["second", 1];
  const amount = Math.round((seconds / size) * 10) / 10;
  const shown = amount >= 10 ? Math.round(amount) : amount;
  return `${shown} ${name}${shown === 1 ? "" : "s"}`;
}

export const stage = (id) => (id === null ? "new customer" : id);
export const touch = (one) => (one.channel === null ? "no touchpoint" : `${one.channel} · ${one.type}`);
