"""A queue that a function works off, and the queue of what it could not."""

from aws_cdk import Duration, Validations
from aws_cdk.aws_events import IRule
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_sqs import DeadLetterQueue, Queue, QueueEncryption
from constructs import Construct

from stacks.constructs import accepted

RETENTION = Duration.days(14)
"""The longest that SQS keeps a message (SQS developer guide, Message retention period). A message keeps its age when
it becomes a dead letter, so both queues keep as long as they can."""


class DeadLetters(Queue):
    """A queue of what could not be handled, kept until somebody looks."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope, construct_id, encryption=QueueEncryption.SQS_MANAGED, enforce_ssl=True, retention_period=RETENTION
        )
        Validations.of(self).acknowledge(*accepted.DEAD_LETTERS_END)


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
        self.target = Queue.from_queue_arn(self, "Target", self.queue.queue_arn)
        """The queue as a rule's target. By its ARN, for what a target would grant its rule is more than it uses."""

    def let_send(self, rule: IRule) -> None:
        """Let one rule send to the queue ("Using resource-based policies for Amazon EventBridge", its user guide)."""
        self.queue.add_to_resource_policy(
            PolicyStatement(
                principals=[ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.rule_arn}},
            )
        )

    def polling(self) -> PolicyStatement:
        """Return what Lambda takes messages with, on behalf of a function that works the queue off.

        Source: "Creating and configuring an Amazon SQS event source mapping", Lambda developer guide.
        """
        return PolicyStatement(
            actions=["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            resources=[self.queue.queue_arn],
        )
