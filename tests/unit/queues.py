"""SQS in memory, as its API reference describes the calls that the movers make, with a clock of its own."""
# ruff: noqa: N803 - the names of the arguments are boto3's

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from botocore.exceptions import ClientError

MAX_BATCH_BYTES = 256 * 1024


class Killed(BaseException):
    """The program was killed at a call; nothing that it calls from here on takes place."""


@dataclass
class Message:
    id: str
    body: str
    attributes: Mapping[str, Mapping[str, Any]]
    visible_at: float = 0.0
    receipt: str = ""
    receives: int = 0


@dataclass
class Queues:
    """Queues by URL. `sources` names for each dead-letter queue the queues whose dead letters it takes."""

    rng: random.Random = field(default_factory=lambda: random.Random(7))
    now: float = 0.0
    messages: dict[str, list[Message]] = field(default_factory=dict)
    sources: dict[str, set[str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    kill_at: int | None = None
    """The number of the call at which the program dies."""
    kill_after: bool = False
    """Whether that call still takes place."""
    refuses: Callable[[str], bool] = lambda _: False
    """Which bodies SendMessageBatch fails."""
    sent_at: list[float] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    unlisted: int = 0
    """How many more calls of ListMessageMoveTasks do not show the latest task yet."""
    _ids: Any = field(default_factory=count)

    def make(self, name: str, *, dead_letters_of: Collection[str] = ()) -> str:
        self.messages[name] = []
        self.sources[name] = set(dead_letters_of)
        return name

    def put(self, url: str, body: str, attributes: Mapping[str, Mapping[str, Any]] | None = None) -> str:
        message = Message(f"m{next(self._ids)}", body, attributes or {})
        self.messages[url].append(message)
        return message.id

    def bodies(self, url: str) -> list[str]:
        return sorted(message.body for message in self.messages[url])

    def hidden(self, url: str) -> list[str]:
        return [message.id for message in self.messages[url] if message.visible_at > self.now]

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def revive(self) -> None:
        """Start the program again, after every message that the killed one held has become visible."""
        self.kill_at = None
        self.now += 1_000

    def receive_message(
        self, *, QueueUrl: str, MaxNumberOfMessages: int, VisibilityTimeout: int, WaitTimeSeconds: int, **_: Any
    ) -> dict[str, Any]:
        def take() -> dict[str, Any]:
            visible = [message for message in self.messages[QueueUrl] if message.visible_at <= self.now]
            if not visible:
                self.now += WaitTimeSeconds
                return {}
            taken = self.rng.sample(visible, min(len(visible), MaxNumberOfMessages))
            for message in taken:
                message.visible_at = self.now + VisibilityTimeout
                message.receipt = f"r{next(self._ids)}"
                message.receives += 1
            return {
                "Messages": [
                    {
                        "MessageId": message.id,
                        "ReceiptHandle": message.receipt,
                        "Body": message.body,
                        "MessageAttributes": dict(message.attributes),
                        "Attributes": {"ApproximateReceiveCount": str(message.receives)},
                    }
                    for message in taken
                ]
            }

        return self._call("receive", take)

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        def send() -> dict[str, Any]:
            if not 1 <= len(Entries) <= 10:
                raise refusal("TooManyEntriesInBatchRequest", "SendMessageBatch")
            if len(Entries) > 1 and sum(len(entry["MessageBody"].encode()) for entry in Entries) > MAX_BATCH_BYTES:
                raise refusal("BatchRequestTooLong", "SendMessageBatch")
            failed = [entry for entry in Entries if self.refuses(entry["MessageBody"])]
            for entry in Entries:
                if entry not in failed:
                    self.put(QueueUrl, entry["MessageBody"], entry.get("MessageAttributes"))
                    self.sent_at.append(self.now)
            return {
                "Successful": [{"Id": entry["Id"]} for entry in Entries if entry not in failed],
                "Failed": [{"Id": entry["Id"], "Code": "InternalError", "SenderFault": False} for entry in failed],
            }

        return self._call("send", send)

    def delete_message_batch(self, *, QueueUrl: str, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        def delete() -> dict[str, Any]:
            receipts = {entry["ReceiptHandle"] for entry in Entries}
            self.messages[QueueUrl] = [each for each in self.messages[QueueUrl] if each.receipt not in receipts]
            return {}

        return self._call("delete", delete)

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        def change() -> dict[str, Any]:
            wanted = {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in Entries}
            for message in self.messages[QueueUrl]:
                if message.receipt in wanted:
                    message.visible_at = self.now + wanted[message.receipt]
            return {}

        return self._call("change", change)

    def get_queue_attributes(self, *, QueueUrl: str, **_: Any) -> dict[str, Any]:
        return {"Attributes": {"QueueArn": _arn(QueueUrl)}}

    def start_message_move_task(
        self, *, SourceArn: str, DestinationArn: str, MaxNumberOfMessagesPerSecond: int
    ) -> dict[str, Any]:
        source, destination = _url(SourceArn), _url(DestinationArn)
        active = any(task["Status"] == "RUNNING" and task["SourceArn"] == SourceArn for task in self.tasks)
        if active or not self.sources[source] or not 1 <= MaxNumberOfMessagesPerSecond <= 500:
            raise refusal("AWS.SimpleQueueService.UnsupportedOperation", "StartMessageMoveTask")
        task = {
            "TaskHandle": f"t{next(self._ids)}",
            "Status": "RUNNING",
            "SourceArn": SourceArn,
            "DestinationArn": DestinationArn,
            "MaxNumberOfMessagesPerSecond": MaxNumberOfMessagesPerSecond,
            "ApproximateNumberOfMessagesMoved": 0,
            "StartedTimestamp": len(self.tasks),
        }
        self.tasks.append(task)
        assert destination in self.messages
        return {"TaskHandle": task["TaskHandle"]}

    def list_message_move_tasks(self, *, SourceArn: str, MaxResults: int) -> dict[str, Any]:
        mine = [task for task in self.tasks if task["SourceArn"] == SourceArn]
        seen = mine[:-1] if self.unlisted else mine
        self.unlisted = max(0, self.unlisted - 1)
        listed = [dict(task) for task in reversed(seen)][:MaxResults]
        for task in mine:
            if task["Status"] == "RUNNING":
                self._advance(task)
        return {"Results": listed}

    def cancel_message_move_task(self, *, TaskHandle: str) -> dict[str, Any]:
        for task in self.tasks:
            if task["TaskHandle"] == TaskHandle:
                task["Status"] = "CANCELLED"
        return {}

    def _advance(self, task: dict[str, Any]) -> None:
        """Move a few of the visible messages; a task is over when it finds none."""
        source, destination = _url(task["SourceArn"]), _url(task["DestinationArn"])
        visible = [message for message in self.messages[source] if message.visible_at <= self.now]
        if not visible:
            task["Status"] = "COMPLETED"
        for message in visible[: min(3, task["MaxNumberOfMessagesPerSecond"])]:
            self.messages[source].remove(message)
            self.put(destination, message.body, message.attributes)
            self.sent_at.append(self.now)
            task["ApproximateNumberOfMessagesMoved"] += 1

    def _call(self, name: str, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        number = len(self.calls)
        self.calls.append(name)
        if self.kill_at is not None and number >= self.kill_at:
            if self.kill_after and number == self.kill_at:
                act()
            raise Killed
        return act()


def refusal(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


def _arn(url: str) -> str:
    return f"arn:aws:sqs:us-east-1:000000000000:{url}"


def _url(arn: str) -> str:
    return arn.rpartition(":")[2]
