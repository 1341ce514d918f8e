"""The command `cost`: each of its three answers as a document and as what is shown."""

from pathlib import Path
from typing import Any

from rich.console import RenderableType

from workshop.cost import quotas, report, sources, tables
from workshop.cost.model import Load
from workshop.cost.prices import price_list
from workshop.cost.templates import deployment, read_templates

Answer = tuple[dict[str, Any], list[RenderableType]]
"""The `--json` document, and the tables."""


def of_load(load: Load, templates: Path | None) -> Answer:
    """Return what a month of a load costs, as the templates of a folder, or else of this tree, have it.

    Raises:
        WorkshopError: there are no templates, or they hold what has no price here.
    """
    deployed = deployment(read_templates(templates or sources.synthesised()))
    document = report.estimate(load, deployed, price_list())
    return document, tables.estimate(document)


def of_limits(load: Load, templates: Path | None) -> Answer:
    """Return which limits of AWS a load meets, in chains of up to 100,000 stores; raise what `of_load` raises."""
    document = quotas.as_document(load, deployment(read_templates(templates or sources.synthesised())))
    return document, tables.quotas(document)


def of_run() -> Answer:
    """Return what the embedded AWS has counted, priced, and what the model says of the same.

    Raises:
        WorkshopError: nothing is deployed or recorded here.
    """
    document = report.compare(sources.metered(), sources.deployed_here(), price_list())
    return document, tables.compared(document)
