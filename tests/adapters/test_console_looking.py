"""What the page reads closely, from AWS as moto imitates it: objects, refusals, dead letters, alerts, deliveries."""

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, Literal

import pyarrow
import pyarrow.parquet
import pytest

from lambdas.adapters.alerts import AlertsTable
from lambdas.adapters.deliveries import DeliveriesTable
from lambdas.adapters.shelves import ShelvesTable
from lambdas.core.contract import timestamp
from lambdas.core.deliveries import Call, Delivery
from lambdas.core.episodes import Episode
from lambdas.core.ledger import Ledger
from tests.adapters.imitated_aws import imitated_aws
from workshop.ask import Answer
from workshop.console import looking
from workshop.console.lake_objects import LakeObjects
from workshop.console.readings import Deployment, LedgerLog, read_tables
from workshop.target import Target

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BUCKET = "lake"
HOSTILE = "<img src=x onerror=alert(1)>\u2028'\"; DROP TABLE stock_events --"
RESOURCES = {
    "lake_bucket": BUCKET,
    "alerts_table": "alerts",
    "deliveries_table": "deliveries",
    "shelves_table": "shelves",
}


@pytest.fixture
def target() -> Iterator[Target]:
    with imitated_aws() as target:
        target.client("s3").create_bucket(Bucket=BUCKET)
        yield target


def put(target: Target, key: str, body: bytes) -> None:
    target.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)


def parquet(rows: int, columns: int = 2) -> bytes:
    file = BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({f"column_{n}": list(range(rows)) for n in range(columns)}), file)
    return file.getvalue()


class Calls:
    """Counts the calls of a client by operation and key."""

    def __init__(self, client: Any) -> None:
        self.seen: Counter[tuple[str, str]] = Counter()
        self._client = client
        self._id = f"calls-{id(self)}"

    def __enter__(self) -> "Calls":
        self._client.meta.events.register("provide-client-params.*.*", self._note, unique_id=self._id)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.meta.events.unregister("provide-client-params.*.*", unique_id=self._id)

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.seen[model.name, params.get("Key", params.get("StartAfter", ""))] += 1


# --- Objects ---------------------------------------------------------------------------------------------------------


def key(day: str, name: str) -> str:
    return f"stock_events/dt={day}/{name}.parquet"


def test_each_footer_is_read_once_and_what_is_new_is_added(target: Target) -> None:
    bodies = {
        key("2026-11-20", "a"): parquet(3),
        key("2026-11-21", "b"): parquet(0),
        key("2026-11-21", "c"): parquet(5),
    }
    for name, body in bodies.items():
        put(target, name, body)
    put(target, "quarantine/dt=2026-11-21/x", b"not of the lake")
    s3 = target.client("s3")
    lake = LakeObjects(s3, BUCKET, clock=lambda: 0, relist_seconds=60)
    with Calls(s3) as calls:
        seen = lake.read()
        assert (seen.objects, seen.rows, seen.partitions, seen.unread) == (3, 8, 2, 0)
        assert seen.bytes == sum(map(len, bodies.values()))
        put(target, key("2026-11-21", "d"), parquet(70))
        assert [lake.read().rows for _ in range(3)] == [78, 78, 78]
    footers = {name: times for (operation, name), times in calls.seen.items() if operation == "GetObject"}
    assert footers == dict.fromkeys([*bodies, key("2026-11-21", "d")], 1)


def test_a_footer_that_is_longer_than_what_is_read_at_first_is_read_whole(target: Target) -> None:
    wide = parquet(4, columns=600)
    assert int.from_bytes(wide[-8:-4], "little") > 16 * 1024
    put(target, key("2026-11-21", "wide"), wide)
    assert LakeObjects(target.client("s3"), BUCKET, clock=lambda: 0, relist_seconds=60).read().rows == 4


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"PAR1",
        b"no parquet at all",
        parquet(9)[:-1],
        b"PAR1" + b"\xff" * 40 + b"\x28\0\0\0PAR1",
        b"\xff\xff\xff\x7fPAR1",
    ],
    ids=["empty", "short", "text", "cut", "no footer", "a length beyond the file"],
)
def test_an_object_that_is_no_parquet_is_named_and_the_others_count(target: Target, broken: bytes) -> None:
    put(target, key("2026-11-21", "a"), parquet(3))
    put(target, key("2026-11-21", HOSTILE.replace("/", "")), broken)
    lake = LakeObjects(target.client("s3"), BUCKET, clock=lambda: 0, relist_seconds=60)
    seen = lake.read()
    assert (seen.objects, seen.rows, seen.unread) == (2, 3, 0)
    assert seen.unreadable == (key("2026-11-21", HOSTILE.replace("/", "")),)
    with Calls(target.client("s3")) as calls:
        lake.read()
    assert "GetObject" not in {operation for operation, _ in calls.seen}, "it does not change either"


