"""What a learner sees: tables and the closing screen of `up`, with everything from outside escaped."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from workshop.alerts import Alert
from workshop.ask import Answer
from workshop.closing import Refilled
from workshop.flow import Counts
from workshop.lessons.goals import Judged
from workshop.tracing import Trace

_NUMBERS = ("tinyint", "smallint", "integer", "bigint", "float", "double", "real", "decimal")


def answer_table(answer: Answer, title: str | None = None) -> RenderableType:
    """Return the rows of an answer as a table, numbers to the right, under the question if there is one."""
    table = Table(header_style="cyan")
    for column, athena_type in zip(answer.columns, answer.types, strict=True):
        table.add_column(escape(column), justify="right" if athena_type.startswith(_NUMBERS) else "left")
    for row in answer.rows:
        table.add_row(*(_cell(value) for value in row))
    # A table's own title is folded to the table's width, and a question is often wider than its answer.
    return Group(Text(title, style="bold"), table) if title else table


def cost_line(answer: Answer) -> str:
    """Return time, bytes and price of an answer in one line."""
    rows = "1 row" if len(answer.rows) == 1 else f"{len(answer.rows):,} rows"
    return (
        f"{rows} · {answer.milliseconds:,} ms · {_bytes(answer.data_scanned_bytes)} scanned · "
        f"${answer.price_usd:.6f} on AWS"
    )


def hops_table(counts: Counts) -> Table:
    """Return how many events passed each hop."""
    table = Table(title="Events through each hop", title_justify="left", title_style="bold", header_style="cyan")
    table.add_column("hop")
    table.add_column("events", justify="right")
    table.add_column("seen where", style="dim")
    for hop, key, where in (
        ("StoreApp sent", "sent", "the stores' books (DynamoDB)"),
        ("Firehose delivered", "delivered", "stock_events (S3, Parquet)"),
        ("unique in the lake", "unique", "unique_events (Athena)"),
        ("refused by the intake", "quarantined", "quarantine (S3, JSON)"),
    ):
        table.add_row(hop, f"{counts[key]:,}", where)
    return table


def queues_table(queues: Mapping[str, Mapping[str, int]], oldest: Mapping[str, int | None]) -> Table:
    """Return what waits in each queue and for how long at most, what is being handled, and what could not be."""
    table = Table(title="Queues", title_justify="left", title_style="bold", header_style="cyan")
    table.add_column("queue")
    for column in ("waiting", "oldest", "in flight", "dead"):
        table.add_column(column, justify="right")
    for name, depth in sorted(queues.items()):
        dead = f"[red]{depth['dead']:,}[/]" if depth["dead"] else "0"
        seconds = oldest.get(name)
        age = "-" if seconds is None else f"{seconds:,} s"
        table.add_row(escape(name.replace("_", " ")), f"{depth['waiting']:,}", age, f"{depth['in_flight']:,}", dead)
    return table


def alarms_table(alarms: Mapping[str, str]) -> Table:
    """Return each alarm with its state."""
    table = Table(title="Alarms", title_justify="left", title_style="bold", header_style="cyan")
    table.add_column("alarm")
    table.add_column("state")
    for title, state in sorted(alarms.items()):
        table.add_row(printable(title), f"[red]{state}[/]" if state == "ALARM" else escape(state))
    return table


def loop_table(alerts: Mapping[str, int], deliveries: Mapping[str, int]) -> Table:
    """Return how many alerts and deliveries there are in each state."""
    table = Table(title="Alerts and deliveries", title_justify="left", title_style="bold", header_style="cyan")
    table.add_column("what")
    table.add_column("state")
    table.add_column("how many", justify="right")
    for what, counts in (("alerts", alerts), ("deliveries", deliveries)):
        for state, count in sorted(counts.items()):
            table.add_row(what, _state(state.upper()), f"{count:,}")
    return table


def alerts_table(alerts: Sequence[Alert], now: datetime) -> Table:
    """Return each alert with its age on the store's clock, when it was noticed on ours, and its truck."""
    table = Table(title="Low shelves", title_justify="left", title_style="bold", header_style="cyan")
    table.add_column("alert")
    table.add_column("state")
    table.add_column("stock", justify="right")
    table.add_column("low for (store's time)", justify="right")
    table.add_column("noticed", justify="right")
    table.add_column("delivery")
    table.add_column("truck")
    table.add_column("units", justify="right")
    for alert in alerts:
        episode, delivery = alert.episode, alert.delivery
        low_for = alert.age()
        table.add_row(
            printable(episode.alert_id),
            _state(episode.state),
            f"{episode.stock:,} < {episode.threshold:,}",
            "[dim]not known[/]" if low_for is None else _duration(low_for),
            f"{_duration(now - datetime.fromisoformat(episode.noticed_at))} ago",
            *(
                (_state(str(delivery.status)), printable(delivery.truck), f"{delivery.units:,}")
                if delivery
                else ("[dim]–[/]", "[dim]–[/]", "[dim]–[/]")
            ),
        )
    return table


