"""Auto-calculation: the nulls of a template's data that follow from its other numbers. Pure.

What the service calculates is documented by example only. Here a null is filled in when its name and its neighbours
leave one reading: the amount of a line is its price times its quantity; a subtotal is the sum of the lines' amounts; a
tax is the subtotal times the rate; a total is the subtotal with tax and shipping, less the discount. Any other null
stays null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SWITCH = "__auto_calculate"
_AMOUNTS = ("amount", "line_total", "total", "subtotal", "total_price")
_QUANTITIES = ("quantity", "qty", "hours", "units", "count")
_PRICES = ("unit_price", "price", "rate", "unit_cost", "cost")
_SUBTOTALS = ("subtotal", "sub_total", "items_total")
_RATES = ("tax_rate", "vat_rate", "tax_percent", "vat_percent")
_TAXES = ("tax", "vat", "tax_amount", "vat_amount", "tax_total")
_EXTRAS = ("shipping", "shipping_cost", "handling", "fees")
_DISCOUNTS = ("discount", "discount_amount")
_TOTALS = ("total", "grand_total", "total_amount", "amount_due", "balance_due", "amount")


def calculated(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data with the nulls filled in that can be; as it was when it says ``__auto_calculate: false``."""
    if data.get(_SWITCH) is False:
        return dict(data)
    return _document({key: _with_lines(value) for key, value in data.items()})


def _with_lines(value: Any) -> Any:
    if isinstance(value, list):
        return [_line(item) if isinstance(item, Mapping) else item for item in value]
    if isinstance(value, Mapping):
        return _document({key: _with_lines(item) for key, item in value.items()})
    return value


def _line(item: Mapping[str, Any]) -> dict[str, Any]:
    line = {key: _with_lines(value) for key, value in item.items()}
    quantity, price = _number(line, _QUANTITIES), _number(line, _PRICES)
    if quantity is not None and price is not None:
        _fill(line, _AMOUNTS, quantity * price)
    return line


def _document(data: dict[str, Any]) -> dict[str, Any]:
    subtotal = _number(data, _SUBTOTALS)
    if subtotal is None:
        subtotal = _sum_of_lines(data)
    if subtotal is None:
        return data
    _fill(data, _SUBTOTALS, subtotal)
    rate = _number(data, _RATES)
    if rate is not None:
        # A rate up to one is a fraction, above it is per cent.
        _fill(data, _TAXES, subtotal * (rate if rate <= 1 else rate / 100))
    total = subtotal + sum(_number(data, names) or 0 for names in (_TAXES, _EXTRAS))
    _fill(data, _TOTALS, total - abs(_number(data, _DISCOUNTS) or 0))
    return data


def _sum_of_lines(data: Mapping[str, Any]) -> float | None:
    for value in data.values():
        if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            amounts = [_number(item, _AMOUNTS) for item in value]
            known = [amount for amount in amounts if amount is not None]
            if len(known) == len(amounts):
                return sum(known)
    return None


def _fill(data: dict[str, Any], names: tuple[str, ...], value: float) -> None:
    rounded = round(value, 2)
    for key, present in data.items():
        if present is None and _plain(key) in names:
            data[key] = int(rounded) if float(rounded).is_integer() else rounded


def _number(data: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    for name in names:
        for key, value in data.items():
            if _plain(key) == name and isinstance(value, (int, float)) and not isinstance(value, bool):
                return value
    return None


def _plain(key: str) -> str:
    """Turn ``unitPrice`` and ``unit-price`` into ``unit_price``."""
    spread = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
    return spread.replace("-", "_").lstrip("_")
