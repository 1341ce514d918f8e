"""What a learner's shell has to know for the AWS CLI and boto3 to talk to what a command talks to."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from workshop.local_aws.isolation import isolated


@dataclass(frozen=True, slots=True)
class Variables:
    """What a shell unsets, what its programs are to inherit, and what only its own commands name."""

    unset: tuple[str, ...]
    exported: Mapping[str, str]
    resources: Mapping[str, str]

    def as_script(self) -> str:
        """Return what a shell evaluates, every value quoted."""
        return "".join(
            [
                *(f"unset {name}\n" for name in self.unset),
                *(f"export {name}={shlex.quote(value)}\n" for name, value in self.exported.items()),
                *(f"{name}={shlex.quote(value)}\n" for name, value in self.resources.items()),
            ]
        )

    def as_document(self) -> dict[str, dict[str, str]]:
        """Return the `env --json` document."""
        return {"variables": {**self.exported, **self.resources}}


def variables(environment: Mapping[str, str], endpoint: str | None, resources: Mapping[str, str]) -> Variables:
    """Return the variables that lead from an environment to the embedded AWS at `endpoint`, or where it leads anyway.

    What in it could lead elsewhere, such as a profile, is unset.
    """
    named = {name.upper(): physical for name, physical in sorted(resources.items())}
    if endpoint is None:
        return Variables((), {}, named)
    elsewhere = sorted(environment.keys() - isolated(environment, endpoint).keys())
    return Variables(tuple(elsewhere), isolated({}, endpoint), named)
