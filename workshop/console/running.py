"""StoreApp's run that the page has begun: one at a time, on a thread of its own, so that no request waits for it."""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from workshop import trade
from workshop.errors import WorkshopError
from workshop.target import Target, aws_in_plain_words

Document = dict[str, Any]

IDLE: Document = {
    "state": "idle",
    "hours": None,
    "stores": None,
    "products": None,
    "progress": 0.0,
    "begun_at": None,
    "ended_at": None,
    "summary": None,
    "problem": None,
}
_UNDER_WAY = {"running", "stopping"}

_log = logging.getLogger(__name__)


class RunUnderWay(WorkshopError):
    """StoreApp is trading already."""


class NothingRuns(WorkshopError):
    """There is no run that could be stopped."""


class _Stopped(Exception):
    """Ends the trade between two portions."""


class Runs:
    """The run under way, or the last one. Safe for several threads."""

    def __init__(
        self,
        target: Callable[[], tuple[Target, Mapping[str, str]]],
        *,
        poke: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        generate: Callable[..., trade.Summary] = trade.generate,
    ) -> None:
        """`target` says where StoreApp is, or raises a WorkshopError; `poke` is called when the document changed."""
        self._target = target
        self._poke = poke
        self._now = now
        self._generate = generate
        self._lock = threading.Lock()
        self._document: Document = IDLE

    def document(self) -> Document:
        """Return the run as the page shows it. The document is never changed, but replaced."""
        return self._document

    def begin(self, *, hours: int, stores: int, products: int) -> Document:
        """Begin a run and return its document.

        Raises:
            RunUnderWay: one is under way; two at once would trade the same hours twice.
        """
        with self._lock:
            if self._document["state"] in _UNDER_WAY:
                raise RunUnderWay("StoreApp is trading already.", "Wait until it is done, or stop it.")
            asked = {"hours": hours, "stores": stores, "products": products}
            begun = self._document = IDLE | {"state": "running", **asked, "begun_at": self._now().isoformat()}
        # A process that ends does not wait for it: what StoreApp has committed stays.
        threading.Thread(target=self._trade, kwargs=asked, name="store-app-run", daemon=True).start()
        self._poke()
        return begun

    def stop(self) -> Document:
        """Have the run end after the portion under way, which cannot be taken back; return its document.

        Raises:
            NothingRuns: there is no run.
        """
        with self._lock:
            if self._document["state"] not in _UNDER_WAY:
                raise NothingRuns("StoreApp is not trading.", "Begin a run first.")
            stopping = self._document = self._document | {"state": "stopping"}
        self._poke()
        return stopping

    def _trade(self, *, hours: int, stores: int, products: int) -> None:
        ended: Document
        try:
            with aws_in_plain_words():
                target, resources = self._target()
                summary = self._generate(
                    target, resources, hours=hours, stores=stores, products=products, progress=self._progressed
                )
            ended = {"state": "done", "progress": 1.0, "summary": summary}
        except _Stopped:
            ended = {"state": "stopped"}
        except WorkshopError as error:
            ended = {"state": "failed", "problem": {"message": error.message, "next_step": error.next_step}}
        except Exception:
            _log.exception("a run of StoreApp failed")
            problem = {"message": "The page's server failed.", "next_step": "Its log says why; begin the run again."}
            ended = {"state": "failed", "problem": problem}
        with self._lock:
            self._document = self._document | ended | {"ended_at": self._now().isoformat()}
        self._poke()

    def _progressed(self, share: float) -> None:
        with self._lock:
            self._document = self._document | {"progress": share}
            # After the last portion there is nothing left to stop, and the whole summary to show.
            stops = self._document["state"] == "stopping" and share < 1
        self._poke()
        if stops:
            raise _Stopped
