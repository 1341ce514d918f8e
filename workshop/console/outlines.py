"""Make the map's outlines of Europe: `python -m workshop.console.outlines countries-50m.json`.

The file is npm's `world-atlas` 2.0.2 (TopoJSON, ISC licence), made from Natural Earth's 1:50m countries, which are in
the public domain. What comes out is one JSON document, `page/europe.json`, for the live page and the notebooks:

- `source`, `licence`: whom to thank;
- `lines`: coasts and borders as polylines, each drawn once however many countries share it;
- `land`: the same land as closed rings, to fill with the even-odd rule (a lake is a ring inside a ring).

A point is `[longitude, latitude]` in degrees with two decimals, about a kilometre.
"""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, groupby, pairwise
from pathlib import Path
from typing import Any, Final

Point = tuple[float, float]

WEST, SOUTH, EAST, NORTH = -25.0, 34.0, 45.0, 72.0
"""What the map can show, in degrees."""
DECIMALS: Final = 2
TOLERANCE: Final = 0.03
"""How far, in degrees, a line may be from the one it stands for: about three kilometres, a pixel of the whole map."""
SMALLEST: Final = 0.1
"""Islands of a smaller extent, in degrees, are left out: they would be a dot on the map."""
FILE: Final = Path(__file__).parent / "page" / "europe.json"


