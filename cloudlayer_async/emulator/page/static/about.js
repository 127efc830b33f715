// The engine and what it cannot do, the dialect, the account, and the counters.

import { ask, byId, facts, make } from "./dom.js";

export async function refresh() {
  const told = await ask("overview");
  byId("address").textContent = told.baseUrl;
  byId("engine").textContent = told.engine;
  byId("hint").textContent = `export CLOUDLAYER_BASE_URL=${told.baseUrl}\nexport CLOUDLAYER_API_KEY=...   # as printed at the start`;
  const { account, seen } = told;
  figures(account, seen);
  const dialect = Object.entries(told.dialect).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : JSON.stringify(value)]);
  const counters = (counted) => Object.entries(counted).sort((a, b) => b[1] - a[1]);
  byId("about").replaceChildren(
    part("Engine", make("p", {}, told.engine), make("h3", {}, "What it cannot do"), make("ul", {}, ...told.limits.map((text) => make("li", {}, text)))),
    part("Account", facts([["plan", told.plan], ...Object.entries(account)])),
    part("Requests seen", rest(counters(seen.requests), "None yet.")),
    part(
      "Conversions",
      facts([
        ["accepted", seen.accepted],
        ["submitted twice", seen.submitted_twice.length ? seen.submitted_twice.join(", ") : "none"],
        ["asset requests", seen.asset_requests],
        ["asset requests that carried a key", seen.asset_requests_with_key],
        ["webhooks attempted", seen.deliveries],
        ...counters(seen.accepted_by_type),
      ]),
      make("h3", {}, "Replies by status"),
      rest(counters(seen.statuses), "None yet."),
      make("h3", {}, "Refused, by field"),
      rest(counters(seen.refused).map(([name, count]) => [name || "(whole request)", count]), "None."),
    ),
    part("Dialect", rest(dialect, "The default: what the newest documentation and the SDKs share.")),
    part("Storage of your own", rest(told.storage.map((one) => [one.title, one.bucket]), "None.")),
  );
}

function part(title, ...children) {
  return make("section", { class: "part" }, make("h2", {}, title), ...children);
}

function rest(entries, none) {
  return entries.length ? facts(entries) : make("p", { class: "quiet" }, none);
}

function figures(account, seen) {
  const shown = [
    ["pending", account.pending],
    ["succeeded", account.succeeded],
    ["failed", account.failed],
    ["credits", account["credits used"]],
  ];
  byId("figures").replaceChildren(...shown.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value)))));
  byId("count-jobs").textContent = account.pending + account.succeeded + account.failed || "";
}
