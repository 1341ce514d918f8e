"""Trino's SELECT, resolved against the Glue catalogue, as DuckDB's.

Every construct has its own method here and every function its line in functions.txt; what has neither is refused by
name. So a statement either means the same in DuckDB or does not run.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import SqlglotError
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokens import TokenType

from workshop.local_aws.athena import dates
from workshop.local_aws.athena.catalog import Table
from workshop.local_aws.athena.errors import (
    MalformedStatement,
    QueryFailed,
    column_not_found,
    failure,
    not_supported,
)
from workshop.local_aws.athena.functions import LITERALS, WINDOW_ONLY, Binding, Function, fill, functions
from workshop.local_aws.athena.types import (
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

CATALOG = "awsdatacatalog"
PATH = "$path"
UNITS = frozenset("millisecond second minute hour day week month quarter year".split())

# A timestamp in a zone of its own, which DuckDB has no type for: it may be taken apart, and not be shown or compared.
ZONED = Type("zoned")
_TAKES_ZONED = frozenset(
    "date_format format_datetime date date_trunc year quarter month week week_of_year year_of_week yow day day_of_month "
    "day_of_week dow day_of_year doy hour minute second millisecond last_day_of_month".split()
)


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
    if isinstance(statements[0], exp.Alias | exp.Column | exp.Condition) and not isinstance(
        statements[0], exp.Query | exp.Command
    ):
        word = text.split(maxsplit=1)[0]
        raise MalformedStatement(f"line 1:1: mismatched input '{word}'")
    return statements[0]


def _syntax(error: SqlglotError, text: str) -> str:
    details: dict[str, Any] = next(iter(getattr(error, "errors", None) or [{}]))
    if not details.get("line"):
        lines = text.splitlines() or [""]
        return f"line {len(lines)}:{len(lines[-1]) + 1}: mismatched input '<EOF>'"
    word = details.get("highlight") or "<EOF>"
    return f"line {details['line']}:{max(1, details['col'] - len(word) + 1)}: mismatched input '{word}'"


class Value(NamedTuple):
    """An expression in DuckDB's SQL, and its Trino type."""

    sql: str
    type: Type


@dataclass(eq=False, slots=True)
class Scan:
    """One mention of a table: which of its columns are needed, and what is asked of its partitions."""

    name: str
    table: Table
    fields: list["Field"] = field(default_factory=list)
    live: set[str] = field(default_factory=set)
    filters: list["Filter"] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Query:
    """A SELECT or what stands for one: its text, its columns, and what it reads."""

    sql: str = ""
    fields: list["Field"] = field(default_factory=list)
    sources: list["Scan | Query"] = field(default_factory=list)
    needs: set["Field"] = field(default_factory=set)
    conditions: list["Condition"] = field(default_factory=list)
    references: int = 0
    bars_filters: bool = False
    """A filter of the reader must not be applied to what the query reads, because of LIMIT or recursion."""
    groups: list[set["Field"]] = field(default_factory=list)
    """A filter of the reader may only concern columns that are in every one of these: GROUP BY, PARTITION BY."""


@dataclass(eq=False, slots=True)
class Field:
    """A column of a scan or a query. `name` is None when nothing can refer to it; `column` is its name in DuckDB."""

    name: str | None
    column: str
    type: Type
    owner: Scan | Query
    reads: set["Field"] = field(default_factory=set)
    same: tuple["Field", ...] = ()
    """The columns this one is a copy of: one, or one for each side of a UNION."""
    hidden: bool = False


class Condition(NamedTuple):
    """A part of a WHERE or ON that only concerns one source: `sql` speaks of `alias` and its columns."""

    sql: str
    alias: str
    fields: Mapping[str, Field]


class Filter(NamedTuple):
    """A condition on the partition keys of a scan: `sql` speaks of `alias` with columns that are copies of keys."""

    sql: str
    alias: str
    keys: Mapping[str, str]


class Translation(NamedTuple):
    """A statement for DuckDB, its columns' names and Trino types, and the tables to be there under their names."""

    sql: str
    columns: list[tuple[str, Type]]
    scans: list[Scan]


class Tables(Protocol):
    """Where tables are looked up."""

    def table(self, database: str, name: str) -> Table | None:
        """Return a table, or None when there is none."""

    def has_database(self, name: str) -> bool:
        """Return whether there is a database of that name."""


@dataclass(slots=True)
class _Source:
    """A relation of a FROM under its alias."""

    alias: str
    fields: list[Field]
    named: bool = True
    """Whether the statement can say the alias."""
    database: str = ""


@dataclass(slots=True)
class _Scope:
    """What names mean at one place: the sources of a SELECT, then those of the SELECT around it."""

    parent: "_Scope | None"
    database: str
    sources: list[_Source] = field(default_factory=list)
    merged: dict[str, tuple[Value, set[Field]]] = field(default_factory=dict)
    """Columns of JOIN … USING, which belong to no side."""
    ctes: dict[str, Query] = field(default_factory=dict)
    windows: dict[str, exp.Window] = field(default_factory=dict)
    outputs: dict[str, tuple[Value, set[Field]]] = field(default_factory=dict)
    """Inside ORDER BY, what is selected under a name."""

    def cte(self, name: str) -> Query | None:
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.ctes:
                return scope.ctes[name]
            scope = scope.parent
        return None


def quoted(name: str) -> str:
    """Return a name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def translate(statement: exp.Expr, database: str, tables: Tables, now: datetime) -> Translation:
    """Translate a parsed statement; raises QueryFailed in Athena's words."""
    return _Translator(tables, now).translate(statement, database)


