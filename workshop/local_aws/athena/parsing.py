"""A query's text, parsed as Athena's engine would."""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import SqlglotError
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokenizer_core import Token, TokenType

from workshop.local_aws.athena.errors import MalformedStatement, QueryFailed, not_supported

JSON_VALUE_RETURNING = "json_value returning"

# What Trino takes for said where nothing is: https://trino.io/docs/current/functions/json.html
_UNSAID = {
    "JSON_EXISTS": {"FALSE ON ERROR"},
    "JSON_VALUE": {"RETURNING VARCHAR", "NULL ON EMPTY", "NULL ON ERROR"},
    "JSON_QUERY": {
        "RETURNING VARCHAR", "WITHOUT WRAPPER", "WITHOUT ARRAY WRAPPER", "KEEP QUOTES", "KEEP QUOTES ON SCALAR STRING",
        "NULL ON EMPTY", "NULL ON ERROR",
    },
}  # fmt: skip


def _json_call(name: str) -> Callable[["_Parser"], exp.Expr]:
    """Return the parser of a JSON function's arguments, which words of their own follow."""

    def parse_call(parser: "_Parser") -> exp.Expr:
        arguments = parser._parse_csv(parser._parse_disjunction)
        kind = None
        if name == "JSON_VALUE" and parser._match_text_seq("RETURNING"):
            kind = parser._parse_types()
        words: list[str] = []
        depth = 0
        while parser._curr and (depth or parser._curr.token_type != TokenType.R_PAREN):
            depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(parser._curr.token_type, 0)
            words.append(parser._curr.text)
            parser._advance()
        said = " ".join(words).upper()
        for unsaid in sorted(_UNSAID.get(name, ()), key=len, reverse=True):
            said = said.replace(unsaid, "").strip()
        if said or name not in _UNSAID:
            raise not_supported(None, f"{name} with {said}" if name in _UNSAID else f"The function {name.lower()}")
        if kind is None:
            return exp.Anonymous(this=name.lower(), expressions=arguments)
        return exp.Anonymous(this=JSON_VALUE_RETURNING, expressions=[*arguments, exp.Literal.string(kind.sql("trino"))])

    return parse_call


class _Parser(TrinoParser):
    """Leaves function calls as they are written: functions.txt says what they mean."""

    FUNCTIONS = {}  # noqa: RUF012 - sqlglot's way of configuring a dialect
    FUNCTION_PARSERS = {
        name: parser
        for name, parser in TrinoParser.FUNCTION_PARSERS.items()
        if name in {"CAST", "EXTRACT", "LISTAGG", "POSITION", "SUBSTRING", "TRIM", "TRY_CAST"}
    } | {name: _json_call(name) for name in (*_UNSAID, "JSON_TABLE", "JSON_OBJECT", "JSON_ARRAY")}
    TYPE_LITERAL_PARSERS = {  # noqa: RUF012
        **TrinoParser.TYPE_LITERAL_PARSERS,
        exp.DataType.Type.DECIMAL: lambda _self, text, _kind: _decimal(text.name),
    }


def _decimal(text: str) -> exp.Expr:
    """Return `DECIMAL '1.50'`, whose digits are its type, where sqlglot takes it for a cast to decimal(38, 0)."""
    match = re.fullmatch(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)", text)
    if match is None:
        raise QueryFailed("INVALID_LITERAL", f"'{text}' is not a valid DECIMAL literal")
    number = exp.Literal.number(match[2] if "." in match[2] else match[2] + ".")
    return exp.Neg(this=number) if match[1] == "-" else number


class _Dialect(Trino):
    """Trino with subscripts as they are written."""

    INDEX_OFFSET = 0
    Parser = _Parser


def parse(text: str) -> exp.Expr:
    """Parse one query; raises MalformedStatement, worded as Athena words it."""
    dialect = _Dialect()
    try:
        _check_words(dialect.tokenize(text))
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


def malformed(text: str, at: int, word: str) -> MalformedStatement:
    """Return the refusal of a text because of the word at a place in it."""
    before = text[:at]
    line, column = before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
    return MalformedStatement(f"line {line}:{column}: mismatched input '{word}'")


def statement_name(statement: exp.Expr) -> str:
    """Return what a statement is called, such as `CREATE TABLE`."""
    if isinstance(statement, exp.Command):
        return str(statement.this).upper()
    kind = statement.args.get("kind")
    return f"{type(statement).__name__.upper()}{f' {kind}' if isinstance(kind, str) else ''}"
