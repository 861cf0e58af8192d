// Numbers, instants and lengths of time for people. Instants are shown in UTC, as everywhere in the system.

const whole = new Intl.NumberFormat("en");
const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
const month = new Intl.DateTimeFormat("en-GB", { month: "short", year: "numeric", timeZone: "UTC" });

const MINUTE = 60, HOUR = 3600, DAY = 86400;

export const count = (number) => whole.format(number);
export const decimal = (number) => tenth.format(number);
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

export function share(part) {
  if (part === null || part === undefined || Number.isNaN(part)) return "–";
  const percent = part * 100;
  if (percent > 0 && percent < 1) return "< 1 %";
  if (percent > 99 && percent < 100) return "> 99 %";
  return `${Math.round(percent)} %`;
}

/** Seconds as people say them: two units at most. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < MINUTE) return `${Math.round(seconds)} s`;
  if (seconds < HOUR) return `${Math.round(seconds / MINUTE)} min`;
  if (seconds < DAY) {
    const minutes = Math.round(seconds / MINUTE);
    return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
  }
  const days = seconds / DAY;
  const shown = days < 10 ? Number(days.toFixed(1)) : Math.round(days);
  return `${shown} ${shown === 1 ? "day" : "days"}`;
}

export const date = (instant) => (instant ? day.format(new Date(instant)) : "–");
export const time = (instant) => (instant ? clock.format(new Date(instant)) : "–");
export const moment = (instant) => (instant ? `${date(instant)}, ${time(instant)}` : "–");
export const monthName = (text) => month.format(new Date(`${text}-01T00:00:00Z`));

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** `page_view` as “page view”. */
export const words = (name) => String(name).replaceAll("_", " ").replaceAll("-", " ");

/** What happened where; `unnamed` where no touchpoint is named. */
export const touch = (channel, type, unnamed = "no touchpoint") => (channel === null ? unnamed : `${words(channel)}: ${words(type)}`);
