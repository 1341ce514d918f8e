"""A statement's text, parsed as Athena's engine would: Trino's SQL with `?` for parameters."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import SqlglotError
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokenizer_core import Token, TokenType

from workshop.local_aws.athena.errors import MalformedStatement, QueryFailed


class _Parser(TrinoParser):
    """Leaves function calls as they are written: functions.txt says what they mean."""

    FUNCTIONS = {}  # noqa: RUF012 - sqlglot's way of configuring a dialect
    FUNCTION_PARSERS = {  # noqa: RUF012
        name: parser
        for name, parser in TrinoParser.FUNCTION_PARSERS.items()
        if name in {"CAST", "EXTRACT", "LISTAGG", "POSITION", "SUBSTRING", "TRIM", "TRY_CAST"}
    }


class _Dialect(Trino):
    """Trino with subscripts as they are written."""

    INDEX_OFFSET = 0
    Parser = _Parser


def parse(text: str, parameters: Sequence[str] = ()) -> exp.Expr:
    """Parse one statement, with `?` replaced by the texts of its parameters.

    Raises MalformedStatement, worded as Athena words it, and QueryFailed for a wrong number of parameters.
    """
    dialect = _Dialect()
    try:
        tokens = dialect.tokenize(text)
        _check_words(tokens)
        marks = [token for token in tokens if token.token_type == TokenType.PLACEHOLDER]
        if len(marks) != len(parameters):
            raise QueryFailed(
                "INVALID_PARAMETER_USAGE",
                f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}",
            )
        for mark, parameter in zip(reversed(marks), reversed(parameters), strict=True):
            text = text[: mark.start] + parameter + text[mark.end + 1 :]
        statements = [statement for statement in dialect.parse(text) if statement is not None]
    except SqlglotError as error:
        raise MalformedStatement(_syntax(error, text)) from None
    if not statements:
        raise MalformedStatement("line 1:1: mismatched input '<EOF>'")
    if len(statements) > 1:
        raise MalformedStatement("Only one sql statement is allowed")
    return statements[0]


def _check_words(tokens: Sequence[Token]) -> None:
    """Refuse what sqlglot takes for an expression or lets pass: another first word, and a SELECT of nothing."""
    wrong = next((b for a, b in pairwise(tokens) if (a.token_type, b.token_type) == _SELECT_OF_NOTHING), None)
    if tokens and tokens[0].text.upper() not in _FIRST_WORDS:
        wrong = tokens[0]
    if wrong is not None:
        text = f"line {wrong.line}:{wrong.col - (wrong.end - wrong.start)}: mismatched input '{wrong.text}'"
        raise MalformedStatement(text)


_SELECT_OF_NOTHING = (TokenType.SELECT, TokenType.FROM)
_FIRST_WORDS = frozenset({
    "(", "ALTER", "ANALYZE", "CALL", "COMMENT", "COMMIT", "COPY", "CREATE", "DEALLOCATE", "DELETE", "DENY",
    "DESC", "DESCRIBE", "DROP", "EXECUTE", "EXPLAIN", "GRANT", "INSERT", "MERGE", "MSCK", "OPTIMIZE", "PREPARE",
    "REFRESH", "RESET", "REVOKE", "ROLLBACK", "SELECT", "SET", "SHOW", "START", "TABLE", "TRUNCATE", "UNLOAD",
    "UPDATE", "USE", "VACUUM", "VALUES", "WITH",
})  # fmt: skip


def _syntax(error: SqlglotError, text: str) -> str:
    details: dict[str, Any] = next(iter(getattr(error, "errors", None) or [{}]))
    if not details.get("line"):
        lines = text.splitlines() or [""]
        return f"line {len(lines)}:{len(lines[-1]) + 1}: mismatched input '<EOF>'"
    word = details.get("highlight") or "<EOF>"
    return f"line {details['line']}:{max(1, details['col'] - len(word) + 1)}: mismatched input '{word}'"


def statement_name(statement: exp.Expr) -> str:
    """Return what a statement is called, such as `CREATE TABLE`."""
    if isinstance(statement, exp.Command):
        return str(statement.this).upper()
    kind = statement.args.get("kind")
    return f"{type(statement).__name__.upper()}{f' {kind}' if isinstance(kind, str) else ''}"
