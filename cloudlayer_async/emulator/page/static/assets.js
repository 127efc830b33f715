// What was stored: thumbnails that lead to their jobs.

import { ask, byId, bytes, clock, make, show } from "./dom.js";

export async function refresh(choose) {
  const assets = await ask("assets");
  byId("count-assets").textContent = assets.length || "";
  show(byId("no-assets"), assets.length === 0);
  byId("asset-cards").replaceChildren(...assets.map((asset) => card(asset, choose)));
}

function card(asset, choose) {
  const document_ = `/emulator/documents/${encodeURIComponent(asset.jobId)}`;
  return make(
    "li",
    {},
    make(
      "button",
      { type: "button", class: "thumbnail", onclick: () => choose(asset.jobId), "aria-label": `Job of ${asset.name || asset.id}` },
      picture(asset, document_),
    ),
    make("strong", {}, asset.name || asset.id),
    make("span", { class: "quiet" }, `${asset.extension}, ${bytes(asset.size)}, ${clock(asset.created)}`),
    asset.here
      ? make("a", { href: document_, target: "_blank", rel: "noopener noreferrer" }, "Open")
      : make("span", { class: "quiet" }, "in your own bucket"),
  );
}

function picture(asset, document_) {
  if (asset.preview) {
    return make("img", { src: `/emulator/previews/${encodeURIComponent(asset.jobId)}`, alt: "", loading: "lazy" });
  }
  if (asset.kind === "image" && asset.here) return make("img", { src: document_, alt: "", loading: "lazy" });
  return make("span", { class: "extension" }, asset.extension.toUpperCase());
}
