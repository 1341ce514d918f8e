"""A batch of Firehose records through the contract: good documents pass, the others go to the quarantine."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lambdas.core.contract import timestamp
from lambdas.core.screening import Rejected, Screened, documents, screen
from lambdas.core.sightings import Sighting, latest

MAX_RESPONSE_BYTES: Final = 6_000_000
"""What a synchronous invocation may return, rounded down: Transform source data in Amazon Data Firehose, "6 MB"."""
_RESULT_BYTES: Final = len('{"recordId": "", "result": "ProcessingFailed", "data": ""}, ')


@dataclass(slots=True)
class Batch:
    """The answer to Firehose, the refused documents as rows of the quarantine, and what there was to count.

    `sightings` tell which shelves the batch shows low in the end, and which ones back.
    """

    results: list[dict[str, str]]
    rows: list[dict[str, Any]]
    sightings: list[Sighting]
    good: int = 0
    too_large: int = 0

    @property
    def quarantined_percent(self) -> float:
        """Return how much of a hundred documents is refused; without documents nothing is."""
        return 100 * len(self.rows) / ((len(self.rows) + self.good) or 1)


def transform(records: Sequence[Mapping[str, Any]]) -> Batch:
    """Screen the records of one invocation.

    A record none of whose documents is good is `Dropped`. Adding `received_at` makes a batch grow; a record whose
    result would not fit into the response is `ProcessingFailed` as a whole, so that Firehose puts it, as it came, under
    the error prefix, and none of its documents is quarantined.
    """
    batch = Batch(results=[], rows=[], sightings=[])
    room = MAX_RESPONSE_BYTES - sum(_RESULT_BYTES + len(record["recordId"]) for record in records)
    for record in records:
        record_id = record["recordId"]
        received_at = datetime.fromtimestamp(record["approximateArrivalTimestamp"] / 1000, UTC)
        screened = _screened(record["data"], received_at)
        data = base64.b64encode("".join(f"{line}\n" for line in screened.good).encode()).decode()
        if len(data) > room:
            batch.results.append({"recordId": record_id, "result": "ProcessingFailed"})
            batch.too_large += 1
            continue
        room -= len(data)
        batch.results.append(
            {"recordId": record_id} | ({"result": "Ok", "data": data} if data else {"result": "Dropped"})
        )
        batch.good += len(screened.good)
        batch.rows += (_row(rejected, record_id, received_at) for rejected in screened.rejected)
        batch.sightings += screened.sightings
    batch.sightings = latest(batch.sightings)
    return batch


def _screened(data: str, received_at: datetime) -> Screened:
    try:
        record = binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        return Screened(rejected=[Rejected(0, "The record's data is not base64.", None, data)])
    return screen(documents(record), received_at)


def _row(rejected: Rejected, record_id: str, received_at: datetime) -> dict[str, Any]:
    document = rejected.document
    return {
        "reason": rejected.reason,
        "field": rejected.field,
        "position": rejected.position,
        "record_id": record_id,
        "received_at": timestamp(received_at),
        "document": document if isinstance(document, str) else None,
        "document_base64": base64.b64encode(document).decode() if isinstance(document, bytes) else None,
    }
