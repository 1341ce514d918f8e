"""One contract for both movers: ours over the embedded AWS and in memory, AWS's own as its reference describes it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.local_aws.conftest import served
from tests.unit.queues import Queues
from workshop.errors import WorkshopError
from workshop.local_aws.clients import client
from workshop.movers import GONE, DeadLetter, Letter, Mover, MoveTask, SendThenDelete, look, to_queue

ATTRIBUTES = {
    "ERROR_CODE": {"DataType": "String", "StringValue": "SDK_CLIENT_ERROR"},
    "RAW": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
}


@dataclass
class Door:
    """A queue with its dead letters, and one way to move them."""

    sqs: Any
    queue: str
    dead_letters: str
    mover: Mover

    def bury(self, *bodies: str) -> None:
        for body in bodies:
            self.sqs.send_message_batch(
                QueueUrl=self.dead_letters,
                Entries=[{"Id": "0", "MessageBody": body, "MessageAttributes": ATTRIBUTES}],
            )

    def look(self, url: str) -> list[DeadLetter]:
        return look(self.sqs, url, seen)

    def reasons(self, url: str) -> list[str]:
        return sorted(letter.reason for letter in self.look(url))


def seen(letter: Letter) -> DeadLetter:
    """Return a letter with all that has to arrive as its reason."""
    attributes = {name: letter.attributes[name].get("StringValue", "") for name in sorted(letter.attributes)}
    raw = letter.attributes["RAW"]["BinaryValue"]
    return DeadLetter(letter.message_id, f"{letter.body} {attributes} {raw!r}", poison=False)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("movers")) as endpoint:
        yield endpoint


@pytest.fixture(params=["ours, embedded AWS", "ours, in memory", "StartMessageMoveTask"])
def door(request: pytest.FixtureRequest, endpoint: str) -> Door:
    if request.param == "ours, embedded AWS":
        sqs = client("sqs", endpoint)
        name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:60]
        dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
        queue = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": redrive})["QueueUrl"]
        return Door(sqs, queue, dead, ours(sqs, dead, queue))
    queues = Queues()
    queue = queues.make("queue")
    dead = queues.make("dead", dead_letters_of=[queue])
    if request.param == "ours, in memory":
        return Door(queues, queue, dead, ours(queues, dead, queue, queues.sleep))
    return Door(queues, queue, dead, MoveTask(queues, dead, queue, sleep=queues.sleep))


def ours(sqs: Any, dead: str, queue: str, sleep: Callable[[float], None] = lambda _: None) -> SendThenDelete:
    return SendThenDelete(sqs, dead, to_queue(sqs, queue), clock=lambda: 0.0, sleep=sleep)


def no_report(_: float) -> None:
    pass


def test_what_is_dead_lives_again_with_all_its_sender_gave_it(door: Door) -> None:
    bodies = [f'{{"number": {number}, "text": "Łódź"}}' for number in range(23)]
    door.bury(*bodies)
    dead = door.look(door.dead_letters)
    moved = door.mover.move([letter.message_id for letter in dead], rate=500, progress=no_report)
    assert (moved.count, moved.left) == (23, {})
    assert door.look(door.dead_letters) == []
    assert door.reasons(door.queue) == sorted(letter.reason for letter in dead)
    assert {letter.message_id for letter in dead}.isdisjoint(letter.message_id for letter in door.look(door.queue)), (
        "a message that is sent again is a new one"
    )


def test_looking_leaves_everything_where_it_is_and_visible(door: Door) -> None:
    door.bury("a", "b")
    first = door.look(door.dead_letters)
    assert len(first) == 2
    assert sorted(first, key=str) == sorted(door.look(door.dead_letters), key=str)
    assert door.look(door.queue) == []


def test_nothing_to_move_is_no_error(door: Door) -> None:
    moved = door.mover.move([], rate=500, progress=no_report)
    assert (moved.count, moved.left) == (0, {})


def test_a_second_move_finds_nothing(door: Door) -> None:
    door.bury("a")
    [letter] = door.look(door.dead_letters)
    door.mover.move([letter.message_id], rate=1, progress=no_report)
    again = door.mover.move([], rate=1, progress=no_report)
    assert again.count == 0
    assert len(door.look(door.queue)) == 1


def test_ours_leaves_behind_what_it_was_not_asked_for(endpoint: str) -> None:
    sqs = client("sqs", endpoint)
    queue, dead = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("left", "left-dead"))
    door = Door(sqs, queue, dead, ours(sqs, dead, queue))
    door.bury("good", "poison", "good too")
    letters = door.look(dead)
    poison = next(letter.message_id for letter in letters if letter.reason.startswith("poison"))
    wanted = [letter.message_id for letter in letters if letter.message_id != poison]
    moved = door.mover.move([*wanted, "not there"], rate=500, progress=no_report)
    assert (moved.count, moved.left) == (2, {"not there": GONE})
    assert [letter.message_id for letter in door.look(dead)] == [poison]


class TestMoveTask:
    """What the reference says beyond the contract."""

    def test_a_queue_takes_one_task_at_a_time(self) -> None:
        queues = Queues()
        queue = queues.make("queue")
        dead = queues.make("dead", dead_letters_of=[queue])
        mover = MoveTask(queues, dead, queue, sleep=queues.sleep)
        queues.start_message_move_task(
            SourceArn="arn:aws:sqs:us-east-1:000000000000:dead",
            DestinationArn="arn:aws:sqs:us-east-1:000000000000:queue",
            MaxNumberOfMessagesPerSecond=1,
        )
        with pytest.raises(WorkshopError, match="one task per queue"):
            mover.move(["m"], rate=1, progress=no_report)

    def test_interrupted_it_cancels_its_task(self) -> None:
        queues = Queues()
        queue = queues.make("queue")
        dead = queues.make("dead", dead_letters_of=[queue])
        ids = [queues.put(dead, str(number)) for number in range(50)]

        def interrupt(_: float) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            MoveTask(queues, dead, queue, sleep=interrupt).move(ids, rate=1, progress=no_report)
        assert [task["Status"] for task in queues.tasks] == ["CANCELLED"]
        assert len(queues.bodies(dead)) + len(queues.bodies(queue)) == 50

    def test_one_that_fails_says_why(self) -> None:
        queues = Queues()
        queue = queues.make("queue")
        dead = queues.make("dead", dead_letters_of=[queue])
        queues.put(dead, "a")

        def fail(_: float) -> None:
            queues.tasks[-1] |= {"Status": "FAILED", "FailureReason": "CouldNotDetermineMessageSource"}

        with pytest.raises(WorkshopError, match="CouldNotDetermineMessageSource"):
            MoveTask(queues, dead, queue, sleep=fail).move(["m0"], rate=1, progress=no_report)

    def test_a_task_of_before_is_not_taken_for_the_new_one(self) -> None:
        queues = Queues()
        queue = queues.make("queue")
        dead = queues.make("dead", dead_letters_of=[queue])
        mover = MoveTask(queues, dead, queue, sleep=queues.sleep)
        start = queues.start_message_move_task

        def start_late(**wanted: Any) -> dict[str, Any]:
            queues.unlisted = 2
            return start(**wanted)

        queues.start_message_move_task = start_late  # type: ignore[method-assign]
        for body in "ab":
            moved = mover.move([queues.put(dead, body)], rate=1, progress=no_report)
            assert moved.count == 1
            assert queues.tasks[-1]["Status"] == "COMPLETED"
        assert queues.bodies(queue) == ["a", "b"]
