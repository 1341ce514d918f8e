"""The alerts: sightings of low shelves become one alert per episode, and the bus tells whoever sends trucks."""

from aws_cdk import Duration, Stack
from aws_cdk.aws_dynamodb import Attribute, AttributeType, Table
from aws_cdk.aws_events import EventBus, EventPattern, Rule
from aws_cdk.aws_events_targets import SqsQueue
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_lambda_event_sources import SqsEventSource
from aws_cdk.aws_sqs import Queue
from constructs import Construct

from stacks.constructs.outputs import Outputs
from stacks.constructs.python_function import POWERTOOLS, PythonFunction
from stacks.constructs.simulated_table import SimulatedTable
from stacks.constructs.work_queue import DeadLetters, WorkQueue

_FUNCTION_TIMEOUT = Duration.seconds(20)
"""A batch of ten messages holds a thousand sightings at most, of some milliseconds each. What fails comes again after
six times as long."""

LOW_STOCK = EventPattern(source=["inventory.alerts"], detail_type=["StockBelowThreshold"])
"""What the bus carries once per episode, for whoever sends trucks."""


class AlertsStack(Stack):
    """How a low shelf is noticed, and announced once."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id, description="Inventory workshop: low stock becomes one alert per episode")
        self.sightings = WorkQueue(self, "Sightings", max_receives=5, timeout=_FUNCTION_TIMEOUT)
        self.bus = EventBus(self, "TruckBus", description="What stores need, and what trucks delivered")
        self.bus_dead_letters = DeadLetters(self, "TruckBusDeadLetters")
        self.bus_dead_letters.add_to_resource_policy(
            PolicyStatement(
                principals=[ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.bus_dead_letters.queue_arn],
                # Of this bus any rule: whoever sends trucks brings a rule of their own, in a stack of their own.
                conditions={
                    "ArnLike": {
                        "aws:SourceArn": self.format_arn(
                            service="events", resource="rule", resource_name=f"{self.bus.event_bus_name}/*"
                        )
                    }
                },
            )
        )
        alerts = SimulatedTable(
            self,
            "Alerts",
            partition_key=Attribute(name="shelf", type=AttributeType.STRING),
            sort_key=Attribute(name="number", type=AttributeType.NUMBER),
        )
        stock_alert = self._stock_alert(alerts)
        self.functions = {"stock alert": stock_alert.function}
        # What trucks delivered is noted by the function that called them: so what is on order is known.
        deliveries = Rule(
            self,
            "Deliveries",
            description="Deliveries are noted with the alert that called the truck",
            event_bus=self.bus,
            event_pattern=EventPattern(detail_type=["DeliveryCompleted"]),
            targets=[
                SqsQueue(
                    self.sightings.target,
                    # By its ARN: its policy lets every rule of the bus send.
                    dead_letter_queue=Queue.from_queue_arn(self, "BusDeadLetters", self.bus_dead_letters.queue_arn),
                )
            ],
        )
        self.sightings.let_send(deliveries)
        Outputs(
            self,
            stock_alert=stock_alert.function.function_name,
            alerts_table=alerts.table_name,
            truck_bus=self.bus.event_bus_name,
            truck_bus_dead_letters=self.bus_dead_letters.queue_url,
            sightings_queue=self.sightings.queue.queue_url,
            sightings_dead_letters=self.sightings.dead_letters.queue_url,
        )

    def _stock_alert(self, alerts: Table) -> PythonFunction:
        stock_alert = PythonFunction(
            self,
            "StockAlert",
            folder="stock_alert",
            packages=POWERTOOLS,
            description="Decides what opens and closes an episode, and announces it",
            environment={"ALERTS_TABLE_NAME": alerts.table_name, "TRUCK_BUS_NAME": self.bus.event_bus_name},
            timeout=_FUNCTION_TIMEOUT,
            memory_mib=512,
        )
        for statement in (
            PolicyStatement(
                actions=["dynamodb:Query", "dynamodb:GetItem", "dynamodb:PutItem"], resources=[alerts.table_arn]
            ),
            PolicyStatement(actions=["events:PutEvents"], resources=[self.bus.event_bus_arn]),
            self.sightings.polling(),
        ):
            stock_alert.role.add_to_policy(statement)
        stock_alert.function.add_event_source(
            SqsEventSource(self.sightings.queue, batch_size=10, report_batch_item_failures=True)
        )
        return stock_alert
