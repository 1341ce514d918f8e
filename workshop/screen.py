"""What a learner sees: tables and the closing screen of `up`, with everything from outside escaped."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from workshop.ask import Answer
from workshop.flow import Counts

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
