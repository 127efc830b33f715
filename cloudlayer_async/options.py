"""The parts that request options are made of. Frozen, checked when made, equal by value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias

from attrs import frozen

from .errors import ValidationError
from .validation import (
    Checked,
    boolean,
    checked,
    choice,
    css_properties,
    instance_of,
    integer,
    length,
    milliseconds,
    nonempty,
    number,
    required,
    secret_text,
    shown_addresses,
    text,
    web_address,
)

JSON: TypeAlias = Any
"""A JSON value: str, int, float, bool, None, a list of these or a mapping from str to these."""

Milliseconds: TypeAlias = int | timedelta
"""A wire duration: whole milliseconds, or a `timedelta`, which becomes whole milliseconds."""

Length: TypeAlias = int | float | str
"""A paper length: a number is CSS pixels; a text carries its unit: px, in, cm or mm."""

WaitUntil: TypeAlias = Literal["load", "domcontentloaded", "networkidle0", "networkidle2"]
"""When a page counts as loaded."""

PageFormat: TypeAlias = Literal["letter", "legal", "tabloid", "ledger", "a0", "a1", "a2", "a3", "a4", "a5", "a6"]
"""A paper size by name."""

ImageType: TypeAlias = Literal["png", "jpg", "jpeg", "webp", "svg"]
"""An image format. `svg` and `jpeg` are unconfirmed (contract section 7, row 30)."""

PreviewType: TypeAlias = Literal["png", "jpg", "webp"]
"""The format of a preview image."""

_IRREGULAR_WIRE_NAMES: Final = {
    "async_": "async",
    "prefer_css_page_size": "preferCSSPageSize",
    "viewport": "viewPort",
}


def wire_name(name: str) -> str:
    """The service's name of one of our option fields: ``print_background`` -> ``printBackground``."""
    first, *rest = name.split("_")
    return _IRREGULAR_WIRE_NAMES.get(name) or first + "".join(word.capitalize() for word in rest)


@frozen(kw_only=True)
class Margin(Checked):
    """Page margins. A side left out keeps the service's default (0.4in top and left, 0.39in bottom and right)."""

    top: Length | None = checked(length)
    bottom: Length | None = checked(length)
    left: Length | None = checked(length)
    right: Length | None = checked(length)


@frozen
class Viewport(Checked):
    """The browser window the page is laid out in."""

    width: int = required(integer(1))
    """CSS pixels."""
    height: int = required(integer(1))
    """CSS pixels."""
    device_scale_factor: float | None = checked(number(0))
    """Device pixels per CSS pixel; the service's default is 1."""
    is_mobile: bool | None = checked(boolean)
    has_touch: bool | None = checked(boolean)
    is_landscape: bool | None = checked(boolean)


@frozen
class Cookie(Checked):
    """A cookie set in the browser before the page is loaded. Its value is never shown."""

    name: str = required(nonempty)
    value: str = required(secret_text, secret=True)
    url: str | None = checked(web_address, show=shown_addresses)
    domain: str | None = checked(nonempty)
    path: str | None = checked(nonempty)
    expires: int | None = checked(integer())
    """Unix time in seconds."""
    http_only: bool | None = checked(boolean)
    secure: bool | None = checked(boolean)
    same_site: Literal["Strict", "Lax"] | None = checked(choice("Strict", "Lax"))


@frozen
class BasicAuth(Checked):
    """HTTP basic authentication at the page to convert. The password is never shown."""

    username: str = required(text)
    password: str = required(secret_text, secret=True)


@frozen(kw_only=True)
class HeaderFooter(Checked):
    """What is printed at the top or bottom of each page.

    It lies inside the page margin: make `margin.top` or `margin.bottom` large enough, and set a font size
    (contract section 4.6).
    """

    method: str | None = checked(nonempty)
    """``"extract"`` takes the element under `selector` out of the page. Leave it out for the default, a template."""
    selector: str | None = checked(nonempty)
    """CSS selector, for ``"extract"``."""
    template: str | None = checked(text)
    """HTML, for the default method."""
    template_string: str | None = checked(text)
    """An alternative to `template` that the service's sources leave unexplained."""
    margin: Margin | None = checked(instance_of(Margin))
    style: Mapping[str, str | int | float] | None = checked(css_properties)
    """CSS property names (``padding-bottom``) and values, sent exactly as written."""
    image_style: Mapping[str, str | int | float] | None = checked(css_properties)
    """The same for images inside."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.method == "extract" and self.selector is None:
            raise ValidationError('HeaderFooter.selector is needed with method="extract"', field="selector")


@frozen
class WaitForSelector(Checked):
    """Waits until an element is there before the page is captured."""

    selector: str = required(nonempty)
    """CSS selector."""
    visible: bool | None = checked(boolean)
    """Wait until it is visible. Not together with `hidden`."""
    hidden: bool | None = checked(boolean)
    """Wait until it is hidden or gone."""
    timeout: Milliseconds | None = checked(milliseconds(least=100, seconds_below=100))
    """Milliseconds; the service's default is 30000."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.visible and self.hidden:
            raise ValidationError(
                "WaitForSelector.visible and .hidden exclude each other: an element cannot be both", field="visible"
            )


@frozen(kw_only=True)
class Preview(Checked):
    """A small picture of the product, made beside it. Needs storage.

    The service's sources disagree on the defaults of `type` and `quality`, so both are always sent.
    """

    width: int | None = checked(integer(1))
    """Pixels. One of the two sizes is needed; with one given, the other follows."""
    height: int | None = checked(integer(1))
    """Pixels."""
    type: PreviewType = checked(choice("png", "jpg", "webp"), default="webp")
    quality: int = checked(integer(0, 100), default=80)
    """For lossy types."""
    maintain_aspect_ratio: bool | None = checked(boolean)
    """The service's default is True."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.width is None and self.height is None:
            raise ValidationError(
                "Preview needs a width, a height or both; generate_preview=True leaves the size to the service",
                field="width",
            )


@frozen
class UserStorage(Checked):
    """Keeps the product in your own S3 bucket: a configuration made with `add_storage`, by its id."""

    id: str = required(nonempty)
