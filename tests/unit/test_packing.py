from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.packing import (
    MAX_CALL_BYTES,
    MAX_CALL_RECORDS,
    MAX_RECORD_BYTES,
    LineTooLong,
    batches,
    pack,
)

LINES = st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=12), max_size=40)


@given(LINES, st.integers(49, 80))
def test_records_hold_the_lines_in_order_each_with_its_newline(lines: list[str], limit: int) -> None:
    assert b"".join(pack(lines, limit)) == "".join(f"{line}\n" for line in lines).encode()


@given(LINES, st.integers(49, 80))
def test_records_keep_the_limit_and_are_as_full_as_the_next_line_allows(lines: list[str], limit: int) -> None:
    records = list(pack(lines, limit))
    assert all(0 < len(record) <= limit for record in records)
    for record, following in pairwise(records):
        assert len(record) + len(following.split(b"\n")[0]) + 1 > limit


def test_a_line_fills_a_record_to_the_last_byte_and_no_further() -> None:
    assert [len(record) for record in pack(["x" * (MAX_RECORD_BYTES - 1)])] == [1_024_000]
    with pytest.raises(LineTooLong, match="1024001 bytes"):
        list(pack(["x" * MAX_RECORD_BYTES]))
    with pytest.raises(LineTooLong):
        list(pack(["é" * (MAX_RECORD_BYTES // 2)]))  # bytes count, not characters


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=40), st.integers(1, 5), st.integers(9, 30))
def test_batches_keep_order_and_limits_and_are_as_large_as_they_may_be(
    records: list[bytes], max_records: int, max_bytes: int
) -> None:
    calls = list(batches(records, max_records, max_bytes))
    assert [record for call in calls for record in call] == records
    for call in calls:
        assert 0 < len(call) <= max_records
        assert sum(map(len, call)) <= max_bytes
    for call, following in pairwise(calls):
        assert len(call) == max_records or sum(map(len, call)) + len(following[0]) > max_bytes


def test_the_limits_are_those_of_put_record_batch() -> None:
    assert [len(call) for call in batches([b"x"] * 501)] == [500, 1]
    assert [len(call) for call in batches([b"x" * MAX_RECORD_BYTES] * 5)] == [4, 1]
    assert (MAX_CALL_RECORDS, MAX_CALL_BYTES) == (500, 4_194_304)
