"""A job's output as it appears, over connections that may break; ends when the job does."""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing, suppress

import aiohttp
from ray.job_submission import JobDetails

from bench.cluster.head import Head, HeadAway
from bench.errors import StepFailed

QUIET_SECONDS = 60.0
"""A connection that says nothing for so long may be dead, as after the sleep of a laptop: a new one is made."""
PATIENCE_SECONDS = 60.0
RETRY_SECONDS = 1.0


class Shown:
    """Writes each character of a log once, however often the log is read from its beginning."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write, self._count = write, 0

    def part(self, text: str, at: int) -> int:
        """Takes a part of the log that begins at character `at`; gives where the next begins."""
        end = at + len(text)
        if end > self._count:
            self._write(text[max(0, self._count - at) :])
            self._count = end
        return end


def follow(head: Head, name: str, write: Callable[[str], None], patience: float = PATIENCE_SECONDS) -> JobDetails:
    """Blocks until the job has ended and all of its output is written; StepFailed if the head stays away."""
    shown = Shown(write)
    heard = time.monotonic()
    while True:
        try:
            job = head.job(name)
            if job.status.is_terminal():
                shown.part(head.log(name), 0)
                return job
            asyncio.run(_stream(head, name, shown))
            heard = time.monotonic()
        except HeadAway as error:
            if time.monotonic() - heard > patience:
                again = f"when it is back: locbench logs {name} --follow --address {head.address}"
                raise StepFailed(f"the head has not answered for {patience:.0f} s; {again}") from error
        time.sleep(RETRY_SECONDS)


async def _stream(head: Head, name: str, shown: Shown) -> None:
    """Until the connection ends, for whatever reason."""
    at = 0
    with suppress(StopAsyncIteration, TimeoutError, aiohttp.ClientError, OSError, RuntimeError):
        async with aclosing(head.tail(name)) as tail:
            while True:
                async with asyncio.timeout(QUIET_SECONDS):
                    text = await anext(tail)
                at = shown.part(text, at)
