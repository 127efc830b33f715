"""Which characters of a page no font has: those that look just like one that no font can have."""

from __future__ import annotations

from ..job import Job
from ..notes import missing_glyphs
from .tab import Tab

# Each character is drawn in the family of the text it stands in and compared with a code point that is no character:
# the browser draws the same box for both when it finds no font. What is seen as nothing or is private is left out.
_SCRIPT = r"""
(() => {
  const families = new Map();
  const texts = document.createTreeWalker(document.body || document.documentElement, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node && families.size < 500; node = texts.nextNode()) {
    if (/^[\x00-\x7f]*$/.test(node.data) || ["SCRIPT", "STYLE"].includes(node.parentNode.nodeName)) continue;
    const family = getComputedStyle(node.parentNode).fontFamily;
    for (const character of node.data)
      if (!/[\x00-\x7f\p{C}\p{M}\p{Z}\ufe00-\ufe0f]/u.test(character)) families.set(character, family);
  }
  if (!families.size) return [];
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 48;
  const context = canvas.getContext("2d", {willReadFrequently: true});
  const drawn = (character, family) => {
    context.clearRect(0, 0, 48, 48);
    context.font = `24px ${family}`;
    context.fillText(character, 4, 34);
    return context.getImageData(0, 0, 48, 48).data.join();
  };
  const boxes = new Map();
  return [...families].filter(([character, family]) => {
    if (!boxes.has(family)) boxes.set(family, drawn("\u{10fffe}", family));
    return drawn(character, family) === boxes.get(family);
  }).map(([character]) => character);
})()
"""


async def note_missing_glyphs(tab: Tab, job: Job) -> None:
    """Say in the notes which characters of the page are drawn as boxes."""
    missing = sorted(await tab.evaluate(_SCRIPT))
    if missing:
        job.notes.add(missing_glyphs(missing))
