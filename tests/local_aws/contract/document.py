"""docs/local-aws.md: hand-written words, and between markers what commands print."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.local_aws.contract.catalogue import ALL, CHAPTERS
from tests.local_aws.contract.gaps import GAPS
from tests.local_aws.contract.rules import Outcome, Rule

DOCUMENT = Path(__file__).parents[3] / "docs" / "local-aws.md"
Outcomes = Mapping[str, Mapping[str, Outcome]]
"""By back end, then by rule id."""


def section(text: str, name: str) -> str:
    """Return what stands between a section's markers."""
    return _bounds(text, name)["content"].strip("\n")


def replaced(text: str, name: str, content: str) -> str:
    """Return the text with something else between a section's markers."""
    bounds = _bounds(text, name)
    return f"{text[: bounds.start('content')]}\n{content.strip()}\n\n{text[bounds.end('content') :]}"


def _bounds(text: str, name: str) -> re.Match[str]:
    found = re.search(rf"<!-- begin {name} -->\n(?P<content>.*?)<!-- end {name} -->", text, re.DOTALL)
    if found is None:
        raise ValueError(f"{DOCUMENT.name} has no section {name}")
    return found


def described(one: Rule) -> str:
    """Return a rule's cell: its sentence, its page, and its id to run it by."""
    return f"[{one.sentence}]({one.page}) `{one.id}`".replace("|", "\\|")


def documented_outcome(one: Rule) -> Outcome:
    """Return what the embedded AWS makes of a rule, as its tests ensure."""
    return Outcome.NOT_OFFERED if one.id in GAPS else Outcome.AGREES


def rules_tables(outcomes: Outcomes) -> str:
    """Return how many rules each back end keeps, and a table a chapter of who keeps which."""
    heads = list(outcomes)
    parts = [_table(["of the rules on", "there are", *heads], _counts(outcomes))]
    for title, rules in CHAPTERS.items():
        rows = [[described(one), *(outcomes[name][one.id].value for name in heads)] for one in rules]
        parts.append(f"### {title}\n\n{_table(['rule', *heads], rows)}")
    return "\n\n".join(parts)


def _counts(outcomes: Outcomes) -> Iterable[list[str]]:
    for title, rules in [*CHAPTERS.items(), ("**all**", list(ALL.values()))]:
        kept = [sum(found[one.id] is Outcome.AGREES for one in rules) for found in outcomes.values()]
        yield [title, str(len(rules)), *map(str, kept)]


def gaps_table() -> str:
    """Return what the embedded AWS does not offer, and why."""
    if not GAPS:
        return "None of the rules above."
    rows = [[described(ALL[rule_id]), gap.reason] for rule_id, gap in GAPS.items()]
    return _table(["rule", "why it is not kept"], rows)


def clients_table() -> str:
    """Return the public clients that run unchanged, and which of their own examples are tried."""
    from tests.local_aws.clients.listed import trials

    rows = [
        [f"{each.client.name} {each.client.version}", f"[{each.what}]({each.page})", each.needs or "–"]
        for each in trials()
    ]
    return _table(["client", "what is tried", "needs, besides the endpoint"], rows)


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
