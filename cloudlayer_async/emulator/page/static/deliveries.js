// Webhook deliveries, the newest first.

import { ask, byId, clock, duration, make, show } from "./dom.js";

export async function refresh(choose) {
  const deliveries = await ask("deliveries");
  byId("count-deliveries").textContent = deliveries.length || "";
  show(byId("no-deliveries"), deliveries.length === 0);
  byId("delivery-rows").replaceChildren(...deliveries.map((delivery) => row(delivery, choose)));
}

function row(delivery, choose) {
  const good = delivery.status !== null && delivery.status >= 200 && delivery.status < 300;
  const outcome = delivery.status ?? delivery.error ?? "not sent";
  return make(
    "tr",
    {},
    make("td", { class: "quiet" }, clock(delivery.started)),
    make("td", {}, make("button", { type: "button", class: "name", onclick: () => choose(delivery.jobId) }, delivery.jobId)),
    make("td", {}, make("code", {}, delivery.to)),
    make("td", { class: "number" }, String(delivery.attempt)),
    make("td", {}, make("span", { class: `status ${good ? "success" : "error"}` }, String(outcome))),
    make("td", { class: "number" }, duration(delivery.duration)),
    make("td", { class: "quiet" }, delivery.fault ?? ""),
  );
}
