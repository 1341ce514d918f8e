"""A queue that a function works off, and the queue of what it could not."""

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk.aws_sqs import DeadLetterQueue, Queue, QueueEncryption
from constructs import Construct

RETENTION = Duration.days(14)
"""The longest that SQS keeps a message (SQS developer guide, Message retention period). A message keeps its age when
it becomes a dead letter, so both queues keep as long as they can."""


class DeadLetters(Queue):
    """A queue of what could not be handled, kept until somebody looks."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope, construct_id, encryption=QueueEncryption.SQS_MANAGED, enforce_ssl=True, retention_period=RETENTION
        )
        Validations.of(self).acknowledge(
            Acknowledgment(id="AwsSolutions::AwsSolutions-SQS3", reason="Dead letters are the end of the line")
        )


class WorkQueue(Construct):
    """An SQS queue with its dead letters, encrypted, reached over TLS alone.

    A received message stays hidden for six times the function's `timeout`, so that Lambda can retry while it is
    throttled (Lambda developer guide, Creating and configuring an Amazon SQS event source mapping). Received
    `max_receives` times without being deleted, it becomes a dead letter.
    """

    def __init__(self, scope: Construct, construct_id: str, *, max_receives: int, timeout: Duration) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = DeadLetters(self, "DeadLetters")
        self.queue = Queue(
            self,
            "Queue",
            encryption=QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=RETENTION,
            visibility_timeout=Duration.seconds(6 * timeout.to_seconds()),
            dead_letter_queue=DeadLetterQueue(queue=self.dead_letters, max_receive_count=max_receives),
        )
