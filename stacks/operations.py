"""Operations: one dashboard, ten alarms, a budget, and one topic that tells whoever has to know."""

from collections.abc import Iterator

from aws_cdk import ArnFormat, Duration, Stack, Validations
from aws_cdk.aws_budgets import CfnBudget
from aws_cdk.aws_cloudwatch import (
    Alarm,
    AlarmStatusWidget,
    ComparisonOperator,
    Dashboard,
    GraphWidget,
    IMetric,
    Metric,
    Stats,
    TreatMissingData,
)
from aws_cdk.aws_cloudwatch_actions import SnsAction
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_lambda import Function
from aws_cdk.aws_sns import Topic
from aws_cdk.aws_sns_subscriptions import EmailSubscription
from aws_cdk.aws_sqs import IQueue
from constructs import Construct

from stacks import targets
from stacks.alerts import AlertsStack
from stacks.constructs import accepted
from stacks.constructs.outputs import Outputs
from stacks.ingest import IngestStack
from stacks.settings import Settings
from stacks.trucks import TrucksStack

NAMESPACE = "InventoryWorkshop"
"""Where the functions' own metrics are."""

_PERIOD = Duration.minutes(5)
_LONGEST_BUFFER = Duration.minutes(15)
"""What Firehose may buffer at most, and what its freshness should stay below ("Implement best practices with CloudWatch
Alarms", Data Firehose developer guide)."""
_LONGEST_WAIT = Duration.minutes(5)
_MOST_QUARANTINED_PERCENT = 1


