"""The episodes in DynamoDB: an item each, every write on the condition of the version before it."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from lambdas.adapters.versioned import after_version, one_writer
from lambdas.core.episodes import MOST_RECENT, Episode

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_FIELDS: Final = frozenset(field.name for field in fields(Episode))


class AlertsTable:
    """The table of episodes, keyed by `shelf`, which is `{store_id}-{product_id}`, and the `number` of its episode."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def recent(self, store_id: str, product_id: str) -> list[Episode]:
        """Return a shelf's latest episodes as last written, newest first, at most `MOST_RECENT`."""
        answer = self._client.query(
            TableName=self._table_name,
            KeyConditionExpression="shelf = :shelf",
            ExpressionAttributeValues={":shelf": {"S": shelf_of(store_id, product_id)}},
            ScanIndexForward=False,
            Limit=MOST_RECENT,
            ConsistentRead=True,
        )
        return [episode_of(item) for item in answer["Items"]]

    def one(self, store_id: str, product_id: str, number: int) -> Episode | None:
        """Return an episode as last written, or None."""
        answer = self._client.get_item(
            TableName=self._table_name, Key=_key(store_id, product_id, number), ConsistentRead=True
        )
        item: dict[str, Any] | None = answer.get("Item")
        return episode_of(item) if item else None

    def write(self, episode: Episode) -> None:
        """Write a version of an episode; raise `Conflict`, as `one_writer` does, unless the one before is stored."""
        before = episode.version - 1
        with one_writer(episode.alert_id, before):
            self._client.put_item(TableName=self._table_name, Item=_item(episode), **after_version(before, "shelf"))


def shelf_of(store_id: str, product_id: str) -> str:
    """Return the partition key of a shelf's episodes."""
    return f"{store_id}-{product_id}"


def _key(store_id: str, product_id: str, number: int) -> dict[str, Any]:
    return {"shelf": {"S": shelf_of(store_id, product_id)}, "number": {"N": str(number)}}


def _item(episode: Episode) -> dict[str, Any]:
    """Write all fields that are known, and for readers of the table what follows from them."""
    values = {name: getattr(episode, name) for name in (*_FIELDS, "alert_id", "duration_seconds")}
    return _key(episode.store_id, episode.product_id, episode.number) | {
        name: _attribute(value) for name, value in values.items() if value is not None
    }


def _attribute(value: str | bool | int) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}


def episode_of(item: dict[str, Any]) -> Episode:
    """Return the episode that an item of the table holds."""
    return Episode(**{name: _value(attribute) for name, attribute in item.items() if name in _FIELDS})


def _value(attribute: dict[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    return int(value) if kind == "N" else value
