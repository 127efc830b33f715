// The fault switches: what is on, and a form for more.

import { ask, byId, make, show, trouble } from "./dom.js";

const KINDS = {
  status: ["an error reply", ["status", "retry_after", "retry_after_form", "when"]],
  latency: ["the reply is late", ["seconds", "when"]],
  reset: ["the connection breaks", ["when"]],
  truncate: ["the reply ends early", ["at"]],
  slow: ["the reply trickles", ["seconds"]],
  "content-type": ["the reply claims another type", ["content_type"]],
  expire: ["asset addresses have expired", []],
  stuck: ["jobs stay pending", ["seconds"]],
  "webhook-drop": ["webhooks are lost", []],
  "webhook-duplicate": ["webhooks come twice", []],
  "webhook-late": ["webhooks are late", ["seconds"]],
};
const FIELDS = {
  status: ["Status", { type: "number", min: "400", max: "599", value: "503", required: true }],
  retry_after: ["Retry-After, s", { type: "number", min: "0", step: "any", placeholder: "none" }],
  retry_after_form: ["as", ["seconds", "date"]],
  when: ["Strikes", ["before", "after"]],
  seconds: ["Seconds", { type: "number", min: "0", step: "any", placeholder: "for ever" }],
  at: ["After this share", { type: "number", min: "0", max: "1", step: "any", value: "0.5" }],
  content_type: ["Type", { type: "text", value: "text/html" }],
};
const PLACES = ["*", "conversions", "reads", "storage", "assets", "webhooks", "POST html/pdf", "GET jobs/{id}", "html-pdf", "v1", "v2"];

let list = null;

export function start() {
  const kind = make("select", { id: "fault-kind", name: "kind", onchange: () => fields(form) });
  for (const [name, [words]] of Object.entries(KINDS)) kind.append(make("option", { value: name }, `${name}: ${words}`));
  const form = make(
    "form",
    { class: "switches", onsubmit: add },
    labelled("What", kind),
    labelled("Where", make("input", { name: "on", value: "conversions", list: "places", required: true, spellcheck: "false" })),
    make("datalist", { id: "places" }, ...PLACES.map((place) => make("option", { value: place }))),
    make("div", { class: "own" }),
    labelled("Times", make("input", { name: "count", type: "number", min: "1", placeholder: "always" })),
    labelled("Chance", make("input", { name: "probability", type: "number", min: "0", max: "1", step: "any", value: "1" })),
    make("button", { type: "submit", class: "primary" }, "Switch on"),
  );
  list = make("div", { id: "fault-list" });
  byId("faults").replaceChildren(form, list);
  fields(form);
}

function labelled(text, control) {
  return make("label", {}, make("span", {}, text), control);
}

function fields(form) {
  const controls = KINDS[form.elements.kind.value][1].map((name) => {
    const [words, what] = FIELDS[name];
    const control = Array.isArray(what)
      ? make("select", { name }, ...what.map((value) => make("option", {}, value)))
      : make("input", { name, ...what });
    if (name === "seconds" && form.elements.kind.value !== "stuck") {
      control.required = true;
      control.placeholder = "";
    }
    return labelled(words, control);
  });
  form.querySelector(".own").replaceChildren(...controls);
}

async function add(event) {
  event.preventDefault();
  const form = event.target;
  const fault = {};
  for (const control of form.elements) {
    if (!control.name || control.value === "") continue;
    fault[control.name] = control.type === "number" ? Number(control.value) : control.value;
  }
  const headers = { "Content-Type": "application/json" };
  await act(() => ask("faults", { method: "POST", headers, body: JSON.stringify(fault) }));
}

async function act(work) {
  try {
    await work();
    trouble(null);
    await refresh();
  } catch (error) {
    trouble(error);
  }
}

export async function refresh() {
  const { active, struck } = await ask("faults");
  byId("count-faults").textContent = active.length || "";
  byId("tab-faults").classList.toggle("alarm", active.length > 0);
  const held = document.activeElement?.dataset?.fault;
  const rows = active.map((fault) => {
    const { id, hits, kind, on, ...rest } = fault;
    const words = Object.entries(rest).map(([name, value]) => `${name} ${value}`);
    return make(
      "tr",
      {},
      make("td", {}, make("strong", {}, kind)),
      make("td", {}, make("code", {}, on ?? "*")),
      make("td", { class: "quiet" }, words.join(", ")),
      make("td", { class: "number" }, String(hits)),
      make("td", {}, button("Switch off", `faults/${encodeURIComponent(id)}`, id)),
    );
  });
  const headings = ["Fault", "Where", "How", "Struck", ""].map((text) => make("th", { class: text === "Struck" ? "number" : "" }, text));
  const past = Object.entries(struck).map(([kind, count]) => `${kind} ${count}`);
  list.replaceChildren(
    active.length
      ? make("table", {}, make("thead", {}, make("tr", {}, ...headings)), make("tbody", {}, ...rows))
      : make("p", { class: "empty" }, "Nothing goes wrong at the moment."),
    active.length > 1 ? make("p", {}, button("Switch everything off", "faults", "all")) : "",
    make("p", { class: "quiet" }, past.length ? `Struck so far: ${past.join(", ")}` : ""),
  );
  if (held) list.querySelector(`[data-fault="${CSS.escape(held)}"]`)?.focus();
  show(list, true);
}

function button(text, path, id) {
  return make("button", { type: "button", "data-fault": id, onclick: () => act(() => ask(path, { method: "DELETE" })) }, text);
}
