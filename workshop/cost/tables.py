"""What `workshop cost` shows: each figure beside where it comes from."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from workshop.screen import printable


def estimate(document: Mapping[str, Any]) -> list[RenderableType]:
    """Return the tables of a load's price."""
    load, prices = document["load"], document["prices"]
    heading = Text(
        f"{document['region']}, prices of {prices['date']} (version {prices['version']}). "
        f"{load['stores']:,} stores × {load['products']:,} products, {load['hours']:,.0f} simulated hours a month, "
        f"{load['hours_per_run']} at a time: {load['events_per_month']:,} events; "
        f"{load['queries_per_day']:g} queries a day."
    )
    dearest = document["load_alone"]["services"][0] if document["load_alone"]["services"] else None
    closing = Text(style="dim")
    if dearest:
        closing.append(f"{dearest['service']} is {dearest['share']:.0%} of the load's list price. ")
    if prices["unconfirmed"]:
        closing.append(f"Not read in its source yet: {', '.join(prices['unconfirmed'])}. ")
    closing.append("--json has every line with its amount and source.")
    tables = [_idle(document["idle"]), _month(document), _parts(document["parts"])]
    return [heading, *tables, _what_ifs(document["what_if"]), _targets(document["targets"]), closing]


def compared(document: Mapping[str, Any]) -> list[RenderableType]:
    """Return the tables of a metered run."""
    table = _table("What the system was metered for, and what the model says of the same run", "unit", left=1)
    for column in ("counted", "model", "counted $", "model $"):
        table.add_column(column, justify="right")
    for unit in document["units"]:
        table.add_row(
            unit["unit"],
            f"{unit['counted']:,.6g}" if unit["counted"] < 1 else f"{unit['counted']:,.0f}",
            f"{unit['estimated']:,.6g}" if unit["estimated"] < 1 else f"{unit['estimated']:,.0f}",
            _usd(unit["counted_usd"]),
            _usd(unit["estimated_usd"]),
        )
    table.add_section()
    table.add_row(
        "together", "", f"{document['difference']:+.1%}", _usd(document["counted_usd"]), _usd(document["estimated_usd"])
    )
    functions = _table("The functions' seconds, which both sides use", "function", left=1)
    for column in ("runs", "seconds", "cold starts", "seconds of starts"):
        functions.add_column(column, justify="right")
    for name, each in sorted(document["functions"].items()):
        functions.add_row(
            printable(name), f"{each['runs']:,.0f}", f"{each['seconds']:,.2f}", f"{each['starts']:,.0f}",
            f"{each['start_seconds']:,.2f}",
        )  # fmt: skip
    since = Text(f"{document['events']:,} events since {document['since']}. List prices, without allowances.")
    return [
        since,
        table,
        functions,
        _bill("What was asked of it from outside: queries, status, waiting", document["tools"]),
    ]


def quotas(document: Mapping[str, Any]) -> list[RenderableType]:
    """Return the table of limits."""
    table = _table(
        f"Which limit is met first? {document['products']} products a store, as fast as the clock, busiest hour "
        f"{document['peak']:g} × the mean",
        "stores",
    )
    table.add_column("nearest limit")
    table.add_column("needed", justify="right")
    table.add_column("of", justify="right")
    table.add_column("used", justify="right")
    table.add_column("then")
    for row in document["rows"]:
        for number, near in enumerate(row["met"] or [row["nearest"]]):
            colour = "red" if near["share"] >= 1 else "yellow" if near["share"] >= 0.5 else "green"
            table.add_row(
                f"{row['stores']:,}" if number == 0 else "",
                near["limit"],
                f"{near['needed']:,.4g} {near['unit']}",
                f"{near['most']:,.0f}",
                f"[{colour}]{near['share']:.2%}[/]",
                near["raised_by"] if near["share"] >= 1 else "[dim]nothing yet[/]",
            )
    limits = _table("At how many stores each limit is met", "limit", left=1)
    limits.add_column("of", justify="right")
    limits.add_column("met at stores", justify="right")
    limits.add_column("what to do then")
    for each in document["limits"]:
        mark = "" if each["confirmed"] else " [dim](unconfirmed)[/]"
        met = f"{each['met_at_stores']:,}" if each["met_at_stores"] else f"[dim]never; {each['share']:.1%} used[/]"
        limits.add_row(each["limit"], f"{each['most']:,.0f} {each['unit']}{mark}", met, each["raised_by"])
    return [table, limits]


