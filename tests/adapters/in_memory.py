"""The ports of the stock alert, in memory and exact: the same refusals, the same order, nothing shared by accident."""

from collections.abc import Sequence
from typing import Any

from lambdas.core.episodes import MOST_RECENT, Episode
from lambdas.core.versions import Conflict


class Alerts:
    """Episodes by shelf and number; `writes` counts what was billed, refused writes included."""

    def __init__(self) -> None:
        self.episodes: dict[tuple[str, str, int], Episode] = {}
        self.writes = 0

    def recent(self, store_id: str, product_id: str) -> list[Episode]:
        shelf = [episode for key, episode in sorted(self.episodes.items()) if key[:2] == (store_id, product_id)]
        return shelf[::-1][:MOST_RECENT]

    def one(self, store_id: str, product_id: str, number: int) -> Episode | None:
        return self.episodes.get((store_id, product_id, number))

    def write(self, episode: Episode) -> None:
        self.writes += 1
        key = episode.store_id, episode.product_id, episode.number
        stored = self.episodes[key].version if key in self.episodes else 0
        if stored != episode.version - 1:
            raise Conflict(f"{episode.alert_id} is not at version {episode.version - 1}.")
        self.episodes[key] = episode


class Bus:
    """Every announcement, in order."""

    def __init__(self) -> None:
        self.details: list[dict[str, Any]] = []

    def announce(self, details: Sequence[dict[str, Any]]) -> None:
        self.details += details
