"""A truck system of the user's own: every alert is posted to its address, as an EventBridge API destination does it."""

from string import punctuation

from aws_cdk import Duration, Stack, Validations
from aws_cdk.aws_events import (
    ApiDestination,
    Authorization,
    Connection,
    EventField,
    HttpMethod,
    Rule,
    RuleTargetInput,
)
from aws_cdk.aws_events_targets import ApiDestination as ApiDestinationTarget
from aws_cdk.aws_secretsmanager import Secret, SecretStringGenerator
from aws_cdk.aws_sqs import Queue
from constructs import Construct

from stacks.alerts import LOW_STOCK, AlertsStack
from stacks.constructs import accepted
from stacks.constructs.outputs import Outputs
from stacks.settings import BadSetting, Settings

KEY_HEADER = "x-api-key"
"""The header by which the receiver knows that it is EventBridge that calls."""


class TruckWebhookStack(Stack):
    """How somebody else's truck system hears of low shelves: at least once each, or a dead letter says why not."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, alerts: AlertsStack) -> None:
        super().__init__(scope, construct_id, description="Inventory workshop: alerts go to a truck system by webhook")
        if settings.truck_webhook_url is None:
            raise BadSetting(
                "The truck webhook needs its address: -c truck_webhook_url=https://trucks.example.com/alerts"
            )
        key = Secret(
            self,
            "Key",
            description=f"What the truck webhook finds in the header {KEY_HEADER}",
            generate_secret_string=SecretStringGenerator(
                # A connection refuses a colon (EventBridge API reference, ApiKeyAuthParameters), and letters and digits
                # alone survive any shell. Named one by one, because the embedded AWS does not know exclude_punctuation.
                exclude_characters=punctuation,
                password_length=40,
            ),
        )
        Validations.of(key).acknowledge(*accepted.RECEIVER_LEARNS_FIRST)
        destination = ApiDestination(
            self,
            "Destination",
            description="The truck system that hears of low shelves",
            connection=Connection(
                self,
                "Connection",
                description="The key that the truck webhook is shown",
                authorization=Authorization.api_key(KEY_HEADER, key.secret_value),
            ),
            endpoint=settings.truck_webhook_url,
            http_method=HttpMethod.POST,
            rate_limit_per_second=10,
        )
        Rule(
            self,
            "LowStock",
            description="Low stock is posted to the truck webhook",
            event_bus=alerts.bus,
            event_pattern=LOW_STOCK,
            targets=[
                ApiDestinationTarget(
                    destination,
                    event=RuleTargetInput.from_event_path("$.detail"),
                    header_parameters={"Idempotency-Key": EventField.from_path("$.detail.alert_id")},
                    retry_attempts=185,
                    max_event_age=Duration.hours(24),
                    # By its ARN: its policy lets every rule of the bus send, and must not refer to this stack.
                    dead_letter_queue=Queue.from_queue_arn(self, "BusDeadLetters", alerts.bus_dead_letters.queue_arn),
                )
            ],
        )
        Outputs(self, truck_webhook=destination.api_destination_name, truck_webhook_key=key.secret_arn)
