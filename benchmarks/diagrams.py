"""Draw the diagrams of docs/diagrams from their source.

Run as `python -m benchmarks.diagrams --write`; without `--write` it only tells which drawings are not what the source
says. `system.toml` holds what there is, every other file there a picture of it: where the parts stand and how the
arrows run. Whether it is true is for tests/stacks/test_diagrams.py to say.
"""

import argparse
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

from workshop.places import ROOT

DIAGRAMS = ROOT / "docs" / "diagrams"
SOURCE = DIAGRAMS / "system.toml"

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]

KINDS: Mapping[str, tuple[str, str]] = {
    "bucket": ("S3 bucket", "M4.5 6.5l1.4 8q4.1 1.8 8.2 0l1.4-8M4.5 6.5a5.5 2 0 0 0 11 0a5.5 2 0 0 0-11 0"),
    "bus": ("EventBridge bus", "M3.5 10h13M6.5 10v-4M10 10v4.5M13.5 10v-4"),
    "dead_letters": ("SQS dead letters", "M4 6h12v8.5h-12zM7.5 8l5 5M12.5 8l-5 5"),
    "destination": ("API destination", "M3.5 10h8.5M9 6.5l3.5 3.5l-3.5 3.5M16 5v10"),
    "function": ("Lambda function", "M6.8 4.8h1.9l4.6 10.4h1.9M9.4 8.6l-3.4 6.6"),
    "items": ("DynamoDB table", "M5 6v8c0 2.6 10 2.6 10 0v-8M5 6a5 2 0 0 0 10 0a5 2 0 0 0-10 0M5 10c0 2.6 10 2.6 10 0"),
    "person": ("", "M7.4 7.2a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0-5.2 0M4.8 16c.8-5.2 9.6-5.2 10.4 0"),
    "queue": ("SQS queue", "M4 6h3v8h-3zM8.5 6h3v8h-3zM13 6h3v8h-3z"),
    "schedule": ("EventBridge Scheduler", "M4 10a6 6 0 1 0 12 0a6 6 0 1 0-12 0M10 6.5v3.7l2.6 1.5"),
    "stream": ("Data Firehose", "M4 6.5h7M4 10h11.5M4 13.5h7M12.5 7l3 3l-3 3"),
    "table": ("Glue table", "M4 5h12v10h-12zM4 8.4h12M4 11.7h12M8.6 5v10"),
    "view": ("Glue view", "M3.5 10q6.5-8 13 0q-6.5 8-13 0zM8.2 10a1.8 1.8 0 1 0 3.6 0a1.8 1.8 0 1 0-3.6 0"),
    "workflow": ("Step Functions", "M8 4h4v3.4h-4zM4 12.6h4v3.4h-4zM12 12.6h4v3.4h-4zM10 7.4v2.6M6 12.6v-2.6h8v2.6"),
    "workgroup": ("Athena workgroup", "M4.6 8.6a4 4 0 1 0 8 0a4 4 0 1 0-8 0M11.6 11.6l4 4"),
}
"""What a part is in AWS's words, and its sign as an SVG path on a field of 20 by 20."""

THEMES: Mapping[str, Mapping[str, str]] = {
    "light": {
        "paper": "#ffffff", "edge": "#d1d9e0", "box": "#ffffff", "ink": "#1f2328", "quiet": "#59636e",
        "line": "#6e7781", "outside": "#59636e", "InventoryIngest": "#0969da", "InventoryLake": "#1a7f37",
        "InventoryAlerts": "#9a6700", "InventoryTrucks": "#8250df", "InventoryTruckWebhook": "#bf3989",
        "sign": "#ffffff",
    },
    "dark": {
        "paper": "#0d1117", "edge": "#3d444d", "box": "#151b23", "ink": "#f0f6fc", "quiet": "#9198a1",
        "line": "#848d97", "outside": "#9198a1", "InventoryIngest": "#4493f8", "InventoryLake": "#3fb950",
        "InventoryAlerts": "#d29922", "InventoryTrucks": "#ab7df8", "InventoryTruckWebhook": "#db61a2",
        "sign": "#0d1117",
    },
}  # fmt: skip
"""The colours of each stack and of the rest: GitHub's, so that a drawing looks at home there in either theme."""

BOX_WIDTH, BOX_HEIGHT = 136.0, 46.0
FONT = "'Helvetica Neue',Helvetica,Arial,'Liberation Sans',sans-serif"
"""Fonts as wide as each other, so that what fits here fits there."""


