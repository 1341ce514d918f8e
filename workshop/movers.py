"""Dead letters out of their queue and on their way again, at least once, no faster than the consumer can take."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from workshop.errors import WorkshopError
from workshop.steps import Report

MAX_RATE: Final = 500
"""Messages a second: the most that StartMessageMoveTask takes (SQS API reference), and so the most for either mover."""

HOLD_SECONDS: Final = 120
"""How long a message that was received here stays hidden when this program is killed before it gives it back."""

_MAX_CALL_MESSAGES: Final = 10
_MAX_CALL_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it was received. `attributes` are its sender's, `system` those that SQS keeps of it."""

    message_id: str
    receipt: str
    body: str
    attributes: Mapping[str, Mapping[str, Any]]
    system: Mapping[str, str]

    def text(self, attribute: str) -> str | None:
        """Return an attribute that its sender gave it as text."""
        return self.attributes.get(attribute, {}).get("StringValue")

    @property
    def bytes(self) -> int:
        """What it counts for in a call: body, and names, types and values of its attributes."""
        counted = [self.body, *self.attributes]
        for attribute in self.attributes.values():
            counted += [attribute["DataType"], attribute.get("StringValue", "")]
        return sum(len(part.encode()) for part in counted) + sum(
            len(attribute.get("BinaryValue", b"")) for attribute in self.attributes.values()
        )


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message of a dead-letter queue: why it is there, as far as can be known, and whether it is poison."""

    message_id: str
    reason: str
    poison: bool


@dataclass(slots=True)
class Moved:
    """How many messages are on their way again, and those that are not, by id, with the reason."""

    count: int = 0
    left: dict[str, str] = field(default_factory=dict)


class Mover(Protocol):
    """Takes messages out of a dead-letter queue and sends them on: each at least once, and none is lost on the way.

    Killed in between, a message is in either queue or in both.
    """

    def move(self, message_ids: Collection[str], *, rate: int, progress: Report) -> Moved:
        """Move the messages of the given ids at `rate` messages a second at most.

        Raises:
            WorkshopError: the move was refused, or failed half-way; what had been moved stays moved.
        """


Send = Callable[[Sequence[Letter]], Mapping[str, str]]
"""Send at most ten letters on and return why those of some message ids were not taken."""

GONE: Final = "It was not there any more, or somebody else holds it."


def look(sqs: Any, url: str, judge: Callable[[Letter], DeadLetter]) -> list[DeadLetter]:
    """Return what is in a dead-letter queue, and leave it there, visible to all again.

    Each message's receive count rises by one; a dead-letter queue has no queue behind it that this could take it to.
    """
    return [judge(letter) for letter in glance(sqs, url)]


def glance(sqs: Any, url: str, most: float = math.inf) -> list[Letter]:
    """Return the letters of a queue, about so many of them at most, as `look` does."""
    found: dict[str, Letter] = {}
    held: dict[str, str] = {}
    try:
        for letters in _receive(sqs, url, _MAX_CALL_MESSAGES, held):
            if all(letter.message_id in found for letter in letters):
                break
            found |= {letter.message_id: letter for letter in letters}
            if len(found) >= most:
                break
    finally:
        _give_back(sqs, url, held)
    return list(found.values())


class MoveTask:
    """The mover that is SQS itself: StartMessageMoveTask, from a queue's dead letters back to that queue.

    It moves everything there is, so it is for queues that hold no poison; what arrives meanwhile is moved too. It takes
    dead-letter queues of SQS queues alone, one task per queue, at most 500 messages a second. Moved messages have new
    ids and a new retention period.
    Sources: StartMessageMoveTask and ListMessageMoveTasks, SQS API reference; "Learn how to configure a dead-letter
    queue redrive in Amazon SQS", SQS developer guide.
    """

    def __init__(self, sqs: Any, source: str, destination: str, *, sleep: Callable[[float], None]) -> None:
        """Prepare to move from one queue to another, both by URL."""
        self._sqs = sqs
        self._source = queue_arn(sqs, source)
        self._destination = queue_arn(sqs, destination)
        self._sleep = sleep

    def move(self, message_ids: Collection[str], *, rate: int, progress: Report) -> Moved:
        """Start the task and wait until it is over. Interrupted, it cancels the task; nothing is undone by that."""
        before = self._latest()
        if before and before["Status"] in _ACTIVE:
            raise WorkshopError(
                f"Messages of {self._source} are being moved already: one task per queue is what SQS takes.",
                "Wait until it is done, or cancel it in the SQS console.",
            )
        handle = self._sqs.start_message_move_task(
            SourceArn=self._source, DestinationArn=self._destination, MaxNumberOfMessagesPerSecond=rate
        )["TaskHandle"]
        try:
            task = self._latest()
            while task == before or task["Status"] in _ACTIVE:
                progress(task.get("ApproximateNumberOfMessagesMoved", 0) / max(1, len(message_ids)))
                self._sleep(1)
                task = self._latest()
        except KeyboardInterrupt:
            self._sqs.cancel_message_move_task(TaskHandle=handle)
            raise
        if task["Status"] != "COMPLETED":
            raise WorkshopError(
                f"SQS stopped moving messages of {self._source}: {task.get('FailureReason', task['Status'])}.",
                "What was moved stays moved. Repeat the command to go on.",
            )
        return Moved(task["ApproximateNumberOfMessagesMoved"])

    def _latest(self) -> dict[str, Any]:
        tasks = self._sqs.list_message_move_tasks(SourceArn=self._source, MaxResults=1)["Results"]
        return tasks[0] if tasks else {}


_ACTIVE = ("RUNNING", "CANCELLING")


class SendThenDelete:
    """Our own mover: receives, sends on, and only then deletes, so that a kill at any moment can double but never lose.

    A message that dies again meanwhile has a new id, so it is not moved twice in one run.
    """

    def __init__(
        self, sqs: Any, source: str, send: Send, *, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        """Prepare to take from a queue, by URL."""
        self._sqs = sqs
        self._source = source
        self._send = send
        self._clock = clock
        self._sleep = sleep

    def move(self, message_ids: Collection[str], *, rate: int, progress: Report) -> Moved:
        """Move what is asked for and give everything else back at once."""
        begun = self._clock()
        moved = Moved()
        waiting = set(message_ids)
        held: dict[str, str] = {}
        seen: set[str] = set()
        try:
            for letters in _receive(self._sqs, self._source, min(rate, _MAX_CALL_MESSAGES), held) if waiting else ():
                chosen = [letter for letter in letters if letter.message_id in waiting]
                if not chosen and seen.issuperset(letter.message_id for letter in letters):
                    break
                seen.update(letter.message_id for letter in letters)
                for call in _calls(chosen):
                    refused = self._send(call)
                    moved.left |= refused
                    self._delete([letter for letter in call if letter.message_id not in refused], held)
                    moved.count += len(call) - len(refused)
                    waiting -= {letter.message_id for letter in call}
                    progress(1 - len(waiting) / len(message_ids))
                    self._sleep(max(0.0, moved.count / rate - (self._clock() - begun)))
                if not waiting:
                    break
        finally:
            _give_back(self._sqs, self._source, held)
        moved.left |= dict.fromkeys(waiting, GONE)
        return moved

    def _delete(self, letters: Sequence[Letter], held: dict[str, str]) -> None:
        if letters:
            # One that cannot be deleted is sent again by the next redrive: consumers know it by its content.
            self._sqs.delete_message_batch(
                QueueUrl=self._source,
                Entries=[{"Id": str(n), "ReceiptHandle": letter.receipt} for n, letter in enumerate(letters)],
            )
        for letter in letters:
            del held[letter.message_id]


def to_queue(sqs: Any, url: str) -> Send:
    """Return what sends letters to a queue as they are, with all their sender gave them."""

    def send(letters: Sequence[Letter]) -> dict[str, str]:
        answer = sqs.send_message_batch(
            QueueUrl=url, Entries=[_entry(str(number), letter) for number, letter in enumerate(letters)]
        )
        return {
            letters[int(failed["Id"])].message_id: f"SQS did not take it: {failed.get('Message', failed['Code'])}"
            for failed in answer.get("Failed", ())
        }

    return send


def queue_arn(sqs: Any, url: str) -> str:
    """Return the ARN of a queue."""
    arn: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return arn


def _receive(sqs: Any, url: str, at_most: int, held: dict[str, str]) -> Iterator[list[Letter]]:
    """Receive until a long poll, which asks all of a queue's servers, finds nothing; note each receipt in `held`."""
    while found := sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=at_most,
        VisibilityTimeout=HOLD_SECONDS,
        WaitTimeSeconds=1,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    ).get("Messages"):
        held.update((message["MessageId"], message["ReceiptHandle"]) for message in found)
        yield [
            Letter(
                message["MessageId"],
                message["ReceiptHandle"],
                message["Body"],
                message.get("MessageAttributes", {}),
                message.get("Attributes", {}),
            )
            for message in found
        ]


def _give_back(sqs: Any, url: str, held: Mapping[str, str]) -> None:
    receipts = list(held.values())
    for first in range(0, len(receipts), _MAX_CALL_MESSAGES):
        sqs.change_message_visibility_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts[first : first + _MAX_CALL_MESSAGES])
            ],
        )


def _calls(letters: Sequence[Letter]) -> Iterator[list[Letter]]:
    """Group letters into calls of SendMessageBatch."""
    call: list[Letter] = []
    for letter in letters:
        if call and sum(each.bytes for each in call) + letter.bytes > _MAX_CALL_BYTES:
            yield call
            call = []
        call.append(letter)
    if call:
        yield call


def _entry(entry_id: str, letter: Letter) -> dict[str, Any]:
    entry: dict[str, Any] = {"Id": entry_id, "MessageBody": letter.body}
    if letter.attributes:
        kept = ("DataType", "StringValue", "BinaryValue")
        entry["MessageAttributes"] = {
            name: {key: attribute[key] for key in kept if key in attribute}
            for name, attribute in letter.attributes.items()
        }
    if trace := letter.system.get("AWSTraceHeader"):
        entry["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}}
    return entry
