"""A clickstream: what anybody might deploy, with none of the names and habits of the workshop's own app."""

from aws_cdk import App, CfnOutput, Duration, RemovalPolicy, Size, Stack
from aws_cdk.aws_athena import CfnNamedQuery, CfnWorkGroup
from aws_cdk.aws_glue import CfnDatabase, CfnTable
from aws_cdk.aws_kinesis import Stream
from aws_cdk.aws_kinesisfirehose import (
    AppendDelimiterToRecordProcessor,
    Compression,
    DeliveryStream,
    DynamicPartitioningProps,
    KinesisStreamSource,
    LambdaFunctionProcessor,
    S3Bucket,
)
from aws_cdk.aws_lambda import Code, Function, Runtime
from aws_cdk.aws_s3 import Bucket
from constructs import Construct

SORTER = """
import base64, json

def handler(event, context):
    def sorted_by_site(record):
        click = json.loads(base64.b64decode(record["data"]))
        keys = {"site": click["site"]} if "site" in click else {}
        return {**record, "result": "Ok", "metadata": {"partitionKeys": keys}}

    return {"records": [sorted_by_site(record) for record in event["records"]]}
"""

COLUMNS = [
    CfnTable.ColumnProperty(name="visitor", type="string"),
    CfnTable.ColumnProperty(name="page", type="string"),
    CfnTable.ColumnProperty(name="seconds", type="int"),
]


class Clickstream(Stack):
    """Clicks land twice: raw from a Kinesis stream, and sorted by site from a direct one."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        bucket = Bucket(self, "Clicks", removal_policy=RemovalPolicy.DESTROY)
        shards = Stream(self, "Arrivals", shard_count=2, removal_policy=RemovalPolicy.DESTROY)
        raw = DeliveryStream(
            self,
            "Raw",
            source=KinesisStreamSource(shards),
            destination=S3Bucket(
                bucket,
                data_output_prefix="raw/",
                compression=Compression.GZIP,
                file_extension=".json.gz",
                buffering_interval=Duration.seconds(60),
                processors=[AppendDelimiterToRecordProcessor()],
            ),
        )
        sorter = Function(
            self, "Sorter", runtime=Runtime.PYTHON_3_12, handler="index.handler", code=Code.from_inline(SORTER)
        )
        by_site = DeliveryStream(
            self,
            "BySite",
            destination=S3Bucket(
                bucket,
                data_output_prefix="sites/site=!{partitionKeyFromLambda:site}/",
                error_output_prefix="lost/!{firehose:error-output-type}/",
                buffering_interval=Duration.seconds(60),
                buffering_size=Size.mebibytes(64),
                dynamic_partitioning=DynamicPartitioningProps(enabled=True),
                processors=[
                    LambdaFunctionProcessor(sorter, buffer_interval=Duration.seconds(10)),
                    AppendDelimiterToRecordProcessor(),
                ],
            ),
        )
        database = CfnDatabase(
            self,
            "Web",
            catalog_id=self.account,
            database_input=CfnDatabase.DatabaseInputProperty(name="web"),
        )
        self._table("Hits", database, bucket, prefix="raw", partitions={})
        self._table("SiteHits", database, bucket, prefix="sites", partitions={"site": "shop,blog"})
        workgroup = CfnWorkGroup(
            self,
            "Analysts",
            name="analysts",
            recursive_delete_option=True,
            work_group_configuration=CfnWorkGroup.WorkGroupConfigurationProperty(
                result_configuration=CfnWorkGroup.ResultConfigurationProperty(
                    output_location=bucket.s3_url_for_object("answers/")
                )
            ),
        )
        question = CfnNamedQuery(
            self,
            "Dwell",
            database="web",
            work_group="analysts",
            name="dwell",
            query_string="SELECT site, count(*), sum(seconds) FROM sitehits GROUP BY site ORDER BY site",
        )
        question.add_dependency(workgroup)
        for name, value in {
            "Bucket": bucket.bucket_name,
            "Arrivals": shards.stream_name,
            "Raw": raw.delivery_stream_name,
            "BySite": by_site.delivery_stream_name,
        }.items():
            CfnOutput(self, f"{name}Name", value=value)

    def _table(
        self, name: str, database: CfnDatabase, bucket: Bucket, *, prefix: str, partitions: dict[str, str]
    ) -> None:
        location = f"s3://{bucket.bucket_name}/{prefix}/"
        projection = {"projection.enabled": "true", "storage.location.template": f"{location}site=${{site}}/"}
        for column, values in partitions.items():
            projection |= {f"projection.{column}.type": "enum", f"projection.{column}.values": values}
        table = CfnTable(
            self,
            name,
            catalog_id=self.account,
            database_name="web",
            table_input=CfnTable.TableInputProperty(
                name=name.lower(),
                table_type="EXTERNAL_TABLE",
                parameters={"classification": "json"} | (projection if partitions else {}),
                partition_keys=[CfnTable.ColumnProperty(name=column, type="string") for column in partitions],
                storage_descriptor=CfnTable.StorageDescriptorProperty(
                    columns=COLUMNS,
                    location=location,
                    input_format="org.apache.hadoop.mapred.TextInputFormat",
                    output_format="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                    serde_info=CfnTable.SerdeInfoProperty(serialization_library="org.openx.data.jsonserde.JsonSerDe"),
                ),
            ),
        )
        table.add_dependency(database)


if __name__ == "__main__":
    app = App()
    Clickstream(app, "Clickstream")
    app.synth()
