// Making elements and words. Text only ever goes in as text: there is no innerHTML on this page.

export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);

export function show(node, visible) {
  node.hidden = !visible;
}

export function bytes(count) {
  if (count === null || count === undefined) return "";
  if (count < 1000) return `${count} B`;
  if (count < 1e6) return `${(count / 1e3).toFixed(count < 1e4 ? 1 : 0)} kB`;
  if (count < 1e9) return `${(count / 1e6).toFixed(1)} MB`;
  return `${(count / 1e9).toFixed(2)} GB`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 100 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
}

export function clock(seconds) {
  return seconds === null ? "" : new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
}

export function moment(seconds) {
  return seconds === null ? "" : new Date(seconds * 1000).toLocaleString([], { hour12: false });
}

export function facts(entries) {
  const list = make("dl", { class: "facts" });
  for (const [name, value] of entries) {
    if (value === null || value === undefined || value === "") continue;
    list.append(make("dt", {}, name), make("dd", {}, value instanceof Node ? value : String(value)));
  }
  return list;
}

export async function ask(path, options) {
  const response = await fetch(`/emulator/${path}`, options);
  if (response.ok) return response.status === 204 ? null : response.json();
  const text = await response.text();
  let message = text;
  try {
    const data = JSON.parse(text);
    message = data.message ?? data.reason ?? data.error ?? text;
  } catch {
    // Not JSON: the text itself is the message.
  }
  const error = new Error(String(message) || `The emulator answered ${response.status}`);
  error.status = response.status;
  throw error;
}

// Runs at most once in a while, and once more after the last call.
export function throttled(work, milliseconds) {
  let timer = null;
  let again = false;
  const run = async () => {
    again = false;
    try {
      await work();
    } finally {
      timer = setTimeout(() => {
        timer = null;
        if (again) start();
      }, milliseconds);
    }
  };
  const start = () => {
    if (timer !== null) {
      again = true;
      return;
    }
    timer = 0;
    run().catch(trouble);
  };
  return start;
}

export function trouble(error) {
  const line = byId("trouble");
  line.textContent = error ? String(error.message ?? error) : "";
  show(line, Boolean(error));
}
