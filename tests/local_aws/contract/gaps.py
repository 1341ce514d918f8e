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
}
"""Known gaps by rule id. One that is closed has to leave this list: the contract's test sees to it."""
