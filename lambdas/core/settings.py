"""What a stack tells a function through its environment."""

from collections.abc import Mapping


class MissingSetting(Exception):
    """A function was deployed without an environment variable that it needs."""


def setting(environment: Mapping[str, str], name: str, passed_by: str) -> str:
    """Return a setting, or raise `MissingSetting` naming the stack that has to pass it."""
    if value := environment.get(name):
        return value
    raise MissingSetting(f"{name} is not set; {passed_by} passes it.")
