"""Whatever is sent, it is either a good conversion or a refusal; never a fault of the emulator's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlayer_async.emulator.checks import Refusal
from cloudlayer_async.emulator.dialects import Dialect
from cloudlayer_async.emulator.endpoints import ENDPOINTS, Endpoint
from cloudlayer_async.emulator.gallery import Gallery
from cloudlayer_async.emulator.intake import Intake
from cloudlayer_async.emulator.options import option_checks
from cloudlayer_async.emulator.validation import Validator

VALIDATOR = Validator(Dialect(data_text=True, storage_strings=True), Gallery({}))
NAMES = sorted({name for checks in option_checks(Dialect()).values() for name in checks})
INPUTS = ["url", "html", "batch", "template", "templateId", "data"]
MEMBERS = [
    "selector",
    "options",
    "urls",
    "id",
    "width",
    "height",
    "top",
    "name",
    "value",
    "username",
    "method",
    "style",
]

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["https://a.example", "eA=="])
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS) | st.text(), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
@settings(max_examples=60, deadline=None)
@given(
    options=st.dictionaries(st.sampled_from([*INPUTS, *NAMES]), values, max_size=4),
    version=st.sampled_from(["v1", "v2"]),
    upload=st.none() | st.binary(max_size=8) | st.just(b"%PDF-PK\x03\x04"),
)
def test_any_options(endpoint: Endpoint, options: dict[str, Any], version: str, upload: bytes | None) -> None:
    try:
        conversion = VALIDATOR.judge(endpoint, version, Intake(options=options, upload=upload), storages=())
    except Refusal as error:
        refusal = error
    else:
        json.dumps(conversion.params)
        assert conversion.credits >= 1
        assert conversion.storage != "none" or not conversion.is_async
        return
    assert refusal.status == 400
    assert refusal.message
