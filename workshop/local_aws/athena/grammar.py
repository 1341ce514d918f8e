"""Athena's statements around a query: what each asks for, read from its text.

Trino's statements (queries, CTAS, INSERT, UNLOAD, views, EXPLAIN, PREPARE) quote names with `"`; those Athena gives to
Hive (other DDL, SHOW, DESCRIBE) quote names with backticks and take `"` for texts.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlglot import exp

from workshop.local_aws.athena.errors import MalformedStatement, QueryFailed, not_supported
from workshop.local_aws.athena.parsing import malformed, parse
from workshop.local_aws.athena.statements import (
    AddColumns,
    AddPartitions,
    CreateDatabase,
    CreateTable,
    CreateTableAs,
    CreateView,
    Deallocate,
    Describe,
    DropDatabase,
    DropPartitions,
    DropTable,
    DropView,
    Execute,
    Explain,
    HiveColumn,
    Insert,
    Name,
    Partition,
    Prepare,
    Properties,
    RenamePartition,
    RepairTable,
    Select,
    SetLocation,
    SetProperties,
    ShowColumns,
    ShowCreateTable,
    ShowCreateView,
    ShowDatabases,
    ShowPartitions,
    ShowProperties,
    ShowTables,
    ShowViews,
    Statement,
    Unload,
    Written,
)


def read(text: str, parameters: Sequence[str] = ()) -> Statement:
    """Read one statement, its `?` replaced by its parameters.

    Raises:
        MalformedStatement: the text is no statement; worded as StartQueryExecution words it.
        QueryFailed: a wrong number of parameters, or a statement that is known and not supported.
    """
    if _is_hives(text):
        _check_count(0, parameters)
        return _Reader(text, hive=True).statement()
    # A statement that is prepared keeps its marks, and one that is run by its name has others.
    if _first_words(text)[:1] not in (["PREPARE"], ["EXECUTE"]):
        text = _bound(text, parameters)
    return _Reader(text, hive=False).statement()


def _bound(text: str, parameters: Sequence[str]) -> str:
    """Return a statement with its `?` replaced, in their order.

    A parameter is one expression, so it cannot end the statement or lengthen a condition.
    https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html
    """
    marks = [token for token in _tokens(text, hive=False) if token.text == "?"]
    _check_count(len(marks), parameters)
    for mark, parameter in zip(reversed(marks), reversed(parameters), strict=True):
        text = text[: mark.start] + _expression(parameter) + text[mark.end :]
    return text


def _check_count(marks: int, parameters: Sequence[str]) -> None:
    if marks != len(parameters):
        text = f"Incorrect number of parameters: expected {marks} but found {len(parameters)}"
        raise QueryFailed("INVALID_PARAMETER_USAGE", text)


def _expression(parameter: str) -> str:
    try:
        select = parse(f"SELECT {parameter}")
    except (MalformedStatement, QueryFailed):
        select = None
    if not (
        isinstance(select, exp.Select) and len(select.expressions) == 1 and set(_clauses(select)) == {"expressions"}
    ):
        raise QueryFailed("INVALID_PARAMETER_USAGE", f"The parameter {parameter} is not a value")
    if isinstance(name := select.expressions[0], exp.Column) and parameter.isidentifier():
        # A bare word is a text: awswrangler's manual has read_sql_query(params=["Washington"], paramstyle="qmark").
        return f"'{name.name}'"
    alone = isinstance(select.expressions[0], exp.Literal | exp.Null | exp.Boolean | exp.Neg | exp.Cast)
    return parameter if alone else f"({parameter})"


def _clauses(select: exp.Select) -> Iterator[str]:
    return (name for name, value in select.args.items() if value)


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


_SKIPPED = r"(?P<skipped>\s+|--[^\n]*|/\*.*?\*/)"
_REST = r"(?P<word>\w+)|(?P<sign>.)"
_TRINO = re.compile(
    rf"""{_SKIPPED}|(?P<string>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")*"|`(?:[^`])*`)|{_REST}""", re.DOTALL
)
_HIVE = re.compile(
    rf"""{_SKIPPED}|(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<quoted>`(?:[^`]|``)*`)|{_REST}""", re.DOTALL
)
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "0": "\0", "Z": "\x1a"}


def _tokens(text: str, *, hive: bool) -> Iterator[_Token]:
    for match in (_HIVE if hive else _TRINO).finditer(text):
        if match.lastgroup != "skipped":
            yield _Token(match.lastgroup or "", match[0], *match.span())


def _first_words(text: str) -> list[str]:
    words: list[str] = []
    for token in _tokens(text, hive=False):
        if token.kind != "word" or len(words) == 3:
            break
        words.append(token.text.upper())
    return words


def _is_hives(text: str) -> bool:
    """Tell Hive's statements from Trino's. CREATE TABLE is Trino's where a query follows."""
    match _first_words(text):
        case ["CREATE", "EXTERNAL" | "DATABASE" | "SCHEMA", *_] | ["DROP" | "ALTER" | "MSCK" | "SHOW", *_]:
            return True
        case ["DESCRIBE" | "DESC", *_]:
            return True
        case ["CREATE", "TABLE", *_]:
            words = [token.text.upper() for token in _tokens(text, hive=True)]
            words = words[5:] if words[2:5] == ["IF", "NOT", "EXISTS"] else words[2:]
            after = words[3:4] if words[1:2] == ["."] else words[1:2]
            return after not in (["AS"], ["WITH"])
    return False


class _Reader:
    """Reads a statement from left to right."""

    def __init__(self, text: str, *, hive: bool) -> None:
        self._text = text
        self._hive = hive
        self._all = list(_tokens(text, hive=hive))
        self._at = 0

    def statement(self) -> Statement:
        """Read the one statement of the text."""
        self._one()
        statement = self._hives() if self._hive else self._trinos()
        self._end()
        return statement

    def _one(self) -> None:
        """Refuse a second statement; a semicolon may stand at the end."""
        while self._all and self._all[-1].text == ";":
            self._all.pop()
        if any(token.text == ";" for token in self._all):
            raise MalformedStatement("Only one sql statement is allowed")
        if not self._all:
            raise MalformedStatement("line 1:1: mismatched input '<EOF>'")

    # ---- Trino's -------------------------------------------------------------------------------------------------

    def _trinos(self) -> Statement:
        if self._takes("CREATE", "TABLE"):
            return self._create_table_as()
        if self._takes("CREATE", "OR", "REPLACE", "VIEW"):
            return self._create_view(replace=True)
        if self._takes("CREATE", "VIEW"):
            return self._create_view(replace=False)
        if self._takes("INSERT", "INTO"):
            name = self._name()
            columns = self._names() if self._sees("(") and not self._sees("(", "SELECT") else ()
            return Insert(name, self._query(), columns)
        if self._takes("UNLOAD"):
            return self._unload()
        if self._takes("EXPLAIN"):
            return self._explain()
        if self._takes("PREPARE"):
            return self._prepare()
        if self._takes("EXECUTE"):
            name_ = self._identifier()
            return Execute(name_, tuple(self._parameters()) if self._takes("USING") else ())
        if self._takes("DEALLOCATE", "PREPARE"):
            return Deallocate(self._identifier())
        return Select(self._query())

    def _create_table_as(self) -> CreateTableAs:
        missing_only = self._takes("IF", "NOT", "EXISTS")
        name = self._name()
        properties = self._trino_properties() if self._takes("WITH") else {}
        self._expect("AS")
        words = [token.text.upper() for token in self._all]
        with_data = True
        for end, kept in ((["WITH", "NO", "DATA"], False), (["WITH", "DATA"], True)):
            if words[-len(end) :] == end:
                del self._all[-len(end) :]
                with_data = kept
        return CreateTableAs(name, self._query(), properties, missing_only, with_data)

    def _create_view(self, *, replace: bool) -> CreateView:
        name = self._name()
        columns = self._names() if self._sees("(") else ()
        if self._takes("COMMENT"):
            self._string()
        if self._takes("SECURITY"):
            raise not_supported(None, "CREATE VIEW … SECURITY")
        self._expect("AS")
        text = self._text[self._all[self._at].start : self._all[-1].end] if self._at < len(self._all) else ""
        return CreateView(name, self._query(), text, columns, replace)

    def _unload(self) -> Unload:
        self._expect("(")
        depth, end = 1, self._at
        while end < len(self._all):
            depth += {"(": 1, ")": -1}.get(self._all[end].text, 0)
            if not depth:
                break
            end += 1
        query = self._query(end)
        self._expect(")")
        self._expect("TO")
        location = self._string()
        self._expect("WITH")
        return Unload(query, location, self._trino_properties())

    def _explain(self) -> Explain:
        if not self._takes("(", "TYPE", "VALIDATE", ")"):
            raise not_supported(None, "EXPLAIN other than EXPLAIN (TYPE VALIDATE)")
        return Explain(self._trinos())

    def _prepare(self) -> Prepare:
        name = self._identifier()
        self._expect("FROM")
        text = self._text[self._all[self._at].start : self._all[-1].end] if self._at < len(self._all) else ""
        inner = self._trinos()
        # https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html
        if not isinstance(inner, Select | Written):
            raise QueryFailed("NOT_SUPPORTED", f"PREPARE of {inner.subtype} is not supported")
        return Prepare(name, text)

    def _parameters(self) -> Iterator[str]:
        """Yield the texts of the expressions of USING."""
        depth, start = 0, self._at
        while self._at <= len(self._all):
            token = self._all[self._at] if self._at < len(self._all) else None
            if token is None or (token.text == "," and not depth):
                if start == self._at:
                    raise self._wrong()
                yield self._text[self._all[start].start : self._all[self._at - 1].end]
                start = self._at + 1
            elif token.text in "([":
                depth += 1
            elif token.text in ")]":
                depth -= 1
            self._at += 1
        self._at = len(self._all)

    def _query(self, end: int | None = None) -> exp.Expr:
        """Read the tokens up to the end as a query, at the place it has in the text."""
        last = len(self._all) if end is None else end
        if self._at >= last:
            raise self._wrong()
        start, stop = self._all[self._at].start, self._all[last - 1].end
        self._at = last
        query = parse(re.sub(r"[^\n]", " ", self._text[:start]) + self._text[start:stop])
        return exp.Subquery(this=query) if isinstance(query, exp.Values) else query

    def _trino_properties(self) -> dict[str, Any]:
        self._expect("(")
        properties: dict[str, Any] = {}
        while True:
            name = self._identifier()
            self._expect("=")
            properties[name] = self._value()
            if not self._takes(","):
                break
        self._expect(")")
        return properties

    def _value(self) -> Any:
        if self._takes("ARRAY", "["):
            values = []
            while not self._takes("]"):
                values.append(self._string())
                self._takes(",")
            return values
        token = self._next()
        if token.kind == "string":
            return token.text[1:-1].replace("''", "'")
        if token.kind == "word" and token.text.isdigit():
            return int(token.text)
        if token.text.upper() in {"TRUE", "FALSE"}:
            return token.text.upper() == "TRUE"
        self._at -= 1
        raise self._wrong()

    # ---- Hive's --------------------------------------------------------------------------------------------------

    def _hives(self) -> Statement:
        if self._takes("CREATE", "DATABASE") or self._takes("CREATE", "SCHEMA"):
            return self._create_database()
        if self._takes("CREATE", "EXTERNAL", "TABLE"):
            return self._create_table()
        if self._takes("CREATE", "TABLE"):
            return self._create_managed()
        if self._takes("DROP", "DATABASE") or self._takes("DROP", "SCHEMA"):
            if_exists = self._takes("IF", "EXISTS")
            name = self._identifier()
            cascade = self._takes("CASCADE")
            if not cascade:
                self._takes("RESTRICT")
            return DropDatabase(name, if_exists, cascade)
        if self._takes("DROP", "TABLE"):
            if_exists = self._takes("IF", "EXISTS")
            return DropTable(self._name(), if_exists)
        if self._takes("DROP", "VIEW"):
            if_exists = self._takes("IF", "EXISTS")
            return DropView(self._name(), if_exists)
        if self._takes("ALTER", "TABLE"):
            return self._alter(self._name())
        if self._takes("MSCK", "REPAIR", "TABLE"):
            return RepairTable(self._name())
        if self._takes("SHOW"):
            return self._show()
        if self._takes("DESCRIBE") or self._takes("DESC"):
            return self._describe()
        raise not_supported(None, f"The statement {' '.join(_first_words(self._text)[:2])}")

    def _create_database(self) -> CreateDatabase:
        missing_only = self._takes("IF", "NOT", "EXISTS")
        name = self._identifier()
        comment = location = ""
        properties: Properties = {}
        while self._at < len(self._all):
            if self._takes("COMMENT"):
                comment = self._string()
            elif self._takes("LOCATION"):
                location = self._string()
            elif self._takes("WITH", "DBPROPERTIES"):
                properties = self._hive_properties()
            else:
                raise self._wrong()
        return CreateDatabase(name, missing_only, comment, location, properties)

    def _create_managed(self) -> Statement:
        table = self._create_table()
        if {key.lower(): str(value).upper() for key, value in table.properties.items()}.get("table_type") == "ICEBERG":
            raise not_supported(None, "An Iceberg table")
        # Reported by users of CREATE TABLE without EXTERNAL.
        raise MalformedStatement("line 1:8: mismatched input 'table'. Expecting: 'external'")

    def _create_table(self) -> CreateTable:
        made: dict[str, Any] = {"if_not_exists": self._takes("IF", "NOT", "EXISTS"), "name": self._name()}
        if self._sees("("):
            made["columns"] = self._columns()
        serde_properties: dict[str, str] = {}
        while self._at < len(self._all):
            if self._takes("COMMENT"):
                made["comment"] = self._string()
            elif self._takes("PARTITIONED", "BY"):
                made["keys"] = self._columns()
            elif self._takes("CLUSTERED", "BY"):
                raise not_supported(None, "CLUSTERED BY")
            elif self._takes("ROW", "FORMAT", "SERDE"):
                made["serde"] = self._string()
            elif self._takes("ROW", "FORMAT", "DELIMITED"):
                serde_properties |= self._delimited()
            elif self._takes("WITH", "SERDEPROPERTIES"):
                serde_properties |= self._hive_properties()
            elif self._takes("STORED", "AS", "INPUTFORMAT"):
                made["input_format"] = self._string()
                self._expect("OUTPUTFORMAT")
                made["output_format"] = self._string()
            elif self._takes("STORED", "AS"):
                made["format"] = self._next().text.upper()
            elif self._takes("LOCATION"):
                made["location"] = self._string()
            elif self._takes("TBLPROPERTIES"):
                made["properties"] = self._hive_properties()
            else:
                raise self._wrong()
        return CreateTable(serde_properties=serde_properties, **made)

    def _delimited(self) -> dict[str, str]:
        """Read what ROW FORMAT DELIMITED says, as LazySimpleSerDe's properties.

        https://cwiki.apache.org/confluence/display/Hive/LanguageManual+DDL#LanguageManualDDL-RowFormats&SerDe
        """
        said: dict[str, str] = {}
        while True:
            if self._takes("FIELDS", "TERMINATED", "BY"):
                said["field.delim"] = said["serialization.format"] = self._string()
                if self._takes("ESCAPED", "BY"):
                    said["escape.delim"] = self._string()
            elif self._takes("COLLECTION", "ITEMS", "TERMINATED", "BY"):
                said["collection.delim"] = self._string()
            elif self._takes("MAP", "KEYS", "TERMINATED", "BY"):
                said["mapkey.delim"] = self._string()
            elif self._takes("LINES", "TERMINATED", "BY"):
                said["line.delim"] = self._string()
            elif self._takes("NULL", "DEFINED", "AS"):
                said["serialization.null.format"] = self._string()
            else:
                return said

    def _alter(self, name: Name) -> Statement:
        if self._takes("ADD", "COLUMNS"):
            return AddColumns(name, self._columns(), replace=False)
        if self._takes("REPLACE", "COLUMNS"):
            return AddColumns(name, self._columns(), replace=True)
        if self._takes("ADD"):
            missing_only = self._takes("IF", "NOT", "EXISTS")
            return AddPartitions(name, tuple(self._partitions()), missing_only)
        if self._takes("DROP"):
            if_exists = self._takes("IF", "EXISTS")
            return DropPartitions(name, tuple(self._partitions()), if_exists)
        if self._takes("SET", "TBLPROPERTIES"):
            return SetProperties(name, self._hive_properties())
        partition = next(iter(self._partitions())) if self._sees("PARTITION") else None
        if self._takes("SET", "LOCATION"):
            return SetLocation(name, partition, self._string())
        if partition and self._takes("RENAME", "TO"):
            return RenamePartition(name, partition, next(iter(self._partitions())))
        raise not_supported(
            None, f"ALTER TABLE … {' '.join(token.text.upper() for token in self._all[self._at :][:2])}"
        )

    def _partitions(self) -> list[Partition]:
        """Read `PARTITION (k = v, …) [LOCATION …]`, one or several."""
        found = []
        while self._takes("PARTITION"):
            self._expect("(")
            keys: dict[str, str] = {}
            while True:
                key = self._identifier()
                self._expect("=")
                keys[key] = self._scalar()
                if not self._takes(","):
                    break
            self._expect(")")
            found.append(Partition(keys, self._string() if self._takes("LOCATION") else ""))
            self._takes(",")
        if not found:
            raise self._wrong()
        return found

    def _scalar(self) -> str:
        token = self._next()
        if token.kind == "string":
            return self._unescaped(token)
        if token.text == "-":
            return "-" + self._next().text
        if self._takes("."):
            return f"{token.text}.{self._next().text}"
        return token.text

    def _show(self) -> Statement:
        if self._takes("DATABASES") or self._takes("SCHEMAS"):
            return ShowDatabases(self._pattern())
        if self._takes("TABLES"):
            database = self._identifier() if self._takes("IN") or self._takes("FROM") else ""
            return ShowTables(database, self._pattern())
        if self._takes("VIEWS"):
            database = self._identifier() if self._takes("IN") or self._takes("FROM") else ""
            return ShowViews(database, self._pattern())
        if self._takes("COLUMNS"):
            if not self._takes("IN"):
                self._expect("FROM")
            name = self._name()
            if self._takes("IN") or self._takes("FROM"):
                name = Name(self._identifier(), name.table)
            return ShowColumns(name)
        if self._takes("PARTITIONS"):
            return ShowPartitions(self._name())
        if self._takes("TBLPROPERTIES"):
            name = self._name()
            wanted = ""
            if self._takes("("):
                wanted = self._string()
                self._expect(")")
            return ShowProperties(name, wanted)
        if self._takes("CREATE", "TABLE"):
            return ShowCreateTable(self._name())
        if self._takes("CREATE", "VIEW"):
            return ShowCreateView(self._name())
        raise not_supported(
            None, f"SHOW {self._all[self._at].text.upper() if self._at < len(self._all) else ''}".strip()
        )

    def _pattern(self) -> str:
        self._takes("LIKE")
        return self._string() if self._at < len(self._all) else ""

    def _describe(self) -> Describe:
        for word in ("EXTENDED", "FORMATTED"):
            if self._sees(word) and self._at + 1 < len(self._all):
                raise not_supported(None, f"DESCRIBE {word}")
        self._takes("TABLE")
        self._takes("VIEW")
        name = self._name()
        if self._at < len(self._all):
            raise not_supported(None, "DESCRIBE of a column or a partition")
        return Describe(name)

    def _columns(self) -> tuple[HiveColumn, ...]:
        self._expect("(")
        columns = []
        while True:
            name, kind = self._identifier(), self._type()
            columns.append(HiveColumn(name, kind, self._string() if self._takes("COMMENT") else ""))
            if not self._takes(","):
                break
        self._expect(")")
        return tuple(columns)

    def _type(self) -> str:
        """Read a type with what stands in its brackets; Glue writes it without spaces and in lower case."""
        first = self._next()
        last, depth = first, 0
        while self._at < len(self._all):
            text = self._all[self._at].text
            if not depth and text not in {"<", "("}:
                break
            depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(text, 0)
            last = self._next()
            if not depth:
                break
        return re.sub(r"[\s`]+", "", self._text[first.start : last.end]).lower()

    def _hive_properties(self) -> dict[str, str]:
        self._expect("(")
        properties: dict[str, str] = {}
        while True:
            key = self._string()
            self._expect("=")
            properties[key] = self._scalar()
            if not self._takes(","):
                break
        self._expect(")")
        return properties

    # ---- words ---------------------------------------------------------------------------------------------------

    def _sees(self, *words: str) -> bool:
        here = self._all[self._at : self._at + len(words)]
        return [token.text.upper() for token in here if token.kind in {"word", "sign"}] == list(words)

    def _takes(self, *words: str) -> bool:
        if self._sees(*words):
            self._at += len(words)
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._takes(word):
            raise self._wrong()

    def _next(self) -> _Token:
        if self._at >= len(self._all):
            raise self._wrong()
        self._at += 1
        return self._all[self._at - 1]

    def _end(self) -> None:
        if self._at < len(self._all):
            raise self._wrong()

    def _identifier(self) -> str:
        token = self._next()
        if token.kind == "word":
            return token.text.lower()
        if token.kind == "quoted" or (self._hive and token.text.startswith('"')):
            quote = token.text[0]
            return token.text[1:-1].replace(quote * 2, quote).lower()
        self._at -= 1
        raise self._wrong()

    def _name(self) -> Name:
        """Read `[catalog.][database.]table`; Hive also takes both between one pair of backticks."""
        parts = [self._identifier()]
        while self._takes("."):
            parts.append(self._identifier())
        if self._hive and len(parts) == 1:
            parts = parts[0].split(".")
        if len(parts) == 3:
            if parts[0] != "awsdatacatalog":
                raise QueryFailed("CATALOG_NOT_FOUND", f"Catalog '{parts[0]}' does not exist")
            parts = parts[1:]
        return Name("", parts[0]) if len(parts) == 1 else Name(parts[0], parts[1])

    def _names(self) -> tuple[str, ...]:
        self._expect("(")
        names = [self._identifier()]
        while self._takes(","):
            names.append(self._identifier())
        self._expect(")")
        return tuple(names)

    def _string(self) -> str:
        token = self._next()
        if token.kind != "string":
            self._at -= 1
            raise self._wrong()
        text = self._unescaped(token)
        # Hive puts texts together that stand side by side; a doubled quote is nothing else.
        while self._hive and self._at < len(self._all) and self._all[self._at].kind == "string":
            text += self._unescaped(self._next())
        return text

    def _unescaped(self, token: _Token) -> str:
        inside = token.text[1:-1]
        if not self._hive:
            return inside.replace("''", "'")
        return re.sub(r"\\(?:u([0-9A-Fa-f]{4})|([0-3][0-7]{2})|(.))", _unescape, inside, flags=re.DOTALL)

    def _wrong(self) -> MalformedStatement:
        if self._at >= len(self._all):
            return malformed(self._text, len(self._text), "<EOF>")
        return malformed(self._text, self._all[self._at].start, self._all[self._at].text)


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    if match[2]:
        return chr(int(match[2], 8))
    return _ESCAPES.get(match[3], match[3])
