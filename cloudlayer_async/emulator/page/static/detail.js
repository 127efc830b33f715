// One job: its document, and everything that is known about it.

import { ask, byId, bytes, clock, duration, facts, make, moment } from "./dom.js";

let chosen = null;
let shown = ""; // which document stands in the viewer: it is not loaded anew at every event
let viewer = null;

export async function choose(id) {
  chosen = id;
  await refresh();
}

export function current() {
  return chosen;
}

export async function refresh() {
  const id = chosen;
  if (id === null) return;
  let job;
  try {
    job = await ask(`jobs/${encodeURIComponent(id)}`);
  } catch (error) {
    if (error.status !== 404) throw error;
    if (chosen === id) empty("This job is no longer kept.");
    return;
  }
  if (chosen === id) draw(job);
}

function empty(text) {
  shown = "";
  viewer = null;
  byId("detail").replaceChildren(make("p", { class: "empty" }, text));
}

function draw(job) {
  const key = `${job.id} ${job.document} ${job.status}`;
  if (key !== shown || viewer === null) {
    shown = key;
    viewer = view(job);
  }
  const parts = [heading(job), problem(job), notes(job), viewer, numbers(job), deliveries(job), parameters(job)];
  const wanted = parts.filter(Boolean);
  const detail = byId("detail");
  // A frame that is moved loads anew, so everything is put around it where it stands.
  if (viewer.parentNode === detail) {
    for (const child of [...detail.children]) if (child !== viewer) child.remove();
    for (const part of wanted.slice(0, wanted.indexOf(viewer))) viewer.before(part);
    detail.append(...wanted.slice(wanted.indexOf(viewer) + 1));
  } else {
    detail.replaceChildren(...wanted);
  }
}

function heading(job) {
  const words = { pending: job.started === null ? "waiting" : "rendering" };
  return make(
    "header",
    {},
    make("h2", {}, job.name || job.id),
    make("span", { class: `status ${job.status}` }, words[job.status] ?? job.status),
  );
}

function problem(job) {
  return job.error ? make("p", { class: "error" }, job.error) : null;
}

function notes(job) {
  if (!job.notes.length) return null;
  return make(
    "div",
    { class: "notes" },
    make("h3", {}, "Log: what could not be done as asked"),
    make("ul", {}, ...job.notes.map((note) => make("li", {}, note))),
  );
}

function view(job) {
  const where = `/emulator/documents/${encodeURIComponent(job.id)}`;
  const open = make("a", { href: where, target: "_blank", rel: "noopener noreferrer" }, "Open the document");
  const tools = make("p", { class: "tools" }, open, make("span", { class: "quiet" }, bytes(job.size)));
  const label = `The document of ${job.name || job.id}`;
  const picture = (source, text) => make("img", { src: source, alt: text });
  if (job.document === "image") return make("figure", { class: "image" }, picture(where, label), tools);
  if (job.document === "pdf" && navigator.pdfViewerEnabled !== false) {
    const frame = make("iframe", { src: `${where}#toolbar=0&navpanes=0&view=FitH`, title: label });
    return make("figure", { class: "page" }, frame, thumbnail(job), tools);
  }
  if (job.document === "html") {
    return make("figure", { class: "page" }, make("iframe", { src: where, title: label, sandbox: true }), tools);
  }
  const text = absence(job);
  if (text) return make("figure", {}, make("figcaption", { class: "empty" }, text));
  const reason = job.document === "pdf" ? "This browser shows no PDF in a page." : "A browser shows no such document.";
  return make("figure", {}, thumbnail(job), make("figcaption", { class: "empty" }, reason), tools);
}

function absence(job) {
  if (job.status === "pending") return "In the works.";
  if (job.status === "error") return "It made no document.";
  if (job.document) return "";
  return job.storage === "user" ? "Its document went to a bucket of your own." : "Its document is no longer kept.";
}

function thumbnail(job) {
  if (!job.preview) return null;
  const source = `/emulator/previews/${encodeURIComponent(job.id)}`;
  return make("div", { class: "preview" }, make("span", { class: "quiet" }, "Preview"), make("img", { src: source, alt: "Its preview" }));
}

function money(value) {
  return value === null ? null : value.toFixed(6);
}

function numbers(job) {
  const waited = job.started === null ? null : duration(job.started - job.created);
  const took = job.finished === null || job.started === null ? null : duration(job.finished - job.started);
  return facts([
    ["Id", make("code", {}, job.id)],
    ["Conversion", `${job.type} on ${job.version}`],
    ["Submitted", moment(job.created)],
    ["Waited", waited],
    ["Took", took],
    ["Process time", job.processTime === null ? null : `${job.processTime} ms, charged ${job.chargedTime} ms`],
    ["Size", bytes(job.size)],
    ["Credits", job.credits],
    ["Cost", job.cost === null ? null : `${money(job.cost)} (time ${money(job.processTimeCost)}, bytes ${money(job.bandwidthCost)})`],
    ["Engine", job.engine],
    ["Worker", job.worker],
    ["Storage", { none: "none: the product goes out with the reply", cloud: "cloud", user: "a bucket of your own" }[job.storage]],
    ["File name", job.filename],
    ["Project", job.projectId],
  ]);
}

function deliveries(job) {
  if (!job.deliveries.length) return null;
  const line = (one) => `${clock(one.started)} ${one.to}: ${one.status ?? one.error ?? one.fault ?? "not sent"}`;
  return make(
    "div",
    {},
    make("h3", {}, "Webhook"),
    make("ul", {}, ...job.deliveries.map((one) => make("li", {}, line(one)))),
  );
}

function parameters(job) {
  return make("div", {}, make("h3", {}, "Parameters"), make("pre", { tabindex: "0" }, JSON.stringify(job.params, null, 2)));
}
