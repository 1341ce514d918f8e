"""Where the price comes from: the templates that are or would be deployed, and the count of a run."""

import json
import os
import urllib.request
from pathlib import Path
from typing import Any

from workshop import cdk
from workshop.cost.templates import Deployment, deployment, read_templates
from workshop.errors import WorkshopError
from workshop.local_aws.isolation import isolated
from workshop.local_aws.metering import METER_PATH
from workshop.places import kept, local_home


def synthesised() -> Path:
    """Return a folder with the templates of this tree as they would go to AWS; what has not changed is kept.

    Raises:
        WorkshopError: synthesis failed.
    """
    folder = kept() / "cost"
    assembly, receipt, wanted = folder / "cdk.out", folder / "synthesised.txt", cdk.fingerprint({})
    if not (receipt.exists() and receipt.read_text(encoding="utf-8") == wanted):
        receipt.unlink(missing_ok=True)
        words = ["synth", "--quiet", "--output", str(assembly)]
        cdk.run(words, environment=isolated(os.environ), log=folder / "cdk.log")
        receipt.write_text(wanted, encoding="utf-8")
    return assembly


def deployed_here() -> Deployment:
    """Return what is deployed to the embedded AWS.

    Raises:
        WorkshopError: nothing is.
    """
    assembly = local_home().root / "cdk.out"
    if not assembly.exists():
        raise WorkshopError("Nothing is deployed here yet.", "Run `python3 -m workshop up`.")
    return deployment(read_templates(assembly))


def metered() -> dict[str, Any]:
    """Return the count of the embedded AWS: of the running one as it stands, else as it was kept.

    Raises:
        WorkshopError: nothing was ever counted here.
    """
    home = local_home()
    if address := home.address():
        with urllib.request.urlopen(address.endpoint + METER_PATH, timeout=10) as answer:  # noqa: S310 - 127.0.0.1
            running: dict[str, Any] = json.load(answer)
            return running
    if not home.meter.exists():
        raise WorkshopError("No run is recorded here.", "Run `python3 -m workshop up`, then `generate`.")
    recorded: dict[str, Any] = json.loads(home.meter.read_text(encoding="utf-8"))
    return recorded
