"""How a statement fails: Athena's words and its error catalogue."""

from dataclasses import dataclass

from sqlglot import exp

# Type numbers: https://docs.aws.amazon.com/athena/latest/ug/error-reference.html
USER, SYNTAX, INTERNAL = 2, 1006, 200


@dataclass(slots=True)
class QueryFailed(Exception):
    """A statement that ends as FAILED; `code` leads the reason, as in `COLUMN_NOT_FOUND: line 1:8: …`."""

    code: str
    detail: str
    category: int = USER
    error_type: int = SYNTAX

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class QueryCancelled(Exception):
    """A statement that is stopped before it ends; the message is the reason."""


class MalformedStatement(Exception):
    """A text that is no statement: StartQueryExecution itself refuses it."""


def failure(code: str, at: exp.Expr | None, text: str) -> QueryFailed:
    """Return the failure of a statement at the place of an expression, counted from line 1, column 1."""
    placed = [node for node in at.walk() if "line" in node.meta] if at is not None else []
    place = min(placed, key=lambda node: node.meta["start"], default=None)
    if place is None:
        return QueryFailed(code, text)
    # sqlglot keeps the column of a token's last character.
    column = place.meta["col"] - (place.meta["end"] - place.meta["start"])
    return QueryFailed(code, f"line {place.meta['line']}:{column}: {text}")


def column_not_found(at: exp.Expr, name: str) -> QueryFailed:
    """Return the failure of a column that no table in scope has."""
    return failure(
        "COLUMN_NOT_FOUND",
        at,
        f"Column '{name}' cannot be resolved or requester is not authorized to access requested resources",
    )


def not_supported(at: exp.Expr | None, what: str) -> QueryFailed:
    """Return the failure of something Athena may know and the embedded one does not."""
    return failure("NOT_SUPPORTED", at, f"{what} is not supported by the embedded Athena")