def _idle(idle: Mapping[str, Any]) -> RenderableType:
    table = _bill("While nothing happens, a month, stored bytes ($0.023 per GB) apart", idle)
    note = Text(
        f"Polling: Lambda may keep more polls open than it needs, at worst {idle['most_polls']:,} requests a month.",
        style="dim",
    )
    return Group(table, note)


def _month(document: Mapping[str, Any]) -> Table:
    table = _table("A month at this load, idle costs included", "service", left=1)
    for column in ("list price", "after always-free", "load, per million events", "share"):
        table.add_column(column, justify="right")
    alone = {each["service"]: each for each in document["load_alone"]["services"]}
    for each in document["month"]["services"]:
        load = alone.get(each["service"])
        table.add_row(
            each["service"],
            _usd(each["list_usd"]),
            _usd(each["usd"]),
            _usd(load["list_usd_per_million_events"]) if load else "–",
            f"{each['share']:.0%}",
        )
    table.add_section()
    month = document["month"]
    total = _usd(document["load_alone"]["list_usd_per_million_events"])
    table.add_row("together", _usd(month["list_usd"]), _usd(month["usd"]), total, "")
    return table


def _parts(parts: Mapping[str, float]) -> Table:
    table = _table("What dominates: each part of the system, a million events at list price", "part", left=1)
    table.add_column("per million events", justify="right")
    for part, usd in parts.items():
        table.add_row(part, _usd(usd))
    return table


def _what_ifs(cases: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("What if …", "", left=1)
    for column in ("change a month", "per million events", "Firehose, per million", "Athena a month", "S3 a month"):
        table.add_column(column, justify="right")
    for case in cases:
        change = case["change_usd"]
        table.add_row(
            case["what"],
            f"{'+' if change >= 0 else '−'}{_usd(abs(change))}",
            _usd(case["list_usd_per_million_events"]),
            _usd(case["firehose_usd_per_million_events"]),
            _usd(case["athena_usd"]),
            _usd(case["s3_usd"]),
        )
    return table


def _targets(targets: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Targets for a million events", "what", left=1)
    for column in ("target", "model"):
        table.add_column(column, justify="right")
    table.add_column("")
    for each in targets:
        mark = "[green]met[/]" if each["met"] else "[red]missed[/]"
        table.add_row(each["what"], f"≤ {_usd(each['target_usd'])}", _usd(each["usd"]), mark)
    return table


def _bill(title: str, bill: Mapping[str, Any]) -> Table:
    table = _table(title, "what is billed", left=1)
    for column in ("amount", "list price", "always free", "to pay"):
        table.add_column(column, justify="right")
    for line in bill["lines"]:
        free = f"{line['always_free']:,.0f}" if line["always_free"] else "–"
        table.add_row(
            f"{line['service']}: {line['what']}",
            f"{line['amount']:,.0f}",
            _usd(line["list_usd"]),
            free,
            _usd(line["usd"]),
        )
    table.add_section()
    table.add_row("together", "", _usd(bill["list_usd"]), "", _usd(bill["usd"]))
    return table


def _table(title: str, first: str, *, left: int = 0) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="cyan")
    table.add_column(first, justify="left" if left else "right", overflow="fold")
    return table


def _usd(amount: float) -> str:
    """Write dollars with as many digits as tell something."""
    if amount == 0:
        return "$0.00"
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}" if amount >= 0.0001 else f"${amount:.2g}"