def test_many_new_objects_are_read_some_at_a_time(target: Target) -> None:
    for number in range(5):
        put(target, key("2026-11-21", f"{number}"), parquet(1))
    lake = LakeObjects(target.client("s3"), BUCKET, clock=lambda: 0, relist_seconds=60, most_footers=2)
    assert [(seen.unread, seen.rows) for seen in (lake.read() for _ in range(4))] == [(3, 2), (1, 4), (0, 5), (0, 5)]


def test_of_many_days_the_two_latest_are_listed_and_now_and_then_all(target: Target) -> None:
    days = ["2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21"]
    for day in days:
        put(target, key(day, "a"), parquet(1))
    now = [0.0]
    s3 = target.client("s3")
    lake = LakeObjects(s3, BUCKET, clock=lambda: now[0], relist_seconds=60)
    assert lake.read().rows == 4
    s3.delete_object(Bucket=BUCKET, Key=key(days[0], "a"))
    s3.delete_object(Bucket=BUCKET, Key=key(days[3], "a"))
    put(target, key(days[2], "late"), parquet(10))
    with Calls(s3) as calls:
        assert lake.read().rows == 13, "what is gone of an early day is still counted"
    assert calls.seen["ListObjectsV2", f"stock_events/dt={days[2]}"] == 1
    now[0] = 61
    assert (seen := lake.read()).rows == 12
    assert (seen.objects, seen.partitions) == (3, 2)


# --- Books -----------------------------------------------------------------------------------------------------------


def test_of_the_ledgers_only_those_that_changed_are_read_again(target: Target) -> None:
    dynamodb = target.client("dynamodb")
    table = ShelvesTable(dynamodb, "shelves")
    written = {f"S0000{n}": Ledger(f"S0000{n}", version=1, on_hand=(n, n), events_sent=n) for n in range(1, 6)}
    for ledger in written.values():
        table.write(ledger)
    log = LedgerLog(target, "shelves")
    assert {each.store_id: each for each in log.read()} == written
    written["S00003"] = Ledger("S00003", version=2, on_hand=(7, 8), events_sent=30)
    table.write(written["S00003"])
    dynamodb.delete_item(TableName="shelves", Key={"store_id": {"S": "S00005"}})
    del written["S00005"]
    with Calls(dynamodb) as calls:
        assert {each.store_id: each for each in log.read()} == written
        assert {each.store_id: each for each in log.read()} == written
    assert calls.seen == {("Scan", ""): 2, ("BatchGetItem", ""): 1}


# --- What went wrong -------------------------------------------------------------------------------------------------


def test_refused_documents_are_shown_as_they_came_the_newest_object_first(target: Target) -> None:
    rows = [
        {"reason": HOSTILE, "field": "stock", "record_id": "r1", "received_at": "2026-11-21T12:00:00.000Z",
         "document": HOSTILE, "document_base64": None},
        {"reason": "not UTF-8", "field": None, "record_id": "r2", "received_at": "2026-11-21T12:00:01.000Z",
         "document": None, "document_base64": base64.b64encode(b"\xff<b>").decode()},
    ]  # fmt: skip
    body = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
    put(target, "quarantine/dt=2026-11-21/a.json.gz", body)
    put(target, "quarantine/dt=2026-11-21/b.json.gz", b"no gzip")
    shown = looking.quarantine(target, RESOURCES)
    assert shown["objects"] == 2
    by_object = {each["object"][-9:]: each for each in shown["documents"]}
    assert by_object["b.json.gz"]["document"] is None
    assert "does not hold what" in by_object["b.json.gz"]["reason"]
    documents = [each for each in shown["documents"] if each["object"].endswith("a.json.gz")]
    assert [each["document"] for each in documents] == ["\\xff<b>", HOSTILE]
    assert (documents[1]["reason"], documents[1]["field"], documents[1]["record_id"]) == (HOSTILE, "stock", "r1")