class OperationsStack(Stack):
    """What is seen at a glance, and who is told when it looks wrong.

    Each alarm watches one metric. CloudWatch bills by alarm *metrics*, of which ten are always free (Amazon CloudWatch
    pricing, Free tier): a sum over three queues would be billed as three, and tell less.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        ingest: IngestStack,
        alerts: AlertsStack,
        trucks: TrucksStack | None,
    ) -> None:
        super().__init__(scope, construct_id, description="Inventory workshop: dashboard, alarms and budget")
        self._topic = self._alarm_topic(settings)
        alarms = [
            *self._ingest_alarms(ingest),
            *self._alert_alarms(alerts),
            *(self._truck_alarms(trucks) if trucks else ()),
        ]
        if settings.monthly_budget and targets.sets_budgets(settings.target):
            self._budget(settings.monthly_budget)
        dashboard = self._dashboard(alarms, ingest, alerts, trucks)
        Outputs(self, alarm_topic=self._topic.topic_arn, dashboard=dashboard.dashboard_name)

    def _alarm_topic(self, settings: Settings) -> Topic:
        """Make the topic that the account's alarms and budgets may publish to, and nobody else.

        SNS stores messages encrypted on its disks ("Amazon SNS data encryption", SNS developer guide). A key of KMS on
        top would have to be the customer's own, at a dollar a month: alarms cannot use AWS's ("How do I configure a
        CloudWatch alarm with an encrypted SNS topic?", AWS re:Post).
        """
        topic = Topic(self, "Alarms", display_name="Inventory workshop", enforce_ssl=True)
        senders = {
            "cloudwatch": self.format_arn(
                service="cloudwatch", resource="alarm", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
            ),
            "budgets": self.format_arn(service="budgets", region="", resource="*"),
        }
        for service, source in senders.items():
            topic.add_to_resource_policy(
                # A policy of its own replaces the one by which the whole account could publish.
                PolicyStatement(
                    principals=[ServicePrincipal(f"{service}.amazonaws.com")],
                    actions=["sns:Publish"],
                    resources=[topic.topic_arn],
                    conditions={
                        "StringEquals": {"aws:SourceAccount": self.account},
                        "ArnLike": {"aws:SourceArn": source},
                    },
                )
            )
        if settings.alarm_email:
            topic.add_subscription(EmailSubscription(settings.alarm_email))
            Validations.of(topic).acknowledge(*accepted.FAILURES_ARE_KNOWN)
        return topic

    def _ingest_alarms(self, ingest: IngestStack) -> Iterator[Alarm]:
        yield self._alarm(
            "StoreAppErrors",
            "StoreApp errors: its log says which run failed and why; the next run goes on where it stopped",
            ingest.store_app.metric_errors(period=_PERIOD),
            above=0,
        )
        yield self._alarm(
            "Throttles",
            "Lambda throttles: functions of this region want to run more often at once than the account may; "
            "ask for a higher quota",
            # The quota is the region's, so one metric over all functions tells (Lambda quotas, Concurrent executions).
            Function.metric_all_throttles(period=_PERIOD, statistic=Stats.SUM),
            above=0,
        )
        yield self._alarm(
            "Freshness",
            "Firehose freshness: events wait for more than 15 minutes; see the stream's log for what refuses them",
            ingest.stream.metric("DeliveryToS3.DataFreshness", period=_PERIOD, statistic=Stats.MAXIMUM),
            above=_LONGEST_BUFFER.to_seconds(),
        )
        yield self._alarm(
            "IntakeFailures",
            "intake failures: batches that fail four times lie under errors/; `workshop replay` puts them back",
            ingest.stream.metric("ExecuteProcessing.Success", period=_PERIOD, statistic=Stats.AVERAGE),
            below=1,
        )
        yield self._alarm(
            "Quarantined",
            "quarantine rate: more than 1 % of the documents are refused; the table quarantine has their reasons",
            _own("QuarantinedPercent", "intake", statistic=Stats.AVERAGE),
            above=_MOST_QUARANTINED_PERCENT,
        )

    def _alert_alarms(self, alerts: AlertsStack) -> Iterator[Alarm]:
        yield self._dead_letters("SightingsDeadLetters", "sightings", alerts.sightings.dead_letters)
        yield self._dead_letters("TruckBusDeadLetters", "truck bus", alerts.bus_dead_letters)
        yield self._alarm(
            "AlertAge",
            "alert age: low shelves wait for more than 5 minutes to be noticed; see the stock alert's log",
            _age(alerts.sightings.queue),
            above=_LONGEST_WAIT.to_seconds(),
        )

    def _truck_alarms(self, trucks: TrucksStack) -> Iterator[Alarm]:
        yield self._dead_letters("TruckCallsDeadLetters", "truck calls", trucks.calls.dead_letters)
        yield self._alarm(
            "WorkflowFailures",
            "workflow failures: deliveries failed; `workshop redrive --dry-run deliveries` says why",
            trucks.workflow.metric_failed(period=_PERIOD),
            above=0,
        )

    def _dead_letters(self, construct_id: str, name: str, queue: IQueue) -> Alarm:
        return self._alarm(
            construct_id,
            f"{name} dead letters: `workshop redrive --dry-run` names them and says why they died",
            _dead(queue),
            above=0,
        )

    def _alarm(
        self, construct_id: str, description: str, metric: IMetric, *, above: float | None = None, below: float = 0
    ) -> Alarm:
        """Make an alarm. Whatever is idle sends no data, and that is as it should be."""
        alarm = Alarm(
            self,
            construct_id,
            alarm_description=description,
            metric=metric,
            threshold=below if above is None else above,
            comparison_operator=ComparisonOperator.LESS_THAN_THRESHOLD
            if above is None
            else ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(SnsAction(self._topic))
        return alarm

    def _budget(self, dollars: int) -> None:
        """Tell when the account has cost so much this month, or will have.

        The whole account, because a budget for a tag stays at zero until somebody activates the tag for cost
        allocation ("Activating user-defined cost allocation tags", AWS Billing user guide). Budgets that only tell are
        free (AWS Budgets pricing).
        """
        topic = CfnBudget.SubscriberProperty(address=self._topic.topic_arn, subscription_type="SNS")
        CfnBudget(
            self,
            "Budget",
            budget=CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=CfnBudget.SpendProperty(amount=dollars, unit="USD"),
            ),
            notifications_with_subscribers=[
                CfnBudget.NotificationWithSubscribersProperty(
                    notification=CfnBudget.NotificationProperty(
                        notification_type=kind, comparison_operator="GREATER_THAN", threshold=100
                    ),
                    subscribers=[topic],
                )
                for kind in ("ACTUAL", "FORECASTED")
            ],
        )

    def _dashboard(
        self, alarms: list[Alarm], ingest: IngestStack, alerts: AlertsStack, trucks: TrucksStack | None
    ) -> Dashboard:
        """Show the alarms, then the hops from the left to the right, then the functions: at most 50 metrics.

        Three such dashboards are always free (Amazon CloudWatch pricing, Free tier).
        """
        stream = ingest.stream
        hops = [
            _graph("1 · StoreApp sends", [_own("EventsSent", "store-app")]),
            _graph(
                "2 · Firehose delivers",
                [stream.metric("DeliveryToS3.Records", statistic=Stats.SUM)],
                [stream.metric("DeliveryToS3.DataFreshness", statistic=Stats.MAXIMUM)],
            ),
            _graph(
                "3 · the intake screens",
                [_own(name, "intake") for name in ("EventsAccepted", "EventsQuarantined", "Sightings")],
                [stream.metric("ExecuteProcessing.Success", statistic=Stats.AVERAGE)],
            ),
            _graph(
                "4 · alerts open and close",
                [_own(name, "stock-alert") for name in ("EpisodesOpened", "EpisodesClosed")],
                [_age(alerts.sightings.queue)],
            ),
        ]
        dead = {"sightings": alerts.sightings.dead_letters, "truck bus": alerts.bus_dead_letters}
        functions = {**ingest.functions, **alerts.functions}
        if trucks:
            hops.append(
                _graph(
                    "5 · trucks drive",
                    [
                        _own("TrucksCalled", "truck-dispatch"),
                        _own("TrucksUnloaded", "delivery"),
                        _own("DeliveriesFailed", "delivery"),
                    ],
                    [_age(trucks.calls.queue)],
                )
            )
            dead["truck calls"] = trucks.calls.dead_letters
            functions |= trucks.functions
        hops.append(_graph("dead letters", [_dead(queue, label=name) for name, queue in dead.items()]))
        return Dashboard(
            self,
            "Dashboard",
            default_interval=Duration.hours(3),
            widgets=[
                [AlarmStatusWidget(title="Alarms", alarms=alarms, width=24, height=3)],
                hops,
                [
                    _graph("errors", [f.metric_errors(label=name) for name, f in functions.items()], width=8),
                    _graph("throttles", [f.metric_throttles(label=name) for name, f in functions.items()], width=8),
                    _graph(
                        "milliseconds, slowest of twenty",
                        [f.metric_duration(label=name, statistic="p95") for name, f in functions.items()],
                        width=8,
                    ),
                ],
            ],
        )


def _own(name: str, service: str, *, statistic: str = Stats.SUM) -> Metric:
    """Return a metric that a function writes into its log, once per batch or per step."""
    return Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={"service": service},
        statistic=statistic,
        period=_PERIOD,
    )


def _age(queue: IQueue) -> Metric:
    return queue.metric_approximate_age_of_oldest_message(period=_PERIOD, statistic=Stats.MAXIMUM)


def _dead(queue: IQueue, *, label: str | None = None) -> Metric:
    return queue.metric_approximate_number_of_messages_visible(period=_PERIOD, statistic=Stats.MAXIMUM, label=label)


def _graph(title: str, left: list[IMetric], right: list[IMetric] | None = None, *, width: int = 4) -> GraphWidget:
    return GraphWidget(title=title, left=left, right=right, width=width, height=6)
