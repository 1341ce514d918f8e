"""What a notebook needs to watch and ask the lake: answers as tables, errors as two lines, plots in one style.

Stored outputs are made anew, from the repository, against a workshop that is freshly up, all in their order:

    .venv/bin/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False \
        notebooks/*.ipynb
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import pandas as pd
from botocore.exceptions import ClientError

from lambdas.adapters.shelves import ledger_of
from lambdas.core.ledger import Ledger
from lambdas.core.master_data import product_id
from lambdas.core.packing import batches, pack
from lambdas.core.trading_calendar import WORKSHOP_CALENDAR
from workshop import alerts, ask, closing, flow, replay, screen, trade
from workshop.errors import WorkshopError
from workshop.local_aws.isolation import isolated
from workshop.target import AwsRefused, Target, aws_in_plain_words, find_target

# Athena's types as PyAthena names them, and what pandas subtracts, sums and plots. Only its own integers and booleans
# can be missing; a decimal gives up its exactness; what is not listed stays the object PyAthena made of it.
_DTYPES = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), "Int64"),
    **dict.fromkeys(("real", "float", "double", "decimal"), "float64"),
    **dict.fromkeys(("date", "timestamp"), "datetime64[us]"),
    **dict.fromkeys(("char", "varchar"), "str"),
    "timestamp with time zone": "datetime64[us, UTC]",
    "boolean": "boolean",
}

STYLE: dict[str, Any] = {
    # Okabe and Ito, "Color Universal Design": blue, vermilion, green and orange that every kind of eye tells apart.
    "axes.prop_cycle": "cycler('color', ['0072B2', 'D55E00', '009E73', 'E69F00'])",
    "axes.edgecolor": "0.6",
    "axes.labelcolor": "0.25",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": "large",
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "legend.frameon": False,
    "xtick.color": "0.25",
    "ytick.color": "0.25",
}
"""How the notebooks' plots look, for `plt.style.use`."""


_DELIVERED: Final = ("stock_events/", "quarantine/")
_ANSWERS: Final = ("athena-results/",)
_KEYS_PER_CALL: Final = 1_000
"""Of DeleteObjects (Amazon S3 API reference)."""

_OF_ALERT: Final = ("alert_id", "store_id", "product_id", "state", "opened_at", "closed_at", "noticed_at")
_OF_DELIVERY: Final = ("status", "depot", "truck", "units", "distance_km", "dispatched_at", "delivered_at")


class Books(NamedTuple):
    """StoreApp's books as tables."""

    stores: pd.DataFrame
    """One row per store: `store_id`, `events_sent`, `traded_until`."""
    shelves: pd.DataFrame
    """One row per shelf: `store_id`, `product_id`, `on_hand`."""


