"""Amazon Data Firehose's data plane: records in, Parquet or plain objects in S3 out."""

from workshop.local_aws.firehose.service import Firehose

__all__ = ["Firehose"]
