"""SQLAlchemy over PyAthena's dialects, by the patterns of PyAthena's manual."""

import pandas as pd
import pytest
from sqlalchemy import Engine, Integer, MetaData, String, Table, create_engine, func, inspect, select, text
from sqlalchemy.exc import NoSuchTableError, OperationalError

from tests.local_aws.athena.lake import DATABASE
from tests.local_aws.clients.lake import BUCKET, WORKGROUP
from tests.local_aws.clients.listed import SQLALCHEMY, tries

pytestmark = pytest.mark.usefixtures("endpoint")

DIALECTS = ["rest", "pandas", "s3fs"]
PAGE = "sqlalchemy.html"


def engine(dialect: str, **more: str) -> Engine:
    """Return an engine as the manual has it: the host names the region, the endpoint stands in the environment."""
    options = {"work_group": WORKGROUP, "poll_interval": "0.02", **more}
    query = "&".join(f"{key}={value}" for key, value in options.items())
    return create_engine(f"awsathena+{dialect}://:@athena.us-east-1.amazonaws.com:443/{DATABASE}?{query}")


@pytest.mark.parametrize("dialect", DIALECTS)
@tries(SQLALCHEMY, "reflection: schemas, tables, views and their text", PAGE)
def test_reflection(dialect: str) -> None:
    inspector = inspect(engine(dialect))
    assert DATABASE in inspector.get_schema_names()
    assert {"quarantine", "stock_events"} <= set(inspector.get_table_names())
    assert inspector.get_view_names() == ["unique_events"]
    assert "row_number" in inspector.get_view_definition("unique_events").lower()
    columns = {column["name"]: column["type"] for column in inspector.get_columns("stock_events")}
    assert isinstance(columns["stock"], Integer)
    assert isinstance(columns["dt"], String)
    assert inspector.has_table("quarantine")
    assert not inspector.has_table("nothing")
    with pytest.raises(NoSuchTableError):
        Table("nothing", MetaData(), autoload_with=engine(dialect))


@pytest.mark.parametrize("dialect", DIALECTS)
@tries(SQLALCHEMY, "a reflected table is queried", PAGE)
def test_a_reflected_table_is_queried(dialect: str) -> None:
    with engine(dialect).connect() as connection:
        events = Table("stock_events", MetaData(), autoload_with=connection)
        counted = select(func.count(), func.min(events.c.stock)).where(events.c.dt == "2026-11-20")
        assert connection.execute(counted).one() == (8, 3)
        with pytest.raises(OperationalError, match="COLUMN_NOT_FOUND"):
            connection.execute(text("SELECT nothing FROM stock_events"))


@pytest.mark.parametrize("dialect", DIALECTS)
@tries(SQLALCHEMY, "pandas.read_sql, with parameters", PAGE)
def test_read_sql(dialect: str) -> None:
    with engine(dialect).connect() as connection:
        low = text("SELECT store_id, min(stock) AS stock FROM unique_events WHERE stock < :most GROUP BY 1 ORDER BY 1")
        frame = pd.read_sql(low, connection, params={"most": 5})
    assert frame.to_dict("list") == {"store_id": ["A", "B"], "stock": [3, 2]}


@pytest.mark.parametrize("dialect", DIALECTS)
@tries(SQLALCHEMY, "DataFrame.to_sql makes and fills a table", PAGE)
def test_to_sql(dialect: str) -> None:
    made = engine(dialect, location=f"s3://{BUCKET}/made/", file_format="parquet", compression="snappy")
    frame = pd.DataFrame({"shop": ["A", "B"], "units": [1, 2], "price": [1.5, 2.5]})
    with made.connect() as connection:
        frame.to_sql(f"made_{dialect}", connection, index=False, if_exists="append", method="multi")
        frame.to_sql(f"made_{dialect}", connection, index=False, if_exists="append", method="multi")
        back = pd.read_sql(text(f"SELECT * FROM made_{dialect} ORDER BY shop"), connection)
        assert back.to_dict("list") == {
            "shop": ["A", "A", "B", "B"],
            "units": [1, 1, 2, 2],
            "price": [1.5, 1.5, 2.5, 2.5],
        }
        connection.execute(text(f"DROP TABLE made_{dialect}"))
    assert not inspect(made).has_table(f"made_{dialect}")


@tries(SQLALCHEMY, "a table is created with partitions, a location and a format", PAGE + "#table-options")
def test_create_table_with_options() -> None:
    from sqlalchemy import Column, types

    rest = engine("rest")
    table = Table(
        "created",
        MetaData(schema=DATABASE),
        Column("units", types.Integer, comment="how many"),
        Column("day", types.String, awsathena_partition=True),
        awsathena_location=f"s3://{BUCKET}/created/",
        awsathena_file_format="PARQUET",
        awsathena_compression="SNAPPY",
    )
    with rest.connect() as connection:
        table.create(bind=connection)
        reflected = Table("created", MetaData(schema=DATABASE), autoload_with=connection)
        assert [column.name for column in reflected.columns] == ["units", "day"]
        assert reflected.c.units.comment == "how many"
        assert reflected.dialect_options["awsathena"]["location"].rstrip("/") == f"s3://{BUCKET}/created"
        connection.execute(table.insert().values(units=3, day="mon"))
        assert connection.execute(select(reflected)).all() == [(3, "mon")]
        table.drop(bind=connection)