class Lake:
    """The lake as a notebook sees it. It remembers what the last answer took."""

    def __init__(self, *, aws: bool) -> None:
        self._aws = aws
        self.last: ask.Answer | None = None

    def __repr__(self) -> str:
        return f"The lake {'in your AWS account' if self._aws else 'on this machine'}"

    @property
    def cost(self) -> str:
        """Rows, time, bytes scanned and price of the last answer, as a line to print under it."""
        return screen.cost_line(self.last) if self.last else "Nothing has been asked yet."

    def ask(self, name_or_sql: str, *, until: Callable[[pd.DataFrame], bool] | None = None) -> pd.DataFrame:
        """Return the answer to a named query of `glue/queries`, or to a statement.

        A column's dtype follows from its Athena type alone: times are datetimes and numbers are numbers, also in an
        answer without rows. With `until` the question is repeated until the answer is as wanted.

        Raises:
            WorkshopError: nothing runs, no query has that name, Athena refused the statement, or the answer did not
                become as wanted in the time that Firehose may take.
        """
        with aws_in_plain_words():
            # A name is one word, and no statement is.
            statement = ask.statement_of(name_or_sql) if name_or_sql.isidentifier() else name_or_sql
            target, resources = self._deployed()
            deadline = time.monotonic() + _within(target)
            while True:
                self.last = ask.ask(target, resources, statement)
                table = _table(self.last)
                if until is None or until(table):
                    return table
                if time.monotonic() > deadline:
                    raise WorkshopError(
                        f"The answer did not become as wanted in {_within(target):.0f} s.",
                        "Look at what is still on its way with `python3 -m workshop status`, then run the cell again.",
                    )
                time.sleep(0.2 if target.endpoint else 5)

    def trade(self, *, hours: int) -> trade.Summary:
        """Have the stores that are open trade, and return what they did once all of it can be asked for.

        The trucks that their shelves called have come by then: what they brought is put on the shelves by the next
        trade, so that the same trades always find the same shelves.

        Raises:
            WorkshopError: StoreApp failed, or something does not arrive.
        """
        with aws_in_plain_words():
            target, resources = self._deployed()
            books = _ledgers(target, resources)
            if not books:
                raise WorkshopError("No store has traded yet.", "Run `python3 -m workshop up`.")
            summary = trade.generate(
                target,
                resources,
                hours=hours,
                stores=len(books),
                products=max(len(ledger.on_hand) for ledger in books),
                progress=_unseen,
            )
            flow.wait_until_queryable(target, resources, within=_within(target), progress=_unseen)
            if closing.has_trucks(resources):
                closing.wait_for_trucks(target, resources, within=_within(target), progress=_unseen)
                due = [
                    alert
                    for alert in alerts.read(target, resources, state=alerts.OPEN)
                    if not alert.episode.delivered_at
                ]
                if due:
                    raise WorkshopError(
                        f"{len(due)} trucks are still on the road, such as that of {due[0].episode.alert_id}.",
                        "Look with `python3 -m workshop alerts`; go on when they have come.",
                    )
            return summary

    def send(self, documents: Iterable[str]) -> None:
        """Send documents into the delivery stream, as StoreApp does: packed, each on a line of its own.

        Raises:
            WorkshopError: Firehose does not accept them.
        """
        with aws_in_plain_words():
            _, resources = self._deployed()
            send = replay.to_stream(resources["delivery_stream"])
            for call in batches(pack(documents)):
                send(call)

    def files(self, table: str = "stock_events") -> pd.DataFrame:
        """Return the files of a table: path, bytes and when it was written (UTC), in that order."""
        with aws_in_plain_words():
            target, resources = self._deployed()
            bucket, prefix = _location(target, resources["database"], table)
            found = [
                (f"s3://{bucket}/{item['Key']}", item["Size"], pd.Timestamp(item["LastModified"]).tz_localize(None))
                for item in replay.listed(target.client("s3"), bucket, prefix)
            ]
        return pd.DataFrame(found, columns=["path", "bytes", "written_at"]).sort_values("written_at", ignore_index=True)

    def remove(self, paths: Iterable[str]) -> None:
        """Delete files of the lake for good: the rows in them are gone from their table.

        Raises:
            ValueError: a path is not that of a file of `stock_events` or `quarantine` in this lake; nothing is deleted.
        """
        with aws_in_plain_words():
            target, resources = self._deployed()
            bucket = resources["lake_bucket"]
            keys = [_key(path, bucket, _DELIVERED) for path in paths]
            _delete(target, bucket, keys)

    @contextmanager
    def scratch_table(self, name: str, statement: str, *, properties: str) -> Iterator[str]:
        """Write a statement's rows to a table `scratch_{name}` and yield that; afterwards table and rows are gone.

        `properties` are those of CREATE TABLE AS, such as `format = 'JSON'`. What an interrupted run has left under the
        name is removed first.

        Raises:
            WorkshopError: Athena refused the statement.
        """
        table = f"scratch_{name}"
        with aws_in_plain_words():
            self._drop(table)
            try:
                self.ask(f"CREATE TABLE {table} WITH ({properties}) AS {statement}")
                yield table
            finally:
                self._drop(table)

    def books(self) -> "Books":
        """Return StoreApp's own books, which no part of the pipeline touches."""
        with aws_in_plain_words():
            ledgers = _ledgers(*self._deployed())
        stores = [
            (ledger.store_id, ledger.events_sent, WORKSHOP_CALENDAR.end_of(ledger.next_tick - 1)) for ledger in ledgers
        ]
        shelves = [
            (ledger.store_id, product_id(number), units)
            for ledger in ledgers
            for number, units in enumerate(ledger.on_hand, start=1)
        ]
        return Books(
            stores=_with_times(pd.DataFrame(stores, columns=["store_id", "events_sent", "traded_until"])),
            shelves=pd.DataFrame(shelves, columns=["store_id", "product_id", "on_hand"]),
        )

    def deliveries(self) -> pd.DataFrame:
        """Return the trucks' deliveries, in the order of their alerts' ids.

        `opened_at` and `closed_at` are in the stores' time; `noticed_at`, `dispatched_at` and `delivered_at` are in
        ours, in which trucks drive many times faster than on the road. All are UTC.
        """
        with aws_in_plain_words():
            found = alerts.read(*self._deployed())
        rows = [
            {**_members(alert.episode, _OF_ALERT), **_members(alert.delivery, _OF_DELIVERY)}
            for alert in sorted(found, key=lambda alert: alert.episode.alert_id)
            if alert.delivery
        ]
        return _with_times(pd.DataFrame(rows, columns=[*_OF_ALERT, *_OF_DELIVERY]))

    def _deployed(self) -> tuple[Target, dict[str, str]]:
        # Found anew each time: the workshop may have moved or gone since.
        target = _find(aws=self._aws)
        return target, target.resources()

    def _drop(self, table: str) -> None:
        """Remove a table that a query made, if it is there, with its files.

        Dropped, "the underlying data remains intact" ("DROP TABLE", Athena user guide).
        """
        target, resources = self._deployed()
        try:
            paths = self.files(table).path
        except AwsRefused as refused:
            if _code(refused) == "EntityNotFoundException":
                return
            raise
        keys = [_key(path, resources["lake_bucket"], _ANSWERS) for path in paths]
        ask.ask(target, resources, f"DROP TABLE {table}")
        _delete(target, resources["lake_bucket"], keys)