@dataclass(frozen=True)
class Part:
    """Something that makes, carries or keeps data; `path` is its construct's in the app, or None outside of it."""

    label: str
    kind: str
    path: str | None = None
    only_with: str | None = None

    @property
    def stack(self) -> str:
        """The stack it is in."""
        return self.path.partition("/")[0] if self.path else "outside"


@dataclass(frozen=True)
class Tie:
    """One part has to do with another: `by` what, `what` goes there, and what the policies allow, `may`."""

    caller: str
    called: str
    by: str
    what: str
    may: tuple[str, ...]

    @property
    def holder(self) -> str:
        """Who has the rights: Lambda polls a queue with those of the function that works it off."""
        return self.called if self.by == "trigger" else self.caller

    @property
    def held(self) -> str:
        """What the rights are about."""
        return self.caller if self.by == "trigger" else self.called


@dataclass(frozen=True)
class System:
    """What there is: the parts by their keys, and the ties between them by `caller > called`."""

    parts: Mapping[str, Part]
    ties: Mapping[str, Tie]

    @staticmethod
    def read(source: Path = SOURCE) -> "System":
        """Read the one source."""
        document = tomllib.loads(source.read_text("utf-8"))
        ties = {}
        for ends, tie in document["ties"].items():
            caller, called = ends.split(" > ")
            ties[ends] = Tie(caller, called, tie["by"], tie["what"], tuple(tie.get("may", ())))
        return System({key: Part(**part) for key, part in document["parts"].items()}, ties)


