"""The monkey: does harm at random, by a seed, and takes back what is to be taken back."""

import heapq
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping

Harm = Callable[[random.Random], str | None]
"""Does harm; returns what it did, or nothing when it could not."""


class Monkey:
    """Chooses among harms by weight. ``diary`` has a line for each thing that it did, ``counts`` how many."""

    def __init__(
        self, seed: int, harms: Mapping[str, tuple[int, Harm]], *, pause: tuple[float, float]
    ) -> None:
        self.random = random.Random(seed)
        self.diary: list[str] = []
        self.counts: Counter[str] = Counter()
        self._harms = harms
        self._pause = pause
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._began = time.monotonic()

    def later(self, seconds: float, then: Callable[[], None]) -> None:
        """Have something done in some seconds."""
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), then))

    def rage(self, seconds: float, watch: Callable[[], None]) -> None:
        """Do harm for so long; ``watch`` is called all the while."""
        until = time.monotonic() + seconds
        next_harm = time.monotonic()
        while (now := time.monotonic()) < until:
            self._take_back(now)
            watch()
            if now >= next_harm:
                self._harm()
                next_harm = time.monotonic() + self.random.uniform(*self._pause)
            time.sleep(0.02)
        while self._later:
            self._take_back(self._later[0][0])

    def _harm(self) -> None:
        names = list(self._harms)
        name = self.random.choices(names, [self._harms[name][0] for name in names])[0]
        done = self._harms[name][1](self.random)
        if done is not None:
            self.counts[name] += 1
            self.diary.append(f"{time.monotonic() - self._began:7.2f} {name}: {done}")

    def _take_back(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()
