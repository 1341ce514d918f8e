"""The price list, the sizes of what is billed by size, and the model's promises."""

import gzip
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core import catalogue
from lambdas.core.simulation import Shop
from workshop.cost import model
from workshop.cost.model import Load
from workshop.cost.prices import Usage, Use, price_list
from workshop.cost.sizes import item_size, items, shape
from workshop.cost.templates import Buffer, Deployment, Function, read_templates
from workshop.errors import WorkshopError
from workshop.local_aws.metering import RECORD_STEP

MEMORY = {"store_app": 1769, "intake": 512, "stock_alert": 512, "truck_dispatch": 512, "delivery": 512}
DEPLOYED = Deployment(
    functions={name: Function(name, memory, traced=True) for name, memory in MEMORY.items()},
    pollers=7,
    most_pollers=10,
    processor=Buffer(2**20, 15),
    delivery=Buffer(128 * 2**20, 60),
    converts=True,
    has_trucks=True,
    posts_alerts=False,
    transitions=6,
    dispatch_concurrency=2,
    schedule_minutes=0,
    alarms=10,
    dashboards=1,
    catalogue_objects=4,
    secrets=0,
)


def used(load: Load, deployed: Deployment = DEPLOYED) -> Usage:
    return model.usage(model.activity(load, deployed), deployed)


def amount(usage: Usage, unit: str) -> float:
    return sum(count for use, count in usage.items() if use.unit == unit)


def test_every_price_has_a_source_at_aws_and_only_what_is_always_free_is_taken_off() -> None:
    prices = price_list()
    assert (prices.region, prices.date[:4]) == ("us-east-1", "2026")
    for name, price in prices.prices.items():
        assert price.source.startswith("https://aws.amazon.com/"), name
        assert price.usd > 0, name
        assert price.per > 0, name
        assert bool(price.always_free) == bool(price.free_source), name
    # These allowances end after twelve months.
    assert prices.prices["s3.put"].always_free == prices.prices["s3.get"].always_free == 0
    assert prices.prices["s3.storage"].always_free == 0


def test_everything_the_model_bills_has_a_price() -> None:
    units = {use.unit for use in used(Load()) + model.idle(DEPLOYED)}
    assert units <= price_list().prices.keys()


def test_a_bill_takes_the_allowance_off_once_and_never_below_zero() -> None:
    usage = Usage({Use("lambda.requests", "a"): 900_000, Use("lambda.requests", "b"): 300_000})
    [line] = price_list().lines(usage)
    assert line.list_usd == pytest.approx(0.24)
    assert line.usd == pytest.approx(0.04)
    [little] = price_list().lines(Usage({Use("lambda.requests", "a"): 10}))
    assert little.usd == 0


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"a": {"S": "four"}}, 5),
        ({"a": {"N": "1234"}}, 4),
        ({"a": {"N": "100"}}, 3),
        ({"a": {"BOOL": True}}, 2),
        ({"a": {"L": [{"N": "7"}, {"N": "42"}]}}, 1 + 3 + (1 + 2) + (1 + 2)),
        ({"a": {"M": {"bc": {"S": "d"}}}}, 1 + 3 + 1 + 2 + 1),
    ],
)
def test_items_are_as_large_as_dynamodb_counts_them(item: dict[str, dict[str, object]], size: int) -> None:
    assert item_size(item) == size


def test_a_ledger_grows_with_the_assortment_and_takes_eighteen_receipts_for_a_write_unit_more() -> None:
    small, large = items(50), items(500)
    assert large.ledger - small.ledger == pytest.approx(450 * 3, rel=0.15)
    assert 1024 // small.receipt in (17, 18)
    assert max(small.episode_closed, small.delivery_made) < 1024


@given(size=st.integers(200, 1_000_000), records=st.integers(1, 10_000))
def test_what_firehose_bills_is_never_less_than_what_was_sent_nor_a_step_more(size: int, records: int) -> None:
    happened = replace(model.activity(Load(stores=1), DEPLOYED), event_bytes=float(size * records), records=records)
    billed = amount(model.usage(happened, DEPLOYED), "firehose.ingestion")
    assert size * records <= billed <= (size + RECORD_STEP) * records


