"""The ingest: StoreApp sends packed events to Firehose, the intake screens them, Firehose lands them as Parquet."""

from aws_cdk import Duration, RemovalPolicy, Size, Stack, Validations
from aws_cdk.aws_dynamodb import Attribute, AttributeType, Table
from aws_cdk.aws_iam import PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_kinesisfirehose import (
    DataFormatConversionProps,
    DeliveryStream,
    EnableLogging,
    LambdaFunctionProcessor,
    OpenXJsonInputFormat,
    ParquetOutputFormat,
    S3Bucket,
    SchemaConfiguration,
    StreamEncryption,
)
from aws_cdk.aws_logs import LogGroup, RetentionDays
from aws_cdk.aws_scheduler import Schedule, ScheduleExpression, ScheduleTargetInput
from aws_cdk.aws_scheduler_targets import LambdaInvoke
from constructs import Construct

from stacks.alerts import AlertsStack
from stacks.constructs import accepted
from stacks.constructs.outputs import Outputs
from stacks.constructs.python_function import FAKER, POWERTOOLS, PythonFunction
from stacks.constructs.simulated_table import SimulatedTable
from stacks.lake import LakeStack
from stacks.settings import Settings


class IngestStack(Stack):
    """How events come to be and reach the lake."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, lake: LakeStack, alerts: AlertsStack
    ) -> None:
        super().__init__(scope, construct_id, description="Inventory workshop: StoreApp, Firehose and the intake")
        intake = self._intake(lake, alerts)
        self.stream = stream = self._stream(lake, intake)
        self.shelves = shelves = SimulatedTable(
            self,
            "Shelves",
            partition_key=Attribute(name="store_id", type=AttributeType.STRING),
        )
        store_app = self._store_app(settings, stream, shelves)
        self.store_app = store_app.function
        self.functions = {"StoreApp": store_app.function, "intake": intake.function}
        if settings.schedule_minutes:
            self._schedule(store_app, Duration.minutes(settings.schedule_minutes))

        Outputs(
            self,
            store_app=store_app.function.function_name,
            intake=intake.function.function_name,
            delivery_stream=stream.delivery_stream_name,
            shelves_table=shelves.table_name,
        )

    def _intake(self, lake: LakeStack, alerts: AlertsStack) -> PythonFunction:
        intake = PythonFunction(
            self,
            "Intake",
            folder="intake",
            packages=POWERTOOLS,
            description="Screens what Firehose buffers: events on, refusals to quarantine, low shelves told",
            environment={
                "LAKE_BUCKET_NAME": lake.bucket.bucket_name,
                "SIGHTINGS_QUEUE_URL": alerts.sightings.queue.queue_url,
            },
            # Firehose gives a processor five minutes; a batch takes well under a second.
            timeout=Duration.minutes(1),
            memory_mib=512,
        )
        intake.role.add_to_policy(
            PolicyStatement(actions=["s3:PutObject"], resources=[lake.bucket.arn_for_objects("quarantine/*")])
        )
        intake.role.add_to_policy(
            PolicyStatement(actions=["sqs:SendMessage"], resources=[alerts.sightings.queue.queue_arn])
        )
        self._acknowledge_objects(intake.role, lake, "quarantine")
        return intake

    def _stream(self, lake: LakeStack, intake: PythonFunction) -> DeliveryStream:
        log_group = LogGroup(
            self, "StreamLogs", retention=RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        role = Role(self, "StreamRole", assumed_by=ServicePrincipal("firehose.amazonaws.com"))
        # The statements of "Grant Firehose access to an Amazon S3 destination" (Firehose developer guide), written out
        # because the construct's own grants reach the whole bucket with wildcard actions.
        bucket = lake.bucket
        for statement in (
            PolicyStatement(
                actions=["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
                resources=[bucket.bucket_arn],
            ),
            PolicyStatement(
                actions=["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
                resources=[bucket.arn_for_objects("stock_events/*"), bucket.arn_for_objects("errors/*")],
            ),
            PolicyStatement(
                actions=["lambda:InvokeFunction", "lambda:GetFunctionConfiguration"],
                resources=[intake.function.function_arn],
            ),
            PolicyStatement(
                actions=["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"],
                resources=[
                    self.format_arn(service="glue", resource="catalog"),
                    self.format_arn(service="glue", resource="database", resource_name=lake.database.ref),
                    self.format_arn(
                        service="glue", resource="table", resource_name=f"{lake.database.ref}/{lake.stock_events.ref}"
                    ),
                ],
            ),
            PolicyStatement(actions=["logs:PutLogEvents"], resources=[log_group.log_group_arn]),
        ):
            role.add_to_policy(statement)
        self._acknowledge_objects(role, lake, "stock_events", "errors")
        fixed_role = role.without_policy_updates()
        stream = DeliveryStream(
            self,
            "StockEvents",
            encryption=StreamEncryption.aws_owned_key(),
            role=fixed_role,
            destination=S3Bucket(
                bucket,
                role=fixed_role,
                data_output_prefix="stock_events/dt=!{timestamp:yyyy-MM-dd}/",
                error_output_prefix="errors/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/",
                # A minute shows a learner the buffer at work; large objects are cheap to query: size is the most.
                buffering_interval=Duration.seconds(60),
                buffering_size=Size.mebibytes(128),
                processors=[
                    LambdaFunctionProcessor(
                        intake.function, buffer_interval=Duration.seconds(15), buffer_size=Size.mebibytes(1), retries=3
                    )
                ],
                data_format_conversion=DataFormatConversionProps(
                    schema_configuration=SchemaConfiguration.from_cfn_table(lake.stock_events),
                    input_format=OpenXJsonInputFormat(),
                    output_format=ParquetOutputFormat(),
                ),
                logging_config=EnableLogging(log_group),
            ),
        )
        stream.node.add_dependency(role)
        # The construct brings a table of addresses for Redshift destinations that nothing here refers to.
        self.node.try_remove_child("@aws-cdk--aws-kinesisfirehose.CidrBlocks")
        return stream

    def _store_app(self, settings: Settings, stream: DeliveryStream, shelves: Table) -> PythonFunction:
        store_app = PythonFunction(
            self,
            "StoreApp",
            folder="store_app",
            packages=(*POWERTOOLS, *FAKER),
            description="Simulates the stores and sends what changed on their shelves",
            environment={
                "DELIVERY_STREAM_NAME": stream.delivery_stream_name,
                "SHELVES_TABLE_NAME": shelves.table_name,
                "SEED": str(settings.seed),
                "OVERNIGHT_REPLENISHMENT": "no" if settings.ships_trucks else "yes",
            },
            timeout=Duration.minutes(15),
            # One full vCPU, the most a single-threaded function can use, comes with 1,769 MB.
            memory_mib=1769,
        )
        store_app.role.add_to_policy(
            PolicyStatement(actions=["firehose:PutRecordBatch"], resources=[stream.delivery_stream_arn])
        )
        store_app.role.add_to_policy(
            PolicyStatement(actions=["dynamodb:GetItem", "dynamodb:PutItem"], resources=[shelves.table_arn])
        )
        return store_app

    def _schedule(self, store_app: PythonFunction, every: Duration) -> None:
        role = Role(self, "ScheduleRole", assumed_by=ServicePrincipal("scheduler.amazonaws.com"))
        role.add_to_policy(
            PolicyStatement(actions=["lambda:InvokeFunction"], resources=[store_app.function.function_arn])
        )
        Schedule(
            self,
            "Trading",
            description="StoreApp trades one simulated hour",
            schedule=ScheduleExpression.rate(every),
            target=LambdaInvoke(
                store_app.function,
                input=ScheduleTargetInput.from_object({"hours": 1}),
                retry_attempts=2,
                # The target's own grant would also reach every version and alias of the function.
                role=role.without_policy_updates(),
            ),
        )

    def _acknowledge_objects(self, role: Role, lake: LakeStack, *prefixes: str) -> None:
        """Tell the security checks why a role names objects by a prefix and a wildcard."""
        bucket_arn = self.resolve(lake.export_value(lake.bucket.bucket_arn))["Fn::ImportValue"]
        for prefix in prefixes:
            Validations.of(role).acknowledge(*accepted.objects(bucket_arn, prefix))
