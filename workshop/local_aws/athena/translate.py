"""Trino's SELECT, resolved against the Glue catalogue, as DuckDB's."""

# ruff: noqa: S608 - SQL is what is made here: names go through quoted(), texts through literal().

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlglot import exp

from workshop.local_aws.athena.catalog import NO_PARTITION, Column, Table
from workshop.local_aws.athena.errors import MalformedStatement, QueryFailed, failure, not_supported
from workshop.local_aws.athena.expressions import Expressions, children, field_of, not_aggregate
from workshop.local_aws.athena.parsing import parse, statement_name
from workshop.local_aws.athena.plan import (
    CATALOG,
    PATH,
    Bound,
    Condition,
    Field,
    Query,
    Scan,
    Scope,
    Source,
    Tables,
    Translation,
    Value,
    literal,
    mark_needed,
    push,
    quoted,
)
from workshop.local_aws.athena.trino_types import BIGINT, VARCHAR, Type, common, common_of, duckdb


def translate(statement: exp.Expr, database: str, tables: Tables, now: datetime) -> Translation:
    """Translate a parsed statement; raises QueryFailed in Athena's words."""
    return _Translator(tables, now).translate(statement, database)


class _Translator(Expressions):
    """Translates the queries of one statement, from the inside out."""

    def __init__(self, tables: Tables, now: datetime) -> None:
        super().__init__(now)
        self._tables = tables
        self._scans: list[Scan] = []
        self._queries: list[Query] = []
        self._views: list[tuple[str, str]] = []
        self._names = 0

    # ---- the statement -------------------------------------------------------------------------------------------

    def translate(self, statement: exp.Expr, database: str) -> Translation:
        if not isinstance(statement, exp.Query):
            raise not_supported(None, f"The statement {statement_name(statement)}")
        scope = Scope(None, database)
        query = self._query(statement, scope)
        for position, column in enumerate(query.fields):
            if _unshown(column.type):
                raise not_supported(None, f"Column {position + 1} of the result, {column.type} of unknown zone,")
        mark_needed(query)
        for each in self._queries:
            for condition in each.conditions:
                push(condition, condition.fields)
        columns = [(column.name or f"_col{position}", column.type) for position, column in enumerate(query.fields)]
        unnamed = tuple(position for position, column in enumerate(query.fields) if not column.name)
        return Translation(query.sql, columns, self._scans, unnamed)

    def _new_name(self, start: str) -> str:
        self._names += 1
        return f"{start}_{self._names}"

    # ---- queries -------------------------------------------------------------------------------------------------

    def _query(self, node: exp.Expr, outer: Scope) -> Query:
        """Translate a query in a scope of its own."""
        scope = Scope(outer, outer.database)
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

    def _with(self, node: exp.Expr, scope: Scope) -> str:
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

    def _recursive(self, node: exp.SetOperation, name: str, names: list[str], scope: Scope) -> Query:
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

    def _wrapped(self, node: exp.Subquery, scope: Scope) -> Query:
        """Translate a query in parentheses, which may have an ORDER BY and a LIMIT of its own."""
        inner = self._query(node.this, scope)
        tail, ordered = self._tail(node, scope, inner)
        if not tail:
            return inner
        inner.sql = f"SELECT * FROM ({inner.sql}){tail}"
        inner.bars_filters |= ordered
        return inner

    def _set_operation(self, node: exp.SetOperation, scope: Scope) -> Query:
        left, right = self._query(node.left, scope), self._query(node.right, scope)
        word = type(node).__name__.upper()
        if len(left.fields) != len(right.fields):
            counts = f"{len(left.fields)}, {len(right.fields)}"
            raise failure("TYPE_MISMATCH", node, f"{word} query has different number of fields: {counts}")
        left.references = right.references = 1
        query = Query(sources=[left, right], needs={*left.fields, *right.fields})
        for a, b in zip(left.fields, right.fields, strict=True):
            kind = common(a.type, b.type)
            if kind is None:
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

    def _tail(self, node: exp.Expr, scope: Scope, query: Query) -> tuple[str, bool]:
        """Translate the ORDER BY and LIMIT of a query that has no FROM of its own."""
        text = ""
        if order := node.args.get("order"):
            inside = Scope(scope, scope.database, [Source("", query.fields, named=False)])
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

    def _values(self, node: exp.Values, scope: Scope) -> Query:
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

    def _select(self, node: exp.Select, scope: Scope) -> Query:
        for clause in ("qualify", "laterals", "pivots", "hint", "into", "kind", "connect", "cluster"):
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
            source
            for source in {column.owner for each in scope.sources for column in each.fields}
            if source is not query
        ]
        limit = self._limit(node)
        query.bars_filters |= bool(limit)
        if aggregated and not node.args.get("group"):
            query.groups.append(set())
        query.groups += self._windows
        self._windows = outer_windows
        query.sql = f"SELECT {'DISTINCT ' if distinct is not None else ''}{columns}{text}{grouping}{order}{limit}"
        return query

    def _items(self, node: exp.Select, scope: Scope) -> Iterator[tuple[exp.Expr | Field, str | None, str]]:
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
        self, items: list[tuple[exp.Expr | Field, str | None, str]], scope: Scope, query: Query
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
                        raise not_aggregate(None, item.name or "")
                else:
                    value = self._value(item, scope)
            same = self._copied(item, scope)
            column = (name or f"_col{position}").lower()
            while column in taken:
                column += "'"
            taken.add(column)
            # Outside this SELECT the names in a zone's expression mean nothing.
            kind = value.type if value.type.zone.startswith("'") else Type(value.type.name, zone="")
            query.fields.append(Field(name, column, kind, query, reads, (same,) if same else ()))
            if name:
                outputs.setdefault(name.lower(), (value, reads))
            texts.append(f"{value.sql} AS {quoted(column)}")
        return ", ".join(texts), outputs

    def _group(
        self, node: exp.Select, scope: Scope, items: list[tuple[exp.Expr | Field, str | None, str]], query: Query
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
        # Where a grouping set leaves a key out, the key is null, and no condition that is carried in holds for a null.
        query.groups.append(copied)
        return f" GROUP BY {', '.join(texts)}", keys

    def _order(self, node: exp.Select, scope: Scope, query: Query) -> tuple[str, set[Field]]:
        order = node.args.get("order")
        if order is None:
            return "", set()
        with self._reading() as reads:
            text = ", ".join(self._ordered(item, scope, query) for item in order.expressions)
        return f" ORDER BY {text}", reads

    # ---- FROM ----------------------------------------------------------------------------------------------------

    def _from(self, node: exp.Select, scope: Scope, query: Query) -> str:
        clause = node.args.get("from_")
        if clause is None:
            return ""
        joins = node.args.get("joins") or []
        text = f" FROM {self._relation(clause.this, scope, query)}"
        if sample := node.args.get("sample"):
            if joins:
                raise not_supported(sample, "TABLESAMPLE of a join")
            text += self._sample(sample)
        for join in joins:
            text += self._join(join, scope, query)
        return text

    def _sample(self, node: exp.TableSample) -> str:
        """Translate TABLESAMPLE: as in Trino, SYSTEM takes blocks of rows and BERNOULLI every row by itself."""
        method, percent = str(node.args.get("method") or "").upper(), node.args.get("percent") or node.args.get("size")
        if method not in {"BERNOULLI", "SYSTEM"} or not isinstance(percent, exp.Literal) or percent.is_string:
            raise not_supported(node, "TABLESAMPLE of this kind")
        return f" TABLESAMPLE {method}({percent.name}%)"

    def _join(self, join: exp.Join, scope: Scope, query: Query) -> str:
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
            left = Scope(None, scope.database, before, dict(scope.merged))
            on = []
            for name in using:
                with self._reading() as reads:
                    a = self._named(name, left, join)
                    b = self._named(name, Scope(None, scope.database, [right]), join)
                merged = {"": a.sql, "LEFT": a.sql, "RIGHT": b.sql, "FULL": f"coalesce({a.sql}, {b.sql})"}[side]
                scope.merged[name] = (Value(merged, self._same_type(join, "=", a, b)), reads)
                on.append(self._equal(a, b))
            return f" {side or 'INNER'} JOIN {relation} ON {' AND '.join(on)}"
        condition = join.args.get("on")
        if condition is None:
            return f" CROSS JOIN {relation}"
        text = f" {side or 'INNER'} JOIN {relation} ON {self._condition(condition, scope).sql}"
        if side in {"", "LEFT"}:
            self._note_conditions(condition, scope, query, only=right.alias if side else None)
        return text

    def _relation(self, node: exp.Expr, scope: Scope, query: Query, *, lateral: bool = False) -> str:
        """Translate one relation of a FROM, and put it in scope."""
        alias_node = node.args.get("alias")
        alias = alias_node.name.lower() if alias_node and alias_node.name else ""
        names = [column.name.lower() for column in (alias_node.args.get("columns") or [])] if alias_node else []
        if node.args.get("pivots"):
            raise not_supported(node, "PIVOT")
        if sample := node.args.get("sample"):
            plain = node.copy()
            plain.set("sample", None)
            return self._relation(plain, scope, query, lateral=lateral) + self._sample(sample)
        if isinstance(node, exp.Table):
            return self._table(node, scope, alias, names)
        if isinstance(node, exp.Unnest):
            return self._unnest(node, scope, alias, names, lateral=lateral)
        if isinstance(node, exp.Lateral):
            if not isinstance(node.this, exp.Subquery):
                raise not_supported(node, "LATERAL of this kind")
            beside = self._query(node.this.this, scope)
            beside.bars_filters = True
            return f"LATERAL {self._derived(beside, scope, alias, names, node)}"
        if isinstance(node, exp.Paren):
            return self._relation(node.this, scope, query)
        if (
            isinstance(node, exp.Subquery)
            and (isinstance(node.this, exp.Table) or node.this.args.get("joins"))
            and not isinstance(node.this, exp.Select)
        ):
            return self._parenthesised(node, scope, query, alias)
        inner = node.this if isinstance(node, exp.Subquery) and not node.args.get("order") else node
        # A subquery in FROM sees the names around its SELECT, not those beside it.
        around = Scope(scope.parent, scope.database, ctes=scope.ctes)
        found = self._query(inner, around)
        return self._derived(found, scope, alias, names, node)

    def _parenthesised(self, node: exp.Subquery, scope: Scope, query: Query, alias: str) -> str:
        """Translate a join in parentheses."""
        first = node.this.copy()
        joins = [*(first.args.get("joins") or []), *(node.args.get("joins") or [])]
        first.set("joins", None)
        if alias or any(join.args.get("using") or join.args.get("method") for join in joins):
            raise not_supported(node, "A join in parentheses with USING or an alias")
        text = self._relation(first, scope, query)
        for join in joins:
            text += self._join(join, scope, query)
        return f"({text})"

    def _derived(self, found: Query, scope: Scope, alias: str, names: list[str], at: exp.Expr) -> str:
        found.references += 1
        self._rename(found, names, at)
        shown = alias or self._new_name("query")
        columns = ", ".join(quoted(column.column) for column in found.fields)
        self._add(scope, Source(shown, found.fields, named=bool(alias)), at)
        return f"({found.sql}) AS {quoted(shown)}({columns})"

    def _add(self, scope: Scope, source: Source, at: exp.Expr) -> None:
        if any(other.alias == source.alias and other.database == source.database for other in scope.sources):
            raise failure("DUPLICATE_TABLE_ALIAS", at, f"Table alias '{source.alias}' is used twice")
        scope.sources.append(source)

    def _table(self, node: exp.Table, scope: Scope, alias: str, names: list[str]) -> str:
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
            self._add(scope, Source(alias or name, fields), node)
            return f"{quoted(name)} AS {quoted(alias or name)}"
        if node.catalog and node.catalog.lower() != CATALOG:
            raise failure("CATALOG_NOT_FOUND", node, f"Catalog '{node.catalog.lower()}' does not exist")
        if database == INFORMATION_SCHEMA:
            if name not in INFORMATION:
                raise failure("TABLE_NOT_FOUND", node, f"Table '{CATALOG}.{database}.{name}' does not exist")
            listed: Query | None = self._listed(INFORMATION[name], self._information(name))
        else:
            listed = self._partitions(database, name.removesuffix("$partitions")) if "$" in name else None
        if listed is not None:
            return self._derived(listed, scope, alias or name, names, node)
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
        self._add(scope, Source(alias or name, scan.fields, database="" if alias else database), node)
        return f"{quoted(scan.name)} AS {quoted(alias or name)}"

    def _listed(self, columns: Sequence[tuple[str, Type]], rows: Iterable[Sequence[str | None]]) -> Query:
        """Return the query of rows that are known, as texts."""
        query = Query(bars_filters=True, references=2)
        query.fields = [Field(name, name, kind, query) for name, kind in columns]
        texts = [f"({', '.join('NULL' if value is None else literal(value) for value in row)})" for row in rows]
        inside = ", ".join(quoted(name) for name, _ in columns)
        values = ", ".join(f"CAST({quoted(name)} AS {duckdb(kind)}) AS {quoted(name)}" for name, kind in columns)
        nothing = f"({', '.join('NULL' for _ in columns)})"
        source = f"(VALUES {', '.join(texts) or nothing}) AS {quoted(self._new_name('listed'))}({inside})"
        query.sql = f"SELECT {values} FROM {source}{'' if texts else ' WHERE false'}"
        return query

    def _information(self, name: str) -> Iterator[tuple[str | None, ...]]:
        """Yield the rows of a table of information_schema."""
        for database in (*self._tables.databases(), INFORMATION_SCHEMA):
            if name == "schemata":
                yield CATALOG, database
                continue
            for table in (
                self._information_tables() if database == INFORMATION_SCHEMA else self._tables.tables(database)
            ):
                here = (CATALOG, database, table.name)
                if name == "tables":
                    yield *here, "BASE TABLE" if table.view is None else "VIEW"
                elif name == "views" and table.view is not None:
                    yield *here, table.view
                elif name == "columns":
                    for place, column in enumerate((*table.columns, *table.keys), 1):
                        extra = "partition key" if column in table.keys else None
                        yield *here, column.name, str(place), None, "YES", str(column.type), column.comment, extra

    def _information_tables(self) -> Iterator[Table]:
        for name, columns in INFORMATION.items():
            yield Table(INFORMATION_SCHEMA, name, tuple(Column(*column) for column in columns))

    def _partitions(self, database: str, name: str) -> Query | None:
        """Return the query of `"table$partitions"`, or None where there is no such table."""
        table = self._tables.table(database, name)
        if table is None or not table.keys:
            return None
        if table.projected:
            raise not_supported(None, f'"{name}$partitions" of a table with partition projection')
        values = (folder.values for folder in self._tables.registered(table))
        rows = (tuple(None if value == NO_PARTITION else value for value in row) for row in values)
        return self._listed([(key.name, key.type) for key in table.keys], rows)

    def _view(self, table: Table, at: exp.Expr) -> Query:
        key = (table.database, table.name)
        label = f"'{CATALOG}.{table.database}.{table.name}'"
        if key in self._views:
            raise failure("VIEW_IS_RECURSIVE", at, f"Statement is recursive: {label}")
        self._views.append(key)
        lambdas, self._lambdas = self._lambdas, []
        try:
            return self._query(parse(table.view or ""), Scope(None, table.view_database))
        except (QueryFailed, MalformedStatement) as error:
            raise failure("INVALID_VIEW", at, f"Failed analyzing stored view {label}: {error}") from None
        finally:
            self._views.pop()
            self._lambdas = lambdas

    def _unnest(self, node: exp.Unnest, scope: Scope, alias: str, names: list[str], *, lateral: bool) -> str:
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
                        item = self._variable()
                        for place, kind in enumerate(row.of):
                            taken = field_of(Value(item, row), place)
                            columns.append(Value(f"list_transform({value.sql}, lambda {item}: {taken})", kind))
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

    def _note_conditions(self, node: exp.Expr, scope: Scope, query: Query, only: str | None = None) -> None:
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
            query.conditions.append(Condition(value.sql, aliases.pop(), fields, self._bound(node, scope)))

    def _bound(self, node: exp.Expr, scope: Scope) -> Bound | None:
        """Return a comparison of a column with constants, or None for any other condition."""
        sign = _SIGNS.get(type(node))
        match node:
            case exp.Between():
                column, *constants = node.this, node.args["low"], node.args["high"]
            case exp.In() if node.expressions:
                column, *constants = node.this, *node.expressions
            case exp.Binary() if sign and isinstance(node.left, exp.Column):
                column, *constants = node.left, node.right
            case exp.Binary() if sign and isinstance(node.right, exp.Column):
                column, *constants = node.right, node.left
                sign = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign)
            case _:
                return None
        if (
            sign is None
            or not isinstance(column, exp.Column)
            or any(c.find(exp.Column, exp.Identifier) for c in constants)
        ):
            return None
        return Bound("", sign, tuple(self._value(constant, scope).sql for constant in constants))