def test_a_refused_document_of_any_length_is_shown_in_part_and_of_many_the_newest(target: Target) -> None:
    row = {"reason": "no", "field": None, "record_id": "r", "received_at": "2026-11-21T12:00:00.000Z"}
    rows = [{**row, "document": f"{number:03}" + "x" * 10_000} for number in range(80)]
    put(target, "quarantine/dt=2026-11-21/a.json", "\n".join(map(json.dumps, rows)).encode())
    documents = looking.quarantine(target, RESOURCES)["documents"]
    assert len(documents) == 50
    assert [each["document"][:3] for each in documents[:2]] == ["079", "078"]
    assert all(len(each["document"]) < 4_100 for each in documents)


def test_what_firehose_failed_on_is_taken_apart(target: Target) -> None:
    failed = {
        "attemptsMade": 4, "arrivalTimestamp": 1_795_000_000_000, "errorCode": "Lambda.FunctionError",
        "errorMessage": HOSTILE, "rawData": base64.b64encode(b'{"a":1}\n{"a":2}\n').decode(),
    }  # fmt: skip
    put(target, "errors/processing-failed/dt=2026-11-21/a", json.dumps(failed).encode())
    shown = looking.errors(target, RESOURCES)
    assert [each["document"] for each in shown["documents"]] == ['{"a":2}', '{"a":1}']
    assert shown["documents"][0]["reason"] == f"Lambda.FunctionError: {HOSTILE}"
    assert shown["documents"][0]["received_at"] == "2026-11-18T11:06:40.000Z"


def test_dead_letters_are_shown_with_their_bodies_and_stay_where_they_are(target: Target) -> None:
    sqs = target.client("sqs")
    resources = {
        **RESOURCES,
        "sightings_queue": sqs.create_queue(QueueName="sightings")["QueueUrl"],
        "sightings_dead_letters": (url := sqs.create_queue(QueueName="dead")["QueueUrl"]),
    }
    for number in range(25):
        sqs.send_message(QueueUrl=url, MessageBody=f"{number} {HOSTILE}" + "x" * 5_000)
    for _ in range(2):
        letters = looking.dead_letters(target, resources, queue="sightings")["letters"]
        assert len(letters) == 20
        assert all(HOSTILE in letter["body"] and len(letter["body"]) < 4_100 for letter in letters)
        assert all("JSON" in letter["reason"] for letter in letters)
    held = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert held["ApproximateNumberOfMessages"] == "25"
    with pytest.raises(looking.Unknown, match="no dead letters named"):
        looking.dead_letters(target, resources, queue=HOSTILE)


# --- The loop --------------------------------------------------------------------------------------------------------


def episode(number: int, state: Literal["OPEN", "CLOSED"] = "OPEN") -> Episode:
    return Episode(
        store_id="S00001", product_id="P0001", number=number, state=state, stock=2, threshold=6, version=1, ordered=9,
        noticed_at=f"2026-11-21T11:0{number}:00.000Z", opened_at="2026-01-05T10:00:00.000Z", opened_tick=40,
        closed_at="2026-01-05T11:00:00.000Z" if state == "CLOSED" else None,
    )  # fmt: skip


def delivery(number: int) -> Delivery:
    call = Call(f"A-S00001-P0001-{number}", "S00001", "P0001", 9, 50.0, 8.0)
    return Delivery.called(call, call.alert_id, speedup=60)


def test_alerts_have_names_ages_and_a_total(target: Target) -> None:
    dynamodb = target.client("dynamodb")
    ShelvesTable(dynamodb, "shelves").write(Ledger("S00001", version=1, next_tick=49, on_hand=(1,)))
    table = AlertsTable(dynamodb, "alerts")
    for each in (episode(1, "CLOSED"), episode(2, "CLOSED"), episode(3)):
        table.write(each)
    world = {"stores": [{"id": "S00001", "name": HOSTILE}], "products": [{"id": "P0001", "name": "milk"}]}
    shown = looking.alerts(target, RESOURCES, state="ALL", limit=2, world=world)
    assert shown["total"] == 3
    assert [each["alert_id"] for each in shown["alerts"]] == ["A-S00001-P0001-3", "A-S00001-P0001-2"]
    first, second = shown["alerts"]
    assert (first["store_name"], first["product_name"]) == (HOSTILE, "milk")
    assert (first["age_seconds"], second["age_seconds"]) == (7_200, 3_600)
    assert looking.alerts(target, RESOURCES, state="OPEN", limit=200)["total"] == 1


