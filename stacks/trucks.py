"""The delivery-truck system: an alert starts a run of the workflow, a truck drives, and its units are in the store."""

from aws_cdk import Duration, Stack, Validations
from aws_cdk.aws_dynamodb import Attribute, AttributeType, Table
from aws_cdk.aws_events import Rule
from aws_cdk.aws_events_targets import SqsQueue
from aws_cdk.aws_iam import PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_lambda_event_sources import SqsEventSource
from aws_cdk.aws_sqs import Queue
from aws_cdk.aws_stepfunctions import (
    DefinitionBody,
    Errors,
    Fail,
    JitterType,
    JsonPath,
    StateMachine,
    Succeed,
    TaskInput,
    TaskStateBase,
    Wait,
    WaitTime,
)
from aws_cdk.aws_stepfunctions_tasks import EventBridgePutEvents, EventBridgePutEventsEntry, LambdaInvoke
from constructs import Construct

from stacks.alerts import LOW_STOCK, AlertsStack
from stacks.constructs import accepted
from stacks.constructs.outputs import Outputs
from stacks.constructs.python_function import POWERTOOLS, PythonFunction
from stacks.constructs.simulated_table import SimulatedTable
from stacks.constructs.work_queue import WorkQueue
from stacks.ingest import IngestStack
from stacks.settings import Settings

_FUNCTION_TIMEOUT = Duration.seconds(30)
_CALL_TIMEOUT = Duration.seconds(15)
_NEVER_REPEATED = ["BadCall", "MissingSetting", "NotItsDelivery", "UnknownStore"]
"""The functions' errors that a repetition cannot mend. Any other may be the network's, and is repeated.

ministack calls whatever a function raises Runtime.HandlerError, so there these are repeated before they are given up.
"""


