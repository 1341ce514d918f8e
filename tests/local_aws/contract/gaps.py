"""What the embedded AWS does not offer, and says so."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gap:
    """Why a rule is not kept, and the words (a regular expression) of the error that whoever relies on it gets."""

    reason: str
    error: str


GAPS: dict[str, Gap] = {
    "explain": Gap(
        "the plan would be DuckDB's, not Trino's; EXPLAIN (TYPE VALIDATE) is answered",
        r"NOT_SUPPORTED: EXPLAIN other than EXPLAIN \(TYPE VALIDATE\)",
    ),
    "try": Gap(
        "try around what may fail by a division: DuckDB's TRY refuses the function that raises the error",
        r"NOT_SUPPORTED: .*TRY can not be used in combination with a volatile function",
    ),
}
"""Known gaps by rule id. One that is closed has to leave this list: the contract's test sees to it."""
