"""An embedded Athena: Trino's SQL on DuckDB, over the tables and objects that were deployed."""

from workshop.local_aws.athena.service import Athena

__all__ = ["Athena"]
