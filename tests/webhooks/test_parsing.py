"""Reading bodies: every shape of the contract, and whatever a stranger sends."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlayer_async import Job, ValidationError, parse_webhook

FIXTURES = Path(__file__).parent.parent / "fixtures"
BODIES = {
    path.stem: path.read_bytes() for pattern in ("webhook_*", "job_*") for path in FIXTURES.glob(f"{pattern}.json")
}


def test_there_are_bodies() -> None:
    assert {"webhook_success", "webhook_error", "webhook_jobid_iso", "webhook_full_job"} <= BODIES.keys()


@pytest.mark.parametrize("name", BODIES)
def test_every_shape_is_read_the_same_from_bytes_text_and_mapping(name: str) -> None:
    body = BODIES[name]
    data = json.loads(body)
    job = parse_webhook(body)
    assert job == parse_webhook(body.decode()) == parse_webhook(data) == parse_webhook(bytearray(body))  # type: ignore[arg-type]
    assert job.id == str(data.get("id", data.get("jobId")))


def test_the_small_body_of_2026() -> None:
    job = parse_webhook(BODIES["webhook_jobid_iso"])
    assert (job.id, job.is_success) == ("job_q81s77", True)
    assert job.timestamp is not None
    assert job.timestamp.isoformat() == "2026-01-01T00:00:02+00:00"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"])
def test_json_in_any_of_its_encodings(encoding: str) -> None:
    assert parse_webhook('{"id": "a", "name": "é"}'.encode(encoding)).name == "é"


class Failing(Mapping[str, Any]):
    """A mapping of somebody else, which does not work."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getitem__(self, key: str) -> Any:
        raise self._error

    def __iter__(self) -> Iterator[str]:
        return iter(["id"])

    def __len__(self) -> int:
        return 1


def circle() -> dict[str, Any]:
    data: dict[str, Any] = {"id": "a"}
    data["self"] = data
    return data


def laughs() -> dict[str, Any]:
    """Small in memory, and enormous for whoever goes through all of it."""
    item: list[Any] = ["ha"] * 10
    for _ in range(40):
        item = [item] * 10
    return {"id": "a", "laugh": item}


def nested(depth: int, opening: str, closing: str) -> str:
    return '{"id": "a", "x": ' + opening * depth + "1" + closing * depth + "}"


REFUSED: dict[str, Any] = {
    "nothing": b"",
    "text": b"hello",
    "array": b"[]",
    "number": b"1",
    "null": b"null",
    "empty object": b"{}",
    "empty id": b'{"id": ""}',
    "blank id": b'{"id": "  "}',
    "boolean id": b'{"id": true}',
    "id that is a path": b'{"id": ".."}',
    "id that is no text": b'{"id": "\\ud800"}',
    "long id": json.dumps({"id": "a" * 257}),
    "latin-1": '{"id": "é"}'.encode("latin-1"),
    "cut off": b'{"id": "a"',
    "NaN": b'{"id": "a", "size": NaN}',
    "long number": b'{"id": "a", "size": ' + b"9" * 100_000 + b"}",
    "too large": b'{"id": "a", "x": "' + b"x" * 1024**2 + b'"}',
    "too large a text": '{"id": "a", "x": "' + "x" * 1024**2 + '"}',
    "too large a mapping": {"id": "a", "x": ["x" * 1000] * 2000},
    "nested arrays": nested(10_000, "[", "]"),
    "nested objects": nested(10_000, '{"a":', "}").encode(),
    "nested a little too deep": nested(65, "[", "]"),
    "never closed": "[" * 1_000_000,
    "circle": circle(),
    "laughs": laughs(),
    "keys that are no text": {"id": "a", 1: 2},
    "failing mapping": Failing(RuntimeError("no")),
    "mapping without what it lists": Failing(KeyError("id")),
    "None": None,
    "int": 7,
    "list": [],
}


@pytest.mark.parametrize("what", REFUSED)
def test_anything_else_is_a_validation_error(what: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse_webhook(REFUSED[what])
    assert caught.value.field == "body"
    assert len(str(caught.value)) < 200


def test_the_bound_can_be_moved() -> None:
    body = BODIES["webhook_full_job"]
    assert parse_webhook(body, max_body=len(body)).id
    with pytest.raises(ValidationError, match="larger"):
        parse_webhook(body, max_body=len(body) - 1)


def outcome(body: Any) -> Job | None:
    """The job, if there is one; fails when anything but a ValidationError comes."""
    try:
        job = parse_webhook(body)
    except ValidationError as error:
        str(error), pickle.dumps(error)
        return None
    # What is read can be shown, compared and stored.
    assert repr(job)
    assert pickle.loads(pickle.dumps(job)).id == job.id
    return job


def mutated(chance: random.Random, body: bytes) -> bytes:
    """A body with something in it that should not be there."""
    data = bytearray(body)
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(data) + 1)
        stop = min(len(data), start + chance.randint(0, 12))
        match chance.randrange(5):
            case 0:
                del data[start:stop]
            case 1:
                data[start:start] = chance.randbytes(chance.randint(1, 6))
            case 2:
                data[start:start] = data[start:stop] * chance.randint(1, 4)
            case 3:
                data[start:stop] = chance.choice(
                    [b'"', b"{", b"[", b"null", b"1e999", b"-0", b"\\ud83d", b"\xff\xfe", b"true"]
                )
            case 4:
                data = bytearray(bytes(data).decode("latin-1").encode(chance.choice(["utf-8", "utf-16", "utf-32"])))
    return bytes(data)


@given(seed=st.integers(min_value=0), name=st.sampled_from(sorted(BODIES)))
@settings(max_examples=200, deadline=None)
def test_ten_thousand_mutated_bodies(seed: int, name: str) -> None:
    chance = random.Random(seed)
    for _ in range(50):
        outcome(mutated(chance, BODIES[name]))


@given(body=st.binary(max_size=300) | st.text(max_size=300))
@settings(deadline=None)
def test_random_bodies(body: bytes | str) -> None:
    outcome(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
FIELDS = (
    "id",
    "jobId",
    "status",
    "timestamp",
    "size",
    "assetUrl",
    "params",
    "error",
    "processTime",
    "type",
    "extra",
    "self",
)


@given(data=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), JSON, max_size=10))
@settings(deadline=None)
def test_objects_with_anything_in_the_known_fields(data: dict[str, Any]) -> None:
    outcome(data)
    outcome(json.dumps(data))