def open_lake(*, aws: bool = False) -> Lake:
    """Return the lake of the embedded AWS, or of the AWS account that the environment's credentials open.

    The first local lake cuts this process off from every AWS account, so an account can be asked only in a fresh one.

    Raises:
        WorkshopError: nothing runs, nothing is deployed, or the account cannot be reached.
    """
    with aws_in_plain_words():
        _find(aws=aws).resources()
    return Lake(aws=aws)


def _find(*, aws: bool) -> Target:
    # In an environment that is isolated already, the default client of "AWS" would be the embedded one.
    if aws and dict(os.environ) == isolated(os.environ, os.environ.get("AWS_ENDPOINT_URL")):
        raise WorkshopError(
            "This notebook has opened the lake on this machine, which cut it off from AWS.",
            "Restart the kernel, then run it from the top with AWS = True.",
        )
    return find_target(aws=aws)


def _table(answer: ask.Answer) -> pd.DataFrame:
    columns = {
        place: pd.Series([row[place] for row in answer.rows], dtype=_DTYPES.get(athena_type, "object"))
        for place, athena_type in enumerate(answer.types)
    }
    # Named last, by place: a statement may give two columns one name.
    return pd.DataFrame(columns).set_axis(answer.columns, axis="columns")


def _within(target: Target) -> float:
    """Return how many seconds something may be on its way: Firehose buffers and trucks drive for minutes on AWS."""
    return 120 if target.endpoint else 900


def _ledgers(target: Target, resources: Mapping[str, str]) -> list[Ledger]:
    """Return the books of every store that has traded, in the order of their ids."""
    found = map(ledger_of, flow.scan(target, resources["shelves_table"]))
    return sorted(found, key=lambda ledger: ledger.store_id)


def _unseen(_: float) -> None:
    """Show no progress."""


def _location(target: Target, database: str, table: str) -> tuple[str, str]:
    """Return the bucket and the prefix of a table's files."""
    described = target.client("glue").get_table(DatabaseName=database, Name=table)["Table"]
    location = urlsplit(described["StorageDescriptor"]["Location"])
    return location.netloc, location.path.removeprefix("/")


def _code(refused: AwsRefused) -> str:
    cause = refused.__cause__
    return cause.response["Error"]["Code"] if isinstance(cause, ClientError) else ""


def _key(path: str, bucket: str, prefixes: tuple[str, ...]) -> str:
    key = path.removeprefix(f"s3://{bucket}/")
    if key == path or not key.startswith(prefixes):
        raise ValueError(f"{path} is no file under {' or '.join(prefixes)} of this lake; give one that `files` returns")
    return key


def _delete(target: Target, bucket: str, keys: list[str]) -> None:
    for first in range(0, len(keys), _KEYS_PER_CALL):
        some = [{"Key": key} for key in keys[first : first + _KEYS_PER_CALL]]
        answer = target.client("s3").delete_objects(Bucket=bucket, Delete={"Objects": some, "Quiet": True})
        if errors := answer.get("Errors"):
            raise WorkshopError(
                f"S3 did not delete {len(errors)} files, such as {errors[0]['Key']}: {errors[0]['Code']}.",
                "Check that your credentials allow s3:DeleteObject, then run the cell again.",
            )


def _members(thing: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in names}


def _with_times(table: pd.DataFrame) -> pd.DataFrame:
    """Turn ISO 8601 texts into what the lake's answers hold: UTC, without a zone."""
    for name in table.columns[table.columns.str.endswith(("_at", "_until"))]:
        table[name] = pd.to_datetime(table[name], utc=True).dt.tz_localize(None).astype("datetime64[us]")
    return table
