"""The stores' ledgers in DynamoDB: one item per store, every write on the condition of the version before it."""

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

from lambdas.adapters.versioned import after_version, one_writer
from lambdas.core.ledger import Ledger, Plan, Receipt

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CONFIG: Final = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 5})


@cache
def dynamodb() -> "DynamoDBClient":
    """Return the client, made at the first call."""
    return boto3.client("dynamodb", config=_CONFIG)


class ShelvesTable:
    """The table of the stores' ledgers, keyed by `store_id`.

    A truck unloads by appending `{delivery_id, product_id, units}` to `receipts` and adding 1 to `version`.
    """

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def read(self, store_id: str) -> Ledger:
        """Return a store's ledger as last written, or version 0 of a store that has never traded."""
        answer = self._client.get_item(
            TableName=self._table_name, Key={"store_id": {"S": store_id}}, ConsistentRead=True
        )
        item: dict[str, Any] | None = answer.get("Item")
        return ledger_of(item) if item else Ledger(store_id)

    def write(self, ledger: Ledger) -> None:
        """Write a version of a ledger; raise `Conflict`, as `one_writer` does, unless the one before is stored."""
        before = ledger.version - 1
        with one_writer(f"The ledger of {ledger.store_id}", before):
            self._client.put_item(TableName=self._table_name, Item=_item(ledger), **after_version(before, "store_id"))


def _item(ledger: Ledger) -> dict[str, Any]:
    item = {
        "store_id": {"S": ledger.store_id},
        "version": _n(ledger.version),
        "next_tick": _n(ledger.next_tick),
        "on_hand": {"L": [_n(units) for units in ledger.on_hand]},
        "receipts": _receipts_item(ledger.receipts),
        "events_sent": _n(ledger.events_sent),
    }
    if plan := ledger.plan:
        item["plan"] = {
            "M": {
                "run_id": {"S": plan.run_id},
                "seed": _n(plan.seed),
                "first_tick": _n(plan.ticks.start),
                "ticks": _n(len(plan.ticks)),
                "products": _n(plan.products),
                "overnight": {"BOOL": plan.overnight},
                "receipts": _receipts_item(plan.receipts),
            }
        }
    return item


def ledger_of(item: dict[str, Any]) -> Ledger:
    """Return the ledger that an item of the table holds."""
    plan = item["plan"]["M"] if "plan" in item else None
    return Ledger(
        store_id=item["store_id"]["S"],
        version=int(item["version"]["N"]),
        next_tick=int(item["next_tick"]["N"]),
        on_hand=tuple(int(units["N"]) for units in item["on_hand"]["L"]),
        receipts=_receipts(item["receipts"]),
        plan=plan
        and Plan(
            run_id=plan["run_id"]["S"],
            seed=int(plan["seed"]["N"]),
            ticks=range(first := int(plan["first_tick"]["N"]), first + int(plan["ticks"]["N"])),
            products=int(plan["products"]["N"]),
            overnight=plan["overnight"]["BOOL"],
            receipts=_receipts(plan["receipts"]),
        ),
        events_sent=int(item["events_sent"]["N"]),
    )


def _receipts_item(receipts: tuple[Receipt, ...]) -> dict[str, Any]:
    return {
        "L": [
            {"M": {"delivery_id": {"S": r.delivery_id}, "product_id": {"S": r.product_id}, "units": _n(r.units)}}
            for r in receipts
        ]
    }


def _receipts(item: dict[str, Any]) -> tuple[Receipt, ...]:
    fields = (entry["M"] for entry in item["L"])
    return tuple(Receipt(f["delivery_id"]["S"], f["product_id"]["S"], int(f["units"]["N"])) for f in fields)


def _n(number: int) -> dict[str, Any]:
    return {"N": str(number)}