class _Translator:
    """Translates one statement, depth first: each method returns DuckDB's SQL with the Trino type it has."""

    def __init__(self, tables: Tables, now: datetime) -> None:
        self._tables = tables
        self._now = now
        self._scans: list[Scan] = []
        self._queries: list[Query] = []
        self._views: list[tuple[str, str]] = []
        self._reads: set[Field] = set()
        self._bare: set[tuple[str, Field]] = set()
        self._lambdas: list[dict[str, Type]] = []
        self._keys: set[str] | None = None
        self._windows: list[set[Field]] = []
        self._trying = False
        self._names = 0

    # ---- the statement -------------------------------------------------------------------------------------------

    def translate(self, statement: exp.Expr, database: str) -> Translation:
        if not isinstance(statement, exp.Query):
            raise not_supported(None, f"The statement {_statement_name(statement)}")
        scope = _Scope(None, database)
        query = self._query(statement, scope)
        for position, column in enumerate(query.fields):
            if column.type == ZONED:
                raise not_supported(None, f"Column {position + 1} of the result, a timestamp in another time zone,")
        self._mark(query)
        for each in self._queries:
            for condition in each.conditions:
                self._push(condition, condition.fields)
        columns = [(column.name or f"_col{position}", column.type) for position, column in enumerate(query.fields)]
        return Translation(query.sql, columns, self._scans)

    def _mark(self, top: Query) -> None:
        """Find the columns of every scan that the result depends on."""
        entered: set[Query] = set()
        seen: set[Field] = set()

        def enter(query: Query | Scan) -> None:
            if isinstance(query, Scan) or query in entered:
                return
            entered.add(query)
            for needed in query.needs:
                see(needed)
            for source in query.sources:
                enter(source)

        def see(column: Field) -> None:
            if column in seen:
                return
            seen.add(column)
            if isinstance(column.owner, Scan):
                column.owner.live.add(column.column)
                return
            enter(column.owner)
            for read in column.reads:
                see(read)

        enter(top)
        for column in top.fields:
            see(column)

    def _push(self, condition: Condition, fields: Mapping[str, Field]) -> None:
        """Carry a condition down to the scans whose partition keys it speaks of, where that changes no result."""
        owner = next(iter(fields.values())).owner
        if any(column.owner is not owner for column in fields.values()):
            return
        if isinstance(owner, Scan):
            keys = {key.name for key in owner.table.keys}
            if all(column.column in keys for column in fields.values()):
                named = {name: column.column for name, column in fields.items()}
                owner.filters.append(Filter(condition.sql, condition.alias, named))
            return
        if owner.references > 1 or owner.bars_filters or not all(column.same for column in fields.values()):
            return
        for side in range(min(len(column.same) for column in fields.values())):
            below = {name: column.same[side] for name, column in fields.items()}
            if all(set(below.values()) <= group for group in owner.groups):
                self._push(condition, below)

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

    def _new_name(self, start: str) -> str:
        self._names += 1
        return f"{start}_{self._names}"

    # ---- queries -------------------------------------------------------------------------------------------------

    def _query(self, node: exp.Expr, outer: _Scope) -> Query:
        """Translate a query in a scope of its own."""
        scope = _Scope(outer, outer.database)
        keys, self._keys = self._keys, None
        reads, self._reads = self._reads, set()
        try:
            text = self._with(node, scope)
            match node:
                case exp.Select():
                    query = self._select(node, scope)
                case exp.SetOperation():
                    query = self._set_operation(node, scope)
                case exp.Subquery():
                    query = self._wrapped(node, scope)
                case exp.Values():
                    query = self._values(node, scope)
                case exp.Table():
                    query = self._select(exp.select("*").from_(node), scope)
                case _:
                    raise not_supported(node, f"The query {type(node).__name__.upper()}")
        finally:
            self._keys, self._reads = keys, reads
        query.sql = text + query.sql
        self._queries.append(query)
        return query

    def _with(self, node: exp.Expr, scope: _Scope) -> str:
        clause = node.args.get("with_")
        if clause is None:
            return ""
        texts = []
        for cte in clause.expressions:
            name = cte.alias.lower()
            names = [column.name.lower() for column in cte.args["alias"].args.get("columns") or []]
            if clause.args.get("recursive") and isinstance(cte.this, exp.SetOperation):
                query = self._recursive(cte.this, name, names, scope)
            else:
                query = self._query(cte.this, scope)
                self._rename(query, names, cte)
            scope.ctes[name] = query
            columns = ", ".join(quoted(column.column) for column in query.fields)
            texts.append(f"{quoted(name)}({columns}) AS ({query.sql})")
        return f"WITH {'RECURSIVE ' if clause.args.get('recursive') else ''}{', '.join(texts)} "

    def _recursive(self, node: exp.SetOperation, name: str, names: list[str], scope: _Scope) -> Query:
        """Translate a recursive CTE: the first side says what the second may read."""
        base = self._query(node.this, scope)
        self._rename(base, names, node)
        itself = Query(bars_filters=True, references=2, sources=[base])
        itself.fields = [Field(f.name, f.column, f.type, itself, {f}) for f in base.fields]
        scope.ctes[name] = itself
        step = self._query(node.expression, scope)
        itself.needs = set(base.fields) | set(step.fields)
        itself.sources.append(step)
        itself.sql = f"{base.sql} UNION {'' if node.args.get('distinct') else 'ALL '}{step.sql}"
        return itself

    def _rename(self, query: Query, names: Sequence[str], at: exp.Expr) -> None:
        if names and len(names) != len(query.fields):
            raise failure(
                "MISMATCHED_COLUMN_ALIASES",
                at,
                f"Column alias list has {len(names)} entries but relation has {len(query.fields)} columns",
            )
        for column, name in zip(query.fields, names, strict=False):
            column.name = column.column = name

    def _wrapped(self, node: exp.Subquery, scope: _Scope) -> Query:
        """Translate a query in parentheses, which may have an ORDER BY and a LIMIT of its own."""
        inner = self._query(node.this, scope)
        tail, ordered = self._tail(node, scope, inner)
        if not tail:
            return inner
        inner.sql = f"SELECT * FROM ({inner.sql}){tail}"
        inner.bars_filters |= ordered
        return inner

    def _set_operation(self, node: exp.SetOperation, scope: _Scope) -> Query:
        left, right = self._query(node.left, scope), self._query(node.right, scope)
        word = type(node).__name__.upper()
        if len(left.fields) != len(right.fields):
            counts = f"{len(left.fields)}, {len(right.fields)}"
            raise failure(
                "TYPE_MISMATCH", node, f"{word} query has different number of fields: {counts}"
            )
        left.references = right.references = 1
        query = Query(sources=[left, right], needs={*left.fields, *right.fields})
        for a, b in zip(left.fields, right.fields, strict=True):
            kind = common(a.type, b.type)
            if kind is None or ZONED in (a.type, b.type):
                place = len(query.fields) + 1
                raise failure(
                    "TYPE_MISMATCH", node, f"column {place} in {word} query has incompatible types: {a.type}, {b.type}"
                )
            same = (a, b) if isinstance(node, exp.Union) else ()
            query.fields.append(Field(a.name, a.column, kind, query, {a, b}, same))
        every = "" if node.args.get("distinct") else " ALL"
        query.sql = f"({left.sql}) {word}{every} ({right.sql})"
        tail, limited = self._tail(node, scope, query)
        if tail:
            query.sql = f"SELECT * FROM ({query.sql}){tail}"
            query.bars_filters = limited
        return query

    def _tail(self, node: exp.Expr, scope: _Scope, query: Query) -> tuple[str, bool]:
        """Translate the ORDER BY and LIMIT of a query that has no FROM of its own."""
        text = ""
        if order := node.args.get("order"):
            inside = _Scope(scope, scope.database, [_Source("", query.fields, named=False)])
            text = f" ORDER BY {', '.join(self._ordered(item, inside, query) for item in order.expressions)}"
        limit = self._limit(node)
        return text + limit, bool(limit)

    def _limit(self, node: exp.Expr) -> str:
        text = ""
        if offset := node.args.get("offset"):
            text += f" OFFSET {self._count(offset.expression)}"
        limit = node.args.get("limit")
        if isinstance(limit, exp.Fetch):
            if limit.args["limit_options"].args.get("with_ties"):
                raise not_supported(limit, "FETCH FIRST … WITH TIES")
            text += f" LIMIT {self._count(limit.args['count'])}"
        elif limit is not None and limit.expression.name.upper() != "ALL":
            text += f" LIMIT {self._count(limit.expression)}"
        return text

    def _count(self, node: exp.Expr) -> str:
        if not (isinstance(node, exp.Literal) and node.this.isdigit()):
            raise failure("SYNTAX_ERROR", node, "LIMIT and OFFSET take a whole number")
        return str(node.this)

    def _values(self, node: exp.Values, scope: _Scope) -> Query:
        rows = [
            [self._value(item, scope) for item in (row.expressions if isinstance(row, exp.Tuple) else [row])]
            for row in node.expressions
        ]
        query = Query()
        for position, column in enumerate(zip(*rows, strict=True)):
            kind = common_of([value.type for value in column])
            if kind is None:
                raise failure("TYPE_MISMATCH", node, "Values rows have mismatched types")
            query.fields.append(Field(None, f"_col{position}", kind, query))
        names = ", ".join(quoted(column.column) for column in query.fields)
        texts = ", ".join(
            "("
            + ", ".join(f"CAST({value.sql} AS {duckdb(f.type)})" for value, f in zip(row, query.fields, strict=True))
            + ")"
            for row in rows
        )
        query.sql = f"SELECT * FROM (VALUES {texts}) AS {quoted(self._new_name('values'))}({names})"
        return query

    # ---- SELECT --------------------------------------------------------------------------------------------------

    def _select(self, node: exp.Select, scope: _Scope) -> Query:
        for clause in ("sample", "qualify", "laterals", "pivots", "hint", "into", "kind", "connect", "cluster"):
            if node.args.get(clause):
                raise not_supported(node, clause.upper())
        query = Query()
        outer_windows, self._windows = self._windows, []
        with self._reading() as needs:
            text = self._from(node, scope, query)
            for window in node.args.get("windows") or []:
                scope.windows[window.this.name.lower()] = window
            if where := node.args.get("where"):
                text += f" WHERE {self._condition(where.this, scope).sql}"
                self._note_conditions(where.this, scope, query)
        items = list(self._items(node, scope))
        with self._reading() as group_reads:
            grouping, keys = self._group(node, scope, items, query)
        aggregated = node.args.get("group") is not None or any(self._aggregates(part) for part in _parts(node, items))
        with self._keyed(keys if aggregated else None):
            columns, outputs = self._projections(items, scope, query)
            if having := node.args.get("having"):
                with self._reading() as having_reads:
                    grouping += f" HAVING {self._condition(having.this, scope).sql}"
                needs |= having_reads
            scope.outputs = outputs
            order, order_reads = self._order(node, scope, query)
        distinct = node.args.get("distinct")
        if distinct is not None and distinct.args.get("on"):
            raise not_supported(distinct, "DISTINCT ON")
        query.needs = needs | group_reads | order_reads
        if distinct is not None:
            query.needs |= {read for column in query.fields for read in column.reads}
        query.sources += [
            source for source in {column.owner for each in scope.sources for column in each.fields} if source is not query
        ]
        limit = self._limit(node)
        query.bars_filters |= bool(limit)
        if aggregated and not node.args.get("group"):
            query.groups.append(set())
        query.groups += self._windows
        self._windows = outer_windows
        query.sql = f"SELECT {'DISTINCT ' if distinct is not None else ''}{columns}{text}{grouping}{order}{limit}"
        return query

    def _items(self, node: exp.Select, scope: _Scope) -> Iterator[tuple[exp.Expr | Field, str | None, str]]:
        """Yield what is selected, `*` taken apart: the expression or column, its name, and its source's alias."""
        for item in node.expressions:
            if isinstance(item, exp.Star):
                if item.args.get("except_") or item.args.get("replace"):
                    raise not_supported(item, "* EXCEPT or REPLACE")
                if not scope.sources:
                    raise failure("SYNTAX_ERROR", item, "SELECT * not allowed in queries without FROM clause")
                for name in scope.merged:
                    yield exp.column(name), name, ""
                for source in scope.sources:
                    for column in source.fields:
                        if not column.hidden and column.name not in scope.merged:
                            yield column, column.name, source.alias
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                table = item.args["table"].name.lower()
                found = next((s for s in scope.sources if s.named and s.alias == table), None)
                if found is None:
                    raise failure("TABLE_NOT_FOUND", item, f"Unable to resolve reference {table}")
                for column in found.fields:
                    if not column.hidden:
                        yield column, column.name, found.alias
            elif isinstance(item, exp.Alias):
                yield item.this, item.alias, ""
            else:
                yield item, (item.name if isinstance(item, exp.Column | exp.Dot) else None), ""

    def _projections(
        self, items: list[tuple[exp.Expr | Field, str | None, str]], scope: _Scope, query: Query
    ) -> tuple[str, dict[str, tuple[Value, set[Field]]]]:
        """Translate what is selected; returns its text, and each value under its name."""
        texts: list[str] = []
        outputs: dict[str, tuple[Value, set[Field]]] = {}
        taken: set[str] = set()
        for position, (item, name, alias) in enumerate(items):
            with self._reading() as reads:
                if isinstance(item, Field):
                    value = self._of_source(alias, item)
                    if self._keys is not None and value.sql not in self._keys:
                        raise _not_aggregate(None, item.name or "")
                else:
                    value = self._value(item, scope)
            same = self._copied(item, scope)
            column = (name or f"_col{position}").lower()
            while column in taken:
                column += "'"
            taken.add(column)
            query.fields.append(Field(name, column, value.type, query, reads, (same,) if same else ()))
            if name:
                outputs.setdefault(name.lower(), (value, reads))
            texts.append(f"{value.sql} AS {quoted(column)}")
        return ", ".join(texts), outputs

    def _copied(self, item: exp.Expr | Field, scope: _Scope) -> Field | None:
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

    def _group(
        self, node: exp.Select, scope: _Scope, items: list[tuple[exp.Expr | Field, str | None, str]], query: Query
    ) -> tuple[str, set[str]]:
        group = node.args.get("group")
        if group is None:
            return "", set()
        if group.args.get("all") or group.args.get("totals"):
            raise not_supported(group, "GROUP BY ALL")
        keys: set[str] = set()
        copied: set[Field] = set()

        def key(item: exp.Expr) -> str:
            if isinstance(item, exp.Literal) and not item.is_string:
                if not 1 <= int(item.this) <= len(items):
                    text = f"GROUP BY position {item.this} is not in select list"
                    raise failure("INVALID_COLUMN_REFERENCE", item, text)
                chosen, _, alias = items[int(item.this) - 1]
            else:
                chosen, alias = item, ""
            if isinstance(chosen, Field):
                sql = self._of_source(alias, chosen).sql
            elif self._aggregates(chosen):
                text = f"GROUP BY clause cannot contain aggregations: {chosen.sql('trino')}"
                raise failure("EXPRESSION_NOT_SCALAR", chosen, text)
            else:
                sql = self._value(chosen, scope).sql
            keys.add(sql)
            if same := self._copied(chosen, scope):
                copied.add(same)
            return sql

        def grouped(item: exp.Expr) -> str:
            inside = ", ".join(grouped(part) for part in item.expressions)
            match item:
                case exp.Tuple():
                    return f"({inside})"
                case exp.Paren():
                    return f"({grouped(item.this)})"
                case exp.GroupingSets():
                    return f"GROUPING SETS ({inside})"
                case exp.Rollup() | exp.Cube():
                    return f"{type(item).__name__.upper()} ({inside})"
            return key(item)

        texts = [grouped(item) for item in group.expressions]
        several = bool(group.find(exp.GroupingSets, exp.Rollup, exp.Cube))
        query.groups.append(set() if several else copied)
        return f" GROUP BY {', '.join(texts)}", keys

    def _order(self, node: exp.Select, scope: _Scope, query: Query) -> tuple[str, set[Field]]:
        order = node.args.get("order")
        if order is None:
            return "", set()
        with self._reading() as reads:
            text = ", ".join(self._ordered(item, scope, query) for item in order.expressions)
        return f" ORDER BY {text}", reads

    def _ordered(self, item: exp.Ordered, scope: _Scope, query: Query | None) -> str:
        """Translate one key of an ORDER BY: Trino puts nulls last, up or down, unless told otherwise."""
        tail = f" {'DESC' if item.args.get('desc') else 'ASC'} NULLS {'FIRST' if item.args.get('nulls_first') else 'LAST'}"
        inner = item.this
        if query is not None:
            if isinstance(inner, exp.Literal) and not inner.is_string:
                if not 1 <= int(inner.this) <= len(query.fields):
                    text = f"ORDER BY position {inner.this} is not in select list"
                    raise failure("INVALID_COLUMN_REFERENCE", inner, text)
                return inner.this + tail
            if isinstance(inner, exp.Column) and not inner.table:
                found = [i for i, f in enumerate(query.fields, 1) if f.name and f.name.lower() == inner.name.lower()]
                if found:
                    self._reads |= query.fields[found[0] - 1].reads
                    return f"{found[0]}{tail}"
        return self._value(inner, scope).sql + tail

    # ---- FROM ----------------------------------------------------------------------------------------------------

    def _from(self, node: exp.Select, scope: _Scope, query: Query) -> str:
        clause = node.args.get("from_")
        if clause is None:
            return ""
        text = f" FROM {self._relation(clause.this, scope, query)}"
        for join in node.args.get("joins") or []:
            text += self._join(join, scope, query)
        return text

    def _join(self, join: exp.Join, scope: _Scope, query: Query) -> str:
        side, kind, method = (str(join.args.get(part) or "").upper() for part in ("side", "kind", "method"))
        if kind in {"SEMI", "ANTI", "STRAIGHT"} or method not in {"", "NATURAL"}:
            raise not_supported(join, f"{method} {kind} JOIN".strip())
        before = list(scope.sources)
        relation = self._relation(join.this, scope, query, lateral=True)
        right = scope.sources[-1]
        using = [name.name.lower() for name in join.args.get("using") or []]
        if method == "NATURAL":
            theirs = {column.name for column in right.fields}
            using = [f.name for s in before for f in s.fields if f.name and f.name in theirs and not f.hidden]
        if using:
            left = _Scope(None, scope.database, before, dict(scope.merged))
            on = []
            for name in using:
                with self._reading() as reads:
                    a = self._named(name, left, join)
                    b = self._named(name, _Scope(None, scope.database, [right]), join)
                merged = {"": a.sql, "LEFT": a.sql, "RIGHT": b.sql, "FULL": f"coalesce({a.sql}, {b.sql})"}[side]
                scope.merged[name] = (Value(merged, self._same_type(join, "=", a, b)), reads)
                on.append(f"{a.sql} = {b.sql}")
            return f" {side or 'INNER'} JOIN {relation} ON {' AND '.join(on)}"
        condition = join.args.get("on")
        if condition is None:
            return f" CROSS JOIN {relation}"
        text = f" {side or 'INNER'} JOIN {relation} ON {self._condition(condition, scope).sql}"
        if side in {"", "LEFT"}:
            self._note_conditions(condition, scope, query, only=right.alias if side else None)
        return text

    def _relation(self, node: exp.Expr, scope: _Scope, query: Query, *, lateral: bool = False) -> str:
        """Translate one relation of a FROM, and put it in scope."""
        alias_node = node.args.get("alias")
        alias = alias_node.name.lower() if alias_node and alias_node.name else ""
        names = [column.name.lower() for column in (alias_node.args.get("columns") or [])] if alias_node else []
        if node.args.get("sample") or node.args.get("pivots"):
            raise not_supported(node, "TABLESAMPLE")
        if isinstance(node, exp.Table):
            return self._table(node, scope, alias, names)
        if isinstance(node, exp.Unnest):
            return self._unnest(node, scope, query, alias, names, lateral=lateral)
        if isinstance(node, exp.Lateral):
            raise not_supported(node, "LATERAL")
        if isinstance(node, exp.Paren):
            return self._relation(node.this, scope, query)
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
            raise not_supported(node, "A join in parentheses")
        inner = node.this if isinstance(node, exp.Subquery) and not node.args.get("order") else node
        # A subquery in FROM sees the names around its SELECT, not those beside it.
        around = _Scope(scope.parent, scope.database, ctes=scope.ctes)
        found = self._query(inner, around)
        return self._derived(found, scope, alias, names, node)

    def _derived(self, found: Query, scope: _Scope, alias: str, names: list[str], at: exp.Expr) -> str:
        found.references += 1
        self._rename(found, names, at)
        shown = alias or self._new_name("query")
        columns = ", ".join(quoted(column.column) for column in found.fields)
        self._add(scope, _Source(shown, found.fields, named=bool(alias)), at)
        return f"({found.sql}) AS {quoted(shown)}({columns})"

    def _add(self, scope: _Scope, source: _Source, at: exp.Expr) -> None:
        if any(other.alias == source.alias and other.database == source.database for other in scope.sources):
            raise failure("DUPLICATE_TABLE_ALIAS", at, f"Table alias '{source.alias}' is used twice")
        scope.sources.append(source)

    def _table(self, node: exp.Table, scope: _Scope, alias: str, names: list[str]) -> str:
        if not isinstance(node.this, exp.Identifier):
            name = node.this.name if isinstance(node.this, exp.Anonymous) else node.this.sql("trino")
            raise failure("FUNCTION_NOT_FOUND", node, f"Table function '{name.lower()}' not registered")
        name, database = node.name.lower(), (node.db or scope.database).lower()
        cte = scope.cte(name) if not node.db else None
        if cte is not None:
            cte.references += 1
            fields = cte.fields
            if names:
                copy = Query(sources=[cte])
                copy.fields = [Field(f.name, f.column, f.type, copy, {f}, (f,)) for f in fields]
                copy.sql = f"SELECT {', '.join(quoted(f.column) for f in fields)} FROM {quoted(name)}"
                return self._derived(copy, scope, alias, names, node)
            self._add(scope, _Source(alias or name, fields), node)
            return f"{quoted(name)} AS {quoted(alias or name)}"
        if node.catalog and node.catalog.lower() != CATALOG:
            raise failure("CATALOG_NOT_FOUND", node, f"Catalog '{node.catalog.lower()}' does not exist")
        table = self._tables.table(database, name)
        if table is None:
            if not self._tables.has_database(database):
                raise failure("SCHEMA_NOT_FOUND", node, f"Schema '{database}' does not exist")
            raise failure("TABLE_NOT_FOUND", node, f"Table '{CATALOG}.{database}.{name}' does not exist")
        if table.view is not None:
            return self._derived(self._view(table, node), scope, alias or name, names, node)
        scan = Scan(self._new_name("scan"), table)
        scan.fields = [Field(c.name, c.name, c.type, scan) for c in (*table.columns, *table.keys)]
        scan.fields.append(Field(PATH, PATH, VARCHAR, scan, hidden=True))
        self._scans.append(scan)
        for column, renamed in zip(scan.fields, names, strict=False):
            column.name = renamed
        self._add(scope, _Source(alias or name, scan.fields, database="" if alias else database), node)
        return f"{quoted(scan.name)} AS {quoted(alias or name)}"

    def _view(self, table: Table, at: exp.Expr) -> Query:
        key = (table.database, table.name)
        label = f"'{CATALOG}.{table.database}.{table.name}'"
        if key in self._views:
            raise failure("VIEW_IS_RECURSIVE", at, f"Statement is recursive: {label}")
        self._views.append(key)
        lambdas, self._lambdas = self._lambdas, []
        try:
            return self._query(parse(table.view or ""), _Scope(None, table.view_database))
        except (QueryFailed, MalformedStatement) as error:
            raise failure("INVALID_VIEW", at, f"Failed analyzing stored view {label}: {error}") from None
        finally:
            self._views.pop()
            self._lambdas = lambdas

    def _unnest(
        self, node: exp.Unnest, scope: _Scope, query: Query, alias: str, names: list[str], *, lateral: bool
    ) -> str:
        """Translate UNNEST: arrays side by side, maps as two columns, rows as one column for each field."""
        inner = Query(bars_filters=True, references=2)
        columns: list[Value] = []
        lengths: list[str] = []
        with self._reading() as reads:
            for item in node.expressions:
                value = self._value(item, scope)
                match value.type.name:
                    case "map":
                        columns.append(Value(f"map_keys({value.sql})", value.type.of[0]))
                        columns.append(Value(f"map_values({value.sql})", value.type.of[1]))
                        lengths.append(f"CAST(cardinality({value.sql}) AS BIGINT)")
                    case "array" if value.type.of[0].name == "row":
                        row = value.type.of[0]
                        for name, kind in zip(row.fields, row.of, strict=True):
                            sql = f"list_transform({value.sql}, lambda r: struct_extract(r, {literal(name)}))"
                            columns.append(Value(sql, kind))
                        lengths.append(f"len({value.sql})")
                    case "array":
                        columns.append(Value(value.sql, value.type.of[0]))
                        lengths.append(f"len({value.sql})")
                    case _:
                        raise failure("TYPE_MISMATCH", item, f"Cannot unnest type: {value.type}")
        # sqlglot keeps the name of the ordinality apart from the others.
        ordinality = node.args.get("offset")
        if ordinality:
            longest = lengths[0] if len(lengths) == 1 else f"greatest({', '.join(lengths)})"
            columns.append(Value(f"generate_series(1, {longest})", BIGINT))
            if isinstance(ordinality, exp.Identifier) and names:
                names = [*names, ordinality.name.lower()]
        for position, column in enumerate(columns):
            inner.fields.append(Field(None, f"_col{position}", column.type, inner, set(reads)))
        self._rename(inner, names, node)
        texts = (f"unnest({value.sql}) AS {quoted(f.column)}" for value, f in zip(columns, inner.fields, strict=True))
        inner.sql = f"SELECT {', '.join(texts)}"
        text = self._derived(inner, scope, alias, [], node)
        return f"LATERAL {text}" if lateral else text

    # ---- conditions on partitions --------------------------------------------------------------------------------

    def _note_conditions(self, node: exp.Expr, scope: _Scope, query: Query, only: str | None = None) -> None:
        """Keep the parts of a condition that may decide which partitions are read.

        They must be untrue for a null, so that leaving rows out under an outer join changes nothing.
        """
        node = node.unnest()
        if isinstance(node, exp.And):
            self._note_conditions(node.left, scope, query, only)
            self._note_conditions(node.right, scope, query, only)
            return
        if not _untrue_for_null(node):
            return
        outer, self._bare = self._bare, set()
        with self._reading() as reads:
            value = self._value(node, scope)
        bare, self._bare = self._bare, outer
        aliases = {alias for alias, _ in bare}
        if len(aliases) == 1 and len(bare) == len(reads) and only in (None, *aliases):
            fields = {column.column: column for _, column in bare}
            query.conditions.append(Condition(value.sql, aliases.pop(), fields))

    # ---- expressions ---------------------------------------------------------------------------------------------

    def _condition(self, node: exp.Expr, scope: _Scope) -> Value:
        value = self._value(node, scope)
        if value.type not in (BOOLEAN, UNKNOWN):
            raise failure("TYPE_MISMATCH", node, f"WHERE clause must evaluate to a boolean: actual type {value.type}")
        return value

    def _value(self, node: exp.Expr, scope: _Scope) -> Value:
        """Translate an expression."""
        if self._keys is not None and not isinstance(node, exp.Literal):
            keys = self._keys
            if not self._aggregates(node):
                with self._keyed(None):
                    value = self._translated(node, scope)
                if value.sql in keys:
                    return value
        return self._translated(node, scope)

    def _translated(self, node: exp.Expr, scope: _Scope) -> Value:
        method = _METHODS.get(type(node))
        if method is None:
            raise not_supported(node, type(node).__name__.upper())
        return method(self, node, scope)

    def _values_of(self, nodes: Sequence[exp.Expr], scope: _Scope) -> list[Value]:
        return [self._value(node, scope) for node in nodes]

    def _same_type(self, at: exp.Expr, operator: str, left: Value, right: Value) -> Type:
        if ZONED in (left.type, right.type):
            raise not_supported(at, "Comparing a timestamp in another time zone")
        kind = common(left.type, right.type)
        if kind is None:
            raise failure("TYPE_MISMATCH", at, f"Cannot apply operator: {_shown(left)} {operator} {_shown(right)}")
        return kind

    # names

    def _column(self, node: exp.Expr, scope: _Scope) -> Value:
        parts = [part.name.lower() for part in node.parts]  # type: ignore[attr-defined]
        if self._lambdas:
            for variables in reversed(self._lambdas):
                if parts[0] in variables:
                    return self._fields(Value(quoted(parts[0]), variables[parts[0]]), parts[1:], node)
        if len(parts) == 1 and parts[0] in scope.outputs:
            value, reads = scope.outputs[parts[0]]
            self._reads |= reads
            return value
        level: _Scope | None = scope
        while level is not None:
            if found := self._look_up(parts, level, node):
                value, rest = found
                if level is scope and self._keys is not None and value.sql not in self._keys:
                    raise _not_aggregate(node, node.sql("trino"))
                return self._fields(value, rest, node)
            level = level.parent
        raise column_not_found(node, ".".join(parts))

    def _look_up(self, parts: list[str], scope: _Scope, at: exp.Expr) -> tuple[Value, list[str]] | None:
        for length in (1, 2, 3):
            prefix, rest = parts[:length], parts[length:]
            if not rest or (length == 3 and prefix[0] != CATALOG):
                continue
            for source in scope.sources:
                if source.named and source.alias == prefix[-1] and (length == 1 or prefix[-2] == source.database):
                    if any(column.name and column.name.lower() == rest[0] for column in source.fields):
                        return self._named(rest[0], _Scope(None, "", [source]), at), rest[1:]
                    if length > 1 or not self._starts(parts, scope):
                        raise column_not_found(at, ".".join(parts))
        if self._starts(parts, scope):
            return self._named(parts[0], scope, at), parts[1:]
        return None

    def _starts(self, parts: Sequence[str], scope: _Scope) -> bool:
        """Return whether a name begins with a column: one that is a row, when the name goes on."""
        kinds = [f.type for s in scope.sources for f in s.fields if f.name and f.name.lower() == parts[0]]
        kinds += [scope.merged[parts[0]][0].type] if parts[0] in scope.merged else []
        return any(len(parts) == 1 or kind.name == "row" for kind in kinds)

    def _named(self, name: str, scope: _Scope, at: exp.Expr) -> Value:
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

    def _identifier(self, node: exp.Identifier, scope: _Scope) -> Value:
        return self._column(exp.column(node.copy()), scope)

    def _dot(self, node: exp.Dot, scope: _Scope) -> Value:
        if isinstance(node.expression, exp.Anonymous):
            raise failure("FUNCTION_NOT_FOUND", node, f"Function '{node.sql('trino').lower()}' not registered")
        return self._fields(self._value(node.this, scope), [node.expression.name.lower()], node)

    # literals

    def _literal(self, node: exp.Literal, scope: _Scope) -> Value:
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

    def _null(self, node: exp.Null, scope: _Scope) -> Value:
        return Value("NULL", UNKNOWN)

    def _boolean(self, node: exp.Boolean, scope: _Scope) -> Value:
        return Value("true" if node.this else "false", BOOLEAN)

    def _hex(self, node: exp.HexString, scope: _Scope) -> Value:
        return Value(f"unhex({literal(str(node.this))})", VARBINARY)

    def _json_literal(self, node: exp.ParseJSON, scope: _Scope) -> Value:
        return Value(f"CAST({self._value(node.this, scope).sql} AS JSON)", JSON)

    def _interval(self, node: exp.Interval, scope: _Scope) -> Value:
        unit = node.args["unit"].name.lower().removesuffix("s")
        if unit not in UNITS - {"millisecond", "quarter"} or not re.fullmatch(r"[+-]?[\d.]+", node.this.name):
            raise not_supported(node, f"INTERVAL {node.this.name} {node.args['unit'].sql()}")
        kind = YEAR_TO_MONTH if unit in {"year", "month"} else DAY_TO_SECOND
        return Value(f"INTERVAL {literal(node.this.name)} {unit}", kind)

    def _current(self, node: exp.Expr, scope: _Scope) -> Value:
        moment = f"{self._now:%Y-%m-%d %H:%M:%S}.{self._now.microsecond // 1000:03}"
        match node:
            case exp.CurrentDate():
                return Value(f"DATE '{self._now:%Y-%m-%d}'", DATE)
            case exp.Localtimestamp():
                return Value(f"TIMESTAMP '{moment}'", TIMESTAMP)
        return Value(f"TIMESTAMPTZ '{moment}+00'", TIMESTAMP_TZ)

    def _array(self, node: exp.Array, scope: _Scope) -> Value:
        values = self._values_of(node.expressions, scope)
        kind = common_of([value.type for value in values]) if values else UNKNOWN
        if kind is None:
            raise failure("TYPE_MISMATCH", node, "All ARRAY elements must be the same type")
        return Value(f"[{', '.join(value.sql for value in values)}]", Type("array", (kind,)))

    def _row(self, arguments: Sequence[exp.Expr], scope: _Scope) -> Value:
        values = self._values_of(arguments, scope)
        kind = Type("row", tuple(value.type for value in values), ("",) * len(values))
        return Value(f"row({', '.join(value.sql for value in values)})", kind)

    # operators

    def _paren(self, node: exp.Paren, scope: _Scope) -> Value:
        value = self._value(node.this, scope)
        return Value(f"({value.sql})", value.type)

    def _logical(self, node: exp.Binary, scope: _Scope) -> Value:
        word = "AND" if isinstance(node, exp.And) else "OR"
        left, right = self._condition(node.left, scope), self._condition(node.right, scope)
        return Value(f"({left.sql} {word} {right.sql})", BOOLEAN)

    def _not(self, node: exp.Not, scope: _Scope) -> Value:
        return Value(f"(NOT {self._condition(node.this, scope).sql})", BOOLEAN)

    def _compare(self, node: exp.Binary, scope: _Scope) -> Value:
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

    def _between(self, node: exp.Between, scope: _Scope) -> Value:
        value, low, high = self._values_of([node.this, node.args["low"], node.args["high"]], scope)
        for bound in (low, high):
            if ZONED in (value.type, bound.type) or common(value.type, bound.type) is None:
                text = f"Cannot check if {_shown(value)} is BETWEEN {_shown(low)} and {_shown(high)}"
                raise failure("TYPE_MISMATCH", node, text)
        return Value(f"({value.sql} BETWEEN {low.sql} AND {high.sql})", BOOLEAN)

    def _in(self, node: exp.In, scope: _Scope) -> Value:
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

    def _like(self, node: exp.Expr, scope: _Scope) -> Value:
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

    def _is(self, node: exp.Is, scope: _Scope) -> Value:
        if not isinstance(node.expression, exp.Null):
            raise not_supported(node, f"IS {node.expression.sql('trino')}")
        return Value(f"({self._value(node.this, scope).sql} IS NULL)", BOOLEAN)

    def _exists(self, node: exp.Exists, scope: _Scope) -> Value:
        return Value(f"EXISTS ({self._inner(node.this, scope).sql})", BOOLEAN)

    def _subquery_value(self, node: exp.Expr, scope: _Scope) -> Value:
        query = self._inner(node, scope)
        if len(query.fields) != 1:
            text = f"Multiple columns returned by subquery are not yet supported. Found {len(query.fields)}"
            raise failure("NOT_SUPPORTED", node, text)
        return Value(f"({query.sql})", query.fields[0].type)

    def _inner(self, node: exp.Expr, scope: _Scope) -> Query:
        """Translate a subquery inside an expression: everything it reads, the expression reads."""
        plain = isinstance(node, exp.Subquery) and not node.args.get("order") and not node.args.get("limit")
        query = self._query(node.this if plain else node, scope)
        query.references += 1
        self._reads |= set(query.fields) | query.needs
        return query

    def _negative(self, node: exp.Neg, scope: _Scope) -> Value:
        value = self._value(node.this, scope)
        if value.type.name not in (*NUMBERS, *INTERVALS):
            raise failure("TYPE_MISMATCH", node, f"Cannot negate {_shown(value)}")
        return Value(f"(-{value.sql})", value.type)

    def _concatenate(self, node: exp.DPipe, scope: _Scope) -> Value:
        left, right = self._value(node.left, scope), self._value(node.right, scope)
        names = {left.type.name, right.type.name} - {"unknown"}
        if names <= {"varchar"}:
            return Value(f"({left.sql} || {right.sql})", VARCHAR)
        kind = common(left.type, right.type)
        if names == {"array"} and kind:
            return Value(f"({left.sql} || {right.sql})", kind)
        text = f"Unexpected parameters ({_shown(left)}, {_shown(right)}) for function concat"
        raise failure("FUNCTION_NOT_FOUND", node, text)

    def _calculate(self, node: exp.Binary, scope: _Scope) -> Value:
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

    def _subscript(self, node: exp.Bracket, scope: _Scope) -> Value:
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

    def _case(self, node: exp.Case, scope: _Scope) -> Value:
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
            text = f"All CASE results must be the same type or coercible to a common type: {', '.join(map(str, results))}"
            raise failure("TYPE_MISMATCH", node, text)
        return Value(f"CASE {operand.sql + ' ' if operand else ''}{' '.join(texts)} END", kind)

    def _if(self, node: exp.If, scope: _Scope) -> Value:
        return self._case(exp.Case(ifs=[node], default=node.args.get("false")), scope)

    # casts

    def _cast(self, node: exp.Cast, scope: _Scope) -> Value:
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

    def _extract(self, node: exp.Extract, scope: _Scope) -> Value:
        return self._call(node, node.name.lower(), [node.expression], scope)

    def _position(self, node: exp.StrPosition, scope: _Scope) -> Value:
        return self._call(node, "strpos", [node.this, node.args["substr"]], scope)

    def _substring(self, node: exp.Substring, scope: _Scope) -> Value:
        parts = [node.this, node.args.get("start"), node.args.get("length")]
        return self._call(node, "substr", [part for part in parts if part is not None], scope)

    def _trim(self, node: exp.Trim, scope: _Scope) -> Value:
        name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or "").upper(), "trim")
        values = self._values_of([part for part in (node.this, node.expression) if part], scope)
        return Value(f"{name}({', '.join(value.sql for value in values)})", VARCHAR)

    def _at_time_zone(self, node: exp.AtTimeZone, scope: _Scope) -> Value:
        return self._in_zone(node, node.this, node.args["zone"], scope)

    def _in_zone(self, at: exp.Expr, moment: exp.Expr, zone: exp.Expr, scope: _Scope) -> Value:
        value, name = self._value(moment, scope), self._value(zone, scope)
        if value.type not in (TIMESTAMP, TIMESTAMP_TZ) or name.type.name != "varchar":
            raise failure("TYPE_MISMATCH", at, "Type of value must be a time or timestamp with or without time zone")
        return Value(f"timezone({name.sql}, CAST({value.sql} AS TIMESTAMPTZ))", ZONED)

    def _listagg(self, node: exp.GroupConcat, scope: _Scope) -> Value:
        return self._aggregate_text(node, scope, "", "")

    def _aggregate_text(self, node: exp.GroupConcat, scope: _Scope, prefix: str, suffix: str) -> Value:
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

    def _function(self, node: exp.Anonymous, scope: _Scope) -> Value:
        return self._call(node, node.name.lower(), node.expressions, scope)

    def _filtered(self, node: exp.Filter, scope: _Scope) -> Value:
        with self._keyed(None):
            suffix = f" FILTER (WHERE {self._condition(node.expression.this, scope).sql})"
        return self._over(node.this, scope, suffix, windowed=False)

    def _window(self, node: exp.Window, scope: _Scope) -> Value:
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

    def _frame(self, frame: exp.WindowSpec, scope: _Scope) -> str:
        def edge(name: str) -> str:
            value = frame.args.get(name)
            side = str(frame.args.get(f"{name}_side") or "").upper()
            text = str(value).upper() if isinstance(value, str) else self._value(value, scope).sql
            return f"{text} {side}".strip()

        kind = str(frame.args["kind"]).upper()
        if frame.args.get("end") is None:
            return f"{kind} {edge('start')}"
        return f"{kind} BETWEEN {edge('start')} AND {edge('end')}"

    def _over(self, node: exp.Expr, scope: _Scope, suffix: str, *, windowed: bool) -> Value:
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
        scope: _Scope,
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
        scope: _Scope,
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
        self, function: Function, parts: Sequence[exp.Expr], values: Mapping[int, Value], scope: _Scope
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

    def _lambda(self, node: exp.Lambda, parameter: str, binding: Binding, scope: _Scope) -> str:
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
            return any(self._aggregates(part) for part in _children(node) if part is not node.this) or any(
                self._aggregates(part) for part in _children(node.this)
            )
        if isinstance(node, exp.GroupConcat):
            return True
        if isinstance(node, exp.Anonymous):
            overloads = functions().overloads.get(node.name.lower(), ())
            if overloads and overloads[0].aggregates and node.name.lower() not in WINDOW_ONLY:
                return True
        return any(self._aggregates(part) for part in _children(node))


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


