"""Everything a deployment can be told, read once from the CDK context (`-c name=value`)."""

import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

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
    trucks: bool = True
    """Whether the delivery-truck system is deployed; without it, and without a webhook, alerts are only announced."""
    truck_speedup: int = 240
    """How many times faster than on the road trucks drive: a trip of four hours takes a minute."""
    truck_webhook_url: str | None = None
    """Where a truck system of the user's own hears of alerts. Ours is left out then: no alert calls two trucks."""

    operations: bool = True
    """Whether the dashboard, the alarms and the budget are deployed."""
    alarm_email: str | None = None
    """Who is written to when an alarm goes off, once the address has confirmed that it wants to be."""
    monthly_budget: int = 5
    """US dollars a month that the whole account may cost before an alarm goes off; 0 sets no budget."""

    @property
    def ships_trucks(self) -> bool:
        """Whether our trucks fill the shelves; otherwise StoreApp's stores are replenished overnight."""
        return self.trucks and self.truck_webhook_url is None

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
            trucks=_yes_or_no(node, "trucks", default=Settings.trucks),
            truck_speedup=_whole_number(node, "truck_speedup", default=Settings.truck_speedup, least=1, most=10_000),
            truck_webhook_url=_web_address(node, "truck_webhook_url", local=target == "local"),
            operations=_yes_or_no(node, "operations", default=Settings.operations),
            alarm_email=_email(node, "alarm_email"),
            monthly_budget=_whole_number(
                node, "monthly_budget", default=Settings.monthly_budget, least=0, most=1_000_000
            ),
            schedule_minutes=_whole_number(node, "schedule_minutes", default=0, least=0, most=24 * 60),
        )


def _whole_number(node: Node, name: str, *, default: int, least: int, most: int) -> int:
    given: Any = node.try_get_context(name)
    if given is None:
        return default
    if not str(given).isascii() or not str(given).isdigit() or not least <= int(given) <= most:
        raise BadSetting(f"-c {name}={given} is not usable; give a whole number from {least} to {most}")
    return int(given)


def _yes_or_no(node: Node, name: str, *, default: bool) -> bool:
    given: Any = node.try_get_context(name)
    if given is None:
        return default
    if str(given).lower() not in ("yes", "no"):
        raise BadSetting(f"-c {name}={given} is not usable; give yes or no")
    return str(given).lower() == "yes"


def _web_address(node: Node, name: str, *, local: bool) -> str | None:
    """Return an https address without credentials; the embedded AWS also reaches http on this machine."""
    given: Any = node.try_get_context(name)
    if given is None:
        return None
    text = str(given)
    try:
        address = urlsplit(text)
        has_port = address.port is not None
    except ValueError:  # a port that is no number, or brackets that do not match
        usable = False
    else:
        usable = (
            len(text) <= _LONGEST_ADDRESS
            and _ADDRESS.fullmatch(text) is not None
            and (address.scheme == "https" or (local and has_port and text.startswith("http://127.0.0.1:")))
            and bool(address.hostname)
            and address.username is None
        )
    if not usable:
        raise BadSetting(f"-c {name}={given} is not usable; give an address such as https://trucks.example.com/alerts")
    return text


def _email(node: Node, name: str) -> str | None:
    given: Any = node.try_get_context(name)
    if given is None:
        return None
    if len(str(given)) > _LONGEST_EMAIL or not _EMAIL.fullmatch(str(given)):
        raise BadSetting(f"-c {name}={given} is not usable; give one e-mail address such as you@example.com")
    return str(given)


_LONGEST_EMAIL = 254
_EMAIL = re.compile(r"[-\w.!#$%&'*+/=?^`{|}~]+@[-A-Za-z0-9]+(\.[-A-Za-z0-9]+)+", re.ASCII)
_LONGEST_ADDRESS = 2_048
_ADDRESS = re.compile(r"(%[0-9A-Fa-f]{2}|[-()_.!~';/?:@&=+$,A-Za-z0-9])+")
"""What an API destination's address may hold (CreateApiDestination, EventBridge API reference), except for `*`, which
would stand for a parameter of the path."""
