"""Every status by every kind of call: which error, whether it may be billed, whether it is repeated.

The table is written from the design, section 4, and the contract, section 1.1; the code is not asked.
"""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import call, fixture, reply

from cloudlayer_async import (
    AmbiguousSubmissionError,
    ApiError,
    Attempt,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseInfo,
    RetryPolicy,
    ServerError,
    ServiceUnavailableError,
    UnexpectedResponseError,
)
from cloudlayer_async.jsontext import WireFault
from cloudlayer_async.protocol import CallKind
from cloudlayer_async.retry import wait_before_repeat
from cloudlayer_async.verdict import error_message, error_of, fault_of, refusal_of, unexpected

READ, WRITE, CONVERSION = CallKind.READ, CallKind.WRITE, CallKind.CONVERSION
NO, YES, OPT_IN = "no", "yes", "opt-in"

Row = tuple[type[Exception], bool, str]
"""The error, `maybe_billed`, repeated."""


def everywhere(cls: type[Exception], repeated: str) -> dict[CallKind, Row]:
    return dict.fromkeys(CallKind, (cls, False, repeated))


def uncertain(on_reads: type[Exception]) -> dict[CallKind, Row]:
    return {
        READ: (on_reads, False, YES),
        WRITE: (AmbiguousSubmissionError, False, OPT_IN),
        CONVERSION: (AmbiguousSubmissionError, True, OPT_IN),
    }


REDIRECT: dict[CallKind, Row] = {
    READ: (UnexpectedResponseError, False, NO),
    WRITE: (UnexpectedResponseError, False, NO),
    CONVERSION: (UnexpectedResponseError, True, NO),
}
TABLE: dict[tuple[int, float | None], dict[CallKind, Row]] = {
    **{(status, None): REDIRECT for status in (300, 301, 302, 303, 304, 307, 308)},
    (400, None): everywhere(BadRequestError, NO),
    (413, None): everywhere(BadRequestError, NO),
    (415, None): everywhere(BadRequestError, NO),
    (422, None): everywhere(BadRequestError, NO),
    (401, None): everywhere(AuthenticationError, NO),
    (403, None): everywhere(PermissionDeniedError, NO),
    (404, None): everywhere(NotFoundError, NO),
    **{(status, None): everywhere(ApiError, NO) for status in (402, 405, 406, 409, 410, 418, 425, 431, 451, 499)},
    (408, None): {**everywhere(ApiError, NO), CONVERSION: (ApiError, True, NO)},
    (400, 5.0): everywhere(BadRequestError, NO),
    (429, None): everywhere(RateLimitError, YES),
    (429, 0.0): everywhere(RateLimitError, YES),
    (429, 5.0): everywhere(RateLimitError, YES),
    (503, 0.0): everywhere(ServiceUnavailableError, YES),
    (503, 5.0): everywhere(ServiceUnavailableError, YES),
    (503, None): uncertain(ServiceUnavailableError),
    (500, None): {
        READ: (ServerError, False, YES),
        WRITE: (ServerError, False, OPT_IN),
        CONVERSION: (ServerError, True, OPT_IN),
    },
    (500, 5.0): {
        READ: (ServerError, False, YES),
        WRITE: (ServerError, False, OPT_IN),
        CONVERSION: (ServerError, True, OPT_IN),
    },
    **{
        (status, None): uncertain(ServerError)
        for status in (501, 502, 504, 505, 507, 511, 520, 521, 522, 524, 527, 599)
    },
    (502, 5.0): uncertain(ServerError),
}
CASES = [(*key, kind, *row) for key, rows in TABLE.items() for kind, row in rows.items()]


@pytest.mark.parametrize(("status", "retry_after", "kind", "cls", "billed", "repeated"), CASES)
def test_the_table(
    status: int, retry_after: float | None, kind: CallKind, cls: Any, billed: bool, repeated: str
) -> None:
    asked = call(kind, name="march" if kind is CONVERSION else None)
    said = reply({"message": "no"}, status, cl_worker="w1")
    history = (Attempt(request=asked.label, number=1, status=status),)
    error: Any = error_of(asked, said, retry_after, history)
    assert type(error) is cls
    assert error.maybe_billed is billed
    assert error.status == status
    assert error.request == asked.label
    assert error.history == history
    assert error.job_id is None
    assert error.info == ResponseInfo(status=status, worker="w1", headers=said.headers)
    assert str(status) in str(error)
    assert asked.label in str(error)
    if isinstance(error, ApiError):
        assert (error.message, error.retry_after, error.body) == ("no", retry_after, '{"message": "no"}')
    elif isinstance(error, AmbiguousSubmissionError):
        assert error.name == asked.name

    fault = fault_of(said, retry_after)
    assert fault is not None
    waits = [
        wait_before_repeat(
            RetryPolicy(resubmit_ambiguous=opted),
            fault,
            is_read=kind is READ,
            attempt=1,
            elapsed=0,
            retry_after=retry_after,
            random=0.5,
        )
        for opted in (False, True)
    ]
    assert [wait is not None for wait in waits] == {NO: [False, False], YES: [True, True], OPT_IN: [False, True]}[
        repeated
    ]
    if retry_after is not None:
        assert set(waits) <= {None, retry_after}


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204, 206, 226, 299])
@pytest.mark.parametrize("retry_after", [None, 5.0])
def test_every_2xx_is_a_success(status: int, retry_after: float | None) -> None:
    assert fault_of(reply(b"", status), retry_after) is None


