"""Print who agrees with AWS: `python -m tests.local_aws.contract [ours|ministack|moto ...] [--rule ID ...]`."""

import argparse
import sys

from tests.local_aws.contract.backends import BACKENDS
from tests.local_aws.contract.catalogue import ALL
from tests.local_aws.contract.rules import Outcome


def main() -> None:
    """Judge the back ends by the rules, and print an outcome a line, with what was seen where they do not agree."""
    parser = argparse.ArgumentParser(prog="python -m tests.local_aws.contract", description=main.__doc__)
    parser.add_argument("backends", nargs="*", choices=[*BACKENDS, []], help="which back ends; all without a name")
    parser.add_argument("--rule", action="append", choices=ALL, metavar="ID", help="only this rule; may be repeated")
    arguments = parser.parse_args()
    chosen = [one for one in ALL.values() if not arguments.rule or one.id in arguments.rule]
    for name in arguments.backends or BACKENDS:
        with BACKENDS[name]() as backend:
            findings = backend.findings(chosen)
        for one in chosen:
            finding = findings[one.id]
            sys.stdout.write(f"{name:10} {one.id:26} {finding.outcome:12} {finding.seen[:200]}\n".rstrip() + "\n")
        agreeing = sum(finding.outcome is Outcome.AGREES for finding in findings.values())
        sys.stdout.write(f"{name}: {agreeing} of {len(chosen)} rules\n")


if __name__ == "__main__":
    main()