def test_deliveries_are_those_on_the_road_and_those_that_have_just_arrived(target: Target) -> None:
    table = DeliveriesTable(target.client("dynamodb"), "deliveries", "shelves")

    def at(seconds: int) -> str:
        return timestamp(NOW + timedelta(seconds=seconds))

    for number, arrived in ((1, None), (2, -30), (3, -90)):
        table.write(sent := delivery(number).dispatched(at(-100 - number)))
        if arrived is not None:
            table.write(sent.delivered(at(arrived)))
    table.write(sent := delivery(4).dispatched(at(-50)))
    table.write(sent.failed("no way", at(-10)))
    shown = looking.deliveries(target, RESOURCES, now=NOW)["deliveries"]
    assert [(each["delivery_id"][-1], each["status"]) for each in shown] == [("1", "IN_TRANSIT"), ("2", "DELIVERED")]
    assert shown[0]["travel_seconds"] > 0
    assert looking.deliveries(target, {}, now=NOW) == {"deliveries": []}


def test_trucks_are_expected_at_the_pace_of_the_latest_arrivals(target: Target) -> None:
    """Here trips take a twentieth of what they take on AWS; one that failed or is on the road tells nothing."""
    deployed = Deployment(target, RESOURCES)
    assert read_tables(deployed).pace == 1
    table = DeliveriesTable(target.client("dynamodb"), "deliveries", "shelves")
    takes = delivery(1).travel_seconds

    def arrived(number: int, pace: float) -> None:
        left = NOW + timedelta(seconds=number)
        table.write(sent := delivery(number).dispatched(timestamp(left)))
        table.write(sent.delivered(timestamp(left + timedelta(seconds=takes * pace))))

    for number in range(1, 30):
        arrived(number, 7.0)
    for number in range(9_000, 9_020):
        arrived(number, 0.05)
    table.write(delivery(9_100).dispatched(timestamp(NOW + timedelta(hours=4))))
    table.write(sent := delivery(9_101).dispatched(timestamp(NOW + timedelta(hours=4))))
    table.write(sent.failed("no way", timestamp(NOW + timedelta(hours=4))))
    tables = read_tables(deployed)
    assert tables.pace == pytest.approx(0.05, rel=0.05)
    assert tables.deliveries == {"DELIVERED": 49, "IN_TRANSIT": 1, "FAILED": 1}
    shown = looking.deliveries(target, RESOURCES, pace=tables.pace, now=NOW + timedelta(hours=5))["deliveries"]
    assert [each["delivery_id"][-4:] for each in shown] == ["9100"]
    assert shown[0]["expected_seconds"] == pytest.approx(takes * tables.pace, abs=0.001)


# --- What is asked of Athena -----------------------------------------------------------------------------------------


def test_a_shelf_over_time_is_told_oldest_first_with_its_episodes(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def answer(_: Any, __: Any, statement: str, *, texts: tuple[str, ...]) -> Answer:
        assert "?" in statement
        asked.append(texts)
        rows: list[list[Any]] = [[datetime(2026, 1, 5, hour), 6, 9 - hour, 1, 0] for hour in (8, 7)]  # noqa: DTZ001
        return Answer(["event_time"], ["timestamp"], rows, 5_000, 12)

    monkeypatch.setattr(looking, "ask", answer)
    dynamodb = target.client("dynamodb")
    AlertsTable(dynamodb, "alerts").write(episode(1))
    DeliveriesTable(dynamodb, "deliveries", "shelves").write(delivery(1).dispatched("2026-11-21T11:00:00.000Z"))
    shown = looking.shelf(target, RESOURCES, store="S00001", product="P0001")
    assert shown["points"] == [["2026-01-05T07:00:00.000Z", 2, 1, 0], ["2026-01-05T08:00:00.000Z", 1, 1, 0]]
    assert (shown["threshold"], shown["query"]["data_scanned_bytes"]) == (6, 5_000)
    assert [each["alert_id"] for each in shown["episodes"]] == ["A-S00001-P0001-1"]
    assert [each["status"] for each in shown["deliveries"]] == ["IN_TRANSIT"]
    for store, product in ((HOSTILE, "P0001"), ("S00001", HOSTILE), ("", "")):
        with pytest.raises(looking.Unknown):
            looking.shelf(target, RESOURCES, store=store, product=product)
    assert asked == [("S00001", "P0001")], "no malformed id is sent anywhere"