def _children(node: exp.Expr) -> Iterator[exp.Expr]:
    yield from node.iter_expressions()


def _parts(node: exp.Select, items: Sequence[tuple[exp.Expr | Field, str | None, str]]) -> Iterator[exp.Expr | Field]:
    yield from (item for item, _, _ in items)
    if having := node.args.get("having"):
        yield having.this
    if order := node.args.get("order"):
        yield from order.expressions


def _not_aggregate(at: exp.Expr | None, name: str) -> QueryFailed:
    text = f"'{name}' must be an aggregate expression or appear in GROUP BY clause"
    return failure("EXPRESSION_NOT_AGGREGATE", at, text)


def _statement_name(statement: exp.Expr) -> str:
    if isinstance(statement, exp.Command):
        return str(statement.this).upper()
    kind = statement.args.get("kind")
    return f"{type(statement).__name__.upper()}{f' {kind}' if isinstance(kind, str) else ''}"


_STRICT = (
    exp.Column,
    exp.Identifier,
    exp.Literal,
    exp.Cast,
    exp.DataType,
    exp.DataTypeParam,
    exp.Paren,
    exp.Add,
    exp.Sub,
    exp.Interval,
    exp.Var,
    exp.CurrentDate,
    exp.CurrentTimestamp,
)
_STRICT_FUNCTIONS = frozenset("date date_add date_format date_parse date_trunc from_iso8601_date lower now substr".split())


