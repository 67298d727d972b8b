"""When to try again: exponential backoff with full jitter, and the wait that a server asks for."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Retry:
    """How often to try, and how long to wait before the next try: up to base_s · 2^k, at most cap_s seconds.

    Full jitter after https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/. A server that asks
    for a longer wait gets it, up to asked_max_s; one that asks for more is asked again sooner.
    """

    attempts: int = 6
    base_s: float = 0.5
    cap_s: float = 30.0
    asked_max_s: float = 120.0

    def wait_s(self, attempt: int, asked_s: float = 0.0) -> float:
        """A random wait after try number `attempt`, which counts from 0, and no less than the server asked for."""
        backoff_s = random.uniform(0, min(self.cap_s, self.base_s * 2**attempt))  # noqa: S311 - no secret
        return max(backoff_s, min(asked_s, self.asked_max_s))


class Pace:
    """Keeps all connections to a source from asking before the time that it named in Retry-After."""

    def __init__(self) -> None:
        self._not_before = 0.0

    def hold(self, seconds: float) -> None:
        """Let nobody ask for the next `seconds`."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    async def ready(self) -> None:
        """Wait until asking is allowed."""
        while (wait := self._not_before - time.monotonic()) > 0:  # noqa: ASYNC110 - it may be put off meanwhile
            await asyncio.sleep(wait)
