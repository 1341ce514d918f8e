from dataclasses import replace
from unittest import mock

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.adapters.shelves import ShelvesTable, dynamodb
from lambdas.core.ledger import Ledger, Plan, Receipt
from lambdas.core.versions import Conflict
from tests.adapters.conftest import TABLE

RECEIPTS = st.lists(st.builds(Receipt, st.text(), st.text(), st.integers(0, 10**9)), max_size=3).map(tuple)
PLANS = st.builds(
    Plan,
    run_id=st.text(),
    seed=st.integers(0, 2**63),
    ticks=st.tuples(st.integers(1, 10**8), st.integers(1, 96)).map(lambda start: range(start[0], sum(start))),
    products=st.integers(1, 500),
    overnight=st.booleans(),
    receipts=RECEIPTS,
)
LEDGERS = st.builds(
    Ledger,
    store_id=st.just("S00001"),
    version=st.just(1),
    next_tick=st.integers(1, 10**9),
    on_hand=st.lists(st.integers(0, 10**6), max_size=8).map(tuple),
    receipts=RECEIPTS,
    plan=st.none() | PLANS,
    events_sent=st.integers(0, 10**12),
)


@pytest.fixture
def shelves(aws: None) -> ShelvesTable:
    return ShelvesTable(dynamodb(), TABLE)


def test_a_store_that_never_traded_is_at_version_0(shelves: ShelvesTable) -> None:
    assert shelves.read("S00001") == Ledger("S00001")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(LEDGERS)
def test_a_ledger_is_read_as_it_was_written(shelves: ShelvesTable, ledger: Ledger) -> None:
    dynamodb().delete_item(TableName=TABLE, Key={"store_id": {"S": "S00001"}})
    shelves.write(ledger)
    assert shelves.read("S00001") == ledger


def test_the_largest_ledger_fits_into_an_item(shelves: ShelvesTable) -> None:
    """400 KB: Constraints in Amazon DynamoDB."""
    receipts = tuple(Receipt("x" * 64, "P0001", 10**6) for _ in range(500))
    ledger = Ledger("S00001", 1, 10**9, (10**6,) * 500, receipts, Plan("r" * 36, 7, range(1, 97), 500, True, receipts))
    shelves.write(ledger)
    assert shelves.read("S00001") == ledger


@pytest.mark.parametrize("stored", [0, 1, 2, 4, 5])
def test_a_version_follows_only_the_one_before(shelves: ShelvesTable, stored: int) -> None:
    for version in range(1, stored + 1):
        shelves.write(Ledger("S00001", version))
    for version in {1, 2, 3, 4, 5, 6} - {stored + 1}:
        with pytest.raises(Conflict, match="S00001"):
            shelves.write(Ledger("S00001", version, on_hand=(1,)))
    assert shelves.read("S00001") == Ledger("S00001", stored)


def test_a_truck_that_appends_a_receipt_is_a_conflict_and_is_read(shelves: ShelvesTable) -> None:
    shelves.write(before := Ledger("S00001", 1, 5, (3,)))
    receipt = {"delivery_id": {"S": "D1"}, "product_id": {"S": "P0001"}, "units": {"N": "7"}}
    dynamodb().update_item(
        TableName=TABLE,
        Key={"store_id": {"S": "S00001"}},
        UpdateExpression="SET receipts = list_append(receipts, :receipt) ADD version :one",
        ExpressionAttributeValues={":receipt": {"L": [{"M": receipt}]}, ":one": {"N": "1"}},
    )
    with pytest.raises(Conflict):
        shelves.write(before.planned("r", 7, 4, ["P0001"], overnight=True))
    assert shelves.read("S00001") == replace(before, version=2, receipts=(Receipt("D1", "P0001", 7),))


def test_any_other_error_is_not_a_conflict(aws: None) -> None:
    with pytest.raises(dynamodb().exceptions.ResourceNotFoundException):
        ShelvesTable(dynamodb(), "elsewhere").write(Ledger("S00001", 1))


def test_a_truck_that_is_unloading_is_a_conflict(shelves: ShelvesTable) -> None:
    refusal = ClientError({"Error": {"Code": "TransactionConflictException", "Message": "ongoing"}}, "PutItem")
    with mock.patch.object(dynamodb(), "put_item", side_effect=refusal), pytest.raises(Conflict):
        shelves.write(Ledger("S00001", version=1))
