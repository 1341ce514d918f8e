"""How the processes that run Lambda functions are spared: few of a function, and none waits for what nobody says.

ministack starts one for each invocation that comes while the others are at work. A hundred trucks that are called at
once would be a hundred Pythons, each of which takes half a second of a core to start. And it waits 50 ms after each
invocation for words on the standard error, where our functions, which log to the standard output, say nothing.
"""

import os
import threading
import time
from collections import defaultdict
from typing import Any, Final

MOST: Final = max(2, os.cpu_count() or 1)
"""Processes of one function."""
_LAST_WORDS_SECONDS: Final = 0.002
PATIENCE_SECONDS: Final = 60.0
"""After so long in which none has ended, another one is started all the same: a function may wait for a call of itself.
"""


class Places:
    """The processes that a function may have at work."""

    def __init__(self) -> None:
        self._free = threading.Semaphore(MOST)
        self._turn = threading.Lock()
        self._last_end = 0.0

    def take(self) -> bool:
        """Wait for a place; return whether there is one, or nobody has ended for so long that one more may start."""
        begun = time.monotonic()
        while True:
            with self._turn:
                patience = max(begun, self._last_end) + PATIENCE_SECONDS - time.monotonic()
                if patience <= 0:
                    # One: those who wait too have seen an end now, so that a long queue does not start at once.
                    self._last_end = time.monotonic()
                    return False
            if self._free.acquire(timeout=patience):
                return True

    def give_back(self) -> None:
        """Let the next one start."""
        self._last_end = time.monotonic()
        self._free.release()


def bound() -> None:
    """Have an invocation wait for a free process of its function, instead of starting one more."""
    from ministack.services import lambda_svc

    acquire, release = lambda_svc.acquire_worker, lambda_svc.release_worker
    places: defaultdict[str, Places] = defaultdict(Places)
    # By thread, not by process: a release after a crash no longer knows its process.
    held = threading.local()

    def acquire_when_free(func_name: str, *arguments: Any, **named: Any) -> Any:
        place = places[func_name]
        got_it = place.take()
        worker, how = acquire(func_name, *arguments, **named)
        held.place = place if got_it else None
        if worker is None:  # nobody releases what was not acquired
            give_back()
        return worker, how

    def release_with_place(worker: Any) -> None:
        release(worker)
        give_back()

    def give_back() -> None:
        place, held.place = getattr(held, "place", None), None
        if place:
            place.give_back()

    lambda_svc.acquire_worker, lambda_svc.release_worker = acquire_when_free, release_with_place


def hasten() -> None:
    """Have an invocation end when its function has ended; later words are logged with the next one."""
    from ministack.core.lambda_runtime import Worker

    drain = Worker._drain_stderr_bounded
    Worker._drain_stderr_bounded = lambda worker: drain(worker, first_line_wait=_LAST_WORDS_SECONDS)
