// The list of jobs, the newest first, changed in place as events come.

import { byId, bytes, clock, duration, make, show } from "./dom.js";

const MOST = 200;
const rows = new Map(); // id -> {job, row, cells}
const changed = new Map(); // id -> job, until the next frame
let told = new Set(); // ids that events told of since the list was asked for: it may not have them yet
let chosen = null;
let choose = () => {};
let frame = null;

export function start(onChoose) {
  choose = onChoose;
  byId("filter").addEventListener("input", filter);
  byId("job-rows").addEventListener("keydown", move);
  setInterval(() => {
    for (const entry of rows.values()) if (entry.job.finished === null) fill(entry);
  }, 500);
}

export async function replaceAll(asking) {
  told = new Set();
  const jobs = await asking;
  const known = new Set([...jobs.map((job) => job.id), ...told]);
  for (const [id, entry] of rows) {
    if (known.has(id)) continue;
    entry.row.remove();
    rows.delete(id);
  }
  for (const job of [...jobs].reverse()) changed.set(job.id, newer(changed.get(job.id), job));
  later();
  return jobs[0]?.id ?? null;
}

export function update(job) {
  told.add(job.id);
  changed.set(job.id, newer(changed.get(job.id), job));
  later();
}

export function mark(id) {
  rows.get(chosen)?.row.removeAttribute("aria-selected");
  chosen = id;
  rows.get(id)?.row.setAttribute("aria-selected", "true");
}

// A list that was asked for may arrive after an event that is younger than it.
function newer(old, job) {
  if (!old) return job;
  const stage = (one) => (one.finished !== null ? 2 : one.started !== null ? 1 : 0);
  return stage(job) >= stage(old) ? job : old;
}

function later() {
  frame ??= requestAnimationFrame(flush);
}

function flush() {
  frame = null;
  for (const [id, job] of changed) {
    let entry = rows.get(id);
    if (!entry) {
      entry = add(job);
      rows.set(id, entry);
    }
    entry.job = newer(entry.job, job);
    fill(entry);
  }
  changed.clear();
  if (rows.size > MOST) {
    const oldest = [...rows.values()].sort((a, b) => b.job.created - a.job.created).slice(MOST);
    for (const { job, row } of oldest) {
      row.remove();
      rows.delete(job.id);
    }
  }
  mark(chosen);
  filter();
}

function add(job) {
  const name = make("button", { class: "name", type: "button" });
  const status = make("span", { class: "status" });
  const cells = {
    name,
    status,
    type: make("td", { class: "quiet" }),
    time: make("td", { class: "number" }),
    size: make("td", { class: "number" }),
    credits: make("td", { class: "number" }),
    at: make("td", { class: "quiet" }),
  };
  const row = make(
    "tr",
    { "data-id": job.id, onclick: () => choose(job.id) },
    make("td", {}, name),
    cells.type,
    make("td", {}, status),
    cells.time,
    cells.size,
    cells.credits,
    cells.at,
  );
  const body = byId("job-rows");
  let next = body.firstElementChild;
  while (next && rows.get(next.dataset.id).job.created > job.created) next = next.nextElementSibling;
  body.insertBefore(row, next);
  return { job, row, cells };
}

function fill({ job, cells }) {
  const end = job.finished ?? Date.now() / 1000;
  cells.name.textContent = job.name || job.id;
  cells.name.title = job.id;
  cells.type.textContent = `${job.version} ${job.type}`;
  cells.status.textContent = job.status === "pending" ? (job.started === null ? "waiting" : "rendering") : job.status;
  cells.status.className = `status ${job.status}`;
  cells.status.title = job.error ?? (job.notes ? `${job.notes} notes in its log` : "");
  cells.status.classList.toggle("noted", job.notes > 0);
  cells.time.textContent = duration(end - (job.started ?? job.created));
  cells.size.textContent = bytes(job.size);
  cells.credits.textContent = job.credits ?? "";
  cells.at.textContent = clock(job.created);
}

function filter() {
  const wanted = byId("filter").value.trim().toLowerCase();
  let visible = 0;
  for (const { job, row } of rows.values()) {
    const text = `${job.name ?? ""} ${job.id} ${job.type} ${job.status} ${job.error ?? ""}`.toLowerCase();
    show(row, text.includes(wanted));
    visible += row.hidden ? 0 : 1;
  }
  show(byId("no-jobs"), rows.size === 0);
  byId("shown").textContent = wanted ? `${visible} of ${rows.size}` : rows.size === MOST ? `the newest ${MOST}` : "";
}

function move(event) {
  if (!["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) return;
  const names = [...byId("job-rows").querySelectorAll("tr:not([hidden]) .name")];
  const at = names.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: names.length - 1 }[event.key];
  if (names[next]) {
    event.preventDefault();
    names[next].focus();
    names[next].click();
  }
}
