"""The rules from async to blocking: types, methods, arguments, bodies, words."""

from __future__ import annotations

import re
from collections.abc import Iterator


class Rules:
    """A mapping whose every rule must have been of use in the end, so that none can rot."""

    def __init__(self, title: str, rules: dict[str, str]) -> None:
        self.title = title
        self._rules = rules
        self._unused = set(rules)

    def get(self, key: str) -> str | None:
        """The rule for a key, if there is one."""
        self._unused.discard(key)
        return self._rules.get(key)

    def replace(self, text: str, *, words: bool = False) -> str:
        """The text with every rule carried out, in order; on whole words only when `words`."""
        for old, new in self._rules.items():
            changed = re.sub(rf"\b{old}\b", new, text) if words else text.replace(old, new)
            if changed != text:
                self._unused.discard(old)
                text = changed
        return text

    def unused(self) -> Iterator[str]:
        """What is wrong with the rules, once everything is generated."""
        for rule in sorted(self._unused):
            yield f"generate.py: the rule {rule!r} in {self.title} is of no use any more"


def all_rules() -> dict[str, Rules]:
    """The rules from async to blocking, none of them used yet."""
    types = {
        "AsyncGenerator": "Generator",
        "AsyncIterator": "Iterator",
        "AsyncConversion": "Conversion",
        "AsyncBatch": "Batch",
    }
    methods = {
        "__aenter__": "__enter__",
        "__aexit__": "__exit__",
        "__aiter__": "__iter__",
        "__anext__": "__next__",
        "aclose": "close",
    }
    # By the annotation of a parameter: what brings the caller's functions back into the caller's thread.
    arguments = {
        "OnUpdate | None": "ask_caller",
        "OnProgress | None": "ask_caller",
        "Requests": "pull_from_caller",
        "SaveTo": "ask_caller_where",
        "SaveTo | None": "ask_caller_where",
        "Callable[[Attempt], object] | None": "tell_caller",
    }
    bodies = {
        "AsyncCloudlayer.__aenter__": "self._portal.check_open()\nreturn self",
        "AsyncCloudlayer.__aexit__": "self.close()",
        "AsyncCloudlayer.aclose": "if self._is_root:\n    self._portal.close()",
        "AsyncCloudlayer.with_options": (
            'if "on_attempt" in changes:\n'
            '    changes["on_attempt"] = tell_caller(changes["on_attempt"])\n'
            "sibling = object.__new__(type(self))\n"
            "sibling._home = self._home.sibling(lambda client: client.with_options(**changes))\n"
            "sibling._is_root = False\n"
            "return sibling"
        ),
        # A product that came with the reply is read without a crossing.
        "AsyncConversion.result": (
            "if (document := self._async._at_hand()) is not None:\n"
            "    return document\n"
            "return self._portal.run(self._async.result, timeout)"
        ),
        "AsyncBatch.__aenter__": "self._visit.__enter__()\nreturn self",
        "AsyncBatch.__aexit__": "return self._visit.__exit__(kind, error, traceback)",
        "AsyncBatch.__aiter__": "return self",
        "AsyncBatch.__anext__": "return self._visit.next(self._async)",
    }
    docs = {
        "AsyncCloudlayer": "Cloudlayer",
        "AsyncConversion": "Conversion",
        "AsyncBatch": "Batch",
        "async with ": "with ",
        "async for ": "for ",
        "`aclose()`": "`close()`",
        "The service, for asyncio.": "The service, without `await`: for scripts, notebooks, threads, views and workers.",
        "any number of tasks of one event loop.": (
            "any number of threads. Inside a running event loop (a notebook has one) it works and blocks that loop. A "
            "forked child makes connections of its own. Your callbacks, and the requests of a batch, run in the thread "
            "that waits for the call, and may use the client. Ctrl-C ends the call and leaves the client usable."
        ),
        "is called for each attempt, so that keys can be rotated.": (
            "is called for each attempt, so that keys can be rotated; in the client's own thread, so that it must not use "
            "the client."
        ),
        "A session of yours: used, never closed. Excludes `proxy`, `ssl` and `trace_configs`.": (
            "Only None: a session belongs to an event loop, which here is the client's own."
        ),
        "; a borrowed session stays open": ", and ends its thread",
        "Doing so twice is fine.": "Calls under way in other threads end with a `ConfigError`. Doing so twice is fine.",
        "asyncio.CancelledError: Cancelled; with": "KeyboardInterrupt: Interrupted; with",
        "in one await:": "in one call:",
        "also a CancelledError": "also a KeyboardInterrupt",
        "awaitable steps": "the steps",
        "Cancelling stops the waiting only": "Ctrl-C stops the waiting only",
        "An async iterator of bytes.": "An iterator of bytes.",
        "a cancelled or failed call": "an interrupted or failed call",
        "or cancellation)": "or Ctrl-C)",
    }
    return {
        "types": Rules("types", types),
        "methods": Rules("methods", methods),
        "arguments": Rules("arguments", arguments),
        "bodies": Rules("bodies", bodies),
        "docs": Rules("docs", docs),
    }