@dataclass(frozen=True)
class Box:
    """A part as it is drawn: `x` and `y` are its middle."""

    key: str
    part: Part
    x: float
    y: float
    width: float = BOX_WIDTH
    height: float = BOX_HEIGHT

    @property
    def area(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        return (
            self.x - self.width / 2,
            self.y - self.height / 2,
            self.x + self.width / 2,
            self.y + self.height / 2,
        )

    def port(self, place: str) -> Point:
        """Return a point of the border, such as `left`, or `bottom:-40` for 40 left of its middle."""
        side, _, offset = place.partition(":")
        shift = float(offset or 0)
        left, top, right, bottom = self.area
        if side in ("left", "right"):
            return (left if side == "left" else right, self.y + shift)
        return (self.x + shift, top if side == "top" else bottom)


@dataclass(frozen=True)
class Words:
    """A line of text; `size` is that of its font, in pixels, and `style` its class."""

    text: str
    x: float
    y: float
    anchor: Anchor = "middle"
    style: str = "words"
    size: float = 11

    @property
    def area(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom, as wide as a wide font needs it."""
        width = len(self.text) * self.size * 0.57
        left = self.x - {"start": 0.0, "middle": width / 2, "end": width}[self.anchor]
        return (left, self.y - self.size * 0.8, left + width, self.y + self.size * 0.25)


@dataclass(frozen=True)
class Arrow:
    """A tie as it is drawn, along horizontal and vertical lines from point to point."""

    ends: str
    points: tuple[Point, ...]
    words: tuple[Words, ...]
    returns: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """The ground on which the parts of one stack stand; `at` is left, top, width and height.

    Its heading begins `heading` from the left, beside whatever line passes there.
    """

    stack: str
    title: str
    at: tuple[float, float, float, float]
    heading: float = 15


@dataclass(frozen=True)
class Drawing:
    """A picture of the system."""

    name: str
    title: str
    description: str
    width: float
    height: float
    panels: Sequence[Panel]
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]

    @cached_property
    def file(self) -> Path:
        """Where it is kept."""
        return DIAGRAMS / f"{self.name}.svg"

    def svg(self) -> str:
        """Return the drawing as an SVG document that follows the reader's theme, on a ground of its own."""
        width, height = _number(self.width), _number(self.height)
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            ' role="img" aria-labelledby="title description">',
            f'<title id="title">{escape(self.title)}</title>',
            f'<desc id="description">{escape(" ".join(self.description.split()))}</desc>',
            f"<style>{_style()}</style>",
            f'<rect class="paper" x="0.5" y="0.5" width="{_number(self.width - 1)}" height="{_number(self.height - 1)}"'
            ' rx="10"/>',
            *(line for panel in self.panels for line in _panel(panel)),
            *(line for arrow in self.arrows for line in _arrow(arrow)),
            *(line for box in self.boxes for line in _box(box)),
            *(_words(words) for arrow in self.arrows for words in arrow.words),
            "</svg>",
        ]
        return "\n".join(lines) + "\n"


def drawings(system: System) -> dict[str, Drawing]:
    """Return every picture of the system by its name."""
    views = sorted(file for file in DIAGRAMS.glob("*.toml") if file != SOURCE)
    return {file.stem: _drawing(file.stem, tomllib.loads(file.read_text("utf-8")), system) for file in views}


def _drawing(name: str, view: Mapping[str, Any], system: System) -> Drawing:
    if "holders" in view:
        return _rights(name, view, system)
    widths = view.get("widths", {})
    boxes = {
        key: Box(key, system.parts[key], x, y, widths.get(key, BOX_WIDTH)) for key, (x, y) in view["places"].items()
    }
    arrows = []
    for ends, given in view["arrows"].items():
        tie = system.ties[ends]
        caller, called = boxes[tie.caller], boxes[tie.called]
        points = _route(caller.port(given["leaves"]), called.port(given["enters"]), given)
        text = given.get("words", tie.what)
        words = (_beside(points, text, given.get("at"), given.get("anchor", "middle")),) if text else ()
        dashed = bool(caller.part.only_with or called.part.only_with)
        arrows.append(Arrow(ends, points, words, given.get("returns", False), dashed))
    panels = [Panel(**{**panel, "at": tuple(panel["at"])}) for panel in view["panels"]]
    width, height = view["size"]
    return Drawing(name, view["title"], view["description"], width, height, panels, list(boxes.values()), arrows)


def _route(start: Point, end: Point, given: Mapping[str, Any]) -> tuple[Point, ...]:
    """Lead from border to border: straight, round one corner, or `via` a line between the two."""
    upright = [given[place].partition(":")[0] in ("top", "bottom") for place in ("leaves", "enters")]
    match upright:
        case [True, True] if start[0] != end[0]:
            return (start, (start[0], given["via"]), (end[0], given["via"]), end)
        case [False, False] if start[1] != end[1]:
            return (start, (given["via"], start[1]), (given["via"], end[1]), end)
        case [True, False]:
            return (start, (start[0], end[1]), end)
        case [False, True]:
            return (start, (end[0], start[1]), end)
    if "via" in given:
        return (start, (given["via"], start[1]), (given["via"], end[1]), end)
    return (start, end)


def _beside(points: Sequence[Point], text: str, at: Sequence[float] | None, anchor: Anchor) -> Words:
    """Put words where the picture says, or else beside the middle of the longest line."""
    if at:
        return Words(text, at[0], at[1], anchor)
    (x1, y1), (x2, y2) = max(pairwise(points), key=lambda line: _length(*line))
    if y1 == y2:
        return Words(text, (x1 + x2) / 2, y1 - 6)
    return Words(text, x1 + 6, (y1 + y2) / 2 + 4, "start")


def _rights(name: str, view: Mapping[str, Any], system: System) -> Drawing:
    """Draw who may do what: every holder once, beside it a line for each part that it may do something with."""
    boxes, arrows, width = [], [], 156.0
    left, right, step, y = 99.0, 791.0, 54.0, 46.0
    for holder in view["holders"]:
        ties = [tie for tie in system.ties.values() if tie.may and tie.holder == holder]
        first, last = y, y + step * (len(ties) - 1)
        part = system.parts[holder]
        box = Box(holder, part, left, (first + last) / 2, width, last - first + BOX_HEIGHT)
        boxes.append(box)
        for tie in ties:
            held = Box(f"{holder}: {tie.held}", system.parts[tie.held], right, y, width)
            boxes.append(held)
            points = ((left + width / 2, y), (right - width / 2, y))
            middle = (points[0][0] + points[1][0]) / 2
            above, *below = reversed(tie.may)
            words = (Words(above, middle, y - 6), *(Words(text, middle, y + 16) for text in below))
            dashed = bool(part.only_with or held.part.only_with)
            arrows.append(Arrow(f"{tie.caller} > {tie.called}", points, words, dashed=dashed))
            y += step
        y += 16
    return Drawing(name, view["title"], view["description"], left + right, y - step - 16 + 46, [], boxes, arrows)


def _style() -> str:
    rules = [
        f"text{{font-family:{FONT}}}",
        ".name{font-size:12.5px;font-weight:600}",
        ".kind{font-size:10.5px}",
        ".words{font-size:11px}",
        ".heading{font-size:12px;font-weight:600;letter-spacing:.04em}",
        ".line,.sign{fill:none;stroke-linecap:round;stroke-linejoin:round}",
        ".line{stroke-width:1.5}",
        ".sign{stroke-width:1.4}",
        ".dashed{stroke-dasharray:5 4}",
        ".panel{fill-opacity:.07;stroke-opacity:.35}",
    ]
    dark = "".join(_colours(THEMES["dark"]))
    return "".join([*rules, *_colours(THEMES["light"]), f"@media (prefers-color-scheme:dark){{{dark}}}"])


def _colours(theme: Mapping[str, str]) -> Iterator[str]:
    yield f".paper{{fill:{theme['paper']};stroke:{theme['edge']}}}"
    yield f".box{{fill:{theme['box']}}}"
    yield f".name{{fill:{theme['ink']}}}"
    yield f".kind,.words{{fill:{theme['quiet']}}}"
    yield f".line{{stroke:{theme['line']}}}.head{{fill:{theme['line']}}}"
    yield f".sign{{stroke:{theme['sign']}}}"
    for stack in ("outside", *(name for name in theme if name.startswith("Inventory"))):
        yield f".box.{stack},.panel.{stack}{{stroke:{theme[stack]}}}"
        yield f".chip.{stack},.panel.{stack},.heading.{stack}{{fill:{theme[stack]}}}"


def _panel(panel: Panel) -> Iterator[str]:
    left, top, width, height = map(_number, panel.at)
    yield f'<rect class="panel {panel.stack}" x="{left}" y="{top}" width="{width}" height="{height}" rx="10"/>'
    x, y = _number(panel.at[0] + panel.heading), _number(panel.at[1] + 18)
    yield f'<text class="heading {panel.stack}" x="{x}" y="{y}">{escape(panel.title)}</text>'


def _box(box: Box) -> Iterator[str]:
    left, top, *_ = box.area
    stack, dashed = box.part.stack, " dashed" if box.part.only_with else ""
    name, sign = KINDS[box.part.kind]
    yield (
        f'<rect class="box {stack}{dashed}" x="{_number(left)}" y="{_number(top)}" width="{_number(box.width)}"'
        f' height="{_number(box.height)}" rx="8"/>'
    )
    chip = f"{_number(left + 6)} {_number(box.y - 10)}"
    yield f'<g transform="translate({chip})"><rect class="chip {stack}" width="20" height="20" rx="5"/>'
    yield f'<path class="sign" d="{sign}"/></g>'
    x = _number(left + 32)
    if name:
        yield f'<text class="name" x="{x}" y="{_number(box.y - 2)}">{escape(box.part.label)}</text>'
        yield f'<text class="kind" x="{x}" y="{_number(box.y + 13)}">{escape(name)}</text>'
    else:
        yield f'<text class="name" x="{x}" y="{_number(box.y + 4.5)}">{escape(box.part.label)}</text>'


def _arrow(arrow: Arrow) -> Iterator[str]:
    points = list(arrow.points)
    yield f'<path class="line{" dashed" if arrow.dashed else ""}" d="{_path(points)}"/>'
    yield _head(points[-2], points[-1])
    if arrow.returns:
        yield _head(points[1], points[0])


def _path(points: Sequence[Point], radius: float = 8) -> str:
    """Return a line through the points as an SVG path, its corners rounded."""
    parts = [f"M{_pair(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        parts += [
            f"L{_pair(_toward(corner, before, radius))}",
            f"Q{_pair(corner)} {_pair(_toward(corner, after, radius))}",
        ]
    return "".join([*parts, f"L{_pair(points[-1])}"])


def _head(before: Point, tip: Point, length: float = 8, breadth: float = 4) -> str:
    x, y = _toward(tip, before, length)
    wide, high = (0.0, breadth) if before[1] == tip[1] else (breadth, 0.0)
    return f'<path class="head" d="M{_pair(tip)}L{_pair((x + wide, y + high))}L{_pair((x - wide, y - high))}z"/>'


def _toward(start: Point, end: Point, distance: float) -> Point:
    share = min(distance, _length(start, end) / 2) / _length(start, end)
    return (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)


def _length(start: Point, end: Point) -> float:
    return abs(end[0] - start[0]) + abs(end[1] - start[1])


def _words(words: Words) -> str:
    place = f'x="{_number(words.x)}" y="{_number(words.y)}"'
    return f'<text class="{words.style}" {place} text-anchor="{words.anchor}">{escape(words.text)}</text>'


def _pair(point: Point) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def main() -> int:
    """Write the drawings, or tell which of them are not what the source says."""
    parser = argparse.ArgumentParser(description="Draw the diagrams of docs/diagrams from their source.")
    parser.add_argument("--write", action="store_true", help="write the drawings; otherwise they are only compared")
    write = parser.parse_args().write
    stale = []
    for drawing in drawings(System.read()).values():
        if write:
            drawing.file.write_text(drawing.svg(), "utf-8")
        elif not drawing.file.is_file() or drawing.file.read_text("utf-8") != drawing.svg():
            stale.append(drawing.file.name)
    if stale:
        print(f"Not what their source says: {', '.join(stale)}. Run: python -m benchmarks.diagrams --write")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
