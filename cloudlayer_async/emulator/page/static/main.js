// The page as a whole: tabs, the stream of events, and who is told of what.

import * as about from "./about.js";
import * as assets from "./assets.js";
import * as deliveries from "./deliveries.js";
import * as detail from "./detail.js";
import { ask, byId, show, throttled, trouble } from "./dom.js";
import * as faults from "./faults.js";
import * as jobs from "./jobs.js";

const tabs = [...byId("tabs").children];

function open(name) {
  for (const tab of tabs) {
    const selected = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
    show(byId(tab.getAttribute("aria-controls")), selected);
  }
}

function choose(id) {
  open("jobs");
  present(id);
}

function present(id) {
  jobs.mark(id);
  history.replaceState(null, "", `#${encodeURIComponent(id)}`);
  detail.choose(id).catch(trouble);
}

async function list() {
  const newest = await jobs.replaceAll(ask("jobs"));
  if (detail.current() === null && newest !== null) present(newest);
}

byId("tabs").addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (tab) open(tab.getAttribute("aria-controls"));
});
byId("tabs").addEventListener("keydown", (event) => {
  const at = tabs.indexOf(document.activeElement);
  const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (next === undefined || at < 0) return;
  event.preventDefault();
  const tab = tabs[(next + tabs.length) % tabs.length];
  tab.focus();
  open(tab.getAttribute("aria-controls"));
});

const soon = {
  overview: throttled(about.refresh, 1000),
  assets: throttled(() => assets.refresh(choose), 700),
  deliveries: throttled(() => deliveries.refresh(choose), 700),
  faults: throttled(faults.refresh, 300),
  detail: throttled(detail.refresh, 200),
  jobs: throttled(list, 500),
};

function everything() {
  for (const refresh of Object.values(soon)) refresh();
}

function happened(event) {
  soon.overview();
  if (event.kind === "lost") everything();
  if (event.kind === "job" && event.row) {
    jobs.update(event.row);
    if (detail.current() === null) present(event.id);
    else if (detail.current() === event.id) soon.detail();
  }
  if (event.kind === "asset") soon.assets();
  if (event.kind === "fault") soon.faults();
  if (event.kind === "delivery") {
    soon.deliveries();
    if (detail.current() === event.id) soon.detail();
  }
}

function live(connected) {
  const sign = byId("live");
  sign.textContent = connected ? "live" : "not connected";
  sign.classList.toggle("off", !connected);
}

function listen() {
  const stream = new EventSource("/emulator/events");
  stream.addEventListener("open", () => {
    live(true);
    trouble(null);
    everything();
  });
  stream.addEventListener("error", () => {
    live(false);
    // A browser tries again by itself, but not after every kind of end.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
  stream.addEventListener("message", (message) => happened(JSON.parse(message.data)));
}

jobs.start(choose);
faults.start();
if (location.hash.length > 1) choose(decodeURIComponent(location.hash.slice(1)));
listen();
