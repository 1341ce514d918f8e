"""The steps of a long command, with progress and time, on stderr so that stdout stays the answer's."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Report = Callable[[float], None]


class Steps:
    """Shows each step while it lasts and remembers how long it took."""

    def __init__(self, console: Console, *, already: dict[str, float] | None = None) -> None:
        """`already` are steps that were done before this program began, with their seconds."""
        self._console = console
        self._seconds: dict[str, float] = {}
        for name, seconds in (already or {}).items():
            self._done(name, seconds)

    @contextmanager
    def step(self, name: str, doing: str) -> Iterator[Report]:
        """Time one step. The caller may report what share of it is done, from 0 to 1."""
        begun = time.monotonic()
        columns = (
            SpinnerColumn(),
            TextColumn(f"[bold]{name:<13}[/] {doing}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
        )
        with Progress(
            *columns, console=self._console, transient=True, disable=not self._console.is_terminal
        ) as progress:
            task = progress.add_task(name, total=None)
            yield lambda share: progress.update(task, total=1.0, completed=share)
        self._done(name, time.monotonic() - begun, doing)

    def as_documents(self) -> list[dict[str, object]]:
        """Return the `steps` part of the `up --json` document."""
        return [{"name": name, "seconds": round(seconds, 2)} for name, seconds in self._seconds.items()]

    @property
    def total(self) -> float:
        """Seconds of all steps together."""
        return sum(self._seconds.values())

    def _done(self, name: str, seconds: float, doing: str = "") -> None:
        self._seconds[name] = seconds
        self._console.print(f"[green]✓[/] [bold]{name:<13}[/] {doing:<46} [dim]{seconds:6.1f} s[/]", highlight=False)
