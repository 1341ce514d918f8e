"""Trino's expressions as DuckDB's, each with the Trino type it has.

Every construct has its own method here and every function its line in functions.txt; what has neither is refused by
name. So an expression either means the same in DuckDB or is not run.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlglot import exp

from workshop.local_aws.athena import dates
from workshop.local_aws.athena.errors import QueryFailed, column_not_found, failure, not_supported
from workshop.local_aws.athena.functions import LITERALS, WINDOW_ONLY, Binding, Function, fill, functions
from workshop.local_aws.athena.plan import CATALOG, Field, Query, Scope, Value, literal, quoted
from workshop.local_aws.athena.trino_types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DAY_TO_SECOND,
    DOUBLE,
    INTEGER,
    INTEGERS,
    INTERVALS,
    JSON,
    NUMBERS,
    TIMESTAMP,
    TIMESTAMP_TZ,
    UNKNOWN,
    VARBINARY,
    VARCHAR,
    YEAR_TO_MONTH,
    Type,
    UnknownType,
    as_decimal,
    common,
    common_of,
    duckdb,
    parse_type,
)

UNITS = frozenset({
    "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year",
})  # fmt: skip

# A timestamp in a zone of its own, which DuckDB has no type for: it may be taken apart, and not be shown or compared.
ZONED = Type("zoned")
_TAKES_ZONED = frozenset({
    "date_format", "format_datetime", "date", "date_trunc", "year", "quarter", "month", "week", "week_of_year",
    "year_of_week", "yow", "day", "day_of_month", "day_of_week", "dow", "day_of_year", "doy", "hour", "minute",
    "second", "millisecond", "last_day_of_month",
})  # fmt: skip


class Expressions(ABC):
    """Translates the expressions of one statement, depth first, and notes which columns they read."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._reads: set[Field] = set()
        self._bare: set[tuple[str, Field]] = set()
        self._lambdas: list[dict[str, Type]] = []
        self._keys: set[str] | None = None
        self._windows: list[set[Field]] = []
        self._trying = False

    @abstractmethod
    def _query(self, node: exp.Expr, outer: Scope) -> Query:
        """Translate a query in a scope of its own."""

    @contextmanager
    def _reading(self) -> Iterator[set[Field]]:
        """Collect the columns that are read inside, and add them to what is read around it."""
        outer, self._reads = self._reads, set()
        try:
            yield self._reads
        finally:
            inner, self._reads = self._reads, outer
            self._reads |= inner

    @contextmanager
    def _keyed(self, keys: set[str] | None) -> Iterator[None]:
        """Inside, only expressions made of these GROUP BY keys and of aggregates are accepted; None accepts all."""
        outer, self._keys = self._keys, keys
        try:
            yield
        finally:
            self._keys = outer

    def _copied(self, item: exp.Expr | Field, scope: Scope) -> Field | None:
        """Return the source's column that an item is, or None when it is computed."""
        if isinstance(item, Field):
            return item
        if not isinstance(item, exp.Column):
            return None
        outer, self._bare = self._bare, set()
        with self._keyed(None), self._reading() as reads:
            value = self._value(item, scope)
        bare, self._bare = self._bare, outer
        if len(bare) != 1 or len(reads) != 1:
            return None
        alias, column = bare.pop()
        return column if value.sql == f"{quoted(alias)}.{quoted(column.column)}" else None

    def _ordered(self, item: exp.Ordered, scope: Scope, query: Query | None) -> str:
        """Translate one key of an ORDER BY: Trino puts nulls last, up or down, unless told otherwise."""
        tail = (
            f" {'DESC' if item.args.get('desc') else 'ASC'} NULLS {'FIRST' if item.args.get('nulls_first') else 'LAST'}"
        )
        inner = item.this
        if query is not None:
            if isinstance(inner, exp.Literal) and not inner.is_string:
                if not 1 <= int(inner.this) <= len(query.fields):
                    text = f"ORDER BY position {inner.this} is not in select list"
                    raise failure("INVALID_COLUMN_REFERENCE", inner, text)
                return f"{inner.this}{tail}"
            if isinstance(inner, exp.Column) and not inner.table:
                found = [i for i, f in enumerate(query.fields, 1) if f.name and f.name.lower() == inner.name.lower()]
                if found:
                    self._reads |= query.fields[found[0] - 1].reads
                    return f"{found[0]}{tail}"
        return self._value(inner, scope).sql + tail

    def _condition(self, node: exp.Expr, scope: Scope) -> Value:
        value = self._value(node, scope)
        if value.type not in (BOOLEAN, UNKNOWN):
            raise failure("TYPE_MISMATCH", node, f"WHERE clause must evaluate to a boolean: actual type {value.type}")
        return value

    def _value(self, node: exp.Expr, scope: Scope) -> Value:
        """Translate an expression."""
        if self._keys is not None and not isinstance(node, exp.Literal):
            keys = self._keys
            if not self._aggregates(node):
                with self._keyed(None):
                    value = self._translated(node, scope)
                if value.sql in keys:
                    return value
        return self._translated(node, scope)

    def _translated(self, node: exp.Expr, scope: Scope) -> Value:
        method = _METHODS.get(type(node))
        if method is None:
            raise not_supported(node, type(node).__name__.upper())
        return method(self, node, scope)

    def _values_of(self, nodes: Sequence[exp.Expr], scope: Scope) -> list[Value]:
        return [self._value(node, scope) for node in nodes]

    def _same_type(self, at: exp.Expr, operator: str, left: Value, right: Value) -> Type:
        if ZONED in (left.type, right.type):
            raise not_supported(at, "Comparing a timestamp in another time zone")
        kind = common(left.type, right.type)
        if kind is None:
            raise failure("TYPE_MISMATCH", at, f"Cannot apply operator: {_shown(left)} {operator} {_shown(right)}")
        return kind

    # names

    def _column(self, node: exp.Expr, scope: Scope) -> Value:
        parts = [part.name.lower() for part in node.parts]  # type: ignore[attr-defined]
        if self._lambdas:
            for variables in reversed(self._lambdas):
                if parts[0] in variables:
                    return self._fields(Value(quoted(parts[0]), variables[parts[0]]), parts[1:], node)
        if len(parts) == 1 and parts[0] in scope.outputs:
            value, reads = scope.outputs[parts[0]]
            self._reads |= reads
            return value
        level: Scope | None = scope
        while level is not None:
            if found := self._look_up(parts, level, node):
                value, rest = found
                if level is scope and self._keys is not None and value.sql not in self._keys:
                    raise not_aggregate(node, node.sql("trino"))
                return self._fields(value, rest, node)
            level = level.parent
        raise column_not_found(node, ".".join(parts))

    def _look_up(self, parts: list[str], scope: Scope, at: exp.Expr) -> tuple[Value, list[str]] | None:
        for length in (1, 2, 3):
            prefix, rest = parts[:length], parts[length:]
            if not rest or (length == 3 and prefix[0] != CATALOG):
                continue
            for source in scope.sources:
                if source.named and source.alias == prefix[-1] and (length == 1 or prefix[-2] == source.database):
                    if any(column.name and column.name.lower() == rest[0] for column in source.fields):
                        return self._named(rest[0], Scope(None, "", [source]), at), rest[1:]
                    if length > 1 or not self._starts(parts, scope):
                        raise column_not_found(at, ".".join(parts))
        if self._starts(parts, scope):
            return self._named(parts[0], scope, at), parts[1:]
        return None

    def _starts(self, parts: Sequence[str], scope: Scope) -> bool:
        """Return whether a name begins with a column: one that is a row, when the name goes on."""
        kinds = [f.type for s in scope.sources for f in s.fields if f.name and f.name.lower() == parts[0]]
        kinds += [scope.merged[parts[0]][0].type] if parts[0] in scope.merged else []
        return any(len(parts) == 1 or kind.name == "row" for kind in kinds)

    def _named(self, name: str, scope: Scope, at: exp.Expr) -> Value:
        if name in scope.merged:
            value, reads = scope.merged[name]
            self._reads |= reads
            return value
        found = [(s, f) for s in scope.sources for f in s.fields if f.name and f.name.lower() == name]
        if not found:
            raise column_not_found(at, name)
        if len(found) > 1:
            raise failure("AMBIGUOUS_NAME", at, f"Column '{name}' is ambiguous")
        source, column = found[0]
        return self._of_source(source.alias, column)

    def _of_source(self, alias: str, column: Field) -> Value:
        self._reads.add(column)
        self._bare.add((alias, column))
        name = quoted(column.column)
        return Value(f"{quoted(alias)}.{name}" if alias else name, column.type)

    def _fields(self, value: Value, names: Sequence[str], at: exp.Expr) -> Value:
        for name in names:
            if value.type.name != "row" or name not in value.type.fields:
                raise column_not_found(at, at.sql("trino").lower())
            kind = value.type.of[value.type.fields.index(name)]
            value = Value(f"struct_extract({value.sql}, {literal(name)})", kind)
        return value

    def _identifier(self, node: exp.Identifier, scope: Scope) -> Value:
        return self._column(exp.column(node.copy()), scope)

    def _dot(self, node: exp.Dot, scope: Scope) -> Value:
        if isinstance(node.expression, exp.Anonymous):
            raise failure("FUNCTION_NOT_FOUND", node, f"Function '{node.sql('trino').lower()}' not registered")
        return self._fields(self._value(node.this, scope), [node.expression.name.lower()], node)

    # literals

    def _literal(self, node: exp.Literal, _scope: Scope) -> Value:
        text = str(node.this)
        if node.is_string:
            return Value(literal(text), Type("varchar", size=(len(text),)))
        if re.fullmatch(r"\d+", text):
            if int(text) >= 2**63:
                raise failure("NUMERIC_VALUE_OUT_OF_RANGE", node, f"Invalid numeric literal: {text}")
            return Value(text, INTEGER if int(text) < 2**31 else BIGINT)
        if "e" in text.lower():
            return Value(f"CAST({text} AS DOUBLE)", DOUBLE)
        whole, _, fraction = text.partition(".")
        kind = Type("decimal", size=(max(1, len(whole.lstrip("0")) + len(fraction)), len(fraction)))
        return Value(f"CAST({text} AS {duckdb(kind)})", kind)

    def _null(self, _node: exp.Null, _scope: Scope) -> Value:
        return Value("NULL", UNKNOWN)

    def _boolean(self, node: exp.Boolean, _scope: Scope) -> Value:
        return Value("true" if node.this else "false", BOOLEAN)

    def _hex(self, node: exp.HexString, _scope: Scope) -> Value:
        return Value(f"unhex({literal(str(node.this))})", VARBINARY)

    def _json_literal(self, node: exp.ParseJSON, scope: Scope) -> Value:
        return Value(f"CAST({self._value(node.this, scope).sql} AS JSON)", JSON)

    def _interval(self, node: exp.Interval, _scope: Scope) -> Value:
        unit = node.args["unit"].name.lower().removesuffix("s")
        if unit not in UNITS - {"millisecond", "quarter"} or not re.fullmatch(r"[+-]?[\d.]+", node.this.name):
            raise not_supported(node, f"INTERVAL {node.this.name} {node.args['unit'].sql()}")
        kind = YEAR_TO_MONTH if unit in {"year", "month"} else DAY_TO_SECOND
        return Value(f"INTERVAL {literal(node.this.name)} {unit}", kind)

    def _current(self, node: exp.Expr, _scope: Scope) -> Value:
        moment = f"{self._now:%Y-%m-%d %H:%M:%S}.{self._now.microsecond // 1000:03}"
        match node:
            case exp.CurrentDate():
                return Value(f"DATE '{self._now:%Y-%m-%d}'", DATE)
            case exp.Localtimestamp():
                return Value(f"TIMESTAMP '{moment}'", TIMESTAMP)
        return Value(f"TIMESTAMPTZ '{moment}+00'", TIMESTAMP_TZ)

    def _array(self, node: exp.Array, scope: Scope) -> Value:
        values = self._values_of(node.expressions, scope)
        kind = common_of([value.type for value in values]) if values else UNKNOWN
        if kind is None:
            raise failure("TYPE_MISMATCH", node, "All ARRAY elements must be the same type")
        return Value(f"[{', '.join(value.sql for value in values)}]", Type("array", (kind,)))

    def _row(self, arguments: Sequence[exp.Expr], scope: Scope) -> Value:
        values = self._values_of(arguments, scope)
        kind = Type("row", tuple(value.type for value in values), ("",) * len(values))
        return Value(f"row({', '.join(value.sql for value in values)})", kind)

    # operators

    def _paren(self, node: exp.Paren, scope: Scope) -> Value:
        value = self._value(node.this, scope)
        return Value(f"({value.sql})", value.type)

    def _logical(self, node: exp.Binary, scope: Scope) -> Value:
        word = "AND" if isinstance(node, exp.And) else "OR"
        left, right = self._condition(node.left, scope), self._condition(node.right, scope)
        return Value(f"({left.sql} {word} {right.sql})", BOOLEAN)

    def _not(self, node: exp.Not, scope: Scope) -> Value:
        return Value(f"(NOT {self._condition(node.this, scope).sql})", BOOLEAN)

    def _compare(self, node: exp.Binary, scope: Scope) -> Value:
        sign = _COMPARISONS[type(node)]
        left = self._value(node.left, scope)
        if isinstance(node.right, exp.All | exp.Any):
            word = type(node.right).__name__.upper()
            query = self._subquery_value(node.right.this, scope)
            self._same_type(node, sign, left, query)
            return Value(f"({left.sql} {sign} {word} {query.sql})", BOOLEAN)
        right = self._value(node.right, scope)
        self._same_type(node, sign, left, right)
        return Value(f"({left.sql} {sign} {right.sql})", BOOLEAN)

    def _between(self, node: exp.Between, scope: Scope) -> Value:
        value, low, high = self._values_of([node.this, node.args["low"], node.args["high"]], scope)
        for bound in (low, high):
            if ZONED in (value.type, bound.type) or common(value.type, bound.type) is None:
                text = f"Cannot check if {_shown(value)} is BETWEEN {_shown(low)} and {_shown(high)}"
                raise failure("TYPE_MISMATCH", node, text)
        return Value(f"({value.sql} BETWEEN {low.sql} AND {high.sql})", BOOLEAN)

    def _in(self, node: exp.In, scope: Scope) -> Value:
        value = self._value(node.this, scope)
        if query := node.args.get("query"):
            inner = self._subquery_value(query, scope)
            self._same_type(node, "IN", value, inner)
            return Value(f"({value.sql} IN {inner.sql})", BOOLEAN)
        items = self._values_of(node.expressions, scope)
        for item in items:
            if ZONED in (value.type, item.type) or common(value.type, item.type) is None:
                text = f"IN value and list items must be the same type or coercible to a common type. Cannot find common type between {_shown(value)} and {_shown(item)}"  # noqa: E501
                raise failure("TYPE_MISMATCH", node, text)
        return Value(f"({value.sql} IN ({', '.join(item.sql for item in items)}))", BOOLEAN)

    def _like(self, node: exp.Expr, scope: Scope) -> Value:
        escape = ""
        if isinstance(node, exp.Escape):
            escape = f" ESCAPE {self._value(node.expression, scope).sql}"
            node = node.this
        left, right = self._value(node.this, scope), self._value(node.expression, scope)
        for side in (left, right):
            if side.type.name not in {"varchar", "unknown"}:
                text = f"Left and right sides of LIKE expression must evaluate to a varchar (actual: {side.type})"
                raise failure("TYPE_MISMATCH", node, text)
        return Value(f"({left.sql} LIKE {right.sql}{escape})", BOOLEAN)

    def _is(self, node: exp.Is, scope: Scope) -> Value:
        if not isinstance(node.expression, exp.Null):
            raise not_supported(node, f"IS {node.expression.sql('trino')}")
        return Value(f"({self._value(node.this, scope).sql} IS NULL)", BOOLEAN)

    def _exists(self, node: exp.Exists, scope: Scope) -> Value:
        return Value(f"EXISTS ({self._inner(node.this, scope).sql})", BOOLEAN)

    def _subquery_value(self, node: exp.Expr, scope: Scope) -> Value:
        query = self._inner(node, scope)
        if len(query.fields) != 1:
            text = f"Multiple columns returned by subquery are not yet supported. Found {len(query.fields)}"
            raise failure("NOT_SUPPORTED", node, text)
        return Value(f"({query.sql})", query.fields[0].type)

    def _inner(self, node: exp.Expr, scope: Scope) -> Query:
        """Translate a subquery inside an expression: everything it reads, the expression reads."""
        plain = isinstance(node, exp.Subquery) and not node.args.get("order") and not node.args.get("limit")
        query = self._query(node.this if plain else node, scope)
        query.references += 1
        self._reads |= set(query.fields) | query.needs
        return query

    def _negative(self, node: exp.Neg, scope: Scope) -> Value:
        value = self._value(node.this, scope)
        if value.type.name not in (*NUMBERS, *INTERVALS):
            raise failure("TYPE_MISMATCH", node, f"Cannot negate {_shown(value)}")
        return Value(f"(-{value.sql})", value.type)

    def _concatenate(self, node: exp.DPipe, scope: Scope) -> Value:
        left, right = self._value(node.left, scope), self._value(node.right, scope)
        names = {left.type.name, right.type.name} - {"unknown"}
        if names <= {"varchar"}:
            return Value(f"({left.sql} || {right.sql})", VARCHAR)
        kind = common(left.type, right.type)
        if names == {"array"} and kind:
            return Value(f"({left.sql} || {right.sql})", kind)
        text = f"Unexpected parameters ({_shown(left)}, {_shown(right)}) for function concat"
        raise failure("FUNCTION_NOT_FOUND", node, text)

    def _calculate(self, node: exp.Binary, scope: Scope) -> Value:
        sign = _ARITHMETIC[type(node)]
        left, right = self._value(node.left, scope), self._value(node.right, scope)
        names = (left.type.name, right.type.name)
        if "unknown" in names:
            known = right.type if names[0] == "unknown" else left.type
            return Value(f"CAST(NULL AS {duckdb(known)})", known)
        if set(names) <= set(NUMBERS):
            return self._number(sign, left, right, node)
        return self._moment(sign, left, right, node)

    def _number(self, sign: str, left: Value, right: Value, at: exp.Expr) -> Value:
        """Calculate with numbers: whole ones divide to whole ones, and a decimal's digits follow Trino's rules.

        https://trino.io/docs/current/functions/decimal.html#binary-arithmetic-decimal-operators
        """
        kind = common(left.type, right.type)
        if kind is None:
            raise failure("TYPE_MISMATCH", at, f"Cannot apply operator: {left.type} {sign} {right.type}")
        if kind.name in INTEGERS:
            return Value(f"({left.sql} {'//' if sign == '/' else sign} {right.sql})", kind)
        if kind.name != "decimal":
            return Value(f"(CAST({left.sql} AS {duckdb(kind)}) {sign} CAST({right.sql} AS {duckdb(kind)}))", kind)
        (p1, s1), (p2, s2) = as_decimal(left.type).size, as_decimal(right.type).size
        precision, scale = {
            "+": (1 + max(s1, s2) + max(p1 - s1, p2 - s2), max(s1, s2)),
            "-": (1 + max(s1, s2) + max(p1 - s1, p2 - s2), max(s1, s2)),
            "*": (p1 + p2, s1 + s2),
            "/": (p1 + s2 + max(s2 - s1, 0), max(s1, s2)),
            "%": (min(p1 - s1, p2 - s2) + max(s1, s2), max(s1, s2)),
        }[sign]
        if scale > 38:
            raise not_supported(at, "A decimal of more than 38 digits")
        result = Type("decimal", size=(min(38, max(1, precision)), scale))
        a, b = (f"CAST({v.sql} AS {duckdb(as_decimal(v.type))})" for v in (left, right))
        if sign != "/":
            return Value(f"CAST({a} {sign} {b} AS {duckdb(result)})", result)
        # DuckDB divides decimals as doubles: rounding to the scale gives Trino's digits up to the fifteenth.
        divisor = b if self._trying else f"trino_divisor({b})"
        quotient = f"round(CAST({a} AS DOUBLE) / CAST({divisor} AS DOUBLE), {scale})"
        return Value(f"CAST({quotient} AS {duckdb(result)})", result)

    def _moment(self, sign: str, left: Value, right: Value, at: exp.Expr) -> Value:
        a, b = left.type.name, right.type.name
        moments = ("date", "timestamp", "timestamp with time zone")
        text = f"({left.sql} {sign} {right.sql})"
        if sign in "+-" and a in moments and b in INTERVALS:
            return Value(f"CAST({text} AS DATE)" if a == "date" else text, left.type)
        if sign == "+" and a in INTERVALS and b in moments:
            return Value(f"CAST({text} AS DATE)" if b == "date" else text, right.type)
        if sign == "-" and a in moments and b in moments:
            sql = f"(CAST({left.sql} AS TIMESTAMP) - CAST({right.sql} AS TIMESTAMP))"
            return Value(sql, DAY_TO_SECOND)
        if sign in "+-" and a == b and a in INTERVALS:
            return Value(text, left.type)
        if (sign == "*" and a in INTERVALS and b in INTEGERS) or (sign == "*" and a in INTEGERS and b in INTERVALS):
            return Value(text, left.type if a in INTERVALS else right.type)
        raise failure("TYPE_MISMATCH", at, f"Cannot apply operator: {_shown(left)} {sign} {_shown(right)}")

    def _subscript(self, node: exp.Bracket, scope: Scope) -> Value:
        value = self._value(node.this, scope)
        if len(node.expressions) != 1:
            raise not_supported(node, "A subscript of several parts")
        index = self._value(node.expressions[0], scope)
        if value.type.name == "array":
            function = "list_extract" if self._trying else "trino_subscript"
            return Value(f"{function}({value.sql}, {index.sql})", value.type.of[0])
        if value.type.name == "map":
            function = "map_extract_value" if self._trying else "trino_map_value"
            return Value(f"{function}({value.sql}, {index.sql})", value.type.of[1])
        text = f"Cannot use {value.type} for subscript of {index.type}"
        raise failure("TYPE_MISMATCH", node, text)

    def _case(self, node: exp.Case, scope: Scope) -> Value:
        operand = self._value(node.this, scope) if node.this else None
        texts, results = [], []
        for branch in node.args["ifs"]:
            if operand is None:
                when = self._condition(branch.this, scope)
            else:
                when = self._value(branch.this, scope)
                self._same_type(branch, "=", operand, when)
            result = self._value(branch.args["true"], scope)
            results.append(result.type)
            texts.append(f"WHEN {when.sql} THEN {result.sql}")
        if default := node.args.get("default"):
            otherwise = self._value(default, scope)
            results.append(otherwise.type)
            texts.append(f"ELSE {otherwise.sql}")
        kind = common_of(results)
        if kind is None:
            text = (
                f"All CASE results must be the same type or coercible to a common type: {', '.join(map(str, results))}"
            )
            raise failure("TYPE_MISMATCH", node, text)
        return Value(f"CASE {operand.sql + ' ' if operand else ''}{' '.join(texts)} END", kind)

    def _if(self, node: exp.If, scope: Scope) -> Value:
        return self._case(exp.Case(ifs=[node], default=node.args.get("false")), scope)

    # casts

    def _cast(self, node: exp.Cast, scope: Scope) -> Value:
        try:
            to = parse_type(node.args["to"].sql("trino"))
        except UnknownType as error:
            raise failure("TYPE_NOT_FOUND", node, str(error)) from None
        attempt = isinstance(node, exp.TryCast)
        if isinstance(node.this, exp.Literal) and node.this.is_string and to.name.startswith("timestamp"):
            text = node.this.name
            if to == TIMESTAMP and re.search(r"[\d.]\s*([+-]\d\d:\d\d|Z|[A-Za-z]+(/\w+)?)$", text):
                to = TIMESTAMP_TZ
            return Value(f"{'TRY_' if attempt else ''}CAST({literal(text)} AS {duckdb(to)})", to)
        return self._cast_value(self._value(node.this, scope), to, node, attempt=attempt)

    def _cast_value(self, value: Value, to: Type, at: exp.Expr, *, attempt: bool) -> Value:
        """Cast as Trino does where DuckDB would be more lenient, round otherwise or write otherwise."""
        a, b = value.type.name, to.name
        word = "TRY_CAST" if attempt else "CAST"

        def cast(sql: str) -> Value:
            return Value(f"{word}({sql} AS {duckdb(to)})", to)

        if value.type == ZONED:
            if b in {"date", "timestamp"}:
                return cast(value.sql)
            raise not_supported(at, f"Casting a timestamp in another time zone to {to}")
        if a == "unknown" or value.type == to:
            return cast(value.sql)
        if b == "varchar":
            shown = as_varchar(value)
            if shown is None:
                raise failure("TYPE_MISMATCH", at, f"Cannot cast {value.type} to {to}")
            return Value(f"substr({shown}, 1, {to.size[0]})" if to.size else shown, to)
        if b == "json":
            return Value(f"to_json({value.sql})", to)
        if a == "json":
            return cast(f"json_extract_string({value.sql}, '$')" if b in (*NUMBERS, "boolean") else value.sql)
        if a == "varchar" and b in INTEGERS:
            # '1.5' is no whole number in Trino; DuckDB would round it.
            return cast(f"translate({value.sql}, '.eE', '???')")
        if a == "varchar" and b in {"timestamp", "timestamp with time zone"}:
            return cast(f"replace({value.sql}, 'T', '?')")
        if a in {"double", "real"} and b in INTEGERS:
            # Trino rounds halves away from zero, DuckDB to the even neighbour.
            return cast(f"round({value.sql})")
        scalar = {
            "varchar": {*NUMBERS, "boolean", "date", "varbinary"},
            "boolean": set(NUMBERS),
            "date": {"timestamp", "timestamp with time zone"},
            "timestamp": {"date", "timestamp with time zone", "time"},
            "timestamp with time zone": {"date", "timestamp", "time"},
            **{number: {*NUMBERS, "boolean"} for number in NUMBERS},
        }
        nested = a == b and a in {"array", "map", "row"} and len(value.type.of) == len(to.of)
        if not nested and b not in scalar.get(a, set()):
            raise failure("TYPE_MISMATCH", at, f"Cannot cast {value.type} to {to}")
        return cast(value.sql)

    # functions

    def _extract(self, node: exp.Extract, scope: Scope) -> Value:
        return self._call(node, node.name.lower(), [node.expression], scope)

    def _position(self, node: exp.StrPosition, scope: Scope) -> Value:
        return self._call(node, "strpos", [node.this, node.args["substr"]], scope)

    def _substring(self, node: exp.Substring, scope: Scope) -> Value:
        parts = [node.this, node.args.get("start"), node.args.get("length")]
        return self._call(node, "substr", [part for part in parts if part is not None], scope)

    def _trim(self, node: exp.Trim, scope: Scope) -> Value:
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or "").upper(), "trim")
        values = self._values_of([part for part in (node.this, node.expression) if part], scope)
        return Value(f"{name}({', '.join(value.sql for value in values)})", VARCHAR)

    def _at_time_zone(self, node: exp.AtTimeZone, scope: Scope) -> Value:
        return self._in_zone(node, node.this, node.args["zone"], scope)

    def _in_zone(self, at: exp.Expr, moment: exp.Expr, zone: exp.Expr, scope: Scope) -> Value:
        value, name = self._value(moment, scope), self._value(zone, scope)
        if value.type not in (TIMESTAMP, TIMESTAMP_TZ) or name.type.name != "varchar":
            raise failure("TYPE_MISMATCH", at, "Type of value must be a time or timestamp with or without time zone")
        return Value(f"timezone({name.sql}, CAST({value.sql} AS TIMESTAMPTZ))", ZONED)

    def _listagg(self, node: exp.GroupConcat, scope: Scope) -> Value:
        return self._aggregate_text(node, scope, "", "")

    def _aggregate_text(self, node: exp.GroupConcat, scope: Scope, prefix: str, suffix: str) -> Value:
        inner, order = node.this, ""
        with self._keyed(None):
            if isinstance(inner, exp.Order):
                order = f" ORDER BY {', '.join(self._ordered(item, scope, None) for item in inner.expressions)}"
                inner = inner.this
            if isinstance(inner, exp.Distinct):
                prefix, inner = "DISTINCT ", inner.expressions[0]
            separator = node.args.get("separator")
            parts = [self._value(inner, scope).sql, self._value(separator, scope).sql if separator else "''"]
        return Value(f"string_agg({prefix}{', '.join(parts)}{order}){suffix}", VARCHAR)

    def _function(self, node: exp.Anonymous, scope: Scope) -> Value:
        return self._call(node, node.name.lower(), node.expressions, scope)

    def _filtered(self, node: exp.Filter, scope: Scope) -> Value:
        with self._keyed(None):
            suffix = f" FILTER (WHERE {self._condition(node.expression.this, scope).sql})"
        return self._over(node.this, scope, suffix, windowed=False)

    def _window(self, node: exp.Window, scope: Scope) -> Value:
        suffix = ""
        inner = node.this
        if isinstance(inner, exp.Filter):
            suffix = f" FILTER (WHERE {self._condition(inner.expression.this, scope).sql})"
            inner = inner.this
        if name := node.args.get("alias"):
            definition = scope.windows.get(name.name.lower())
            if definition is None:
                raise failure("INVALID_WINDOW_REFERENCE", node, f"Cannot resolve WINDOW name {name.name}")
        else:
            definition = node
        partitions = definition.args.get("partition_by") or []
        parts = []
        if partitions:
            parts.append(f"PARTITION BY {', '.join(value.sql for value in self._values_of(partitions, scope))}")
        self._windows.append({same for part in partitions if (same := self._copied(part, scope))})
        if order := definition.args.get("order"):
            parts.append(f"ORDER BY {', '.join(self._ordered(item, scope, None) for item in order.expressions)}")
        if frame := definition.args.get("spec"):
            parts.append(self._frame(frame, scope))
        return self._over(inner, scope, f"{suffix} OVER ({' '.join(parts)})", windowed=True)

    def _frame(self, frame: exp.WindowSpec, scope: Scope) -> str:
        def edge(name: str) -> str:
            value: exp.Expr | str = frame.args[name]
            side = str(frame.args.get(f"{name}_side") or "").upper()
            text = str(value).upper() if isinstance(value, str) else self._value(value, scope).sql
            return f"{text} {side}".strip()

        kind = str(frame.args["kind"]).upper()
        if frame.args.get("end") is None:
            return f"{kind} {edge('start')}"
        return f"{kind} BETWEEN {edge('start')} AND {edge('end')}"

    def _over(self, node: exp.Expr, scope: Scope, suffix: str, *, windowed: bool) -> Value:
        nulls = ""
        if isinstance(node, exp.IgnoreNulls | exp.RespectNulls):
            nulls = " IGNORE NULLS" if isinstance(node, exp.IgnoreNulls) else ""
            node = node.this
        if isinstance(node, exp.GroupConcat):
            return self._aggregate_text(node, scope, "", suffix)
        if not isinstance(node, exp.Anonymous):
            raise not_supported(node, f"{type(node).__name__.upper()} with FILTER or OVER")
        return self._call(node, node.name.lower(), node.expressions, scope, suffix, nulls, windowed=windowed)

    def _call(
        self,
        node: exp.Expr,
        name: str,
        arguments: Sequence[exp.Expr],
        scope: Scope,
        suffix: str = "",
        nulls: str = "",
        *,
        windowed: bool = False,
    ) -> Value:
        """Translate a call by the first line of functions.txt that fits."""
        if name == "try" and len(arguments) == 1:
            outer, self._trying = self._trying, True
            try:
                value = self._value(arguments[0], scope)
            finally:
                self._trying = outer
            return Value(f"TRY({value.sql})", value.type)
        if name == "row":
            return self._row(arguments, scope)
        if name == "now":
            return self._current(exp.CurrentTimestamp(), scope)
        if name == "at_timezone" and len(arguments) == 2:
            return self._in_zone(node, arguments[0], arguments[1], scope)
        if name == "grouping":
            with self._keyed(None):
                inside = ", ".join(value.sql for value in self._values_of(arguments, scope))
            return Value(f"CAST(grouping({inside}) AS INTEGER)", INTEGER)
        known = functions()
        overloads = known.overloads.get(name)
        if overloads is None:
            if name in known.unsupported:
                raise not_supported(node, f"The function {name}")
            raise failure("FUNCTION_NOT_FOUND", node, f"Function '{name}' not registered")
        if name in WINDOW_ONLY and not windowed:
            text = f"Window function {name} requires an OVER clause"
            raise failure("MISSING_OVER", node, text)
        aggregates = overloads[0].aggregates
        if suffix and not aggregates:
            raise failure("FUNCTION_NOT_WINDOW" if windowed else "FUNCTION_NOT_AGGREGATE", node, f"{name} is scalar")
        with self._keyed(None) if aggregates and not windowed else self._keyed(self._keys):
            return self._applied(node, overloads, arguments, scope, suffix, nulls)

    def _applied(
        self,
        node: exp.Expr,
        overloads: Sequence[Function],
        arguments: Sequence[exp.Expr],
        scope: Scope,
        suffix: str,
        nulls: str,
    ) -> Value:
        order = ""
        parts = list(arguments)
        if parts and isinstance(parts[-1], exp.Order):
            order = f" ORDER BY {', '.join(self._ordered(item, scope, None) for item in parts[-1].expressions)}"
            parts[-1] = parts[-1].this
        distinct = bool(parts) and isinstance(parts[0], exp.Distinct)
        if distinct:
            parts = [*parts[0].expressions, *parts[1:]]
            if not overloads[0].aggregates:
                text = f"DISTINCT is not supported for non-aggregation functions: {overloads[0].name}"
                raise failure("FUNCTION_NOT_AGGREGATE", node, text)
        if parts and isinstance(parts[0], exp.Star):
            parts = []
        taken = [function for function in overloads if function.accepts(len(parts))]
        values: dict[int, Value] = {}
        for position, part in enumerate(parts):
            literal_only = taken and all(function.parameter(position) in LITERALS for function in taken)
            if not isinstance(part, exp.Lambda) and not literal_only:
                values[position] = self._value(part, scope)
        for function in taken:
            found = self._fit(function, parts, values, scope)
            if found is not None:
                texts, binding = found
                if distinct:
                    texts[0] = f"DISTINCT {texts[0]}"
                result = ZONED if self._zoned(function, values) else binding.type_of(function.result)
                kind = TIMESTAMP if result == ZONED else result
                text = fill(function.template, texts, kind, {"order": order, "nulls": nulls})
                return Value(text.replace("@", suffix), result)
        kinds = ", ".join(_shown(values[i]) if i in values else "function" for i in range(len(parts)))
        expected = "; ".join(f"{f.name}({', '.join(f.parameters)})" for f in overloads)
        text = f"Unexpected parameters ({kinds}) for function {overloads[0].name}. Expected: {expected}"
        raise failure("FUNCTION_NOT_FOUND", node, text)

    def _zoned(self, function: Function, values: Mapping[int, Value]) -> bool:
        return function.name == "date_trunc" and any(value.type == ZONED for value in values.values())

    def _fit(
        self, function: Function, parts: Sequence[exp.Expr], values: Mapping[int, Value], scope: Scope
    ) -> tuple[list[str], Binding] | None:
        """Return the arguments' texts and the types they bind, or None when the line does not fit."""
        binding = Binding()
        for position, value in values.items():
            kind = value.type
            if kind == ZONED:
                if function.name not in _TAKES_ZONED:
                    raise not_supported(parts[position], f"{function.name} of a timestamp in another time zone")
                kind = TIMESTAMP
            if not binding.fit(function.parameter(position), kind):
                return None
        texts: list[str] = []
        for position, part in enumerate(parts):
            parameter = function.parameter(position)
            if position in values:
                texts.append(values[position].sql)
            elif isinstance(part, exp.Lambda) and "->" in parameter:
                texts.append(self._lambda(part, parameter, binding, scope))
            elif parameter in LITERALS:
                texts.append(self._pattern(part, parameter))
            else:
                return None
        return texts, binding

    def _lambda(self, node: exp.Lambda, parameter: str, binding: Binding, scope: Scope) -> str:
        takes, gives = parameter.split("->")
        names = [variable.name.lower() for variable in node.expressions]
        self._lambdas.append({name: binding.type_of(takes) for name in names})
        try:
            body = self._value(node.this, scope)
        finally:
            self._lambdas.pop()
        if not binding.fit(gives, body.type):
            raise failure("TYPE_MISMATCH", node, f"A lambda returns {body.type} where {gives} is expected")
        return f"lambda {', '.join(quoted(name) for name in names)}: {body.sql}"

    def _pattern(self, node: exp.Expr, kind: str) -> str:
        if not (isinstance(node, exp.Literal) and node.is_string):
            raise not_supported(node, "A date pattern or unit that is not a literal")
        text = str(node.this)
        if kind == "unit":
            if text.lower() not in UNITS:
                raise failure("INVALID_FUNCTION_ARGUMENT", node, f"'{text}' is not a valid Timestamp field")
            return literal(text.lower())
        try:
            return literal(dates.from_mysql(text) if kind == "pattern" else dates.from_joda(text))
        except dates.UnknownPattern as error:
            raise not_supported(node, f"The date pattern {error}") from None

    def _aggregates(self, node: exp.Expr | Field) -> bool:
        """Return whether an expression has an aggregate of its own SELECT."""
        if isinstance(node, Field):
            return False
        if isinstance(node, exp.Query):
            return False
        if isinstance(node, exp.Window):
            return any(self._aggregates(part) for part in children(node) if part is not node.this) or any(
                self._aggregates(part) for part in children(node.this)
            )
        if isinstance(node, exp.GroupConcat):
            return True
        if isinstance(node, exp.Anonymous):
            overloads = functions().overloads.get(node.name.lower(), ())
            if overloads and overloads[0].aggregates and node.name.lower() not in WINDOW_ONLY:
                return True
        return any(self._aggregates(part) for part in children(node))