def refilled_table(filled: Sequence[Refilled]) -> Table:
    """Return the closed loop: shelves that ran low, the truck that came, the stock after."""
    table = Table(
        title="Which shelves ran low, and which truck filled them?", title_justify="left", title_style="bold",
        header_style="cyan",
    )  # fmt: skip
    for column in ("store", "product"):
        table.add_column(column)
    table.add_column("ran low", justify="right")
    table.add_column("truck")
    table.add_column("from")
    for column in ("km", "units", "stock after", "was low for"):
        table.add_column(column, justify="right")
    for alert, stock_after in ((each.alert, each.stock_after) for each in filled):
        episode, delivery, age = alert.episode, alert.delivery, alert.age()
        if delivery:
            table.add_row(
                printable(episode.store_id),
                printable(episode.product_id),
                f"{episode.stock:,} < {episode.threshold:,}",
                printable(delivery.truck),
                printable(delivery.depot),
                f"{delivery.distance_km:,.0f}",
                f"{delivery.units:,}",
                f"{stock_after:,}",
                _duration(age) if age is not None else "[dim]–[/]",
            )
    return table


def trace_table(trace: Trace) -> Table:
    """Return the hops of an event with their times and the waiting between them, then those that are missing."""
    table = Table(
        title=f"The way of {printable(trace.event_id)}", title_justify="left", title_style="bold", header_style="cyan"
    )
    table.add_column("hop")
    table.add_column("at (UTC)", no_wrap=True)
    table.add_column("waited", justify="right", no_wrap=True)
    table.add_column("where", overflow="fold")
    for hop, wait in zip(trace.hops, trace.waits(), strict=True):
        note = f"\n[dim]{printable(hop.note)}[/]" if hop.note else ""
        table.add_row(
            hop.name,
            f"{hop.at:%Y-%m-%d %H:%M:%S}.{hop.at.microsecond // 1000:03}" if hop.at else "[dim]–[/]",
            "" if wait is None else f"{wait:,.3f} s",
            printable(hop.where) + note,
        )
    for name in trace.missing:
        table.add_row(f"[red]{name}[/]", "[red]not seen yet[/]", "", "")
    return table


def judged_list(lesson: int, judged: Sequence[Judged]) -> RenderableType:
    """Return whether a lesson is reached, then each goal with what was found and, if it is not reached, what to do."""
    is_reached = all(each.finding.reached for each in judged)
    lines = [f"[bold]Lesson {lesson}: {'reached' if is_reached else 'not reached yet'}[/]"]
    for each in judged:
        mark = "[green]✓[/]" if each.finding.reached else "[red]✗[/]"
        lines.append(f"{mark} {escape(each.goal)} [dim]Found: {printable(each.finding.found)}.[/]")
        if not each.finding.reached:
            lines.append(f"  {escape(each.next_step)}")
    return Text.from_markup("\n".join(lines))


def resources_table(resources: Mapping[str, str]) -> Table:
    """Return what is deployed."""
    table = Table(title="What was built", title_justify="left", title_style="bold", header_style="cyan")
    table.add_column("resource")
    table.add_column("name", style="dim", overflow="fold")
    for name, physical in sorted(resources.items()):
        table.add_row(name.replace("_", " "), escape(physical))
    return table


def closing_panel(seconds: float, *, aws: bool) -> Panel:
    """Return what to do next."""
    flag = " --aws" if aws else ""
    commands = Table.grid(padding=(0, 3))
    for command, does in (
        (f"generate{flag} --hours 24", "another trading day"),
        (f"query{flag} low_stock", "which shelf is most urgent?"),
        (f'query{flag} --sql "…"', "a question of your own"),
        (f"alerts{flag}", "which shelves are low, and which truck comes?"),
        (f"status{flag}", "what runs, and how many events passed each hop"),
        (f"down{flag} --destroy", "remove everything"),
    ):
        commands.add_row(f"[bold]python3 -m workshop {command}[/]", does)
    where = "on AWS" if aws else "on this machine"
    return Panel.fit(commands, title=f"The pipeline runs {where}: ready in {seconds:.0f} s", border_style="green")


def show(console: Console, *parts: Any) -> None:
    """Print some parts, one after the other, with a blank line between them."""
    for part in parts:
        console.print(part)
        console.print()


def _cell(value: Any) -> str:
    match value:
        case None:
            return "[dim]–[/]"
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.2f}"
        case _:
            return printable(str(value))


_COLOURS = {"OPEN": "yellow", "IN_TRANSIT": "yellow", "FAILED": "red"}


def _state(state: str) -> str:
    colour = _COLOURS.get(state, "green")
    return f"[{colour}]{printable(state.replace('_', ' ').lower())}[/]"


def _duration(duration: timedelta) -> str:
    """Write a duration in its two largest units."""
    seconds = max(0, round(duration.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if days:
        return f"{days:,} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} TB"


def printable(text: str) -> str:
    """Return a text from outside as it may be shown: no markup, no terminal controls."""
    return escape("".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text))
