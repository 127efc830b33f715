"""What a conversion waits for before it captures: events, selectors, frames, scrolling, time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from ..job import Job
from ..model import RenderError
from .tab import Tab

_EVENTS = {
    "load": "load",
    "domcontentloaded": "DOMContentLoaded",
    "networkidle0": "networkIdle",
    "networkidle2": "networkAlmostIdle",
}
_SELECTOR = """
new Promise((resolve, reject) => {
  const {selector, visible, hidden, timeout} = OPTIONS;
  const end = performance.now() + timeout;
  const isShown = (node) => {
    const style = getComputedStyle(node), box = node.getBoundingClientRect();
    return style.visibility !== "hidden" && style.visibility !== "collapse" && box.width > 0 && box.height > 0;
  };
  const look = () => {
    try {
      const node = document.querySelector(selector);
      if (hidden ? !node || !isShown(node) : node && (!visible || isShown(node))) return resolve(true);
    } catch (error) { return reject(error); }
    if (performance.now() >= end) return resolve(false);
    setTimeout(look, 25);
  };
  look();
})
"""
_SCROLL = """
new Promise((resolve) => {
  let last = -1;
  const step = () => {
    scrollBy(0, innerHeight);
    const at = scrollY, end = document.documentElement.scrollHeight;
    if (at === last && at + innerHeight >= end - 1) { scrollTo(0, 0); return setTimeout(resolve, 100); }
    last = at;
    setTimeout(step, 100);
  };
  step();
})
"""
_IMAGES = """
Promise.all([...document.images].map((image) => { image.loading = "eager"; return image.decode().catch(() => null); }))
  .then(() => true)
"""


async def until_ready(tab: Tab, job: Job, *, default: str) -> None:
    """Wait for all that the options name, in the order a browser's user would.

    Args:
        tab: The document, already gone to.
        job: Whose options they are. Its deadline ends the waiting.
        default: The event to wait for when `waitUntil` is not given.

    Raises:
        RenderError: A selector's own time is over, or a selector cannot be read.
    """
    options = job.options
    wanted = options.get("waitUntil") or default
    job.waiting_for = f"the event {wanted}"
    await tab.reached(_EVENTS[wanted])
    await _frames(tab, job)
    if options.get("waitForSelector"):
        await _selector(tab, job, options["waitForSelector"], frame=None)
    if options.get("autoScroll"):
        job.waiting_for = "the end of scrolling"
        await tab.evaluate(_SCROLL)
    job.waiting_for = "delay"
    await asyncio.sleep((options.get("delay") or 0) / 1000)
    job.waiting_for = "fonts"
    await tab.evaluate("document.fonts.ready.then(() => true)")
    job.waiting_for = ""


async def _frames(tab: Tab, job: Job) -> None:
    options = job.options
    if options.get("waitForFrameAttachment"):
        job.waiting_for = "a frame"
        await tab.frames_reached(None)
    if options.get("waitForFrame"):
        job.waiting_for = "a frame to load"
        await tab.frames_reached("load")
    if event := options.get("waitForFrameNavigation"):
        job.waiting_for = f"the event {event} of a frame"
        await tab.frames_reached(_EVENTS[event])
    if options.get("waitForFrameImages"):
        job.waiting_for = "the images of a frame"
        for frame in await tab.frames_reached("load"):
            await tab.evaluate(_IMAGES, frame=frame)
    if wanted := options.get("waitForFrameSelector"):
        job.waiting_for = "a frame to load"
        found = [_selector(tab, job, wanted, frame=frame) for frame in await tab.frames_reached("load")]
        await _first(found, wanted)


async def _first(looks: list[Any], wanted: Mapping[str, Any]) -> None:
    """Wait until one of the frames has it."""
    tasks = [asyncio.ensure_future(look) for look in looks]
    try:
        for task in asyncio.as_completed(tasks):
            try:
                await task
            except RenderError:
                continue
            return
    finally:
        for pending in tasks:
            pending.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    raise RenderError(f"Waiting for selector {wanted['selector']!r} in a frame failed")


async def _selector(tab: Tab, job: Job, wanted: Mapping[str, Any], *, frame: str | None) -> None:
    options = {"visible": False, "hidden": False, "timeout": 30_000, **(wanted.get("options") or {})}
    selector = wanted["selector"]
    job.waiting_for = f"the selector {selector!r}"
    script = _SELECTOR.replace("OPTIONS", json.dumps({"selector": selector, **options}))
    if not await tab.evaluate(script, frame=frame):
        raise RenderError(f"Waiting for selector {selector!r} failed: timeout {options['timeout']} ms exceeded")
