"""How long to wait before a step is tried again.

A back-off is a frozen value that answers one question and does not sleep: the engine asks
``delay(retry)`` before each retry, counted from 1, and does the waiting with its own clock.
"""

import math
import random as _random
from abc import abstractmethod
from collections.abc import Callable

from msgspec import Struct

from flux_engine.errors import DefinitionError


class Backoff(Struct, frozen=True):
    """A policy for the pauses between attempts. Subclass it, or give the engine a plain function."""

    @abstractmethod
    def delay(self, retry: int, *, random: Callable[[], float] = _random.random) -> float:
        """Return the seconds to wait before retry number ``retry``, which counts from 1.

        ``random`` gives numbers of at least 0 and below 1; only a policy with jitter asks it.
        """

    def __call__(self, retry: int) -> float:
        """Return ``delay(retry)``."""
        return self.delay(retry)


class Exponential(Backoff, frozen=True, kw_only=True):
    """Pauses that grow by a factor, up to a longest one. Make it with ``exponential``."""

    first: float
    factor: float
    longest: float
    jitter: float

    def delay(self, retry: int, *, random: Callable[[], float] = _random.random) -> float:
        """Return ``first * factor ** (retry - 1)``, at most ``longest``, less what jitter takes off."""
        _check_retry(retry)
        if self.first == 0:
            return 0.0
        try:
            grown = self.first * self.factor ** (retry - 1)
        except OverflowError:
            grown = math.inf if self.factor > 1 else self.first
        pause = min(grown, self.longest)
        return pause * (1 - self.jitter * random()) if self.jitter else pause


class Fixed(Backoff, frozen=True, kw_only=True):
    """The same pause each time. Make it with ``fixed``."""

    seconds: float

    def delay(self, retry: int, *, random: Callable[[], float] = _random.random) -> float:  # noqa: ARG002
        """Return the seconds that it was made with."""
        _check_retry(retry)
        return self.seconds


class Custom(Backoff, frozen=True, kw_only=True):
    """A policy given as a function from the number of the retry to seconds."""

    function: Callable[[int], float]

    def delay(self, retry: int, *, random: Callable[[], float] = _random.random) -> float:  # noqa: ARG002
        """Return what the function says. Raises ``DefinitionError`` when that is no number of seconds."""
        _check_retry(retry)
        name = getattr(self.function, "__qualname__", repr(self.function))
        return _seconds(f"The back-off {name}, asked for retry {retry},", self.function(retry))


def exponential(
    first: float = 1.0, factor: float = 2.0, longest: float = 10.0, jitter: float = 0.0
) -> Exponential:
    """Wait ``first`` seconds, then ``factor`` times longer before each further retry, at most ``longest``.

    ``jitter`` is the part of each pause, from 0 to 1, that chance may take off it, so that runs which
    failed together do not come back together. Raises ``DefinitionError`` for arguments out of range.
    """
    policy = Exponential(
        first=_seconds("exponential(first=…)", first),
        factor=_number("exponential(factor=…)", factor),
        longest=_seconds("exponential(longest=…)", longest),
        jitter=_number("exponential(jitter=…)", jitter),
    )
    if policy.factor < 1:
        raise DefinitionError(f"exponential(factor=…) must be at least 1, got {factor!r}.")
    if not 0 <= policy.jitter <= 1:
        raise DefinitionError(f"exponential(jitter=…) must be from 0 to 1, got {jitter!r}.")
    return policy


def fixed(seconds: float) -> Fixed:
    """Wait as long before each retry. Raises ``DefinitionError`` for anything but seconds from 0 up."""
    return Fixed(seconds=_seconds("fixed(seconds)", seconds))


def none() -> Fixed:
    """Try again at once."""
    return Fixed(seconds=0.0)


def as_backoff(policy: Backoff | Callable[[int], float]) -> Backoff:
    """Return a policy as it is, and a function from retry number to seconds as a policy.

    Raises ``DefinitionError`` for anything else.
    """
    if isinstance(policy, Backoff):
        return policy
    function: object = policy
    if callable(function) and not isinstance(function, type):
        return Custom(function=function)
    raise DefinitionError(
        f"backoff= takes a policy such as exponential() or fixed(2.0), or a function from the number of the "
        f"retry to seconds; got {policy!r}."
    )


def _check_retry(retry: int) -> None:
    if retry < 1:
        raise ValueError(f"Retries count from 1, got {retry!r}.")


def _number(what: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DefinitionError(f"{what} must give a number, got {value!r}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise DefinitionError(f"{what} must give a finite number, got {value!r:.40}.")
    return number


def _seconds(what: str, value: object) -> float:
    seconds = _number(what, value)
    if seconds < 0:
        raise DefinitionError(f"{what} must give 0 seconds or more, got {value!r}.")
    return seconds
