"""The public template gallery, in small, and the account's own templates. Data and look-up only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

_PUBLISHED = 1767225600.0

_INVOICE = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<title>Invoice {{ invoice_no }}</title>
<style>
  body { font-family: "Source Sans Pro", sans-serif; font-size: 11pt; color: #222; margin: 0.6in; }
  h1 { font-size: 24pt; margin: 0 0 4pt; }
  table { width: 100%; border-collapse: collapse; margin-top: 24pt; }
  th, td { text-align: left; padding: 6pt 4pt; border-bottom: 1px solid #ccc; }
  .number { text-align: right; }
  .total td { font-weight: bold; border-bottom: none; }
  .parties { display: flex; justify-content: space-between; margin-top: 18pt; }
</style>
</head>
<body>
  <h1>Invoice {{ invoice_no }}</h1>
  <div>{{ date }}</div>
  <div class="parties">
    <div><b>From</b><br>{{ from_name }}<br>{{ from_address }}</div>
    <div><b>To</b><br>{{ to_name }}<br>{{ to_address }}</div>
  </div>
  <table>
    <thead>
      <tr><th>Item</th><th class="number">Price</th><th class="number">Quantity</th><th class="number">Amount</th></tr>
    </thead>
    <tbody>
    {% for item in items %}
      <tr>
        <td>{{ item.title }}</td>
        <td class="number">{{ formatCurrency(locale, currency, item.unit_price) }}</td>
        <td class="number">{{ item.quantity }}</td>
        <td class="number">{{ formatCurrency(locale, currency, item.amount) }}</td>
      </tr>
    {% endfor %}
      <tr class="total">
        <td colspan="3">Total</td>
        <td class="number">{{ formatCurrency(locale, currency, total) }}</td>
      </tr>
    </tbody>
  </table>
  {% if note %}<p>{{ note }}</p>{% endif %}
</body>
</html>
"""

_TICKET = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<title>{{ event }}</title>
<style>
  body { font-family: "Source Sans Pro", sans-serif; color: #1b2a41; margin: 24pt; }
  .ticket { border: 2px solid #1b2a41; padding: 18pt; }
  h1 { margin: 0; font-size: 22pt; }
  .seat { display: flex; justify-content: space-between; margin-top: 24pt; font-size: 14pt; }
  .holder { margin-top: 12pt; color: #55606e; }
</style>
</head>
<body>
  <div class="ticket">
    <h1>{{ event }}</h1>
    <div>{{ place }}, {{ date }}</div>
    <div class="seat">
      {% for part in seat %}<div>{{ part.label }} <b>{{ part.value }}</b></div>{% endfor %}
    </div>
    <div class="holder">{{ holder }} &middot; {{ code }}</div>
  </div>
</body>
</html>
"""

_BANNER = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<title>{{ title }}</title>
<style>
  body { margin: 0; }
  .banner { padding: 60px; background: #14323f; color: #f4f1e8; font-family: "Source Serif Pro", serif; }
  h1 { font-size: 54px; margin: 0 0 12px; }
  p { font-size: 24px; margin: 0; color: #c9d6cf; }
</style>
</head>
<body>
  <div class="banner">
    <h1>{{ title }}</h1>
    <p>{{ subtitle }}</p>
    {% if author %}<p>{{ author }}</p>{% endif %}
  </div>
</body>
</html>
"""


@attrs.frozen(kw_only=True)
class GalleryTemplate:
    """A public template."""

    id: str
    template_id: str
    """What requests name it by."""
    title: str
    short_description: str
    category: str
    type: str
    """``pdf`` or ``image``."""
    tags: tuple[str, ...]
    keywords: tuple[str, ...]
    highlights: tuple[str, ...]
    source: str = attrs.field(repr=False)
    sample_data: Mapping[str, Any]
    published: float = _PUBLISHED


_TEMPLATES = (
    GalleryTemplate(
        id="tp_emulator_1",
        template_id="plain-invoice",
        title="Plain invoice",
        short_description="An invoice with a table of items and a total",
        category="invoice",
        type="pdf",
        tags=("finance", "business"),
        keywords=("invoice", "bill", "receipt"),
        highlights=("Formats money for a locale", "Calculates amounts and total"),
        source=_INVOICE,
        sample_data={
            "__auto_calculate": True,
            "invoice_no": "A-17",
            "date": "2026-01-31",
            "locale": "en-US",
            "currency": "USD",
            "from_name": "Harbour Print Works",
            "from_address": "4 Quay Street, Bristol",
            "to_name": "Northwind Books",
            "to_address": "18 Mill Lane, Leeds",
            "items": [
                {"title": "Proof prints", "unit_price": 12.5, "quantity": 2, "amount": None},
                {"title": "Binding", "unit_price": 40, "quantity": 1, "amount": None},
            ],
            "total": None,
            "note": "Payable within 30 days.",
        },
    ),
    GalleryTemplate(
        id="tp_emulator_2",
        template_id="event-ticket",
        title="Event ticket",
        short_description="A ticket for one seat",
        category="ticket",
        type="pdf",
        tags=("events",),
        keywords=("ticket", "concert", "admission"),
        highlights=("One page",),
        source=_TICKET,
        sample_data={
            "event": "An evening of chamber music",
            "place": "Old Corn Exchange",
            "date": "14 March 2026, 19:30",
            "seat": [
                {"label": "Row", "value": "F"},
                {"label": "Seat", "value": "12"},
                {"label": "Door", "value": "West"},
            ],
            "holder": "Robin Example",
            "code": "TK-4471-F12",
        },
    ),
    GalleryTemplate(
        id="tp_emulator_3",
        template_id="article-banner",
        title="Article banner",
        short_description="A wide picture with a headline, for shared links",
        category="banner",
        type="image",
        tags=("social", "web"),
        keywords=("banner", "social", "card"),
        highlights=("Headline and line below",),
        source=_BANNER,
        sample_data={
            "title": "Printing on a Tuesday",
            "subtitle": "What a small press learned from a very long queue",
            "author": "Robin Example",
        },
    ),
)


class Gallery:
    """Looks templates up: public ones, and the account's own by their ``u-`` ids."""

    def __init__(self, own: Mapping[str, str]) -> None:
        self._own = dict(own)

    def source(self, template_id: str) -> str | None:
        """Return the source that a request's ``templateId`` names, or None."""
        if template_id in self._own:
            return self._own[template_id]
        template = self.template(template_id)
        return template.source if template is not None else None

    def template(self, template_id: str) -> GalleryTemplate | None:
        """Return a public template by its id or its slug, or None."""
        for template in _TEMPLATES:
            if template_id in (template.id, template.template_id):
                return template
        return None

    def search(self, *, type_: str = "", category: str = "", tags: str = "") -> list[GalleryTemplate]:
        """Return the public templates that match all that is given; of the comma-separated tags one is enough."""
        wanted = {tag.strip() for tag in tags.split(",") if tag.strip()}
        return [
            template
            for template in _TEMPLATES
            if type_ in ("", template.type)
            and category in ("", template.category)
            and (not wanted or wanted & set(template.tags))
        ]
