"""The page's numbers: what was read last from each source, and what follows from how that changed."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from lambdas.core.deliveries import Status
from workshop.console.lake_objects import Lake
from workshop.console.passing import OnTheWay, Rate
from workshop.console.readings import Books, Hints, Prefix, Queries, Tables
from workshop.console.stock import Shelves

_NAMED: Final = 20
"""How many unreadable objects are named in a snapshot."""


class Board:
    """Holds the latest readings. Times are seconds of a clock that only goes forward; no call leaves this object."""

    def __init__(self) -> None:
        self._read: dict[str, Any] = {}
        self._seen: dict[str, Any] = {}
        self.begin()
        self.versions: Counter[str] = Counter(dict.fromkeys(("world", "stock", "alerts", "deliveries", "lake"), 0))

    def begin(self, window: float = 1.0, hints: Hints | None = None) -> None:
        """Watch another deployment from now on: the numbers stay until there are new ones, and no rate spans both.

        Rates are means over `window` seconds.
        """
        self._hints = hints
        self._sent, self._delivered, self._noticed = Rate(window), Rate(window), Rate(window)
        self._on_the_way = OnTheWay()
        self._all_footers_read = False

    def note(self, source: str, reading: Any, at: float) -> None:
        """Take in what a source said at a time. None says that it is not deployed."""
        self._read[source] = reading
        match reading:
            case Books():
                self._sent.note(at, reading.sent)
                self._on_the_way.sent(at, reading.sent)
                if shelves := reading.shelves:
                    self._changed("world", (shelves.seed, shelves.stores, shelves.products))
                    self._changed("stock", (shelves.stores, shelves.stock, shelves.threshold))
            case Lake():
                self._all_footers_read |= not reading.unread
                if self._all_footers_read:
                    self._delivered.note(at, reading.rows)
                    self._on_the_way.arrived(at, reading.rows)
                self._changed("lake", (reading.objects, reading.bytes, reading.rows))
            case Tables():
                if reading.alerts is not None:
                    self._noticed.note(at, reading.alerts.total())
                self._changed("alerts", (reading.alerts, reading.alerts_written))
                self._changed("deliveries", (reading.deliveries, reading.deliveries_written))

    def _changed(self, part: str, value: Any) -> None:
        if self._seen.get(part) != value:
            self._seen[part] = value
            self.versions[part] += 1

    @property
    def shelves(self) -> Shelves | None:
        """All shelves as last read."""
        books: Books | None = self._read.get("books")
        return books.shelves if books else None

    @property
    def pace(self) -> float:
        """How long trips took of late, as a multiple of their `travel_seconds`."""
        tables: Tables | None = self._read.get("tables")
        return tables.pace if tables else 1.0

    def parts(self, now: float) -> dict[str, Any]:
        """Return what a snapshot says of the pipeline.

        A hop that is not deployed is null, and so are the numbers of one that is not read yet.
        """
        queues: Mapping[str, Mapping[str, int]] = self._read.get("queues") or {}
        refused: Mapping[str, Prefix] = self._read.get("refused") or {}
        return {
            "hops": {
                hop: form(now) if source in self._read else dict.fromkeys(names)
                for hop, (source, form, names) in self._hops().items()
            },
            "dead_letters": {name: depths["dead"] for name, depths in queues.items()},
            **{name: refused[name]._asdict() if name in refused else _NOTHING for name in ("quarantine", "errors")},
            "versions": dict(self.versions),
        }

    def _hops(self) -> dict[str, tuple[str, Callable[[float], dict[str, Any] | None], tuple[str, ...]]]:
        """Return for each hop the source it depends on, what it looks like, and the names of its numbers."""
        return {
            "store_app": ("books", self._store_app, ("events", "per_second", "stores", "clock")),
            "firehose": (
                "books",
                self._firehose,
                ("events", "oldest_seconds", "next_delivery_seconds", "typical_seconds", "hints", "per_second"),
            ),
            "lake": (
                "lake",
                self._lake,
                ("objects", "rows", "bytes", "partitions", "unread", "unreadable", "per_second"),
            ),
            "athena": ("queries", self._athena, ("queries", "bytes_scanned", "latest")),
            "sightings": ("queues", self._sightings, ("waiting", "in_flight")),
            "alerts": ("tables", self._alerts, ("open", "closed", "per_second")),
            "trucks": ("tables", self._trucks, ("on_the_road", "delivered", "failed", "waiting_calls")),
            "shelves": ("books", self._shelves, ("total", "low", "out", "receipts")),
        }

    def _store_app(self, _: float) -> dict[str, Any] | None:
        books: Books | None = self._read["books"]
        return (
            None
            if books is None
            else {
                "events": books.sent,
                "per_second": _rounded(self._sent.per_second),
                "stores": books.stores,
                "clock": books.clock,
            }
        )

    def _firehose(self, now: float) -> dict[str, Any] | None:
        if self._read["books"] is None:
            return None
        oldest, typical = self._on_the_way.oldest(now), self._on_the_way.typical
        usual = typical if typical is not None else self._hints and self._hints.seconds
        return {
            "events": self._on_the_way.events,
            "oldest_seconds": _rounded(oldest),
            "next_delivery_seconds": None if oldest is None or usual is None else _rounded(max(0.0, usual - oldest)),
            "typical_seconds": _rounded(typical),
            "hints": self._hints and self._hints._asdict(),
            "per_second": _rounded(self._delivered.per_second),
        }

    def _lake(self, _: float) -> dict[str, Any] | None:
        lake: Lake | None = self._read["lake"]
        return (
            None
            if lake is None
            else {
                "objects": lake.objects,
                "rows": lake.rows if self._all_footers_read else None,
                "bytes": lake.bytes,
                "partitions": lake.partitions,
                "unread": lake.unread,
                "unreadable": lake.unreadable[:_NAMED],
                "per_second": _rounded(self._delivered.per_second),
            }
        )

    def _athena(self, _: float) -> dict[str, Any] | None:
        queries: Queries | None = self._read["queries"]
        return (
            None
            if queries is None
            else {
                "queries": queries.total,
                "bytes_scanned": queries.bytes_scanned,
                "latest": queries.latest and queries.latest._asdict(),
            }
        )

    def _sightings(self, _: float) -> dict[str, Any] | None:
        depths = self._read["queues"].get("sightings")
        return None if depths is None else {"waiting": depths["waiting"], "in_flight": depths["in_flight"]}

    def _alerts(self, _: float) -> dict[str, Any] | None:
        states = self._read["tables"].alerts
        return (
            None
            if states is None
            else {
                "open": states["OPEN"],
                "closed": states["CLOSED"],
                "per_second": _rounded(self._noticed.per_second),
            }
        )

    def _trucks(self, _: float) -> dict[str, Any] | None:
        statuses = self._read["tables"].deliveries
        calls = (self._read.get("queues") or {}).get("truck_calls")
        return (
            None
            if statuses is None
            else {
                "on_the_road": statuses[Status.IN_TRANSIT],
                "delivered": statuses[Status.DELIVERED],
                "failed": statuses[Status.FAILED],
                "waiting_calls": calls and calls["waiting"],
            }
        )

    def _shelves(self, _: float) -> dict[str, Any] | None:
        books: Books | None = self._read["books"]
        return (
            None
            if books is None or (shelves := books.shelves) is None
            else {
                "total": shelves.total,
                "low": shelves.low,
                "out": shelves.out,
                "receipts": books.receipts,
            }
        )


_NOTHING: Final = {"objects": None, "bytes": None}


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 1)