def outlines(topology: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `europe.json` document of a TopoJSON topology with the objects `countries` and `land`."""
    arcs = [simplified(arc) for arc in decoded(topology)]
    used = {arc if arc >= 0 else ~arc for arc in _numbers(topology["objects"]["countries"])}
    lines = [line for number in sorted(used) for line in clipped_line(arcs[number])]
    rings = (clipped_ring(_joined(ring, arcs)) for ring in _rings(topology["objects"]["land"]))
    return {
        "source": "Natural Earth 1:50m, by way of npm world-atlas 2.0.2",
        "licence": "public domain (Natural Earth), ISC (world-atlas)",
        "lines": [line for line in map(_rounded, lines) if _extent(line) >= SMALLEST],
        "land": [ring for ring in map(_rounded, rings) if len(ring) > 3 and _extent(ring) >= SMALLEST],
    }


def decoded(topology: Mapping[str, Any]) -> list[list[Point]]:
    """Return a topology's arcs in degrees.

    A quantised arc holds steps, the first one from the origin (The TopoJSON Format Specification, 2.1.3).
    """
    (scale_x, scale_y), (x0, y0) = topology["transform"]["scale"], topology["transform"]["translate"]
    steps = (accumulate(arc, lambda at, step: (at[0] + step[0], at[1] + step[1])) for arc in topology["arcs"])
    return [unwrapped([(x0 + scale_x * x, y0 + scale_y * y) for x, y in arc]) for arc in steps]


def unwrapped(line: Sequence[Point]) -> list[Point]:
    """Return a line that leaves the map of the world where it crossed the date line, and never at the western edge.

    Else the outline of Asia, which jumps from 180 to -180, would run across Europe.
    """
    turns = accumulate((round((end[0] - start[0]) / 360) for start, end in pairwise(line)), initial=0)
    whole = [(x - 360 * turn, y) for (x, y), turn in zip(line, turns, strict=True)]
    east = 360 if min(x for x, _ in whole) < -180 else 0
    return [(x + east, y) for x, y in whole]


def simplified(line: Sequence[Point]) -> list[Point]:
    """Return a line without the points that matter less than the tolerance (Douglas and Peucker, 1973).

    Its ends stay, so arcs that met still meet. A closed line is held open by its farthest point.
    """
    kept, spans = {0, len(line) - 1}, [(0, len(line) - 1)]
    while spans:
        first, last = spans.pop()
        far, offset = max(
            ((at, distance(line[at], line[first], line[last])) for at in range(first + 1, last)),
            key=lambda found: found[1],
            default=(first, 0.0),
        )
        if offset > TOLERANCE:
            kept.add(far)
            spans += [(first, far), (far, last)]
    return [line[at] for at in sorted(kept)]


def clipped_line(line: Sequence[Point]) -> Iterator[list[Point]]:
    """Yield the pieces of a line inside the map: a line that leaves it and comes back is two."""
    piece: list[Point] = []
    for start, end in pairwise(line):
        inside = _clipped_segment(start, end)
        if inside is None:
            continue
        if not piece or piece[-1] != inside[0]:
            if piece:
                yield piece
            piece = [inside[0]]
        piece.append(inside[1])
    if piece:
        yield piece


def clipped_ring(ring: Sequence[Point]) -> list[Point]:
    """Return the part of a ring inside the map, closed along its edges (Sutherland and Hodgman, 1974)."""
    kept = list(ring)
    for axis, bound, sign in ((0, WEST, 1), (0, EAST, -1), (1, SOUTH, 1), (1, NORTH, -1)):
        points, kept = kept, []
        for start, end in pairwise([*points, *points[:1]]):
            start_in, end_in = sign * (start[axis] - bound) >= 0, sign * (end[axis] - bound) >= 0
            if start_in:
                kept.append(start)
            if start_in != end_in:
                kept.append(_between(start, end, (bound - start[axis]) / (end[axis] - start[axis])))
    return [*kept, *kept[:1]]


def _clipped_segment(start: Point, end: Point) -> tuple[Point, Point] | None:
    """Return the part of a segment inside the map, or None (Liang and Barsky, 1984)."""
    enters, leaves = 0.0, 1.0
    for axis, low, high in ((0, WEST, EAST), (1, SOUTH, NORTH)):
        step = end[axis] - start[axis]
        if step == 0:
            if not low <= start[axis] <= high:
                return None
            continue
        first, last = sorted(((low - start[axis]) / step, (high - start[axis]) / step))
        enters, leaves = max(enters, first), min(leaves, last)
    if enters >= leaves:
        return None
    return _between(start, end, enters) if enters else start, _between(start, end, leaves) if leaves < 1 else end


def distance(point: Point, start: Point, end: Point) -> float:
    """Return how far a point is from a segment."""
    (x, y), (x0, y0), (dx, dy) = point, start, (end[0] - start[0], end[1] - start[1])
    length = dx * dx + dy * dy
    share = min(1.0, max(0.0, ((x - x0) * dx + (y - y0) * dy) / length)) if length else 0.0
    return math.hypot(x - x0 - share * dx, y - y0 - share * dy)


def _between(start: Point, end: Point, share: float) -> Point:
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _rings(geometry: Mapping[str, Any]) -> Iterator[list[int]]:
    """Yield the rings of a geometry, each the numbers of its arcs."""
    match geometry["type"]:
        case "GeometryCollection":
            for each in geometry["geometries"]:
                yield from _rings(each)
        case "Polygon":
            yield from geometry["arcs"]
        case "MultiPolygon":
            for polygon in geometry["arcs"]:
                yield from polygon


def _numbers(geometry: Mapping[str, Any]) -> Iterator[int]:
    for ring in _rings(geometry):
        yield from ring


def _joined(ring: Sequence[int], arcs: Sequence[Sequence[Point]]) -> list[Point]:
    """Return a ring's points: `~n` is arc n read backwards, and an arc begins where the one before it ends."""
    return unwrapped([point for arc in ring for point in (arcs[arc] if arc >= 0 else arcs[~arc][::-1])[1:]])


def _rounded(line: Sequence[Point]) -> list[Point]:
    return [point for point, _ in groupby((round(x, DECIMALS), round(y, DECIMALS)) for x, y in line)]


def _extent(line: Sequence[Point]) -> float:
    """Return the longer side, in degrees, of the box around a line; 0 when nothing is left of it."""
    return max((max(axis) - min(axis) for axis in zip(*line, strict=True)), default=0)


if __name__ == "__main__":
    found = outlines(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    FILE.write_text(json.dumps(found, separators=(",", ":")) + "\n", "utf-8")
