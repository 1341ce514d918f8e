"""The page's files: nothing foreign, nothing inline, the libraries as they were published, and a map that fits."""

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.fleet import DEPOTS
from workshop.console import outlines
from workshop.places import ROOT

PAGE = ROOT / "workshop" / "console" / "page"
VENDOR = PAGE / "vendor"
OURS = sorted(file for file in PAGE.iterdir() if file.suffix in {".html", ".js", ".css", ".svg"})
CODE = [file for file in OURS if file.suffix == ".js"]

# What the policy `script-src 'self'; style-src 'self'` refuses, or what would write text as markup.
INLINE = re.compile(
    r"<script(?![^>]*\ssrc=)[^>]*>|<style\b|\sstyle=[\"']|\son[a-z]+=[\"']|[\"'=]\s*javascript:", re.IGNORECASE
)
MARKUP = re.compile(
    r"\.(?:inner|outer)HTML\b|insertAdjacentHTML|document\.write|dangerouslySetInnerHTML|DOMParser|createContextualFragment"
    r"|\beval\(|new Function\(|setAttribute\([\"']style"
)
# A namespace is a name, and nothing is fetched from it.
FOREIGN = re.compile(r"(?<![\w.])(?:https?:|wss?:)?//(?!www\.w3\.org/)[a-z0-9][\w-]*\.[a-z]{2,}", re.IGNORECASE)
IMPORTED = re.compile(r"""(?:\bfrom\s+|\bimport\s*\(?\s*)["']([^"']+)["']""")
LINKED = re.compile(r"""\b(?:src|href)="([^"#]+)\"""")


def found(pattern: re.Pattern[str], file: Path) -> list[str]:
    return [f"{file.name}: {text[0]}" for text in pattern.finditer(file.read_text("utf-8"))]


def test_vendored_libraries_are_as_they_were_published() -> None:
    lines = (line.split() for line in (VENDOR / "SHA256SUMS").read_text("utf-8").splitlines())
    listed = {name: digest for digest, name in lines}
    kept = {file.name for file in VENDOR.iterdir()} - {"SHA256SUMS", "README.md"}
    assert kept == set(listed)
    assert {name: sha256((VENDOR / name).read_bytes()).hexdigest() for name in listed} == listed


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_nothing_is_inline(file: Path) -> None:
    assert found(INLINE, file) == []


@pytest.mark.parametrize("file", CODE, ids=lambda file: file.name)
def test_text_never_becomes_markup(file: Path) -> None:
    assert found(MARKUP, file) == []


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_nothing_foreign_is_fetched(file: Path) -> None:
    assert found(FOREIGN, file) == []


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_what_a_file_names_is_there(file: Path) -> None:
    named = {
        name for pattern in (IMPORTED, LINKED) for name in pattern.findall(file.read_text("utf-8")) if "$" not in name
    }
    assert {name for name in named if not name.startswith("/page/")} == set()
    assert {name for name in named if not (PAGE / name.removeprefix("/page/")).is_file()} == set()


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (INLINE, "<script>go()</script>"),
        (INLINE, '<p style="color: red">'),
        (INLINE, '<img src="x" onerror="go()">'),
        (INLINE, '<a href="javascript:go()">'),
        (MARKUP, "box.innerHTML = name"),
        (MARKUP, "html`<p dangerouslySetInnerHTML=${name} />`"),
        (FOREIGN, '@import "https://fonts.example.com/sans.css"'),
        (FOREIGN, 'import "//cdn.example.com/x.js"'),
    ],
)
def test_the_patterns_find_what_they_are_for(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)


@pytest.fixture(scope="module")
def europe() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(outlines.FILE.read_text("utf-8"))
    return found


def test_the_map_is_small_and_says_whom_to_thank(europe: dict[str, Any]) -> None:
    assert outlines.FILE.stat().st_size < 150_000
    assert "Natural Earth" in europe["source"]
    assert "public domain" in europe["licence"]


@pytest.mark.parametrize("kind", ["lines", "land"])
def test_the_map_stays_in_its_box_and_never_jumps(europe: dict[str, Any], kind: str) -> None:
    for line in europe[kind]:
        assert len(line) > 1
        for x, y in line:
            assert outlines.WEST <= x <= outlines.EAST
            assert outlines.SOUTH <= y <= outlines.NORTH
            assert (round(x, 2), round(y, 2)) == (x, y)
        for (x, y), (to_x, to_y) in pairwise(line):
            # Only the edge of the map is drawn in long strokes.
            along_edge = (x == to_x and x in (outlines.WEST, outlines.EAST)) or (
                y == to_y and y in (outlines.SOUTH, outlines.NORTH)
            )
            assert along_edge or abs(to_x - x) + abs(to_y - y) < 8


