"""A local server that speaks the cloudlayer.io wire protocol and really renders.

It shares no code with the client, so that one mistake cannot hide in both ends. Importing this package is cheap:
the server, its engine and aiohttp are loaded when `Emulator` is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .faults import Fault
    from .server import Emulator

__all__ = ["Emulator", "Fault"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name == "Emulator":
            from .server import Emulator

            return Emulator
        if name == "Fault":
            from .faults import Fault

            return Fault
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
