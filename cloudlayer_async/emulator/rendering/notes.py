"""What a job's log says about its product: everything that was asked for and could not be done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_MOST_CHARACTERS = 8
_MOST_NOTES = 40


class Notes:
    """What is to be said in the job's log: each thing once, and not without end."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}
        self._left_out = 0

    def add(self, text: str) -> None:
        """Say something."""
        if text not in self._texts and len(self._texts) >= _MOST_NOTES:
            self._left_out += 1
        else:
            self._texts[text] = None

    def extend(self, texts: Iterable[str]) -> None:
        """Say several things."""
        for text in texts:
            self.add(text)

    def all(self) -> tuple[str, ...]:
        """Return what was said, in order."""
        return (*self._texts, *((f"{self._left_out} more notes were left out",) if self._left_out else ()))


def missing_glyphs(characters: Sequence[str]) -> str:
    """Word the note about characters that no font has."""
    shown = " ".join(f"{character} (U+{ord(character):04X})" for character in characters[:_MOST_CHARACTERS])
    left_out = len(characters) - _MOST_CHARACTERS
    more = f" and {left_out} more" if left_out > 0 else ""
    return f"No font on this machine has these characters, boxes stand for them: {shown}{more}"
