"""Back-off policies: how long to wait before a step is tried again."""

import math
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_engine.errors import DefinitionError
from flux_engine.retry import Backoff, as_backoff, exponential, fixed, none


def test_the_default_doubles_from_one_second_up_to_ten():
    """The pauses of a step that says nothing are 1, 2, 4, 8, 10, 10 … seconds."""
    policy = exponential()
    assert [policy.delay(retry) for retry in range(1, 8)] == [1, 2, 4, 8, 10, 10, 10]


def test_the_first_pause_is_never_longer_than_the_longest():
    """``longest`` holds for every retry, the first too."""
    assert exponential(first=60, longest=5).delay(1) == 5


@given(
    first=st.floats(0, 1e300),
    factor=st.floats(1, 1e300),
    longest=st.floats(0, 1e300),
    jitter=st.floats(0, 1),
    retry=st.integers(1, 10**400),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_no_pause_overflows_or_leaves_its_bounds(*, first, factor, longest, jitter, retry, chance):
    """However often a step is tried, the pause is a finite number from 0 to ``longest``."""
    delay = exponential(first, factor, longest, jitter).delay(retry, random=lambda: chance)
    assert math.isfinite(delay)
    assert 0 <= delay <= longest


@given(first=st.integers(1, 5), retry=st.integers(1, 50))
def test_pauses_do_not_shrink_without_jitter(first, retry):
    """A later retry waits at least as long as the one before."""
    policy = exponential(first=first, factor=1.5)
    assert policy.delay(retry) <= policy.delay(retry + 1)


def test_a_factor_of_one_keeps_the_first_pause_for_ever():
    """Counting beyond what a float can hold changes nothing when nothing grows."""
    assert exponential(first=3, factor=1).delay(10**400) == 3


def test_jitter_takes_off_at_most_its_part():
    """With a jitter of a quarter, chance moves a pause of 4 s between 4 s and just above 3 s."""
    policy = exponential(first=4, jitter=0.25)
    assert policy.delay(1, random=lambda: 0.0) == 4
    assert policy.delay(1, random=lambda: 0.999) == pytest.approx(3.001)
    assert all(3 < policy.delay(1) <= 4 for _ in range(100))


def test_a_fixed_pause_is_always_the_same():
    """``fixed`` does not depend on the retry, ``none`` does not wait."""
    assert {fixed(0.5).delay(retry) for retry in (1, 2, 99)} == {0.5}
    assert none().delay(1) == 0
    assert none() == fixed(0)


def test_policies_are_frozen_values():
    """Two policies with the same numbers are equal, hashable, and cannot be changed."""
    assert exponential() == exponential()
    assert len({exponential(), exponential(), fixed(1)}) == 2
    with pytest.raises((AttributeError, FrozenInstanceError)):
        fixed(1).seconds = 2


def test_a_function_is_a_policy():
    """A plain function from the number of the retry to seconds will do."""
    policy = as_backoff(lambda retry: retry * 10)
    assert isinstance(policy, Backoff)
    assert [policy.delay(retry) for retry in (1, 2)] == [10, 20]


def test_a_policy_is_taken_as_it_is():
    """Policies are not wrapped, and may be called like the functions they stand for."""
    policy = exponential()
    assert as_backoff(policy) is policy
    assert policy(2) == 2


def test_a_class_of_ones_own_is_a_policy():
    """``Backoff`` can be subclassed."""

    class Linear(Backoff, frozen=True):
        def delay(self, retry, **_):
            return float(retry)

    assert as_backoff(Linear()).delay(3) == 3


@pytest.mark.parametrize("answer", [-1, math.nan, math.inf, "soon", None, True])
def test_a_function_that_gives_no_seconds_is_named(answer):
    """The message says which function answered what, to which retry."""

    def pause(retry):
        return answer

    with pytest.raises(DefinitionError, match=r"pause, asked for retry 4, must give"):
        as_backoff(pause).delay(4)


@pytest.mark.parametrize("policy", [3, None, "exponential", float])
def test_what_is_no_policy_is_refused(policy):
    """Numbers, text and classes are no policies; the message shows what is one."""
    with pytest.raises(DefinitionError, match=r"exponential\(\) or fixed"):
        as_backoff(policy)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"first": -1}, "first"),
        ({"first": "1"}, "first"),
        ({"first": True}, "first"),
        ({"factor": 0.5}, "factor"),
        ({"factor": math.nan}, "factor"),
        ({"longest": -0.1}, "longest"),
        ({"longest": math.inf}, "longest"),
        ({"jitter": 1.1}, "jitter"),
        ({"jitter": -0.1}, "jitter"),
        ({"first": 10**400}, "first"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, named):
    """A policy that makes no sense is refused where it is written."""
    with pytest.raises(DefinitionError, match=rf"exponential\({named}="):
        exponential(**arguments)


def test_a_negative_fixed_pause_is_refused():
    """Time does not run backwards."""
    with pytest.raises(DefinitionError, match="0 seconds or more"):
        fixed(-1)


@pytest.mark.parametrize("policy", [exponential(), fixed(1), as_backoff(lambda retry: 1)])
def test_retries_count_from_one(policy):
    """Retry 0 is a mistake of the caller, not a pause of half a second."""
    with pytest.raises(ValueError, match="count from 1"):
        policy.delay(0)