@given(st.integers(300, 599), st.sampled_from(CallKind), st.none() | st.floats(0, 1000))
def test_whatever_may_be_billed_is_not_repeated_unasked(status: int, kind: CallKind, retry_after: float | None) -> None:
    said = reply(b"", status)
    error = error_of(call(kind), said, retry_after, ())
    fault = fault_of(said, retry_after)
    assert fault is not None
    wait = wait_before_repeat(
        RetryPolicy(), fault, is_read=kind is READ, attempt=1, elapsed=0, retry_after=None, random=1.0
    )
    if error.maybe_billed:
        assert kind is CONVERSION
        assert wait is None
    if kind is CONVERSION and wait is not None:
        assert status == 429 or (status == 503 and retry_after is not None)


def test_a_note_says_why_it_was_not_repeated() -> None:
    error: Any = error_of(call(READ), reply({"message": "slow down"}, 429), 900.0, (), "; it asks for too long a wait")
    assert "slow down; it asks for too long a wait" in str(error)
    assert error.message == "slow down"  # the service's own words
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


def test_a_history_is_counted() -> None:
    history = tuple(Attempt(request="GET /v2/jobs", number=number) for number in (1, 2, 3))
    assert "after 3 attempts" in str(error_of(call(READ), reply(b"", 500), None, history))


# --- the service's words (section 5.7) ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("error_full", "url must be a valid address"),
        ("error_message", "Invalid API key"),
        ("error_message_list", "html must be base64; timeout must not be less than 1000"),
        ("error_error_only", "Internal server error"),
        ("error_reason_401", "The API key is not valid"),
        ("error_rate_limit", "Rate limit exceeded"),
        ("error_json_array", "unexpected"),
    ],
)
def test_each_error_fixture_is_read(name: str, words: str) -> None:
    body = fixture(name)
    assert error_message(json.dumps(body)) == words
    error: Any = error_of(call(READ), reply(body, 400), None, ())
    assert error.message == words
    assert json.loads(error.body) == body


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", ""),
        ("   ", ""),
        ("null", "null"),
        ("5", "5"),
        ('"text"', "text"),
        ("{}", ""),
        ("[]", ""),
        ('{"message":"","reason":"r","error":"e"}', "r"),
        ('{"message":null,"error":"e"}', "e"),
        ('{"message":{"a":["é"]}}', '{"a": ["é"]}'),
        ('{"message":["a",5]}', '["a", 5]'),
        ('{"message":5}', "5"),
        ('{"statusCode":400}', ""),
        ("plain words\nof\ta gateway", "plain words of a gateway"),
        ("<html><head><TITLE class=x>502 &amp;\n Bad Gateway</TITLE></head>", "502 & Bad Gateway"),
        ("<html><p>no title", ""),
        ("\ufeff" + '{"message":"hi"}', "hi"),
        ('{"message":"\\u001b[31mred\\u0000\\ud800"}', "[31mred"),
        ("{" * 100_000, "{" * 499 + "…"),
        ("<title>" * 9000, ""),
    ],
)
def test_words_out_of_any_body(body: str, words: str) -> None:
    assert error_message(body) == words


@given(st.text())
def test_words_are_one_short_printable_line(body: str) -> None:
    words = error_message(body)
    assert len(words) <= 500
    assert len(words.splitlines()) <= 1
    words.encode()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "Bad Request"),
        (404, "Not Found"),
        (500, "Internal Server Error"),
        (599, "no message"),
        (499, "no message"),
    ],
)
def test_no_words_are_replaced_by_the_meaning_of_the_status(status: int, words: str) -> None:
    error: Any = error_of(call(READ), reply(b"", status), None, ())
    assert error.message == words


def test_a_long_body_is_kept_short_and_its_message_is_found_all_the_same() -> None:
    body = json.dumps({"details": "x" * 50_000, "message": "too large"}).encode()
    error: Any = error_of(call(READ), reply(body, 413), None, ())
    assert error.message == "too large"
    assert len(error.body) == 16 * 1024
    error = error_of(call(READ), reply(b"\xff" * 1_000_000, 500), None, ())
    assert len(error.body) == 16 * 1024
    assert len(str(error)) < 700


# --- replies that cannot be used ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CallKind)
def test_an_unreadable_success_is_unexpected(kind: CallKind) -> None:
    said = reply(b'{"id":"7Kq2","stat', 202)
    error = unexpected(call(kind), said, WireFault("not JSON", "$"))
    assert type(error) is UnexpectedResponseError
    assert error.maybe_billed is (kind is CONVERSION)
    assert error.job_id == ("7Kq2" if kind is CONVERSION else None)
    assert (error.path, error.status, error.body) == ("$", 202, '{"id":"7Kq2","stat')
    assert "at $" in str(error)


@pytest.mark.parametrize(
    ("body", "job_id"),
    [
        (b'{"jobId" : "job_1", "st', "job_1"),
        (b'<html>{"id":"a"}', "a"),
        (b'{"id":""}', None),
        (b'{"id":"a b"}', None),
        (b'{"id":5}', None),
        (b'{"id":"' + b"x" * 300 + b'"}', None),
        (b"%PDF-1.7", None),
        (b"", None),
        (b"\xff\xfe", None),
    ],
)
def test_a_job_id_is_saved_out_of_a_broken_reply(body: bytes, job_id: str | None) -> None:
    assert unexpected(call(CONVERSION), reply(body, 201), "broken off").job_id == job_id


def test_the_place_of_the_fault_is_on_the_error() -> None:
    error = unexpected(call(READ), reply(b"[]"), WireFault("no id", "$[3].id"))
    assert error.path == "$[3].id"
    assert "$[3].id" in str(error)


def test_a_refusal_inside_a_success_has_its_status() -> None:
    error = refusal_of(
        call(WRITE), reply(fixture("storage_delete_error_http200"), 200), "storage configuration not found"
    )
    assert type(error) is ApiError
    assert (error.status, error.message, error.maybe_billed) == (200, "storage configuration not found", False)
    assert "storage configuration not found" in error.body
