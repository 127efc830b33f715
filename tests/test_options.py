"""The parts of options: shapes on the wire, ranges, secrets. Tables are written from the contract, sections 4.1 to 4.7."""

from __future__ import annotations

import copy
import math
import pickle
from datetime import timedelta
from typing import Any

import attrs
import pytest
from samples import PAGE, sent

from cloudlayer_async import (
    UNSET,
    BasicAuth,
    Cookie,
    HeaderFooter,
    HtmlToPdf,
    Margin,
    Preview,
    UrlToPdf,
    UserStorage,
    ValidationError,
    Viewport,
    WaitForSelector,
)
from cloudlayer_async.options import wire_name

PARTS: list[tuple[Any, dict[str, Any]]] = [
    (Margin(), {}),
    (
        Margin(top="0.4in", bottom=10, left=1.5, right="2mm"),
        {"top": "0.4in", "bottom": 10, "left": 1.5, "right": "2mm"},
    ),
    (Margin(top=0, bottom="0px"), {"top": 0, "bottom": "0px"}),
    (Viewport(1, 1), {"width": 1, "height": 1}),
    (
        Viewport(1280, 720, device_scale_factor=1.5, is_mobile=False, has_touch=True, is_landscape=False),
        {
            "width": 1280,
            "height": 720,
            "deviceScaleFactor": 1.5,
            "isMobile": False,
            "hasTouch": True,
            "isLandscape": False,
        },
    ),
    (Cookie("sid", ""), {"name": "sid", "value": ""}),
    (
        Cookie(
            "sid",
            "1",
            url="https://site.example/",
            domain=".site.example",
            path="/",
            expires=1767225600,
            http_only=True,
            secure=False,
            same_site="Lax",
        ),
        {
            "name": "sid",
            "value": "1",
            "url": "https://site.example/",
            "domain": ".site.example",
            "path": "/",
            "expires": 1767225600,
            "httpOnly": True,
            "secure": False,
            "sameSite": "Lax",
        },
    ),
    (BasicAuth("ann", ""), {"username": "ann", "password": ""}),
    (HeaderFooter(), {}),
    (
        HeaderFooter(
            method="template",
            selector="#h",
            template="<b>",
            template_string="x",
            margin=Margin(top=1),
            style={"padding-bottom": "2px", "font-size": 9, "fontSize": 1.5},
            image_style={"max-width": "1in"},
        ),
        {
            "method": "template",
            "selector": "#h",
            "template": "<b>",
            "templateString": "x",
            "margin": {"top": 1},
            "style": {"padding-bottom": "2px", "font-size": 9, "fontSize": 1.5},
            "imageStyle": {"max-width": "1in"},
        },
    ),
    (HeaderFooter(method="extract", selector="h1"), {"method": "extract", "selector": "h1"}),
    (WaitForSelector("#a"), {"selector": "#a"}),
    (
        WaitForSelector("#a", visible=True, hidden=False, timeout=timedelta(seconds=5)),
        {"selector": "#a", "options": {"visible": True, "hidden": False, "timeout": 5000}},
    ),
    (WaitForSelector("#a", timeout=100), {"selector": "#a", "options": {"timeout": 100}}),
    (Viewport(1, 1, device_scale_factor=0.5), {"width": 1, "height": 1, "deviceScaleFactor": 0.5}),
    (Viewport(1, 1, device_scale_factor=0), {"width": 1, "height": 1, "deviceScaleFactor": 0}),
    (WaitForSelector("#a", hidden=True), {"selector": "#a", "options": {"hidden": True}}),
    (Preview(width=300), {"width": 300, "type": "webp", "quality": 80}),
    (
        Preview(width=300, height=1, type="jpg", quality=0, maintain_aspect_ratio=False),
        {"width": 300, "height": 1, "type": "jpg", "quality": 0, "maintainAspectRatio": False},
    ),
    (UserStorage("6d1c"), {"id": "6d1c"}),
]
HOMES = {
    Margin: ("margin", "margin"),
    Viewport: ("viewport", "viewPort"),
    Cookie: ("cookies", "cookies"),
    BasicAuth: ("authentication", "authentication"),
    HeaderFooter: ("header_template", "headerTemplate"),
    WaitForSelector: ("wait_for_selector", "waitForSelector"),
    Preview: ("generate_preview", "generatePreview"),
    UserStorage: ("storage", "storage"),
}


@pytest.mark.parametrize(("part", "wire"), PARTS)
def test_each_part_has_its_shape_on_the_wire(part: Any, wire: Any) -> None:
    option, name = HOMES[type(part)]
    listed = isinstance(part, Cookie)
    body = sent(UrlToPdf("https://site.example", **{option: [part] if listed else part}))
    assert body[name] == ([wire] if listed else wire)