def test_a_document_per_record_is_billed_as_five_kilobytes() -> None:
    happened = model.activity(Load(), DEPLOYED)
    billed = amount(model.usage(model.unpacked(happened), DEPLOYED), "firehose.ingestion")
    assert billed == pytest.approx(happened.events * 5 * 1024)


@given(stores=st.integers(1, 50_000))
def test_more_stores_never_cost_less(stores: int) -> None:
    cost = price_list().list_price
    assert cost(used(Load(stores=stores))) <= cost(used(Load(stores=2 * stores)))


def test_no_events_cost_nothing_but_the_questions() -> None:
    silent = used(Load(events_per_hour=0, queries_per_day=0))
    assert amount(silent, "firehose.ingestion") == 0
    assert amount(silent, "stepfunctions.transitions") == 0
    assert amount(silent, "athena.scanned") == 0
    asked = used(Load(events_per_hour=0, queries_per_day=24))
    assert amount(asked, "athena.scanned") == 730 * 10 * 1024**2


def test_the_alert_rate_is_what_the_load_says() -> None:
    happened = model.activity(Load(alerts_per_1000_events=50), DEPLOYED)
    assert happened.opened == pytest.approx(happened.events * 0.05)
    usage = model.usage(happened, DEPLOYED)
    assert amount(usage, "stepfunctions.transitions") == pytest.approx(6 * happened.opened)
    assert amount(usage, "eventbridge.events") == pytest.approx(2 * happened.opened)


def test_a_transaction_is_billed_twice() -> None:
    calm = model.activity(Load(alerts_per_1000_events=0), DEPLOYED)
    one = replace(calm, delivered=1.0)
    writes = amount(model.usage(one, DEPLOYED), "dynamodb.write") - amount(
        model.usage(calm, DEPLOYED), "dynamodb.write"
    )
    # The alert's note, the delivery sent, and in the transaction the delivery made and the store's ledger.
    assert writes == 1 + 1 + 2 * (1 + 1)


def test_without_the_maximum_concurrency_lambda_polls_less() -> None:
    polls = amount(model.idle(DEPLOYED), "sqs.requests")
    assert polls == 7 * 730 * 180
    assert polls < price_list().prices["sqs.requests"].always_free < model.most_polls(DEPLOYED)


def test_the_simulation_says_what_a_shelf_sends() -> None:
    hourly = shape(50, 1, trucks=True)
    assert 350 < hourly.bytes_per_event < 400
    assert 0.015 < hourly.alerts_per_event < 0.035
    # Each episode is told at least when it begins and when it ends.
    assert hourly.sightings_per_event >= 1.9 * hourly.alerts_per_event


def test_compression_leaves_what_the_model_says() -> None:
    shop = Shop(7, catalogue.store(7, 1), catalogue.products(7, 100), overnight=False)
    text = "\n".join(shop.simulate(shop.opening_stock(), range(1, 97)).lines[:1_000]).encode()
    assert len(gzip.compress(text)) / len(text) == pytest.approx(model.GZIP_SHARE, abs=0.01)


def test_a_folder_without_templates_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(WorkshopError, match="no templates"):
        read_templates(tmp_path_factory.mktemp("empty"))


def test_a_run_is_estimated_from_its_facts() -> None:
    facts = {"events": 10_000, "firehose_records": 4, "trade:24:10:50": 1, "metric:TrucksUnloaded": 7, "intake.runs": 4}
    happened = model.recorded({"counts": [["services", "s3.put", "stock_events", 3]], "facts": facts}, DEPLOYED)
    usage = model.usage(happened, DEPLOYED)
    assert amount(usage, "stepfunctions.transitions") == 42
    assert amount(usage, "firehose.ingestion") == pytest.approx(10_000 * 366, rel=0.01)
    assert amount(usage, "s3.put") == 3
    assert math.isclose(happened.plans, 10)
