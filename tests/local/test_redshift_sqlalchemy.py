"""SQLAlchemy 2.0 with sqlalchemy-redshift, over both drivers: tables are made, filled, read and reflected."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal

import pytest
import sqlalchemy as sa

from .conftest import PASSWORD, Db, Running


@pytest.fixture(params=["psycopg2", "redshift_connector"])
def engine(request: pytest.FixtureRequest, redshift: Running) -> Iterator[sa.Engine]:
    driver = request.param
    url = f"redshift+{driver}://el:{PASSWORD}@127.0.0.1:{redshift.port}/dev"
    options = {"sslmode": "disable"} if driver == "psycopg2" else {"ssl": False}
    made = sa.create_engine(url, connect_args=options)
    yield made
    made.dispose()


def tables(schema: str) -> sa.MetaData:
    metadata = sa.MetaData(schema=schema)
    sa.Table(
        "owners",
        metadata,
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(30), nullable=False, unique=True, redshift_encode="zstd"),
    )
    sa.Table(
        "pets",
        metadata,
        sa.Column("owner", sa.BigInteger, sa.ForeignKey(f"{schema}.owners.id"), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("weight", sa.Numeric(8, 3)),
        sa.Column("born", sa.Date, server_default=sa.text("'2020-01-01'")),
        sa.Column("seen", sa.DateTime),
        redshift_diststyle="KEY",
        redshift_distkey="owner",
        redshift_sortkey=["born", "owner"],
    )
    return metadata


def test_what_was_made_is_reflected(engine: sa.Engine, db: Db) -> None:
    tables(db.schema).create_all(engine)
    inspector = sa.inspect(engine)
    assert inspector.has_table("pets", schema=db.schema)
    assert not inspector.has_table("plants", schema=db.schema)
    assert sorted(inspector.get_table_names(schema=db.schema)) == ["owners", "pets"]
    columns = {c["name"]: (str(c["type"]), c["nullable"]) for c in inspector.get_columns("pets", schema=db.schema)}
    assert columns == {
        "owner": ("BIGINT", False),
        "number": ("INTEGER", False),
        "weight": ("NUMERIC(8, 3)", True),
        "born": ("DATE", True),
        "seen": ("TIMESTAMP", True),
    }
    key = inspector.get_pk_constraint("pets", schema=db.schema)
    assert (key["name"], key["constrained_columns"]) == ("pets_pkey", ["owner", "number"])
    (foreign,) = inspector.get_foreign_keys("pets", schema=db.schema)
    assert (foreign["constrained_columns"], foreign["referred_columns"]) == (["owner"], ["id"])
    assert (foreign["referred_schema"], foreign["referred_table"]) == (db.schema, "owners")
    (unique,) = inspector.get_unique_constraints("owners", schema=db.schema)
    assert unique["column_names"] == ["name"]
    assert inspector.get_indexes("pets", schema=db.schema) == []
    encoded = {c["name"]: c["info"].get("encode") for c in inspector.get_columns("owners", schema=db.schema)}
    assert encoded == {"id": "az64", "name": "zstd"}


def test_a_reflected_table_has_its_layout_and_makes_the_same_anew(engine: sa.Engine, db: Db) -> None:
    tables(db.schema).create_all(engine)
    metadata = sa.MetaData(schema=db.schema)
    pets = sa.Table("pets", metadata, autoload_with=engine)
    options = dict(pets.dialect_options["redshift"])
    assert (options["diststyle"], options["distkey"], options["sortkey"]) == ("KEY", "owner", ("born", "owner"))
    assert [c.name for c in pets.primary_key] == ["owner", "number"]
    metadata.drop_all(engine)
    metadata.create_all(engine)
    layout = f"select diststyle, sortkey1 from svv_table_info where \"schema\" = '{db.schema}' and \"table\" = 'pets'"
    assert db.run(layout) == [("KEY(owner)", "born")]


def test_rows_go_in_and_come_back(engine: sa.Engine, db: Db) -> None:
    metadata = tables(db.schema)
    metadata.create_all(engine)
    owners, pets = metadata.tables[f"{db.schema}.owners"], metadata.tables[f"{db.schema}.pets"]
    with engine.begin() as connection:
        connection.execute(owners.insert(), [{"id": 1, "name": "é"}, {"id": 2, "name": "b"}])
        row = {"owner": 1, "number": 7, "weight": Decimal("4.250"), "seen": datetime.datetime(2024, 5, 6, 7, 8, 9)}
        connection.execute(pets.insert().values(**row))
    with engine.connect() as connection:
        joined = sa.select(owners.c.name, pets.c.weight, pets.c.born, pets.c.seen).join(pets).limit(5)
        assert connection.execute(joined).all() == [
            ("é", Decimal("4.250"), datetime.date(2020, 1, 1), datetime.datetime(2024, 5, 6, 7, 8, 9))
        ]
        connection.execute(pets.update().where(pets.c.number == 7).values(weight=1))
        connection.execute(owners.delete().where(owners.c.id == 2))
        assert connection.execute(sa.select(sa.func.count()).select_from(owners)).scalar_one() == 1
    metadata.drop_all(engine)
    assert sa.inspect(engine).get_table_names(schema=db.schema) == []


def test_views_are_listed_with_their_text_and_columns(engine: sa.Engine, db: Db) -> None:
    db.run("create table t (a int, b varchar(9))")
    db.run("create view bound as select a from t")
    db.run(f"create view late as select a, b from {db.schema}.t with no schema binding")
    inspector = sa.inspect(engine)
    assert sorted(inspector.get_view_names(schema=db.schema)) == ["bound", "late"]
    assert "FROM t" in inspector.get_view_definition("bound", schema=db.schema).replace(f"{db.schema}.", "")
    assert inspector.get_view_definition("late", schema=db.schema).endswith("with no schema binding")
    columns = {c["name"]: str(c["type"]) for c in inspector.get_columns("late", schema=db.schema)}
    assert columns == {"a": "INTEGER", "b": "VARCHAR(9)"}


def test_comments_and_the_default_schema(engine: sa.Engine, db: Db) -> None:
    db.run("create table t (a int); comment on table t is 'a table'; comment on column t.a is 'a column'")
    inspector = sa.inspect(engine)
    assert inspector.default_schema_name == "public"
    assert inspector.get_table_comment("t", schema=db.schema) == {"text": "a table"}
    assert inspector.get_columns("t", schema=db.schema)[0]["comment"] == "a column"
