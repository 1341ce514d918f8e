"""All the rules, in the order of the table. Importing them registers them."""

from tests.local_aws.contract import (
    athena_executions,
    athena_language,
    athena_results,
    athena_scanning,
    athena_writing,
    firehose_control,
    firehose_conversion,
    firehose_delivery,
    firehose_processing,
    firehose_producers,
)
from tests.local_aws.contract.rules import RULES, Rule

_CHAPTERS = {
    "Data Firehose: producers": firehose_producers,
    "Data Firehose: delivery to S3": firehose_delivery,
    "Data Firehose: transformation by a function": firehose_processing,
    "Data Firehose: conversion to Parquet": firehose_conversion,
    "Data Firehose: streams": firehose_control,
    "Athena: executions": athena_executions,
    "Athena: results": athena_results,
    "Athena: what is read": athena_scanning,
    "Athena: what is written": athena_writing,
    "Athena: the language": athena_language,
}

CHAPTERS: dict[str, list[Rule]] = {
    title: [one for one in RULES.values() if one.observe.__module__ == module.__name__]
    for title, module in _CHAPTERS.items()
}
"""Rules by chapter."""

ALL: dict[str, Rule] = {one.id: one for rules in CHAPTERS.values() for one in rules}
"""Every rule by its id, in the order of the chapters."""
