"""Where things are: the tree of the workshop, and what it keeps between runs."""

import os
from pathlib import Path

from workshop.local_aws.home import Home

ROOT = Path(__file__).parent.parent
QUERIES = ROOT / "glue" / "queries"


def kept() -> Path:
    """Return the folder of what survives a run. WORKSHOP_HOME puts it elsewhere, so several can live side by side."""
    return Path(os.environ.get("WORKSHOP_HOME") or ROOT / ".workshop").absolute()


def local_home() -> Home:
    """Return the home of the workshop's embedded AWS."""
    return Home(kept() / "local")
