"""Laws of waiting; the clock is one that moves when somebody sleeps."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidata.io import retry
from oidata.io.retry import Pace, Retry


class Clock:
    """Stands for both `time` and `asyncio`: sleeping moves it, and may wake a late hold."""

    def __init__(self) -> None:
        self.now = 100.0
        self.later: list[tuple[Pace, float]] = []

    def monotonic(self) -> float:
        """Seconds since some time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        while self.later:
            pace, more = self.later.pop()
            pace.hold(more)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which a pace is kept."""
    clock = Clock()
    monkeypatch.setattr(retry, "time", clock)
    monkeypatch.setattr(retry, "asyncio", clock)
    return clock


@given(st.integers(0, 60), st.floats(0, 10), st.floats(0, 60))
def test_a_wait_is_below_cap_and_doubling_bound(attempt: int, base_s: float, cap_s: float) -> None:
    """A wait is at least 0, at most base · 2^attempt and at most the cap."""
    wait_s = Retry(base_s=base_s, cap_s=cap_s).wait_s(attempt)
    assert 0 <= wait_s <= min(cap_s, base_s * 2**attempt)


def test_waits_are_spread_over_the_whole_bound() -> None:
    """Jitter is full: of many waits some fall into each quarter of the bound."""
    waits = [Retry(base_s=1.0).wait_s(2) for _ in range(1000)]
    assert {int(wait) for wait in waits} == {0, 1, 2, 3}


def test_by_default_waits_stay_bearable() -> None:
    """All waits of a default run of retries add up to a minute and a half at most."""
    default = Retry()
    assert sum(min(default.cap_s, default.base_s * 2**attempt) for attempt in range(default.attempts)) <= 90


def test_nobody_waits_where_nothing_was_asked(clock: Clock) -> None:
    """Without a hold, or after it, asking is allowed at once."""
    pace = Pace()
    asyncio.run(pace.ready())
    assert clock.now == 100
    pace.hold(5)
    clock.now += 7
    asyncio.run(pace.ready())
    assert clock.now == 107


@given(st.lists(st.integers(0, 60), min_size=1))
def test_the_longest_hold_counts(holds: list[int]) -> None:
    """Whatever the order of the holds, nobody asks before the latest of their times, nor later."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        clock = Clock()
        monkeypatch.setattr(retry, "time", clock)
        monkeypatch.setattr(retry, "asyncio", clock)
        pace = Pace()
        for seconds in holds:
            pace.hold(seconds)
        asyncio.run(pace.ready())
    assert clock.now == 100 + max(holds)


def test_a_hold_that_comes_while_waiting_prolongs_the_wait(clock: Clock) -> None:
    """Who waits already waits for a later hold too."""
    pace = Pace()
    pace.hold(5)
    clock.later.append((pace, 3))
    asyncio.run(pace.ready())
    assert clock.now == 108


@given(asked_s=st.floats(0, 1e6), attempt=st.integers(0, 20))
def test_what_a_server_asks_for_is_waited(asked_s: float, attempt: int) -> None:
    """The wait is no shorter than what the server asks for, unless it asks for more than can be meant."""
    retry = Retry(base_s=0.1, cap_s=2, asked_max_s=60)
    assert min(asked_s, 60) <= retry.wait_s(attempt, asked_s) <= max(2, min(asked_s, 60))
