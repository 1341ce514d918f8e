"""The lake: one private bucket, its Glue tables, and the Athena workgroup that asks it."""

import base64
import json
from typing import Any

from aws_cdk import CfnResource, Duration, Names, RemovalPolicy, Stack, Validations
from aws_cdk.aws_athena import CfnNamedQuery, CfnWorkGroup
from aws_cdk.aws_glue import CfnDatabase, CfnTable
from aws_cdk.aws_logs import LogGroup, RetentionDays
from aws_cdk.aws_s3 import BlockPublicAccess, Bucket, BucketEncryption, LifecycleRule
from constructs import Construct

from stacks import targets
from stacks.constructs import accepted
from stacks.constructs.outputs import Outputs
from stacks.contract import GLUE, QUARANTINED, STOCK_EVENT, glue_columns, presto_columns
from stacks.settings import Settings

# No query of the workshop comes near it; it bounds what a careless SELECT * can cost ($5 per TB: 5 US cents).
SCAN_CUTOFF_BYTES = 10 * 1024**3

_PARQUET = CfnTable.SerdeInfoProperty(
    serialization_library="org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
)
_JSON_LINES = CfnTable.SerdeInfoProperty(serialization_library="org.openx.data.jsonserde.JsonSerDe")


class LakeStack(Stack):
    """Where events rest and how they are asked for."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id, description="Inventory workshop: the lake, its tables and its workgroup")
        self.bucket = Bucket(
            self,
            "Lake",
            block_public_access=BlockPublicAccess.BLOCK_ALL,
            encryption=BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            removal_policy=RemovalPolicy.DESTROY,
            auto_delete_objects=targets.empties_buckets(settings.target),
            lifecycle_rules=[
                LifecycleRule(prefix="athena-results/", expiration=Duration.days(7)),
                LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(1)),
            ],
        )
        if targets.empties_buckets(settings.target):
            self._bound_the_logs_of_the_bucket_emptier()
        Validations.of(self.bucket).acknowledge(*accepted.SIMULATED)
        self.database = CfnDatabase(
            self,
            "Database",
            catalog_id=self.account,
            database_input=CfnDatabase.DatabaseInputProperty(
                name=settings.database, description="What the stores reported of their shelves"
            ),
        )
        self.stock_events = self._table(
            "StockEvents",
            name="stock_events",
            description="Every event as Firehose delivered it, at least once; unique_events has each once.",
            fields=STOCK_EVENT,
            serde=_PARQUET,
            input_format="org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            output_format="org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        )
        self._table(
            "Quarantine",
            name="quarantine",
            description="Documents the intake refused, with the reason.",
            fields=QUARANTINED,
            serde=_JSON_LINES,
            input_format="org.apache.hadoop.mapred.TextInputFormat",
            output_format="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        )
        self._unique_events(settings.database)
        workgroup = self._workgroup()
        self._named_queries(settings.database, workgroup)

        Outputs(self, lake_bucket=self.bucket.bucket_name, database=settings.database, workgroup=workgroup.name)

    def _table(
        self,
        construct_id: str,
        *,
        name: str,
        description: str,
        fields: dict[str, Any],
        serde: CfnTable.SerdeInfoProperty,
        input_format: str,
        output_format: str,
    ) -> CfnTable:
        """Make a table under the prefix of its own name, partitioned by arrival date.

        The partitions are projected: Athena derives them from the date, so no crawler and no MSCK ever runs.
        Source: "Partition projection with Amazon Athena", Athena user guide.
        """
        return CfnTable(
            self,
            construct_id,
            catalog_id=self.account,
            database_name=self.database.ref,
            table_input=CfnTable.TableInputProperty(
                name=name,
                description=description,
                table_type="EXTERNAL_TABLE",
                partition_keys=[CfnTable.ColumnProperty(name="dt", type="string", comment="Arrival date, UTC")],
                parameters={
                    "projection.enabled": "true",
                    "projection.dt.type": "date",
                    "projection.dt.format": "yyyy-MM-dd",
                    "projection.dt.range": "2026-01-01,NOW",
                },
                storage_descriptor=CfnTable.StorageDescriptorProperty(
                    columns=glue_columns(fields),
                    location=self.bucket.s3_url_for_object(f"{name}/"),
                    serde_info=serde,
                    input_format=input_format,
                    output_format=output_format,
                ),
            ),
        )

    def _bound_the_logs_of_the_bucket_emptier(self) -> None:
        """Give CDK's bucket-emptying function a log group of the stack, and no right to make one of its own.

        Left alone it writes to a group that nobody deletes, so `cdk destroy` would leave it behind.
        """
        log_group = LogGroup(
            self, "BucketEmptierLogs", retention=RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        provider = self.node.find_child("Custom::S3AutoDeleteObjectsCustomResourceProvider").node
        handler, role = provider.find_child("Handler"), provider.find_child("Role")
        if not isinstance(handler, CfnResource) or not isinstance(role, CfnResource):
            raise TypeError("CDK makes its bucket emptier differently now; see what became of its log group")
        handler.add_property_override("LoggingConfig", {"LogGroup": log_group.log_group_name})
        role.add_property_override("ManagedPolicyArns", [])
        role.add_property_override(
            "Policies",
            [
                {
                    "PolicyName": "WriteOwnLogs",
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                                "Resource": log_group.log_group_arn,
                            }
                        ],
                    },
                }
            ],
        )

    def _unique_events(self, database: str) -> None:
        """Make the view that holds each event once, in the form Athena itself stores views in the Glue catalog."""
        columns = [*presto_columns(STOCK_EVENT), ("dt", "varchar")]
        definition = {
            "originalSql": (GLUE / "views" / "unique_events.sql").read_text(encoding="utf-8"),
            "catalog": "awsdatacatalog",
            "schema": database,
            "columns": [{"name": name, "type": presto_type} for name, presto_type in columns],
        }
        encoded = base64.b64encode(json.dumps(definition).encode()).decode()
        view = CfnTable(
            self,
            "UniqueEvents",
            catalog_id=self.account,
            database_name=self.database.ref,
            table_input=CfnTable.TableInputProperty(
                name="unique_events",
                description="Every event once: the first delivery of each event_id.",
                table_type="VIRTUAL_VIEW",
                parameters={"presto_view": "true", "comment": "Presto View"},
                view_expanded_text="/* Presto View */",
                view_original_text=f"/* Presto View: {encoded} */",
                storage_descriptor=CfnTable.StorageDescriptorProperty(
                    columns=[
                        *glue_columns(STOCK_EVENT),
                        CfnTable.ColumnProperty(name="dt", type="string", comment="Arrival date, UTC"),
                    ],
                    location="",
                    serde_info=CfnTable.SerdeInfoProperty(),
                ),
            ),
        )
        view.add_resource_dependency(self.stock_events)

    def _workgroup(self) -> CfnWorkGroup:
        return CfnWorkGroup(
            self,
            "Workgroup",
            name=Names.unique_resource_name(self, max_length=64),
            description="Queries of the inventory workshop",
            recursive_delete_option=True,
            work_group_configuration=CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                bytes_scanned_cutoff_per_query=SCAN_CUTOFF_BYTES,
                engine_version=CfnWorkGroup.EngineVersionProperty(selected_engine_version="Athena engine version 3"),
                result_configuration=CfnWorkGroup.ResultConfigurationProperty(
                    output_location=self.bucket.s3_url_for_object("athena-results/"),
                    encryption_configuration=CfnWorkGroup.EncryptionConfigurationProperty(encryption_option="SSE_S3"),
                ),
            ),
        )

    def _named_queries(self, database: str, workgroup: CfnWorkGroup) -> None:
        for file in sorted((GLUE / "queries").glob("*.sql")):
            statement = file.read_text(encoding="utf-8")
            query = CfnNamedQuery(
                self,
                f"Query-{file.stem}",
                name=file.stem,
                description=statement.splitlines()[0].removeprefix("--").strip(),
                database=database,
                work_group=workgroup.name,
                query_string=statement,
            )
            query.add_resource_dependency(workgroup)
