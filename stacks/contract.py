"""The record contract as Glue columns: the one JSON Schema in `glue/` read as data."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from aws_cdk.aws_glue import CfnTable

GLUE = Path(__file__).parent.parent / "glue"

_CONTRACT: Mapping[str, Any] = json.loads((GLUE / "stock_event.schema.json").read_text(encoding="utf-8"))

# Presto's names for the Glue types the contract uses; a view's columns are declared in them.
_PRESTO_TYPES = {"string": "varchar", "timestamp": "timestamp(3)", "int": "integer", "double": "double"}

STOCK_EVENT = {**_CONTRACT["properties"], **_CONTRACT["x-added-by-intake"]}
QUARANTINED = _CONTRACT["x-quarantine"]


def glue_columns(fields: Mapping[str, Any]) -> list[CfnTable.ColumnProperty]:
    """Return the Glue columns of some fields of the contract, in its order."""
    return [
        CfnTable.ColumnProperty(name=name, type=field["x-glue-type"], comment=field["description"])
        for name, field in fields.items()
    ]


def presto_columns(fields: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Return (name, Presto type) of some fields of the contract, in its order."""
    return ((name, _PRESTO_TYPES[field["x-glue-type"]]) for name, field in fields.items())