def _untrue_for_null(node: exp.Expr) -> bool:
    """Return whether a condition is known not to hold when a column in it is null."""
    node = node.unnest()
    if isinstance(node, exp.Or):
        return _untrue_for_null(node.left) and _untrue_for_null(node.right)
    if isinstance(node, exp.Not) and isinstance(node.this, exp.In | exp.Between | exp.Like):
        return _untrue_for_null(node.this)
    if not isinstance(node, exp.EQ | exp.NEQ | exp.LT | exp.LTE | exp.GT | exp.GTE | exp.Between | exp.In | exp.Like):
        return False
    return all(
        isinstance(part, _STRICT)
        or (isinstance(part, exp.Anonymous) and part.name.lower() in _STRICT_FUNCTIONS)
        for operand in _children(node)
        for part in operand.walk()
    )


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

_METHODS: dict[type[exp.Expr], Callable[[_Translator, Any, _Scope], Value]] = {
    exp.Column: _Translator._column,
    exp.Identifier: _Translator._identifier,
    exp.Dot: _Translator._dot,
    exp.Literal: _Translator._literal,
    exp.Null: _Translator._null,
    exp.Boolean: _Translator._boolean,
    exp.HexString: _Translator._hex,
    exp.ParseJSON: _Translator._json_literal,
    exp.Interval: _Translator._interval,
    exp.CurrentDate: _Translator._current,
    exp.CurrentTimestamp: _Translator._current,
    exp.Localtimestamp: _Translator._current,
    exp.Array: _Translator._array,
    exp.Paren: _Translator._paren,
    exp.And: _Translator._logical,
    exp.Or: _Translator._logical,
    exp.Not: _Translator._not,
    exp.Between: _Translator._between,
    exp.In: _Translator._in,
    exp.Like: _Translator._like,
    exp.Escape: _Translator._like,
    exp.Is: _Translator._is,
    exp.Exists: _Translator._exists,
    exp.Subquery: _Translator._subquery_value,
    exp.Neg: _Translator._negative,
    exp.DPipe: _Translator._concatenate,
    exp.Bracket: _Translator._subscript,
    exp.Case: _Translator._case,
    exp.If: _Translator._if,
    exp.Cast: _Translator._cast,
    exp.TryCast: _Translator._cast,
    exp.Extract: _Translator._extract,
    exp.StrPosition: _Translator._position,
    exp.Substring: _Translator._substring,
    exp.Trim: _Translator._trim,
    exp.AtTimeZone: _Translator._at_time_zone,
    exp.GroupConcat: _Translator._listagg,
    exp.Filter: _Translator._filtered,
    exp.Window: _Translator._window,
    exp.Anonymous: _Translator._function,
    **dict.fromkeys(_COMPARISONS, _Translator._compare),
    **dict.fromkeys(_ARITHMETIC, _Translator._calculate),
}
