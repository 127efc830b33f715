"""The font configuration of the pip-only engine: packaged fonts first of all, so that there is always text."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import escape

_PACKAGES = ("font_source_sans_pro", "font_source_serif_pro")
_SYSTEM = {
    "darwin": ("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
    "win32": ("WINDOWSFONTDIR",),
}
_UNIX = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
_CONFIGURATION = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
{directories}
{rules}
<alias binding="same"><family>serif</family><default><family>Source Serif Pro</family></default></alias>
<alias binding="same"><family>sans-serif</family><default><family>Source Sans Pro</family></default></alias>
<alias binding="same"><family>monospace</family><default><family>Source Sans Pro</family></default></alias>
<cachedir prefix="xdg">fontconfig</cachedir>
<cachedir>{cache}</cachedir>
</fontconfig>
"""


def write_configuration(folder: Path) -> None:
    """Write a ``fonts.conf`` that knows the packaged fonts and the machine's own.

    Args:
        folder: An existing directory, used for fontconfig's cache as well when the user's cannot be written.
    """
    directories = [*packaged_directories(), *_SYSTEM.get(sys.platform, _UNIX)]
    rules = _package_folder("plutoprint")
    (folder / "fonts.conf").write_text(
        _CONFIGURATION.format(
            directories="\n".join(f"<dir>{escape(directory)}</dir>" for directory in directories),
            rules=""
            if rules is None
            else f'<include ignore_missing="yes">{escape(str(rules / "fontconfig" / "conf.d"))}</include>',
            cache=escape(str(folder / "cache")),
        ),
        encoding="utf-8",
    )


def packaged_directories() -> list[str]:
    """Return where the packaged fonts lie; empty when their packages are not installed."""
    folders = (_package_folder(package) for package in _PACKAGES)
    return [str(folder / "files") for folder in folders if folder is not None]


def _package_folder(package: str) -> Path | None:
    # Looked up, not imported: the font packages list their files when imported, and the engine is heavy.
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