class TrucksStack(Stack):
    """How a called truck comes to fill a shelf, once."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, alerts: AlertsStack, ingest: IngestStack
    ) -> None:
        super().__init__(scope, construct_id, description="Inventory workshop: depots, trucks and their deliveries")
        deliveries = SimulatedTable(
            self,
            "Deliveries",
            partition_key=Attribute(name="delivery_id", type=AttributeType.STRING),
        )
        delivery = self._delivery(settings, deliveries, ingest)
        self.workflow = workflow = self._workflow(delivery, alerts)
        truck_dispatch = self._truck_dispatch(workflow)
        self.calls = calls = self._calls(truck_dispatch, alerts)
        self.functions = {"delivery": delivery.function, "truck dispatch": truck_dispatch.function}
        Outputs(
            self,
            deliveries_table=deliveries.table_name,
            delivery_workflow=workflow.state_machine_arn,
            truck_calls_queue=calls.queue.queue_url,
            truck_calls_dead_letters=calls.dead_letters.queue_url,
        )

    def _delivery(self, settings: Settings, deliveries: Table, ingest: IngestStack) -> PythonFunction:
        delivery = PythonFunction(
            self,
            "Delivery",
            folder="delivery",
            packages=POWERTOOLS,
            description="Takes the steps of a delivery: dispatch, unload, or give up",
            environment={
                "DELIVERIES_TABLE_NAME": deliveries.table_name,
                "SHELVES_TABLE_NAME": ingest.shelves.table_name,
                "TRUCK_SPEEDUP": str(settings.truck_speedup),
            },
            timeout=_FUNCTION_TIMEOUT,
            memory_mib=512,
        )
        for statement in (
            PolicyStatement(actions=["dynamodb:GetItem", "dynamodb:PutItem"], resources=[deliveries.table_arn]),
            # A transaction needs what its operations need (DynamoDB developer guide, Using IAM with transactions).
            PolicyStatement(actions=["dynamodb:UpdateItem"], resources=[ingest.shelves.table_arn]),
        ):
            delivery.role.add_to_policy(statement)
        return delivery

    def _workflow(self, delivery: PythonFunction, alerts: AlertsStack) -> StateMachine:
        role = Role(self, "WorkflowRole", assumed_by=ServicePrincipal("states.amazonaws.com"))
        for statement in (
            PolicyStatement(actions=["lambda:InvokeFunction"], resources=[delivery.function.function_arn]),
            PolicyStatement(actions=["events:PutEvents"], resources=[alerts.bus.event_bus_arn]),
            # IAM policies of "X-Ray tracing in Step Functions" (Step Functions developer guide).
            PolicyStatement(
                actions=[
                    "xray:PutTraceSegments",
                    "xray:PutTelemetryRecords",
                    "xray:GetSamplingRules",
                    "xray:GetSamplingTargets",
                ],
                resources=["*"],
            ),
        ):
            role.add_to_policy(statement)
        Validations.of(role).acknowledge(*accepted.TRACES_NAME_NO_RESOURCE)
        workflow = StateMachine(
            self,
            "Workflow",
            comment="One run per alert: a truck is dispatched, travels, unloads, and the delivery is announced",
            definition_body=DefinitionBody.from_chainable(self._definition(delivery, alerts)),
            # The tasks' own grants would also reach every version and alias of the function.
            role=role.without_policy_updates(),
            tracing_enabled=True,
        )
        workflow.node.add_dependency(role)
        Validations.of(workflow).acknowledge(*accepted.HISTORY_IS_KEPT)
        return workflow

    def _definition(self, delivery: PythonFunction, alerts: AlertsStack) -> TaskStateBase:
        def step(state: str, name: str, part: dict[str, str], result_path: str | None = None) -> LambdaInvoke:
            payload = {"step": name, "execution": JsonPath.string_at("$$.Execution.Name"), **part}
            return LambdaInvoke(
                self,
                state,
                lambda_function=delivery.function,
                payload=TaskInput.from_object(payload),
                payload_response_only=True,
                retry_on_service_exceptions=False,
                result_path=result_path,
            )

        detail = {"detail": JsonPath.string_at("$$.Execution.Input")}
        dispatch = step("Dispatch", "dispatch", detail)
        unload = step("Unload", "unload", {**detail, "delivery_id": JsonPath.string_at("$.delivery_id")})
        announce = EventBridgePutEvents(
            self,
            "Announce",
            # A run that could not announce fails, but its delivery stays DELIVERED; restarted, it announces again.
            entries=[
                EventBridgePutEventsEntry(
                    event_bus=alerts.bus,
                    source="inventory.trucks",
                    detail_type="DeliveryCompleted",
                    detail=TaskInput.from_json_path_at("$"),
                )
            ],
            result_path=JsonPath.DISCARD,
        )
        give_up = step("GiveUp", "fail", {**detail, "error": JsonPath.string_at("$")}, JsonPath.DISCARD)
        # When even this fails, the run ends as FAILED in Step Functions with that error, its delivery IN_TRANSIT.
        _repeated(give_up, max_attempts=12, max_delay=Duration.minutes(5))
        give_up.next(Fail(self, "Failed", error_path="$.Error", cause_path="$.Cause"))
        for task in (dispatch, unload, announce):
            _repeated(task, max_attempts=6, max_delay=Duration.minutes(1))
            task.add_catch(give_up)
        travel = Wait(self, "Travel", time=WaitTime.seconds_path("$.travel_seconds"))
        dispatch.next(travel).next(unload).next(announce).next(Succeed(self, "Delivered"))
        return dispatch

    def _truck_dispatch(self, workflow: StateMachine) -> PythonFunction:
        truck_dispatch = PythonFunction(
            self,
            "TruckDispatch",
            folder="truck_dispatch",
            packages=POWERTOOLS,
            description="Starts one run of the delivery workflow per alert",
            environment={"DELIVERY_WORKFLOW_ARN": workflow.state_machine_arn},
            timeout=_CALL_TIMEOUT,
            memory_mib=512,
        )
        truck_dispatch.role.add_to_policy(
            PolicyStatement(actions=["states:StartExecution"], resources=[workflow.state_machine_arn])
        )
        return truck_dispatch

    def _calls(self, truck_dispatch: PythonFunction, alerts: AlertsStack) -> WorkQueue:
        calls = WorkQueue(self, "TruckCalls", max_receives=5, timeout=_CALL_TIMEOUT)
        low_stock = Rule(
            self,
            "LowStock",
            description="Low stock calls a truck",
            event_bus=alerts.bus,
            event_pattern=LOW_STOCK,
            targets=[
                SqsQueue(
                    calls.target,
                    # By its ARN: its policy lets every rule of the bus send, and must not refer to this stack.
                    dead_letter_queue=Queue.from_queue_arn(self, "BusDeadLetters", alerts.bus_dead_letters.queue_arn),
                )
            ],
        )
        calls.let_send(low_stock)
        truck_dispatch.role.add_to_policy(calls.polling())
        truck_dispatch.function.add_event_source(
            # Two at a time, the fewest there can be, start hundreds of runs a second and keep few functions warm.
            SqsEventSource(calls.queue, batch_size=10, max_concurrency=2, report_batch_item_failures=True)
        )
        return calls


def _repeated(task: TaskStateBase, *, max_attempts: int, max_delay: Duration) -> None:
    """Have a step repeated after growing pauses with full jitter, unless a repetition cannot help.

    Lambda's own faults arrive as Lambda.*, a function's by the name of its exception (Step Functions developer guide,
    Handling errors in Step Functions workflows).
    """
    task.add_retry(errors=_NEVER_REPEATED, max_attempts=0)
    task.add_retry(
        errors=[Errors.ALL],
        interval=Duration.seconds(2),
        backoff_rate=2,
        max_attempts=max_attempts,
        max_delay=max_delay,
        jitter_strategy=JitterType.FULL,
    )
