"""Amazon Data Firehose's data plane: records in, Parquet or plain objects in S3 out."""
