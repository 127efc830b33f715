"""Nunjucks templates, as they were written against the service."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlayer_async.emulator.rendering import Renderer, RenderError, RenderSpec, templates
from cloudlayer_async.emulator.rendering.templates import render

from .reading import pdf

_DATA: dict[str, Any] = {
    "items": [{"name": "b<", "price": 2.5}, {"name": "A", "price": 10}],
    "order": {"items": 3, "open": True},
    "text": "hällo",
    "whole": 10.0,
    "none": None,
    "empty": [],
    "__auto_calculate": False,
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # Printing
        ("{{ none }}{{ null }}{{ undefined }}{{ missing }}{{ missing.deeper.still }}", ""),
        ("{{ true }} {{ order.open }} {{ not true }}", "true true false"),
        ("{{ whole }} {{ 1.0 }} {{ 0.1 + 0.2 }} {{ 1e21 }} {{ 0.00001 }}", "10 1 0.30000000000000004 1e+21 0.00001"),
        ("{{ [1, 2.0, 'x', [3]] }} {{ order }}", "1,2,x,3 [object Object]"),
        ("{{ items[0].name }} {{ items[0].name | safe }}", "b&lt; b<"),
        # Arithmetic
        ("{{ 10 / 2 }} {{ 7 / 2 }} {{ 7 // 2 }} {{ 2 ** 3 }} {{ 7 % 3 }} {{ -5 % 3 }}", "5 3.5 3 8 1 -2"),
        ("{{ 5 / 0 }} {{ 0 / 0 }} {{ 'x' * 2 }} {{ '3' * '4' }} {{ none + 1 }}", "Infinity NaN NaN 12 1"),
        ("{{ 'a' + 1 }} {{ 1 + '2' }} {{ 'a' ~ 1.0 }} {{ 'is ' + true }} {{ 'n' + null }}", "a1 12 a1 is true nnull"),
        # Comparing, truth
        ("{% if text === 'hällo' && order.open !== false || x %}yes{% endif %}", "yes"),
        ("{{ '===' }} {{ none == undefined }} {{ 5 > '3' }} {{ 'b' > 'a' }} {{ 1 === true }}", "=== true true true false"),
        ("{{ 2 in [1, 2] }} {{ 'open' in order }} {{ 'äl' in text }} {{ 3 not in [1] }}", "true true true true"),
        ("{% if empty %}true{% endif %}{% if order %}true{% endif %}{% if 0 or '' or none %}false{% endif %}", "truetrue"),
        ("{{ none or 'default' }} {{ text and 1 }} {{ 'a' if missing else 'b' }}", "default 1 b"),
        ("{% if none %}a{% elseif order.open %}b{% else %}c{% endif %}", "b"),
        # Members
        ("{{ items.length }} {{ text.length }} {{ order.items }} {{ items[5] }} {{ order['open'] }}", "2 5 3  true"),
        ("{{ text.toUpperCase() }} {{ ' x '.trim() }} {{ 'a-b'.split('-').join('+') }}", "HÄLLO x a+b"),
        ("{{ text.slice(1, 3) }} {{ text.substring(3, 1) }} {{ text.indexOf('l') }} {{ 'abc'.slice(-2) }}", "äl äl 2 bc"),
        ("{{ text.replace('l', 'L') }} {{ text.includes('ll') }} {{ '7'.padStart(3, '0') }}", "häLlo true 007"),
        ("{{ (1.005).toFixed(2) }} {{ (2.5).toFixed(0) }} {{ (10 * 3).toFixed(2) }}", "1.00 3 30.00"),
        ("{{ [1, 2].includes(2) }} {{ [1, 2].indexOf(3) }} {{ [3, 4].concat(5).reverse() }}", "true -1 5,4,3"),
        # Loops
        ("{% for key, value in order %}{{ key }}={{ value }};{% endfor %}", "items=3;open=true;"),
        ("{% for item in items %}{{ loop.index }}/{{ loop.length }}{{ ', ' if not loop.last }}{% endfor %}", "1/2, 2/2"),
        ("{% for item in missing %}x{% else %}none{% endfor %}", "none"),
        ("{% asyncEach item in items %}{{ item.price }} {% endeach %}", "2.5 10 "),
        ("{% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }} {% endfor %}", "12 34 "),
        # Scope
        ("{% set sum = 0 %}{% for i in items %}{% set sum = sum + i.price %}{% endfor %}{{ sum }}", "12.5"),
        ("{% set x %}block{% endset %}{{ x }}{% if true %}{% set x = 'inner' %}{% endif %}{{ x }}", "blockinner"),
        ("{% set i = 'outer' %}{% for i in [1] %}{{ i }}{% endfor %}{{ i }}", "1outer"),
        ("{% macro m(a, b='2') %}<{{ a }}{{ b }}>{% endmacro %}{{ m('1') }}", "<12>"),
        # Filters
        ("{{ order | dump | safe }} {{ none | dump }}", '{"items":3,"open":true} null'),
        ("{{ 'a\nb<' | nl2br }}", "a<br />\nb&lt;"),
        ("{{ items | join(', ', 'price') }} {{ items | length }} {{ items | sum('price') }}", "2.5, 10 2 12.5"),
        ("{{ (items | sort(false, false, 'name') | first).name }} {{ 'abc' | reverse }}", "A cba"),
        ("{% for key, all in [{'k': 'a'}, {'k': 'b'}] | groupby('k') %}{{ key }}{{ all.length }}{% endfor %}", "a1b1"),
        ("{{ 'one two three' | truncate(9) }} {{ 3.14159 | round(2) }} {{ 3.7 | round }}", "one two... 3.14 4"),
        ("{{ missing | default('d') }} {{ text | capitalize }} {{ text | upper }}", "d Hällo HÄLLO"),
        # Raw
        ("{% verbatim %}{{ a === b }}{% endverbatim %}{% raw %}{{ null }}{% endraw %}{# === #}", "{{ a === b }}{{ null }}"),
        # Money and dates
        ("{{ formatCurrency('en-US', 'USD', 1234.5) }}", "$1,234.50"),
        ("{{ formatCurrency('de-DE', 'EUR', '1234.5') }}", "1.234,50\xa0€"),
        ("{{ formatCurrency('ja-JP', 'JPY', 1234) }}", "￥1,234"),
        ("{{ formatDateTime('en-US', '2026-03-14') }} {{ formatDateTime('de-DE', 0) }}", "3/14/2026 1.1.1970"),
        ("{{ formatDateTime('en-GB', '2026-03-14T23:30:00-05:00') }}", "15/03/2026"),
    ],
)  # fmt: skip
def test_a_template_means_what_it_means_in_javascript(source: str, expected: str) -> None:
    assert render(source, _DATA) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% switch x %}{% case 1 %}{% endswitch %}", "tag 'switch' is not supported"),
        ("{% include 'x.html' %}", "tag 'include' is not supported"),
        ("{% extends 'x.html' %}", "tag 'extends' is not supported"),
        ("{% import 'x.html' as x %}", "tag 'import' is not supported"),
        ("\n{{ r/a+/g.test(x) }}", r"line 2.*regular expressions"),
        ("{{ x | nosuchfilter }}", "nosuchfilter"),
        ("{{ nosuchfunction() }}", "nosuchfunction"),
        ("{{ 'x'.normalize() }}", "normalize"),
        ("{% if x %}", "line 1"),
        ("{{ x", "line 1"),
        ("{{ formatCurrency('xx-nowhere', 'USD', 1) }}", "no locale"),
        ("{{ formatDateTime('en-US', 'someday') }}", "no date"),
        ("{{ range(10000000) }}", "Range too big"),
        ("{{ 'a'.repeat(1000000000) }}", "too large"),
        ("{{ 'a'.padStart(1000000000) }}", "too large"),
        ("{% set x = 'aaaaaaaaaa' %}{% for i in range(100) %}{% set x = x + x %}{% endfor %}", "too large"),
    ],
)
def test_what_cannot_be_done_is_an_error_naming_it(source: str, message: str) -> None:
    with pytest.raises(RenderError, match=f"(?s)Template render error.*{message}"):
        render(source, _DATA)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}{{ items.__class__ }}{{ order.__class__ }}{{ none.__class__ }}{{ (1).__class__ }}",
        "{{ ''['__class__'] }}{{ order['__init__'] }}{{ items['append'] }}",
        "{{ formatCurrency.__globals__ }}{{ range.__self__ }}{{ cycler.__init__ }}{{ joiner.__init__.__globals__ }}",
        "{{ loop.__class__ }}{% for i in [1] %}{{ loop.__class__ }}{% endfor %}",
        "{{ ('' | attr('__class__')) }}{{ ''.format.__self__ }}",
        "{% macro m() %}{% endmacro %}{{ m.__class__ }}{{ m._func }}{{ m.__globals__ }}",
    ],
)
def test_nothing_of_python_can_be_reached(source: str) -> None:
    assert render(source, _DATA) == ""


def test_output_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "MAX_OUTPUT", 1000)
    with pytest.raises(RenderError, match="more than 1000 characters"):
        render("{% for i in range(100000) %}x{% endfor %}", {})


_LINES = [
    {"unit_price": 12.5, "quantity": 2, "amount": None},
    {"price": 0.1, "qty": 3, "lineTotal": None},
    {"amount": 5, "note": None},
]


def test_nulls_are_calculated() -> None:
    data = {"lines": _LINES, "subtotal": None, "taxRate": 10, "tax": None, "shipping": 4, "total": None, "other": None}
    source = "{{ lines[0].amount }} {{ lines[1].lineTotal }} {{ subtotal }} {{ tax }} {{ total }}{{ other }}"
    assert render(source, data) == "25 0.3 30.3 3.03 37.33"


def test_calculating_can_be_turned_off() -> None:
    data = {"lines": _LINES, "total": None, "__auto_calculate": False}
    assert render("{{ lines[0].amount }}{{ total }}", data) == ""


def test_given_values_are_never_replaced() -> None:
    data = {"lines": [{"unit_price": 2, "quantity": 2, "amount": 99}], "total": 1, "sub_total": None}
    assert render("{{ lines[0].amount }} {{ total }} {{ sub_total }}", data) == "99 1 99"


@pytest.mark.asyncio(loop_scope="session")
async def test_a_template_becomes_a_document(renderer: Renderer) -> None:
    spec = RenderSpec(conversion="template-pdf", template="<p>Hello {{ name }}</p>", data={"name": "<Ann>"})
    assert pdf((await renderer.render(spec)).content).text == "Hello <Ann>"
    with pytest.raises(RenderError, match="tag 'switch' is not supported"):
        await renderer.render(RenderSpec(conversion="template-image", template="{% switch x %}"))
