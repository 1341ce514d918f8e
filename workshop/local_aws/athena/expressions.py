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
from zoneinfo import available_timezones

from sqlglot import exp

from workshop.local_aws.athena import dates
from workshop.local_aws.athena.errors import QueryFailed, column_not_found, failure, not_supported
from workshop.local_aws.athena.functions import (
    LITERALS,
    WINDOW_ONLY,
    Binding,
    Function,
    Lambda,
    fill,
    functions,
)
from workshop.local_aws.athena.parsing import JSON_VALUE_RETURNING
from workshop.local_aws.athena.plan import CATALOG, Field, Query, Scope, Value, literal, quoted
from workshop.local_aws.athena.scalars import REFUSING
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

# Units that are as long in every zone: added to the moment itself, where others are added to what the clock shows.
_FIXED = frozenset(literal(unit) for unit in ("millisecond", "second", "minute", "hour"))


class Expressions(ABC):
    """Translates the expressions of one statement, depth first, and notes which columns they read."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._reads: set[Field] = set()
        self._bare: set[tuple[str, Field]] = set()
        self._lambdas: list[dict[str, Value]] = []
        self._variables = 0
        self._keys: set[str] | None = None
        self._windows: list[set[Field]] = []

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
                _refuse_order(inner, query.fields[int(inner.this) - 1].type)
                return f"{inner.this}{tail}"
            if isinstance(inner, exp.Column) and not inner.table:
                found = [i for i, f in enumerate(query.fields, 1) if f.name and f.name.lower() == inner.name.lower()]
                if found:
                    self._reads |= query.fields[found[0] - 1].reads
                    _refuse_order(inner, query.fields[found[0] - 1].type)
                    return f"{found[0]}{tail}"
        return self._orderable(self._value(inner, scope)) + tail

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
                    return self._fields(variables[parts[0]], parts[1:], node)
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
        if parts[-1] in {"$file_size", "$file_modified_time", "$bucket", "$partition"}:
            raise not_supported(node, f'The hidden column "{parts[-1]}"')
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
        return Value(f"CAST(trino_json_parse({self._value(node.this, scope).sql}) AS JSON)", JSON)

    def _interval(self, node: exp.Interval, _scope: Scope) -> Value:
        unit, text = node.args["unit"].name.lower().removesuffix("s"), node.this.name
        whole = r"[+-]?\d+(\.\d+)?" if unit == "second" else r"[+-]?\d+"
        if unit not in UNITS - {"millisecond", "quarter"} or not re.fullmatch(whole, text):
            raise not_supported(node, f"INTERVAL {text} {node.args['unit'].sql()}")
        return Value(f"INTERVAL {literal(text)} {unit}", YEAR_TO_MONTH if unit in {"year", "month"} else DAY_TO_SECOND)

    def _current(self, node: exp.Expr, _scope: Scope) -> Value:
        moment = f"{self._now:%Y-%m-%d %H:%M:%S}.{self._now.microsecond // 1000:03}"
        digits = node.args.get("this")
        if digits is not None and digits.name != "3":
            raise not_supported(node, f"A current time of {digits.name} digits")
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

    def _tuple(self, node: exp.Tuple, scope: Scope) -> Value:
        return self._row(node.expressions, scope)

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
            _refuse_nested(node, word, left, query)
            return Value(f"({left.sql} {sign} {word} {query.sql})", BOOLEAN)
        right = self._value(node.right, scope)
        kind = self._same_type(node, sign, left, right)
        if not kind.of or sign.startswith("IS"):
            return Value(f"({left.sql} {sign} {right.sql})", BOOLEAN)
        if sign in {"=", "<>"}:
            return Value(f"({'NOT ' if sign == '<>' else ''}{self._equal(left, right)})", BOOLEAN)
        if not _ordered_type(kind):
            raise failure("TYPE_MISMATCH", node, f"Cannot apply operator: {_shown(left)} {sign} {_shown(right)}")
        return Value(f"({self._orderable(left)} {sign} {self._orderable(right)})", BOOLEAN)

    def _equal(self, left: Value, right: Value) -> str:
        """Return whether two values of one type are equal: null where that hangs on a null inside them.

        https://trino.io/docs/current/functions/comparison.html; DuckDB takes nulls inside a value for equal.
        """
        a, b = left.sql, right.sql
        if not (left.type.of and right.type.of):
            return f"({a} = {b})"
        if left.type.name == "row":
            fields = (
                self._equal(Value(field_of(left, place), x), Value(field_of(right, place), y))
                for place, (x, y) in enumerate(zip(left.type.of, right.type.of, strict=True))
            )
            return f"({' AND '.join(fields)})"
        item = self._variable()
        if left.type.name == "array":
            size = "len"
            one, other = (Value(f"struct_extract({item}, {n})", v.type.of[0]) for n, v in ((1, left), (2, right)))
            differs = f"list_transform(list_zip({a}, {b}), lambda {item}: NOT {self._equal(one, other)})"
        else:
            size = "cardinality"
            one = Value(f"{item}.value", left.type.of[1])
            other = Value(f"map_extract_value({b}, {item}.key)", right.type.of[1])
            different = f"NOT map_contains({b}, {item}.key) OR NOT {self._equal(one, other)}"
            differs = f"list_transform(map_entries({a}), lambda {item}: {different})"
        return (
            f"CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL WHEN {size}({a}) <> {size}({b}) THEN false "
            f"ELSE NOT trino_any({differs}) END"
        )

    def _orderable(self, value: Value) -> str:
        """Return a value to be put in order, or the failure of a nested one that holds a null."""
        if not value.type.of:
            return value.sql
        kind = value.type.name.upper()
        parts = "for arrays with null elements" if kind == "ARRAY" else "for fields with null elements"
        words = literal(f"NOT_SUPPORTED: {kind} comparison not supported {parts}")
        return f"CASE WHEN {self._holds_null(value)} THEN error({words}) ELSE {value.sql} END"

    def _holds_null(self, value: Value) -> str:
        """Return whether there is a null in an array or a row, however deep."""
        if value.type.name == "row":
            fields = [Value(field_of(value, place), kind) for place, kind in enumerate(value.type.of)]
            tests = (f"{f.sql} IS NULL" + (f" OR {self._holds_null(f)}" if f.type.of else "") for f in fields)
            return f"({value.sql} IS NOT NULL AND ({' OR '.join(tests)}))"
        text = f"len({value.sql}) > list_count({value.sql})"
        if inner := value.type.of[0].of and self._variable():
            held = self._holds_null(Value(inner, value.type.of[0]))
            text = f"({text} OR len(list_filter({value.sql}, lambda {inner}: {held})) > 0)"
        return f"coalesce({text}, false)"

    def _between(self, node: exp.Between, scope: Scope) -> Value:
        value, low, high = self._values_of([node.this, node.args["low"], node.args["high"]], scope)
        for bound in (low, high):
            if common(value.type, bound.type) is None:
                text = f"Cannot check if {_shown(value)} is BETWEEN {_shown(low)} and {_shown(high)}"
                raise failure("TYPE_MISMATCH", node, text)
        texts = [self._orderable(each) for each in (value, low, high)]
        return Value(f"({texts[0]} BETWEEN {texts[1]} AND {texts[2]})", BOOLEAN)

    def _in(self, node: exp.In, scope: Scope) -> Value:
        value = self._value(node.this, scope)
        if query := node.args.get("query"):
            inner = self._subquery_value(query, scope)
            self._same_type(node, "IN", value, inner)
            _refuse_nested(node, "IN", value, inner)
            return Value(f"({value.sql} IN {inner.sql})", BOOLEAN)
        items = self._values_of(node.expressions, scope)
        for item in items:
            if common(value.type, item.type) is None:
                text = f"IN value and list items must be the same type or coercible to a common type. Cannot find common type between {_shown(value)} and {_shown(item)}"  # noqa: E501
                raise failure("TYPE_MISMATCH", node, text)
        if value.type.of:
            return Value(f"({' OR '.join(self._equal(value, item) for item in items)})", BOOLEAN)
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
        if names == {"varbinary"}:
            return Value(f"({left.sql} || {right.sql})", VARBINARY)
        if left.type.name == "array" and (inside := common(left.type.of[0], right.type)):
            return Value(f"({left.sql} || [{right.sql}])", Type("array", (inside,)))
        if right.type.name == "array" and (inside := common(left.type, right.type.of[0])):
            return Value(f"([{left.sql}] || {right.sql})", Type("array", (inside,)))
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
            x, y = (v.sql if v.type == kind else f"CAST({v.sql} AS {duckdb(kind)})" for v in (left, right))
            return Value(f"({x} {'//' if sign == '/' else sign} {y})", kind)
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
        # DuckDB divides decimals as doubles; whole numbers of 38 digits keep every digit.
        quotient = f"trino_quotient({a}, trino_divisor({b}), {scale - s1 + s2}, {scale})"
        return Value(f"CAST({quotient} AS {duckdb(result)})", result)

    def _moment(self, sign: str, left: Value, right: Value, at: exp.Expr) -> Value:
        a, b = left.type.name, right.type.name
        moments = ("date", "timestamp", "timestamp with time zone")
        text = f"({left.sql} {sign} {right.sql})"
        if sign == "+" and a in INTERVALS and b in moments:
            return self._moment(sign, right, left, at)
        if sign in "+-" and a in moments and b in INTERVALS:
            if a == TIMESTAMP_TZ.name and b == YEAR_TO_MONTH.name:
                return Value(instant(f"({local(left, at)} {sign} {right.sql})", left.type), left.type)
            return Value(f"CAST({text} AS DATE)" if a == "date" else text, left.type)
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
            return Value(f"trino_subscript({value.sql}, {index.sql})", value.type.of[0])
        if value.type.name == "map":
            return Value(f"trino_map_value({value.sql}, {index.sql})", value.type.of[1])
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
                if operand.type.of:
                    when = Value(self._equal(operand, when), BOOLEAN)
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
        start = f"{operand.sql} " if operand and not operand.type.of else ""
        return Value(f"CASE {start}{' '.join(texts)} END", kind)

    def _if(self, node: exp.If, scope: Scope) -> Value:
        return self._case(exp.Case(ifs=[node], default=node.args.get("false")), scope)

    # casts

    def _cast(self, node: exp.Cast, scope: Scope) -> Value:
        literally = isinstance(node.this, exp.Literal) and node.this.is_string
        try:
            # sqlglot counts the digits of a literal's second: TIMESTAMP '…:07.5' is of type timestamp(1) to it.
            whole = node.args["to"].sql("trino")
            to = parse_type(re.sub(r"(?<=^TIMESTAMP)\(\d+\)", "", whole) if literally else whole)
        except UnknownType as error:
            if error.known:
                raise not_supported(node, f"The type {error}") from None
            raise failure("TYPE_NOT_FOUND", node, str(error)) from None
        attempt = isinstance(node, exp.TryCast)
        if literally and to.name.startswith("timestamp"):
            return self._moment_literal(node, to, attempt=attempt)
        return self._cast_value(self._value(node.this, scope), to, node, attempt=attempt)

    def _moment_literal(self, node: exp.Cast, to: Type, *, attempt: bool) -> Value:
        """Read a literal of a time: `TIMESTAMP '…'` that names a zone is a timestamp with time zone, in that zone."""
        text = node.this.name
        found = _MOMENT.fullmatch(text)
        if found is None:
            if attempt:
                return Value(f"CAST(NULL AS {duckdb(to)})", to)
            raise failure("INVALID_LITERAL", node, f"'{text}' is not a valid TIMESTAMP literal")
        if len((found["fraction"] or "").rstrip("0")) > 3:
            raise not_supported(node, "A timestamp with more than three digits of a second")
        clock = f"{found['date']} {found['minutes'] or '00:00'}:{found['seconds'] or '00'}.{found['fraction'] or '0'}"
        moment = f"CAST({literal(clock)} AS TIMESTAMP)"
        if found["zone"] is None:
            return Value(moment if to == TIMESTAMP else instant(moment, to), to)
        zoned = Type(TIMESTAMP_TZ.name, zone=zone_of("UTC" if found["zone"] == "Z" else found["zone"], node))
        return Value(instant(moment, zoned), zoned)

    def _cast_value(self, value: Value, to: Type, at: exp.Expr, *, attempt: bool) -> Value:
        """Cast as Trino does where DuckDB would be more lenient, round otherwise or write otherwise."""
        a, b = value.type.name, to.name
        word = "TRY_CAST" if attempt else "CAST"

        def cast(sql: str) -> Value:
            return Value(f"{word}({sql} AS {duckdb(to)})", to)

        if a == "unknown" or value.type == to:
            return cast(value.sql)
        if a == "timestamp with time zone":
            if b == a:
                return value
            if b in {"date", "timestamp", "time"}:
                return cast(local(value, at))
        if b == "varchar":
            shown = f"trino_json_text({value.sql})" if a == "json" else as_varchar(value, at)
            if shown is None:
                raise failure("TYPE_MISMATCH", at, f"Cannot cast {value.type} to {to}")
            return Value(f"substr({shown}, 1, {to.size[0]})" if to.size else shown, to)
        if b == "json":
            document = as_json(value)
            if document is None:
                raise not_supported(at, f"Casting {value.type} to json")
            return Value(document, to)
        if a == "json":
            text = f"json_extract_string({value.sql}, '$')"
            if b in INTEGERS:
                return cast(f"round({word}({text} AS DECIMAL(38, 10)))")
            return cast(text if b in (*NUMBERS, "boolean") else value.sql)
        if a == "varchar" and b in _FORMS:
            # DuckDB reads more than Trino does: '1.5' as a whole number, '2026-11-20T09:00:00' as a timestamp.
            form, words = _FORMS[b]
            before, _, after = words.partition("{}")
            wrong = f"trino_fail({literal(f'INVALID_CAST_ARGUMENT: {before}')} || {value.sql} || {literal(after)})"
            fits = f"{value.sql} IS NULL OR regexp_full_match({value.sql}, {literal(form)})"
            return cast(f"CASE WHEN {fits} THEN {value.sql} ELSE {'NULL' if attempt else wrong} END")
        if a in {"double", "real"} and b in INTEGERS:
            # Trino rounds halves away from zero, DuckDB to the even neighbour.
            return cast(f"round({value.sql})")
        scalar = {
            "varchar": {*NUMBERS, "boolean", "time", "uuid"},
            "boolean": set(NUMBERS),
            "date": {"timestamp", "timestamp with time zone"},
            "timestamp": {"date", "timestamp with time zone", "time"},
            **{number: {*NUMBERS, "boolean"} for number in NUMBERS},
        }
        nested = a == b and a in {"array", "map", "row"} and len(value.type.of) == len(to.of)
        if not nested and b not in scalar.get(a, set()):
            raise failure("TYPE_MISMATCH", at, f"Cannot cast {value.type} to {to}")
        if nested:
            return Value(self._cast_inside(value, to, at, attempt=attempt), to)
        return cast(value.sql)

    def _cast_inside(self, value: Value, to: Type, at: exp.Expr, *, attempt: bool) -> str:
        """Cast the elements of an array, the keys and values of a map or the fields of a row, each as Trino does."""
        if to.name == "row":
            fields = [
                self._cast_value(Value(field_of(value, place), kind), of, at, attempt=attempt).sql
                for place, (kind, of) in enumerate(zip(value.type.of, to.of, strict=True))
            ]
            made = f"CAST(row({', '.join(fields)}) AS {duckdb(to)})"
            return f"CASE WHEN {value.sql} IS NOT NULL THEN {made} END"
        item = self._variable()
        if to.name == "array":
            inner = self._cast_value(Value(item, value.type.of[0]), to.of[0], at, attempt=attempt)
            return f"list_transform({value.sql}, lambda {item}: {inner.sql})"
        key, of = (
            self._cast_value(Value(f"{item}.{name}", kind), into, at, attempt=attempt).sql
            for name, kind, into in zip(("key", "value"), value.type.of, to.of, strict=True)
        )
        pairs = f"list_transform(map_entries({value.sql}), lambda {item}: struct_pack(k := {key}, v := {of}))"
        return f"CAST(map_from_entries({pairs}) AS {duckdb(to)})"

    def _variable(self) -> str:
        """Return a name for a lambda's variable that no column and no other variable has."""
        self._variables += 1
        return f'"\u03bb{self._variables}\u03bb"'

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
        return self._call(node, name, [part for part in (node.this, node.expression) if part], scope)

    def _at_time_zone(self, node: exp.AtTimeZone, scope: Scope) -> Value:
        return self._in_zone(node, node.this, node.args["zone"], scope)

    def _in_zone(self, at: exp.Expr, moment: exp.Expr, zone: exp.Expr, scope: Scope) -> Value:
        value = self._value(moment, scope)
        if value.type.name not in {"timestamp", "timestamp with time zone"}:
            raise failure("TYPE_MISMATCH", at, "Type of value must be a time or timestamp with or without time zone")
        return Value(f"CAST({value.sql} AS TIMESTAMPTZ)", self._zoned(zone, scope))

    def _with_timezone(self, at: exp.Expr, moment: exp.Expr, zone: exp.Expr, scope: Scope) -> Value:
        value = self._value(moment, scope)
        if value.type.name != "timestamp":
            text = f"Unexpected parameters ({value.type}, varchar) for function with_timezone"
            raise failure("FUNCTION_NOT_FOUND", at, text)
        zoned = self._zoned(zone, scope)
        return Value(instant(value.sql, zoned), zoned)

    def _zoned(self, node: exp.Expr, scope: Scope) -> Type:
        """Return the type of timestamps in the zone that an expression names."""
        if isinstance(node, exp.Literal) and node.is_string:
            return Type(TIMESTAMP_TZ.name, zone=zone_of(node.name, node))
        value = self._value(node, scope)
        if value.type.name != "varchar":
            raise failure("TYPE_MISMATCH", node, f"A time zone is a varchar, not {value.type}")
        return Type(TIMESTAMP_TZ.name, zone=value.sql)

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
            value = self._value(arguments[0], scope)
            if any(f"{refusing}(" in value.sql for refusing in REFUSING):
                raise not_supported(node, "try around a JSON path or a regular expression's group")
            return Value(f"TRY({value.sql})", value.type)
        if name == "row":
            return self._row(arguments, scope)
        if name == "now":
            return self._current(exp.CurrentTimestamp(), scope)
        if len(arguments) == 2 and name in {"at_timezone", "with_timezone"}:
            method = self._in_zone if name == "at_timezone" else self._with_timezone
            return method(node, arguments[0], arguments[1], scope)
        if name == "from_unixtime" and len(arguments) == 2:
            return Value(self._call(node, name, arguments[:1], scope).sql, self._zoned(arguments[1], scope))
        if name == "from_iso8601_timestamp" and len(arguments) == 1 and isinstance(arguments[0], exp.Literal):
            offset = re.search(r"T.*?([+-]\d\d):?(\d\d)?$", arguments[0].name)
            zone = zone_of(f"{offset[1]}:{offset[2] or '00'}", node) if offset else TIMESTAMP_TZ.zone
            text = f"trino_iso8601({literal(arguments[0].name)}, '(Z|[+-]\\d\\d(:?\\d\\d)?)?')"
            return Value(text, Type(TIMESTAMP_TZ.name, zone=zone))
        if name == "date" and len(arguments) == 1:
            return self._cast_value(self._value(arguments[0], scope), DATE, node, attempt=False)
        if name == "normalize" and len(arguments) == 2:
            form = literal(arguments[1].name.upper())
            return Value(f"trino_normalize({self._value(arguments[0], scope).sql}, {form})", VARCHAR)
        if name == "to_iso8601" and len(arguments) == 1:
            moment = self._value(arguments[0], scope).type
            if moment.name == TIMESTAMP_TZ.name and moment.zone != TIMESTAMP_TZ.zone:
                raise not_supported(node, "to_iso8601 of a timestamp in another time zone than UTC")
        if name in {"format_datetime", "parse_datetime"} and len(arguments) == 2 and _names_zone(arguments[1]):
            if name == "format_datetime":
                return self._formatted_zone(node, arguments[0], arguments[1].name, scope)
            return self._parsed_zone(node, arguments[0], arguments[1].name, scope)
        if name == "approx_percentile" and len(arguments) > 1 and arguments[-1].find(exp.Neg):
            raise failure("INVALID_FUNCTION_ARGUMENT", node, "Percentile must be between 0 and 1")
        if name == JSON_VALUE_RETURNING:
            return self._json_value(node, arguments, scope)
        if name == "typeof" and len(arguments) == 1:
            return Value(literal(str(self._value(arguments[0], scope).type)), VARCHAR)
        if name == "format" and arguments:
            return self._format(node, arguments, scope)
        if name == "array_join" and len(arguments) in {2, 3}:
            return self._array_join(node, arguments, scope)
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
        name = overloads[0].name
        if name in _EQUALLING and any(value.type.of for value in values.values()):
            if name == "nullif" and len(values) == 2 and common(values[0].type, values[1].type):
                same = f"CASE WHEN {self._equal(values[0], values[1])} THEN NULL ELSE {values[0].sql} END"
                return Value(same, values[0].type)
            nested = [of for value in values.values() for of in value.type.of if of.of]
            if name == "contains" and len(values) == 2 and values[0].type.name == "array" and nested:
                item = self._variable()
                equal = self._equal(Value(item, values[0].type.of[0]), values[1])
                found_there = f"trino_any(list_transform({values[0].sql}, lambda {item}: {equal}))"
                return Value(f"CASE WHEN {values[1].sql} IS NOT NULL THEN {found_there} END", BOOLEAN)
            if nested:
                raise not_supported(node, f"{name} of arrays, maps or rows inside an array")
        if name in _ORDERING:
            inside = {
                i: Value("", value.type.of[0] if name.startswith("array_") and value.type.of else value.type)
                for i, value in values.items()
            }
            for i, value in inside.items():
                if value.type.of and name.startswith("array_"):
                    raise not_supported(node, f"{name} of arrays or rows")
                if value.type.of and (name not in {"min_by", "max_by"} or i == 1):
                    values[i] = Value(self._orderable(values[i]), value.type)
        for function in taken:
            found = self._fit(function, parts, values, scope)
            if found is not None:
                texts, binding = found
                if distinct:
                    texts[0] = f"DISTINCT {texts[0]}"
                result = binding.type_of(function.result)
                extra = {"order": order, "nulls": nulls, "~": self._variable() if "{~}" in function.template else ""}
                text = fill(function.template, texts, result, extra).replace("@", suffix)
                clock = function.result == "zoned" and texts[0] not in _FIXED
                return Value(instant(text, result) if clock else text, result)
        if any(isinstance(part, exp.Lambda) for part in parts) and not any(
            "->" in "".join(f.parameters) for f in taken
        ):
            raise not_supported(node, f"{overloads[0].name} with a lambda")
        kinds = ", ".join(_shown(values[i]) if i in values else "function" for i in range(len(parts)))
        expected = "; ".join(f"{f.name}({', '.join(f.parameters)})" for f in overloads)
        text = f"Unexpected parameters ({kinds}) for function {overloads[0].name}. Expected: {expected}"
        raise failure("FUNCTION_NOT_FOUND", node, text)

    def _fit(
        self, function: Function, parts: Sequence[exp.Expr], values: Mapping[int, Value], scope: Scope
    ) -> tuple[list[str | Lambda], Binding] | None:
        """Return the arguments' texts and the types they bind, or None when the line does not fit."""
        binding = Binding()
        for position, value in values.items():
            if not binding.fit(function.parameter(position), value.type):
                return None
        texts: list[str | Lambda] = []
        for position, part in enumerate(parts):
            parameter = function.parameter(position)
            if position in values:
                value = values[position]
                clock = parameter == "moment" or (parameter == "zoned" and texts[0] not in _FIXED)
                text = local(value, part) if clock else value.sql
                widened = (
                    parameter in {"bigint", "double"} and value.type.name in NUMBERS and value.type.name != parameter
                )
                texts.append(f"CAST({text} AS {parameter.upper()})" if widened else text)
            elif isinstance(part, exp.Lambda) and "->" in parameter:
                texts.append(self._lambda(part, parameter, binding, scope))
            elif parameter in LITERALS:
                texts.append(self._translated_literal(part, parameter))
            else:
                return None
        return texts, binding

    def _lambda(self, node: exp.Lambda, parameter: str, binding: Binding, scope: Scope) -> Lambda:
        takes, gives = parameter.split("->")
        names = [variable.name.lower() for variable in node.expressions]
        kinds = [binding.type_of(kind) for kind in takes.split(" ")]
        if len(names) != len(kinds):
            raise failure("TYPE_MISMATCH", node, f"A lambda takes {len(kinds)} arguments here, not {len(names)}")
        variables = tuple(self._variable() for _ in names)
        self._lambdas.append({n: Value(v, kind) for n, v, kind in zip(names, variables, kinds, strict=True)})
        try:
            body = self._value(node.this, scope)
        finally:
            self._lambdas.pop()
        if not binding.fit(gives, body.type):
            raise failure("TYPE_MISMATCH", node, f"A lambda returns {body.type} where {gives} is expected")
        return Lambda(variables, body.sql)

    def _translated_literal(self, node: exp.Expr, kind: str) -> str:
        """Translate an argument that must be a literal, because DuckDB has other words for what it says."""
        if not (isinstance(node, exp.Literal) and node.is_string):
            raise not_supported(node, f"{LITERALS[kind]} that is not a literal")
        text = str(node.this)
        if kind == "unit":
            if text.lower() not in UNITS:
                raise failure("INVALID_FUNCTION_ARGUMENT", node, f"'{text}' is not a valid Timestamp field")
            return literal(text.lower())
        if kind == "path":
            path = json_path(text)
            if path is None:
                raise not_supported(node, f"The JSON path {text}")
            return literal(path)
        if kind == "replacement":
            return literal(_replacement(node, text))
        try:
            return literal(dates.from_mysql(text) if kind == "pattern" else dates.from_joda(text))
        except dates.UnknownPattern as error:
            raise not_supported(node, f"The date pattern {error}") from None

    def _json_value(self, at: exp.Expr, arguments: Sequence[exp.Expr], scope: Scope) -> Value:
        """Translate JSON_VALUE(… RETURNING type); what cannot be cast is null, as NULL ON ERROR says."""
        text, path = self._values_of(arguments[:2], scope)
        kind = parse_type(arguments[2].name)
        if kind.name not in {*INTEGERS, "double", "boolean", "varchar"} or kind.size:
            raise not_supported(at, f"JSON_VALUE returning {kind}")
        if {text.type.name, path.type.name} - {"varchar", "unknown"}:
            words = f"Unexpected parameters ({text.type}, {path.type}) for function json_value"
            raise failure("FUNCTION_NOT_FOUND", at, words)
        found = f"trino_json_value_of({text.sql}, {path.sql}, {literal(kind.name)})"
        return Value(f"TRY_CAST({found} AS {duckdb(kind)})", kind)

    def _formatted_zone(self, at: exp.Expr, moment: exp.Expr, pattern: str, scope: Scope) -> Value:
        """Format a moment by a Joda pattern that shows its zone."""
        value = self._value(moment, scope)
        if value.type.name != TIMESTAMP_TZ.name:
            words = "format_datetime for TIMESTAMP type, cannot use 'Z' nor 'z' in format, as this type does not contain TZ information"  # noqa: E501
            raise failure("INVALID_FUNCTION_ARGUMENT", at, words)
        clock = local(value, at)
        utc = value.type.zone == TIMESTAMP_TZ.zone
        minutes = f"CAST(date_diff('minute', CAST({value.sql} AS TIMESTAMP), {clock}) AS INTEGER)"
        texts = []
        for part in dates.split_zones(pattern):
            match part:
                case "Z" | "ZZ":
                    colon = ":" if part == "ZZ" else ""
                    texts.append(literal(f"+00{colon}00") if utc else f"trino_offset({minutes}, {literal(colon)})")
                case "z" | "ZZZ" if utc or (part == "ZZZ" and value.type.zone.startswith("'")):
                    texts.append(value.type.zone)
                case "z" | "ZZZ":
                    raise not_supported(at, f"The date pattern {part} in another time zone than UTC")
                case _:
                    texts.append(f"strftime({clock}, {self._date_pattern(part, at)})")
        return Value(f"({' || '.join(texts)})", VARCHAR)

    def _parsed_zone(self, at: exp.Expr, text: exp.Expr, pattern: str, scope: Scope) -> Value:
        """Parse a text by a Joda pattern with an offset: the moment is in the zone of that offset."""
        parts = dates.split_zones(pattern)
        zones = [part for part in parts if dates.names_zone(part)]
        if len(zones) != 1 or zones[0] not in {"Z", "ZZ"}:
            raise not_supported(at, f"The date pattern {pattern} in parse_datetime")
        value = self._value(text, scope)
        if value.type.name not in {"varchar", "unknown"}:
            raise failure("FUNCTION_NOT_FOUND", at, f"Unexpected parameters ({value.type}) for function parse_datetime")
        form = "".join("%z" if part in zones else self._date_pattern(part, at)[1:-1] for part in parts)
        zone = ""  # what a column's texts say differs from row to row
        if isinstance(text, exp.Literal) and parts[-1] in zones:
            offset = re.search(r"([+-]\d\d):?(\d\d)$", text.name)
            if offset is None:
                words = f'Invalid format: "{text.name}"'
                raise failure("INVALID_FUNCTION_ARGUMENT", at, words)
            zone = zone_of(f"{offset[1]}:{offset[2]}", at)
        return Value(f"CAST(strptime({value.sql}, '{form}') AS TIMESTAMPTZ)", Type(TIMESTAMP_TZ.name, zone=zone))

    def _date_pattern(self, text: str, at: exp.Expr) -> str:
        try:
            return literal(dates.from_joda(text))
        except dates.UnknownPattern as error:
            raise not_supported(at, f"The date pattern {error}") from None

    def _format(self, node: exp.Expr, arguments: Sequence[exp.Expr], scope: Scope) -> Value:
        """Translate Java's format: https://trino.io/docs/current/functions/conversion.html#formatting."""
        pattern = arguments[0]
        if not (isinstance(pattern, exp.Literal) and pattern.is_string):
            raise not_supported(node, "A format that is not a literal")
        values = iter(self._values_of(arguments[1:], scope))
        texts = []
        for part in _FORMAT.finditer(pattern.name):
            if part["kind"] in {None, "%"}:
                texts.append(literal(part["text"] or "%"))
            elif value := next(values, None):
                texts.append(_formatted(value, part, node))
            else:
                raise failure("INVALID_FUNCTION_ARGUMENT", node, f"Invalid format string: {pattern.name}")
        return Value(f"({' || '.join(texts) or literal('')})", VARCHAR)

    def _array_join(self, node: exp.Expr, arguments: Sequence[exp.Expr], scope: Scope) -> Value:
        array, *texts = self._values_of(arguments, scope)
        if array.type.name != "array" or any(text.type.name != "varchar" for text in texts):
            wrong = f"Unexpected parameters ({array.type}, …) for function array_join"
            raise failure("FUNCTION_NOT_FOUND", node, wrong)
        item = self._variable()
        shown = as_varchar(Value(item, array.type.of[0]), node)
        if shown is None:
            raise failure("INVALID_FUNCTION_ARGUMENT", node, f"Input type {array.type.of[0]} not supported")
        if len(texts) > 1:
            shown = f"coalesce({shown}, {texts[1].sql})"
        return Value(f"array_to_string(list_transform({array.sql}, lambda {item}: {shown}), {texts[0].sql})", VARCHAR)

    def _aggregates(self, node: exp.Expr | Field) -> bool:
        """Return whether an expression has an aggregate of its own SELECT."""
        if isinstance(node, Field):
            return False
        if isinstance(node, exp.Query):
            return False
        if isinstance(node, exp.Window):
            function = node.this
            while isinstance(function, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
                function = function.this
            return any(self._aggregates(part) for part in children(node) if part is not node.this) or any(
                self._aggregates(part) for part in children(function)
            )
        if isinstance(node, exp.GroupConcat):
            return True
        if isinstance(node, exp.Anonymous):
            overloads = functions().overloads.get(node.name.lower(), ())
            if overloads and overloads[0].aggregates and node.name.lower() not in WINDOW_ONLY:
                return True
        return any(self._aggregates(part) for part in children(node))


def as_varchar(value: Value, at: exp.Expr | None = None) -> str | None:
    """Return the DuckDB expression of a value as Trino writes it, or None for a type that has no text."""
    sql, name = value.sql, value.type.name
    if name == "varchar":
        return sql
    if name in {"double", "real"}:
        return f"trino_double_text({sql})"
    if name == "timestamp":
        return f"strftime({sql}, '%Y-%m-%d %H:%M:%S.%g')"
    if name == "timestamp with time zone":
        return f"strftime({local(value, at)}, '%Y-%m-%d %H:%M:%S.%g ') || {value.type.zone}"
    if name == "time":
        return f"strftime(DATE '1970-01-01' + {sql}, '%H:%M:%S.%g')"
    if name in {*INTEGERS, "decimal", "boolean", "date", "unknown", "uuid"}:
        return f"CAST({sql} AS VARCHAR)"
    return None


def as_json(value: Value) -> str | None:
    """Return the DuckDB expression of a value as a JSON document, or None where Trino's may be another one."""
    sql, name = value.sql, value.type.name
    plain = {"varchar", "boolean", *INTEGERS}
    match name:
        case "json":
            return sql
        case "decimal" | "double" | "real":
            return f"CAST({as_varchar(value)} AS JSON)"
        case "date" | "timestamp":
            return f"to_json({as_varchar(value)})"
        case "map" if value.type.of[0].name == "varchar" and value.type.of[1].name in plain:
            return f"CAST(trino_json_parse(CAST(to_json({sql}) AS VARCHAR)) AS JSON)"
    if name in plain or name == "unknown":
        return f"to_json({sql})"
    if name in {"array", "row"} and {of.name for of in value.type.of} <= plain and all(value.type.fields):
        return f"to_json({sql})"
    return None


def _names_zone(pattern: exp.Expr) -> bool:
    literally = isinstance(pattern, exp.Literal) and pattern.is_string
    return literally and any(map(dates.names_zone, dates.split_zones(pattern.name)))


def _refuse_nested(at: exp.Expr, word: str, *values: Value) -> None:
    """Refuse to look for equal arrays, maps or rows where DuckDB does it, to which nulls inside them are equal."""
    if any(value.type.of for value in values):
        raise not_supported(at, f"{word} over arrays, maps or rows")


def _refuse_order(at: exp.Expr, kind: Type) -> None:
    if kind.of:
        raise not_supported(at, f"ORDER BY a column of type {kind} by its name or number")


def _ordered_type(kind: Type) -> bool:
    return kind.name not in {"map", "json"} and all(map(_ordered_type, kind.of))


def zone_of(name: str, at: exp.Expr) -> str:
    """Return a time zone as a literal; raises QueryFailed for one that is not known."""
    if not re.fullmatch(r"[+-]\d{2}:\d{2}", name) and name not in available_timezones():
        raise failure("INVALID_FUNCTION_ARGUMENT", at, f"'{name}' is not a valid time zone")
    return literal("UTC" if name in {"+00:00", "-00:00", "GMT", "Zulu", "Etc/UTC"} else name)


def _ahead(zone: str) -> str | None:
    """Return the interval by which an offset's clock is ahead of UTC's, or None for a zone with a name."""
    found = re.fullmatch(r"'([+-])(\d{2}):(\d{2})'", zone)
    return f"to_minutes({found[1]}{int(found[2]) * 60 + int(found[3])})" if found else None


def local(value: Value, at: exp.Expr | None) -> str:
    """Return what the clock shows at a moment, as a timestamp without a zone; a date and a timestamp are themselves."""
    if value.type.name != TIMESTAMP_TZ.name:
        return value.sql
    if not value.type.zone:
        raise not_supported(at, "Showing or taking apart a timestamp in a time zone of its row")
    if value.type.zone == TIMESTAMP_TZ.zone:
        return f"CAST({value.sql} AS TIMESTAMP)"
    if ahead := _ahead(value.type.zone):
        return f"(CAST({value.sql} AS TIMESTAMP) + {ahead})"
    return f"timezone({value.type.zone}, {value.sql})"


def instant(sql: str, kind: Type) -> str:
    """Return the moment at which the clock of a type's zone shows a timestamp."""
    if ahead := _ahead(kind.zone):
        return f"CAST({sql} - {ahead} AS TIMESTAMPTZ)"
    return f"CAST({sql} AS TIMESTAMPTZ)" if kind.zone == TIMESTAMP_TZ.zone else f"timezone({kind.zone}, {sql})"


def field_of(value: Value, place: int) -> str:
    """Return a field of a row by its place; DuckDB finds it by its name where all fields have one."""
    if all(value.type.fields):
        return f"struct_extract({value.sql}, {literal(value.type.fields[place])})"
    return f"struct_extract({value.sql}, {place + 1})"


def json_path(text: str) -> str | None:
    """Return the DuckDB path of a Trino JSON path, or None for one that DuckDB might read otherwise."""
    part = r"\.([A-Za-z_][\w$:/@|#-]*)|\[(\d+)\]|\[\"([^\"\\]*)\"\]"
    if not re.fullmatch(rf"\$({part})*", text):
        return None
    return "$" + "".join(f"[{place}]" if place else f'."{name or key}"' for name, place, key in re.findall(part, text))


def _replacement(node: exp.Expr, text: str) -> str:
    r"""Translate what a regular expression's matches become: `$1` is the first group, `\$` a dollar."""
    made = ""
    for part in re.finditer(r"\\(?P<plain>.)|\$(?P<group>\d)(?!\d)|(?P<odd>\$)|(?P<letter>.)", text, re.DOTALL):
        if part["odd"]:
            raise not_supported(node, f"The replacement {text}")
        plain = part["plain"] or part["letter"] or ""
        made += f"\\{part['group']}" if part["group"] else plain.replace("\\", "\\\\")
    return made


def _formatted(value: Value, part: re.Match[str], at: exp.Expr) -> str:
    """Translate one conversion of a format, such as `%,d`."""
    flags, width, digits = part["flags"], part["width"], part["digits"]
    comma = "," if "," in flags else ""
    match part["kind"]:
        case "s" if not (flags or width or digits) and (shown := as_varchar(value, at)):
            return f"coalesce({shown}, 'null')"
        case "d" if value.type.name in INTEGERS and not digits and not (comma and width):
            zero = "0" if "0" in flags else ">" if width else ""
            return f"format({literal(f'{{:{zero}{width}{comma}d}}')}, {value.sql})"
        case "f" if value.type.name in {"double", "real", "decimal"} and not width:
            # Java rounds the decimal digits, halves up; what is rounded so has one text.
            places = int(digits or 6)
            rounded = f"CAST(CAST(CAST({value.sql} AS VARCHAR) AS DECIMAL(38, {places})) AS DOUBLE)"
            return f"format({literal(f'{{:{comma}.{places}f}}')}, {rounded})"
    raise not_supported(at, f"The format {part[0]} of {value.type}")


def _shown(value: Value) -> str:
    return str(value.type)


def children(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the expressions an expression is made of."""
    yield from node.iter_expressions()


def not_aggregate(at: exp.Expr | None, name: str) -> QueryFailed:
    """Return the failure of a column that is neither grouped nor aggregated."""
    text = f"'{name}' must be an aggregate expression or appear in GROUP BY clause"
    return failure("EXPRESSION_NOT_AGGREGATE", at, text)


_MOMENT = re.compile(
    r"\s*(?P<date>\d{1,5}-\d{1,2}-\d{1,2})"
    r"(?: (?P<minutes>\d{1,2}:\d{1,2})(?::(?P<seconds>\d{1,2})(?:\.(?P<fraction>\d+))?)?)?"
    r"(?:\s*(?P<zone>[+-]\d{2}:\d{2}|[A-Za-z]\S*))?\s*"
)
_FORMAT = re.compile(
    r"(?P<text>[^%]+)|%(?P<flags>[,0]*)(?P<width>[1-9]\d*)?(?:\.(?P<digits>\d+))?(?P<kind>[a-zA-Z%])", re.DOTALL
)
# The texts that Trino casts to a type, and what it says of others.
_CLOCK = r"\s*\d{1,5}-\d{1,2}-\d{1,2}( \d{1,2}:\d{1,2}(:\d{1,2}(\.\d+)?)?)?"
_FORMS = {
    "tinyint": (r"[+-]?\d+", "Cannot cast '{}' to TINYINT"),
    "smallint": (r"[+-]?\d+", "Cannot cast '{}' to SMALLINT"),
    "integer": (r"[+-]?\d+", "Cannot cast '{}' to INT"),
    "bigint": (r"[+-]?\d+", "Cannot cast '{}' to BIGINT"),
    "date": (r"\s*[+-]?\d+-\d{1,2}-\d{1,2}\s*", "Value cannot be cast to date: {}"),
    "timestamp": (rf"{_CLOCK}\s*", "Value cannot be cast to timestamp: {}"),
    # Of zones, which a column may mix, only UTC is read.
    "timestamp with time zone": (
        rf"{_CLOCK}( ?(UTC|Z|[+]00:00))?\s*", "Value cannot be cast to timestamp with time zone: {}",
    ),
}  # fmt: skip
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
_EQUALLING = frozenset({
    "array_position", "array_remove", "arrays_overlap", "contains", "contains_sequence", "nullif",
})  # fmt: skip
_ORDERING = frozenset({"array_max", "array_min", "array_sort", "greatest", "least", "max", "max_by", "min", "min_by"})
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
    exp.Tuple: Expressions._tuple,
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