# https://docs.aws.amazon.com/athena/latest/ug/querying-glue-catalog.html
INFORMATION_SCHEMA = "information_schema"
_TABLE = [("table_catalog", VARCHAR), ("table_schema", VARCHAR), ("table_name", VARCHAR)]
INFORMATION: dict[str, list[tuple[str, Type]]] = {
    "schemata": [("catalog_name", VARCHAR), ("schema_name", VARCHAR)],
    "tables": [*_TABLE, ("table_type", VARCHAR)],
    "views": [*_TABLE, ("view_definition", VARCHAR)],
    "columns": [
        *_TABLE,
        ("column_name", VARCHAR),
        ("ordinal_position", BIGINT),
        ("column_default", VARCHAR),
        ("is_nullable", VARCHAR),
        ("data_type", VARCHAR),
        ("comment", VARCHAR),
        ("extra_info", VARCHAR),
    ],
}


def _unshown(kind: Type) -> bool:
    """Return whether a result's column has timestamps whose zone differs, or which are inside another value."""
    return not kind.zone or any(of.name == "timestamp with time zone" or _unshown(of) for of in kind.of)


def _parts(node: exp.Select, items: Sequence[tuple[exp.Expr | Field, str | None, str]]) -> Iterator[exp.Expr | Field]:
    yield from (item for item, _, _ in items)
    if having := node.args.get("having"):
        yield having.this
    if order := node.args.get("order"):
        yield from order.expressions


_SIGNS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=", exp.Between: "between", exp.In: "in",
}  # fmt: skip
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
_STRICT_FUNCTIONS = frozenset({
    "date", "date_add", "date_format", "date_parse", "date_trunc", "from_iso8601_date", "lower", "now",
    "substr",
})  # fmt: skip


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
        isinstance(part, _STRICT) or (isinstance(part, exp.Anonymous) and part.name.lower() in _STRICT_FUNCTIONS)
        for operand in children(node)
        for part in operand.walk()
    )
