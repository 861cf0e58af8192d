// Everything that happened to one customer, the newest first: changes with their reasons, what was corrected, risk,
// identity and touchpoints.

import { h } from "./dom.js";
import { capital, date, duration, moment, plural, share, time, words } from "./format.js";

const KINDS = { stage: "Stage changes", risk: "Churn risk", identity: "Identity", touch: "Touchpoints" };
const FIRST = 60;
const chosen = new Set(Object.keys(KINDS));
let most = FIRST;
let whose = null;

/** `again` draws it anew after another choice. */
export function timeline(person, again) {
  if (whose !== person.profile_id) [whose, most] = [person.profile_id, FIRST];
  const touches = new Map(person.touchpoints.map((one) => [one.event_id, one]));
  const all = [
    ...facts(person.changes, "change_id").map((messages) => ({ kind: "stage", at: messages[0].entered_at, rank: 2, of: () => stageMoment(messages, touches) })),
    ...facts(person.risks, "risk_id").map((messages) => ({ kind: "risk", at: messages[0].entered_at, rank: 1, of: () => riskMoment(messages, touches) })),
    ...person.identities.map((one) => ({ kind: "identity", at: one.at, rank: 3, of: () => identityMoment(one, person, touches) })),
    ...person.touchpoints.map((one) => ({ kind: "touch", at: one.occurred_at, rank: 0, of: () => touchMoment(one, person) })),
  ];
  const wanted = all.filter((one) => chosen.has(one.kind)).sort((one, other) => new Date(other.at) - new Date(one.at) || other.rank - one.rank);
  return [
    h("div", { class: "moment-kinds", role: "group", "aria-label": "What to show" }, Object.entries(KINDS).map(([kind, name]) => {
      const number = all.filter((one) => one.kind === kind).length;
      const input = h("input", { type: "checkbox", checked: chosen.has(kind), "data-key": `kind-${kind}`, onchange: ({ target }) => {
        chosen[target.checked ? "add" : "delete"](kind);
        again();
      } });
      return h("label", { class: "check" }, input, ` ${name} (${number})`);
    })),
    wanted.length ? h("ol", { class: "moments" }, wanted.slice(0, most).map((one) => one.of())) : h("p", { class: "fine" }, "Nothing of that."),
    wanted.length > most && h("div", { class: "more-row" }, h("button", { type: "button", "data-key": "more", onclick: () => {
      most += 4 * FIRST;
      again();
    } }, `Show ${wanted.length - most} more`)),
  ];
}

/** Messages about one and the same fact together, the latest revision first. */
function facts(messages, id) {
  const found = new Map();
  for (const message of messages) found.set(message[id], [...(found.get(message[id]) ?? []), message]);
  return [...found.values()].map((group) => group.sort((one, other) => other.revision - one.revision));
}

function shell(kind, title, at, ...content) {
  return h("li", { class: `moment ${kind}` },
    h("div", { class: "moment-head" }, h("span", { class: "moment-title" }, title), h("time", { datetime: at }, moment(at))),
    content);
}

function stageMoment(messages, touches) {
  const [last] = messages;
  const standing = last.standing;
  const from = last.from_stage ? `${words(last.from_stage)} → ` : "New: ";
  const silent = last.silent_since !== null;
  return shell(`stage ${silent ? "silent" : ""} ${standing ? "" : "corrected"}`, capital(`${from}${words(last.to_stage)}`), last.entered_at,
    h("p", { class: "why" }, sentence(last.text)),
    correction(messages, standing),
    silent && h("p", { class: "fine" }, `Silence of ${duration(last.window_seconds)} since ${moment(last.silent_since)}.`),
    last.seconds_in_previous !== null && h("p", { class: "fine" }, `After ${duration(last.seconds_in_previous)} in ${words(last.from_stage)}.`),
    reason(last, touches, `rule ${last.rule}, ${last.model_name} version ${last.model_version}, revision ${last.revision}`));
}

function riskMoment(messages, touches) {
  const [last] = messages;
  const title = `Risk ${last.previous_band ? `${last.previous_band} → ` : ""}${last.band}, ${share(last.probability)}`;
  return shell(`risk ${last.standing ? "" : "corrected"}`, title, last.entered_at,
    h("p", { class: "why" }, capital(sentence(last.text))),
    correction(messages, last.standing),
    reason(last, touches, `${last.model_name} version ${last.model_version}, revision ${last.revision}`));
}

const CAUSES = { touchpoint: "a touchpoint that came late", timer: "silence", identity: "a new link between identifiers", model: "another journey model", erasure: "an erasure" };

function correction(messages, standing) {
  const retracted = messages.find((one) => one.kind === "retracted");
  if (!retracted) return null;
  const why = CAUSES[retracted.cause] ?? retracted.cause;
  return h("p", { class: "fine" },
    h("span", { class: "tag correction" }, standing ? "Corrected, then entered again" : "Corrected"),
    standing
      ? ` Taken back by revision ${retracted.revision} because of ${why}, entered again by revision ${messages[0].revision}.`
      : ` Does not count any more: taken back by revision ${retracted.revision} because of ${why}.`);
}

function identityMoment(one, person, touches) {
  const about = one.profile_id === person.profile_id ? "This identifier" : one.profile_id;
  const said = { linked: `linked to ${one.parent}`, unlinked: `no longer linked to ${one.parent}`, shared: "shared by too many to tell whose it is", blocked: "identifies nobody" }[one.kind] ?? one.kind;
  return shell("identity", `${about}: ${said}`, one.at, h("p", { class: "why" }, sentence(one.text)), reason(one, touches, words(one.reason)));
}

function touchMoment(one, person) {
  const extras = [one.campaign && `campaign ${one.campaign}`, one.value !== null && `${one.value} ${one.currency ?? ""}`.trim(), one.owner_id !== person.profile_id && `as ${one.owner_id}`].filter(Boolean);
  return shell("touch", [capital(`${words(one.channel)}: ${words(one.type)} `), extras.length > 0 && h("span", { class: "fine" }, extras.join(", "))], one.occurred_at);
}

function reason(message, touches, origin) {
  const evidence = message.evidence;
  return h("details", { class: "evidence", "data-key": `why-${message.change_id ?? message.risk_id ?? message.identity_id + message.revision}` },
    h("summary", {}, evidence.length ? plural(evidence.length, "touchpoint") + " as evidence" : "No evidence but time"),
    h("ul", {}, evidence.map((id) => {
      const one = touches.get(id);
      return h("li", {}, one ? `${words(one.channel)}: ${words(one.type)}, ${date(one.occurred_at)} ${time(one.occurred_at)} ` : "not kept here any more ", h("code", {}, id));
    })),
    h("p", {}, origin));
}

const sentence = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);