LENGTHS: list[Any] = [-1, "-1px", "1em", "5", "", True, math.nan, math.inf, 10**400, [1], "1 in"]
BAD: list[tuple[type, str, list[Any]]] = [
    *[(Margin, side, LENGTHS) for side in ("top", "bottom", "left", "right")],
    (Viewport, "width", [0, -1, 1.0, "1", True, None, UNSET]),
    (Viewport, "height", [0, -1, 1.0, "1", True, None, UNSET]),
    (Viewport, "device_scale_factor", [-0.1, True, "1", math.nan, math.inf, 10**400]),
    (Viewport, "is_mobile", [1, "true"]),
    (Viewport, "has_touch", [1, "true"]),
    (Viewport, "is_landscape", [0, "false"]),
    (Cookie, "name", ["", " ", 5, None, "\ud800"]),
    (Cookie, "value", [5, None, b"x", "a\r\nb", "\ud800", "\x00"]),
    (Cookie, "url", ["site.example", "", "javascript:x", 5]),
    (Cookie, "domain", ["", 5]),
    (Cookie, "path", ["", 5]),
    (Cookie, "expires", [1.5, "1767225600", True, timedelta(days=1), math.inf]),
    (Cookie, "http_only", [1, "true"]),
    (Cookie, "secure", [0, ""]),
    (Cookie, "same_site", ["None", "strict", "", True]),
    (BasicAuth, "username", [None, 5, b"x", "\ud800"]),
    (BasicAuth, "password", [None, 5, b"x", "a\nb", "\ud800"]),
    (HeaderFooter, "method", ["", 5, True]),
    (HeaderFooter, "selector", ["", 5]),
    (HeaderFooter, "template", [5, b"x", "\ud800"]),
    (HeaderFooter, "template_string", [5]),
    (HeaderFooter, "margin", ["1in", {"top": 1}, 5]),
    (
        HeaderFooter,
        "style",
        ["color: red", [], {"color": None}, {"color": True}, {5: "x"}, {"a": {}}, {"a": math.nan}, {"a": "\ud800"}],
    ),
    (HeaderFooter, "image_style", ["x", {"a": None}]),
    (WaitForSelector, "selector", ["", " ", None, 5]),
    (WaitForSelector, "visible", [1, "true"]),
    (WaitForSelector, "hidden", [1, "true"]),
    (WaitForSelector, "timeout", [30, 99, -1, 5.0, True, "5000", 2**31]),
    (Preview, "width", [0, -1, 1.5, True, "300"]),
    (Preview, "height", [0, -1, 1.5, True, "300"]),
    (Preview, "type", ["jpeg", "PNG", "", 5, True]),
    (Preview, "quality", [-1, 101, 1.5, True, "80"]),
    (Preview, "maintain_aspect_ratio", [1, "true"]),
    (UserStorage, "id", ["", " ", None, 5]),
]
NEEDED: dict[type, dict[str, Any]] = {
    Viewport: {"width": 1, "height": 1},
    Cookie: {"name": "a", "value": "b"},
    BasicAuth: {"username": "a", "password": "b"},
    WaitForSelector: {"selector": "#a"},
    Preview: {"width": 1},
    UserStorage: {"id": "a"},
}


def test_refused_values_are_listed_for_every_field() -> None:
    fields = {(cls, field.name) for cls in HOMES for field in attrs.fields(cls)}
    assert {(cls, name) for cls, name, _ in BAD} == fields


@pytest.mark.parametrize(
    ("cls", "name", "value"), [(cls, name, value) for cls, name, values in BAD for value in values]
)
def test_what_a_field_cannot_be_is_refused_by_its_name(cls: Any, name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        cls(**{**NEEDED.get(cls, {}), name: value})
    assert caught.value.field == name
    assert f"{cls.__name__}.{name}" in str(caught.value)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: WaitForSelector("#a", visible=True, hidden=True), "visible"),
        (lambda: HeaderFooter(method="extract"), "selector"),
        (Preview, "width"),
        (lambda: Preview(type="png", quality=1), "width"),
    ],
)
def test_what_cannot_stand_together_is_refused(make: Any, field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        make()
    assert caught.value.field == field


def test_preview_keeps_its_defaults_for_nothing() -> None:
    assert Preview(width=1, type=None, quality=UNSET) == Preview(width=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("part", [part for part, _ in PARTS])
def test_parts_are_values(part: Any) -> None:
    assert attrs.evolve(part) == part
    assert hash(attrs.evolve(part)) == hash(part)
    assert pickle.loads(pickle.dumps(part)) == copy.deepcopy(part) == copy.copy(part) == part
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(part, attrs.fields(type(part))[0].name, None)
    with pytest.raises(AttributeError):
        part.nothing_of_that_name = 1


def test_secrets_of_parts_are_not_shown() -> None:
    assert "hunter2" not in repr(BasicAuth("ann", "hunter2"))
    assert "ann" in repr(BasicAuth("ann", "hunter2"))
    assert "hunter2" not in repr(Cookie("sid", "hunter2"))
    assert "hunter2" not in str(HtmlToPdf(PAGE, webhook="https://h.example/hunter2"))
    for make in (
        lambda: Cookie("sid", b"hunter2"),  # type: ignore[arg-type]
        lambda: Cookie("sid", "hunter2\n"),
        lambda: BasicAuth("ann", "hunter2\n"),
        lambda: BasicAuth("ann", 2_000_000),  # type: ignore[arg-type]
        lambda: Cookie("sid", "x", url="htp://a:hunter2@h/?hunter2"),
    ):
        with pytest.raises(ValidationError) as caught:
            make()
        assert "hunter2" not in str(caught.value)
        assert "2000000" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("async_", "async"),
        ("prefer_css_page_size", "preferCSSPageSize"),
        ("viewport", "viewPort"),
        ("time_zone", "timeZone"),
        ("name", "name"),
        ("emulate_media_type", "emulateMediaType"),
    ],
)
def test_wire_names(name: str, wire: str) -> None:
    assert wire_name(name) == wire