def is_land(europe: dict[str, Any], longitude: float, latitude: float) -> bool:
    """Tell whether a point is filled by the even-odd rule."""
    inside = False
    for ring in europe["land"]:
        for (x, y), (to_x, to_y) in pairwise(ring):
            if (y > latitude) != (to_y > latitude) and longitude < x + (latitude - y) / (to_y - y) * (to_x - x):
                inside = not inside
    return inside


def test_depots_stand_on_land_and_the_seas_are_water(europe: dict[str, Any]) -> None:
    assert [depot.name for depot in DEPOTS if not is_land(europe, depot.longitude, depot.latitude)] == []
    seas = {
        "North Sea": (3, 56),
        "Biscay": (-5, 45.5),
        "Baltic": (19.5, 57),
        "Tyrrhenian": (12, 40),
        "Norwegian": (0, 68),
    }
    assert [name for name, place in seas.items() if is_land(europe, *place)] == []


def test_rings_are_closed(europe: dict[str, Any]) -> None:
    assert all(ring[0] == ring[-1] for ring in europe["land"])


def square(west: float, south: float, side: float) -> list[tuple[float, float]]:
    east, north = west + side, south + side
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]


def topology(*rings: list[tuple[float, float]]) -> dict[str, Any]:
    """Return a TopoJSON document with each ring as one arc, the second of them read backwards."""

    def steps(ring: list[tuple[float, float]]) -> Iterator[list[int]]:
        at = (0, 0)
        for x, y in ring:
            to = (round((x + 180) * 100), round((y + 90) * 100))
            yield [to[0] - at[0], to[1] - at[1]]
            at = to

    arcs = [[number if number != 1 else ~number] for number in range(len(rings))]
    geometry = {"type": "MultiPolygon", "arcs": [[ring] for ring in arcs]}
    return {
        "transform": {"scale": [0.01, 0.01], "translate": [-180, -90]},
        "arcs": [list(steps(ring)) for ring in rings],
        "objects": {"countries": {"type": "GeometryCollection", "geometries": [geometry]}, "land": geometry},
    }


def test_arcs_are_steps_and_may_be_read_backwards() -> None:
    drawn = outlines.outlines(topology(square(0, 50, 2), square(10, 50, 2)))
    assert [set(line) for line in drawn["lines"]] == [set(square(0, 50, 2)), set(square(10, 50, 2))]
    assert [set(ring) for ring in drawn["land"]] == [set(square(0, 50, 2)), set(square(10, 50, 2))]


def test_what_leaves_the_map_is_cut_at_its_edge() -> None:
    drawn = outlines.outlines(topology(square(44, 50, 4)))
    assert set(drawn["land"][0]) == {(44, 50), (45, 50), (45, 54), (44, 54)}
    assert {(45, 50), (45, 54)} <= {point for line in drawn["lines"] for point in line}


def test_land_across_the_date_line_stays_in_the_east() -> None:
    drawn = outlines.outlines(topology([(30, 60), (179, 60), (-175, 66), (179, 70), (30, 70), (30, 60)]))
    assert {x for x, _ in drawn["land"][0]} == {30, 45}
    assert all(x >= 30 for line in drawn["lines"] for x, _ in line)


@given(st.lists(st.tuples(st.floats(10, 10.3), st.floats(50, 50.3)), min_size=2, max_size=30))
def test_a_simpler_line_keeps_its_ends_and_stays_near(line: list[tuple[float, float]]) -> None:
    simple = outlines.simplified(line)
    assert (simple[0], simple[-1]) == (line[0], line[-1])
    kept = iter(line)
    assert all(point in kept for point in simple)
    for x, y in line:
        assert any(
            outlines.distance((x, y), start, end) <= outlines.TOLERANCE + 1e-9 for start, end in pairwise(simple)
        )


@given(st.lists(st.tuples(st.floats(-60, 80), st.floats(0, 90)), min_size=2, max_size=30))
def test_a_clipped_line_is_in_the_map(line: list[tuple[float, float]]) -> None:
    for piece in outlines.clipped_line(line):
        for x, y in piece:
            assert outlines.WEST - 1e-9 <= x <= outlines.EAST + 1e-9
            assert outlines.SOUTH - 1e-9 <= y <= outlines.NORTH + 1e-9
