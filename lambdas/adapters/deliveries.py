"""The deliveries in DynamoDB: one item per alert, every write on the condition of the version before it."""

from typing import TYPE_CHECKING, Any

from lambdas.adapters.versioned import after_version, conflict, one_writer
from lambdas.core.deliveries import Delivery, Status, Step, UnknownStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DeliveriesTable:
    """The table of the deliveries, keyed by `delivery_id`, and beside it the shelves where trucks unload."""

    def __init__(self, client: "DynamoDBClient", table_name: str, shelves_table_name: str) -> None:
        self._client = client
        self._table_name = table_name
        self._shelves_table_name = shelves_table_name

    def read(self, delivery_id: str) -> Delivery | None:
        """Return a delivery as last written, or None."""
        answer = self._client.get_item(
            TableName=self._table_name, Key={"delivery_id": {"S": delivery_id}}, ConsistentRead=True
        )
        item: dict[str, Any] | None = answer.get("Item")
        return delivery_of(item) if item else None

    def write(self, delivery: Delivery) -> None:
        """Write a version of a delivery; raise `Conflict`, as `one_writer` does, unless the one before is stored."""
        with one_writer(delivery.delivery_id, delivery.version - 1):
            self._client.put_item(**self._put(delivery))

    def unload(self, delivery: Delivery) -> None:
        """Write a delivery and append its units to the store's receipts in one transaction: both happen, or neither.

        Raises `Conflict` as `write` does, and when another transaction holds one of the two items; `UnknownStore` when
        the store has no ledger. The cancellation's reasons come in the order of the operations (TransactWriteItems,
        DynamoDB API reference).
        """
        receipt = {
            "delivery_id": {"S": delivery.delivery_id},
            "product_id": {"S": delivery.product_id},
            "units": {"N": str(delivery.units)},
        }
        book = {
            "TableName": self._shelves_table_name,
            "Key": {"store_id": {"S": delivery.store_id}},
            "UpdateExpression": "SET receipts = list_append(receipts, :receipt) ADD version :one",
            "ConditionExpression": "attribute_exists(store_id)",
            "ExpressionAttributeValues": {":receipt": {"L": [{"M": receipt}]}, ":one": {"N": "1"}},
        }
        operations: Any = [{"Put": self._put(delivery)}, {"Update": book}]
        try:
            self._client.transact_write_items(TransactItems=operations)
        except self._client.exceptions.TransactionCanceledException as error:
            written, booked = (reason.get("Code") for reason in error.response["CancellationReasons"])
            if written == "ConditionalCheckFailed" or "TransactionConflict" in (written, booked):
                raise conflict(delivery.delivery_id, delivery.version - 1) from None
            if booked == "ConditionalCheckFailed":
                raise UnknownStore(f"{delivery.store_id} has never traded; nothing can be unloaded there.") from None
            raise

    def _put(self, delivery: Delivery) -> dict[str, Any]:
        condition = after_version(delivery.version - 1, "delivery_id")
        return {"TableName": self._table_name, "Item": _item(delivery), **condition}


def _item(delivery: Delivery) -> dict[str, Any]:
    texts = {
        "delivery_id": delivery.delivery_id,
        "alert_id": delivery.alert_id,
        "store_id": delivery.store_id,
        "product_id": delivery.product_id,
        "depot": delivery.depot,
        "truck": delivery.truck,
        "execution": delivery.execution,
        "status": delivery.status,
        "dispatched_at": delivery.dispatched_at,
        "delivered_at": delivery.delivered_at,
        "reason": delivery.reason,
    }
    numbers = {
        "units": delivery.units,
        "distance_km": delivery.distance_km,
        "travel_seconds": delivery.travel_seconds,
        "attempt": delivery.attempt,
        "version": delivery.version,
    }
    return {
        **{name: {"S": text} for name, text in texts.items() if text is not None},
        **{name: {"N": str(number)} for name, number in numbers.items()},
        "history": {
            "L": [
                {"M": {"status": {"S": step.status}, "at": {"S": step.at}, "note": {"S": step.note}}}
                for step in delivery.history
            ]
        },
    }


def delivery_of(item: dict[str, Any]) -> Delivery:
    """Return the delivery that an item of the table holds."""
    steps = (entry["M"] for entry in item["history"]["L"])
    return Delivery(
        delivery_id=item["delivery_id"]["S"],
        store_id=item["store_id"]["S"],
        product_id=item["product_id"]["S"],
        units=int(item["units"]["N"]),
        depot=item["depot"]["S"],
        truck=item["truck"]["S"],
        distance_km=float(item["distance_km"]["N"]),
        travel_seconds=int(item["travel_seconds"]["N"]),
        execution=item["execution"]["S"],
        attempt=int(item["attempt"]["N"]),
        history=tuple(Step(Status(step["status"]["S"]), step["at"]["S"], step["note"]["S"]) for step in steps),
    )
