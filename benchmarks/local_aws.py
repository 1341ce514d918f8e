"""How near the embedded AWS comes to AWS: `python -m benchmarks.local_aws` prints the tables of docs/local-aws.md.

With --write they go into it. Every rule runs against the embedded AWS, ministack alone and moto; then the speeds are
measured; the public clients and the known gaps are listed.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.local_aws.contract.backends import BACKENDS
from tests.local_aws.contract.catalogue import ALL
from tests.local_aws.contract.document import DOCUMENT, clients_table, gaps_table, replaced, rules_tables
from tests.local_aws.contract.rules import Outcome

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Print the tables, or write them into the document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.local_aws", description=main.__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="which tables; all without a name")
    parser.add_argument("--write", action="store_true", help=f"write them into docs/{DOCUMENT.name}")
    arguments = parser.parse_args()
    for name in arguments.sections or SECTIONS:
        content = SECTIONS[name]()
        if arguments.write:
            DOCUMENT.write_text(replaced(DOCUMENT.read_text("utf-8"), name, content), "utf-8")
        else:
            print(content, end="\n\n")


def rules() -> str:
    """Judge every back end by every rule."""
    return rules_tables({name: outcomes(name) for name in BACKENDS})


def outcomes(backend: str) -> dict[str, Outcome]:
    """Judge one back end by every rule."""
    with BACKENDS[backend]() as opened:
        return {rule_id: finding.outcome for rule_id, finding in opened.findings(ALL.values()).items()}


def firehose() -> str:
    """Measure documents per second into Parquet, here and by ministack alone."""
    return printed("benchmarks.firehose")


def athena() -> str:
    """Measure queries over a million events."""
    return printed("benchmarks.athena")


def printed(module: str) -> str:
    """Return what a benchmark prints, as a block."""
    run = subprocess.run([sys.executable, "-m", module], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return f"```\n{run.stdout.rstrip()}\n```"


SECTIONS: dict[str, Callable[[], str]] = {
    "rules": rules,
    "gaps": gaps_table,
    "firehose": firehose,
    "athena": athena,
    "clients": clients_table,
}

if __name__ == "__main__":
    main()