def as_varchar(value: Value) -> str | None:
    """Return the DuckDB expression of a value as Trino writes it, or None for a type that has no text."""
    sql, name = value.sql, value.type.name
    if name == "varchar":
        return sql
    if name in {"double", "real"}:
        return f"trino_double_text({sql})"
    if name == "timestamp":
        return f"strftime({sql}, '%Y-%m-%d %H:%M:%S.%g')"
    if name == "timestamp with time zone":
        return f"strftime({sql}, '%Y-%m-%d %H:%M:%S.%g UTC')"
    if name == "json":
        return f"json_extract_string({sql}, '$')"
    if name in {*INTEGERS, "decimal", "boolean", "date", "time", "unknown"}:
        return f"CAST({sql} AS VARCHAR)"
    return None


def _shown(value: Value) -> str:
    return str(value.type)


def children(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the expressions an expression is made of."""
    yield from node.iter_expressions()


def not_aggregate(at: exp.Expr | None, name: str) -> QueryFailed:
    """Return the failure of a column that is neither grouped nor aggregated."""
    text = f"'{name}' must be an aggregate expression or appear in GROUP BY clause"
    return failure("EXPRESSION_NOT_AGGREGATE", at, text)


_COMPARISONS = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
}
_ARITHMETIC = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}

_METHODS: dict[type[exp.Expr], Callable[[Expressions, Any, Scope], Value]] = {
    exp.Column: Expressions._column,
    exp.Identifier: Expressions._identifier,
    exp.Dot: Expressions._dot,
    exp.Literal: Expressions._literal,
    exp.Null: Expressions._null,
    exp.Boolean: Expressions._boolean,
    exp.HexString: Expressions._hex,
    exp.ParseJSON: Expressions._json_literal,
    exp.Interval: Expressions._interval,
    exp.CurrentDate: Expressions._current,
    exp.CurrentTimestamp: Expressions._current,
    exp.Localtimestamp: Expressions._current,
    exp.Array: Expressions._array,
    exp.Paren: Expressions._paren,
    exp.And: Expressions._logical,
    exp.Or: Expressions._logical,
    exp.Not: Expressions._not,
    exp.Between: Expressions._between,
    exp.In: Expressions._in,
    exp.Like: Expressions._like,
    exp.Escape: Expressions._like,
    exp.Is: Expressions._is,
    exp.Exists: Expressions._exists,
    exp.Subquery: Expressions._subquery_value,
    exp.Neg: Expressions._negative,
    exp.DPipe: Expressions._concatenate,
    exp.Bracket: Expressions._subscript,
    exp.Case: Expressions._case,
    exp.If: Expressions._if,
    exp.Cast: Expressions._cast,
    exp.TryCast: Expressions._cast,
    exp.Extract: Expressions._extract,
    exp.StrPosition: Expressions._position,
    exp.Substring: Expressions._substring,
    exp.Trim: Expressions._trim,
    exp.AtTimeZone: Expressions._at_time_zone,
    exp.GroupConcat: Expressions._listagg,
    exp.Filter: Expressions._filtered,
    exp.Window: Expressions._window,
    exp.Anonymous: Expressions._function,
    **dict.fromkeys(_COMPARISONS, Expressions._compare),
    **dict.fromkeys(_ARITHMETIC, Expressions._calculate),
}
