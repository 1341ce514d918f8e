"""Everything a deployment can be told, read once from the CDK context (`-c name=value`)."""

from dataclasses import dataclass
from typing import Any, Literal

from constructs import Node

Target = Literal["aws", "local"]


class BadSetting(ValueError):
    """A context value that cannot be used; the message says which and what to give instead."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One deployment's choices."""

    target: Target = "aws"
    """Where the templates go; `stacks/targets.py` lists what differs."""
    database: str = "inventory"
    """The Glue database. It has a physical name because SQL types it."""
    seed: int = 7
    """Seed of the simulation: same seed and deliveries, same bytes."""
    schedule_minutes: int = 0
    """Minutes between scheduled runs of StoreApp; 0 means it runs by hand alone."""

    @staticmethod
    def from_context(node: Node) -> "Settings":
        """Read the settings from an app's context.

        Raises:
            BadSetting: a value has the wrong form or is out of range.
        """
        target = node.try_get_context("target") or Settings.target
        if target not in ("aws", "local"):
            raise BadSetting(f"-c target={target} is not known; give target=aws or target=local")
        return Settings(
            target=target,
            seed=_whole_number(node, "seed", default=Settings.seed, least=0, most=2**31 - 1),
            schedule_minutes=_whole_number(node, "schedule_minutes", default=0, least=0, most=24 * 60),
        )


def _whole_number(node: Node, name: str, *, default: int, least: int, most: int) -> int:
    given: Any = node.try_get_context(name)
    if given is None:
        return default
    if not str(given).isascii() or not str(given).isdigit() or not least <= int(given) <= most:
        raise BadSetting(f"-c {name}={given} is not usable; give a whole number from {least} to {most}")
    return int(given)
