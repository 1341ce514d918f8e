"""Known vulnerabilities of the locked packages: `python -m workshop.vulnerabilities`.

Their list is on the network. Where it cannot be had that is said aloud, and is no failure: the checks run offline too.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from workshop.places import ROOT

PATIENCE = 120
"""Seconds for the list to come, one request for each package."""


class Verdict(NamedTuple):
    """What is known against the packages, a line each, and how many there was no data for."""

    vulnerable: list[str]
    checked: int
    unknown: int


def main() -> int:
    """Print what is known against the lock; return 1 if anything is."""
    program = str(Path(sys.executable).parent / "pip-audit")
    command = [program, "-r", "requirements.txt", "--require-hashes", "--disable-pip", "--progress-spinner", "off"]
    try:
        done = subprocess.run(  # noqa: S603 - our tool
            [*command, "--format", "json"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        judged = verdict(json.loads(done.stdout)["dependencies"])
    except (ValueError, subprocess.TimeoutExpired):
        judged = Verdict([], 0, 0)
    if not judged.checked:
        sys.stdout.write("SKIPPED: the list of known vulnerabilities cannot be had here; run this where it can.\n")
        return 0
    sys.stdout.write("".join(f"{line}\n" for line in judged.vulnerable))
    unknown = f"; there is no data about {judged.unknown}" if judged.unknown else ""
    sys.stdout.write(f"{len(judged.vulnerable)} vulnerabilities are known in {judged.checked} packages{unknown}.\n")
    return 1 if judged.vulnerable else 0


def verdict(dependencies: Sequence[dict[str, Any]]) -> Verdict:
    """Sum up the `dependencies` of pip-audit's JSON document."""
    known = [each for each in dependencies if "vulns" in each]
    lines = [
        f"{each['name']} {each['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'no version yet'}"
        for each in known
        for one in each["vulns"]
    ]
    return Verdict(lines, len(known), len(dependencies) - len(known))


if __name__ == "__main__":
    sys.exit(main())
