"""What may be repeated, and after how long: arithmetic, so everything can be asked."""

from __future__ import annotations

import math
import pickle
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cloudlayer_async import ConfigError, RetryPolicy, Timeouts
from cloudlayer_async.retry import Fault, wait_before_repeat

SECONDS = st.floats(0, 1e6, allow_nan=False)
POLICIES = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 10),
    budget=st.floats(0, 1e6) | st.just(math.inf),
    max_retry_after=st.floats(0, 1e6) | st.just(math.inf),
    resubmit_ambiguous=st.booleans(),
)
SITUATIONS = st.fixed_dictionaries(
    {
        "is_read": st.booleans(),
        "attempt": st.integers(1, 12),
        "elapsed": SECONDS,
        "retry_after": st.none() | SECONDS | st.just(math.inf),
        "random": st.floats(0, 1),
    }
)


def wait(policy: RetryPolicy | None = None, fault: Fault = Fault.REFUSED, **situation: Any) -> float | None:
    usual: dict[str, Any] = {"is_read": False, "attempt": 1, "elapsed": 0.0, "retry_after": None, "random": 1.0}
    return wait_before_repeat(policy or RetryPolicy(), fault, **{**usual, **situation})


@pytest.mark.parametrize(
    ("fault", "is_read", "opted", "repeated"),
    [
        (Fault.NOT_SENT, False, False, True),
        (Fault.NOT_SENT, True, False, True),
        (Fault.REFUSED, False, False, True),
        (Fault.REFUSED, True, False, True),
        (Fault.UNKNOWN, False, False, False),
        (Fault.UNKNOWN, False, True, True),
        (Fault.UNKNOWN, True, False, True),
        (Fault.FINAL, False, False, False),
        (Fault.FINAL, True, False, False),
        (Fault.FINAL, False, True, False),
        (Fault.FINAL, True, True, False),
    ],
)
def test_what_may_be_repeated(fault: Fault, is_read: bool, opted: bool, repeated: bool) -> None:
    found = wait(RetryPolicy(resubmit_ambiguous=opted), fault, is_read=is_read)
    assert (found is not None) is repeated


@given(POLICIES, st.sampled_from(Fault), SITUATIONS)
def test_the_limits_hold_whatever_happens(policy: RetryPolicy, fault: Fault, situation: dict[str, Any]) -> None:
    found = wait_before_repeat(policy, fault, **situation)
    if found is None:
        return
    assert fault is not Fault.FINAL
    assert situation["attempt"] < policy.attempts
    assert situation["elapsed"] + found <= policy.budget
    if fault is Fault.UNKNOWN:
        assert situation["is_read"] or policy.resubmit_ambiguous
    if situation["retry_after"] is not None:
        assert found == situation["retry_after"] <= policy.max_retry_after  # neither shortened nor stretched
    else:
        assert 0 <= found <= min(8.0, 0.5 * 2 ** (situation["attempt"] - 1))
        assert found == situation["random"] * min(8.0, 0.5 * 2 ** (situation["attempt"] - 1))


@given(POLICIES, st.sampled_from(Fault), SITUATIONS)
def test_nothing_but_a_limit_forbids_a_repeat(policy: RetryPolicy, fault: Fault, situation: dict[str, Any]) -> None:
    assume(fault is not Fault.FINAL)
    assume(fault is not Fault.UNKNOWN or situation["is_read"] or policy.resubmit_ambiguous)
    assume(situation["attempt"] < policy.attempts)
    retry_after = situation["retry_after"]
    wanted = (
        retry_after
        if retry_after is not None
        else situation["random"] * min(8.0, 0.5 * 2 ** (situation["attempt"] - 1))
    )
    found = wait_before_repeat(policy, fault, **situation)
    if (
        wanted <= (policy.max_retry_after if retry_after is not None else math.inf)
        and situation["elapsed"] + wanted <= policy.budget
    ):
        assert found == wanted
    else:
        assert found is None


def test_backoff_doubles_up_to_its_cap_with_full_jitter() -> None:
    policy = RetryPolicy(attempts=1000, budget=math.inf)
    assert [wait(policy, attempt=attempt) for attempt in (1, 2, 3, 4, 5, 6, 999)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert [wait(policy, attempt=5, random=share) for share in (0, 0.25, 0.5)] == [0, 2, 4]


def test_retry_after_beyond_the_cap_is_not_shortened() -> None:
    assert wait(retry_after=60.0) == 60.0 or wait(RetryPolicy(budget=61), retry_after=60.0) == 60.0
    assert wait(RetryPolicy(budget=math.inf), retry_after=60.1) is None
    assert wait(RetryPolicy(budget=math.inf, max_retry_after=3600), retry_after=3600.0) == 3600
    assert wait(RetryPolicy(budget=math.inf), retry_after=math.inf) is None
    assert wait(retry_after=0.0) == 0
    assert wait(RetryPolicy(max_retry_after=0), retry_after=0.0) == 0
    assert wait(RetryPolicy(max_retry_after=0), retry_after=0.1) is None


def test_attempts_and_budget() -> None:
    assert wait(RetryPolicy(attempts=1)) is None
    assert wait(attempt=3) is not None
    assert wait(attempt=4) is None
    assert wait(elapsed=59.5, random=1.0) == 0.5
    assert wait(elapsed=59.6, random=1.0) is None
    assert wait(RetryPolicy(budget=0), random=0.0) == 0
    assert wait(RetryPolicy(budget=0)) is None


# --- settings -------------------------------------------------------------------------------------------------------


def test_defaults_are_those_of_the_design() -> None:
    assert attrs.asdict(RetryPolicy()) == {
        "attempts": 4,
        "budget": 60.0,
        "max_retry_after": 60.0,
        "resubmit_ambiguous": False,
    }
    assert attrs.asdict(Timeouts()) == {"connect": 10.0, "read": 60.0, "job": 600.0}


@pytest.mark.parametrize(
    ("cls", "name", "values"),
    [
        (RetryPolicy, "attempts", [0, -1, 1.0, True, "4", None, math.inf]),
        (RetryPolicy, "budget", [-1, "60", True, None, math.nan, -math.inf, timedelta(seconds=-5), 10**400]),
        (RetryPolicy, "max_retry_after", [-1, "60", True, None, math.nan, 10**400]),
        (RetryPolicy, "resubmit_ambiguous", [1, 0, "no", None]),
        (Timeouts, "connect", [0, -1, math.inf, math.nan, "10", True, None, timedelta(0), 10**400]),
        (Timeouts, "read", [0, -1, math.inf, math.nan, "10", True, None, 10**400]),
        (Timeouts, "job", [0, -1, math.nan, "600", False, None, 10**400]),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(cls: Any, name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ConfigError) as caught:
            cls(**{name: value})
        assert f"{cls.__name__}.{name}" in str(caught.value)


def test_settings_take_their_ends() -> None:
    assert Timeouts(job=math.inf).job == math.inf
    assert RetryPolicy(attempts=1, budget=0, max_retry_after=math.inf).budget == 0
    assert RetryPolicy(budget=timedelta(minutes=2)) == RetryPolicy(budget=120)  # type: ignore[arg-type]
    assert Timeouts(read=timedelta(seconds=1.5)).read == 1.5  # type: ignore[arg-type]
    for made in (Timeouts(), RetryPolicy()):
        assert pickle.loads(pickle.dumps(made)) == made
        assert hash(made) == hash(type(made)())
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(made, attrs.fields(type(made))[0].name, 1)
