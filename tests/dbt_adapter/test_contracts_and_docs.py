"""Contracts and constraints, grants, comments, unit tests, functions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dbt.tests.adapter.constraints import test_constraints as constraints
from dbt.tests.adapter.functions import files as function_files
from dbt.tests.adapter.functions import test_udfs as udfs
from dbt.tests.adapter.grants import test_incremental_grants as incremental_grants
from dbt.tests.adapter.grants import test_invalid_grants as invalid_grants
from dbt.tests.adapter.grants import test_model_grants as model_grants
from dbt.tests.adapter.grants import test_seed_grants as seed_grants
from dbt.tests.adapter.grants import test_snapshot_grants as snapshot_grants
from dbt.tests.adapter.persist_docs import test_persist_docs as docs
from dbt.tests.adapter.unit_testing import test_case_insensitivity as case
from dbt.tests.adapter.unit_testing import test_invalid_input as invalid_input
from dbt.tests.adapter.unit_testing import test_quoted_reserved_word_column_names as reserved
from dbt.tests.adapter.unit_testing import test_types as unit_types

from tests.local.conftest import Running

from .suite import classes

classes(
    globals(),
    [
        model_grants.BaseModelGrants, incremental_grants.BaseIncrementalGrants, seed_grants.BaseSeedGrants,
        snapshot_grants.BaseSnapshotGrants,
        docs.BasePersistDocs, docs.BasePersistDocsColumnMissing, docs.BasePersistDocsAllColumnsMissing,
        docs.BasePersistDocsQuotedColumnCaseSensitive,
        docs.BasePersistDocsCommentOnQuotedColumn,
        case.BaseUnitTestCaseInsensivity, invalid_input.BaseUnitTestInvalidInput,
        reserved.BaseUnitTestQuotedReservedWordColumnNames,
        unit_types.BaseUnitTestingVarcharFixtureNoTruncation,
        constraints.BaseIncrementalForeignKeyConstraint, constraints.BaseTableContractSqlHeader,
        constraints.BaseIncrementalContractSqlHeader,
    ],
)  # fmt: skip


class TestQuotedDescriptionNotAppliedOnMismatch(docs.BasePersistDocsQuotedDescriptionNotAppliedOnMismatch):
    """dbt-redshift runs it on a cluster whose parameter group keeps the case of quoted names; here the user's does."""

    @pytest.fixture(scope="class", autouse=True)
    def names_keep_their_case(self, redshift: Running) -> Iterator[None]:
        def ask(sql: str) -> None:
            connection = redshift.connect()
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
            connection.close()

        ask("alter user el set enable_case_sensitive_identifier to true")
        yield
        ask("alter user el reset enable_case_sensitive_identifier")


class TestInvalidGrants(invalid_grants.BaseInvalidGrants):
    def grantee_does_not_exist_error(self) -> str:
        return "does not exist"

    def privilege_does_not_exist_error(self) -> str:
        return "unrecognized privilege"


class TestUnitTestingTypes(unit_types.BaseUnitTestingTypes):
    @pytest.fixture
    def data_types(self) -> list[list[str]]:
        same = {
            "1": "1", "1.0": "1.0", "'1'": "1", "'1'::numeric": "1", "'string'": "string", "true": "true",
            "DATE '2020-01-02'": "2020-01-02", "TIMESTAMP '2013-11-03 00:00:00-0'": "2013-11-03 00:00:00-0",
            "TIMESTAMPTZ '2013-11-03 00:00:00-0'": "2013-11-03 00:00:00-0",
        }  # fmt: skip
        return [list(item) for item in same.items()]


class TestUnitTestingSuper(unit_types.BaseUnitTestingTypes):
    @pytest.fixture
    def data_types(self) -> list[list[str]]:
        json = '{"bar": "baz", "balance": 7.77, "active": false}'
        return [[f"json_parse('{json}')", f"'{json}'"]]


# Constraints: dbt writes them into the DDL, Redshift enforces NOT NULL alone.


class _Types:
    """Redshift has no column types for arrays and JSON."""

    @pytest.fixture
    def data_types(self, schema_int_type: str, int_type: str, string_type: str) -> list[list[str]]:
        return [
            ["1", schema_int_type, int_type],
            ["'1'", string_type, string_type],
            ["cast('2019-01-01' as date)", "date", "DATE"],
            ["true", "bool", "BOOL"],
            ["'2013-11-03 00:00:00-07'::timestamptz", "timestamptz", "TIMESTAMPTZ"],
            ["'2013-11-03 00:00:00-07'::timestamp", "timestamp", "TIMESTAMP"],
            ["'1'::numeric", "numeric", "NUMERIC"],
        ]


class TestTableConstraintsColumnsEqual(_Types, constraints.BaseTableConstraintsColumnsEqual):
    pass


class TestViewConstraintsColumnsEqual(_Types, constraints.BaseViewConstraintsColumnsEqual):
    pass


class TestIncrementalConstraintsColumnsEqual(_Types, constraints.BaseIncrementalConstraintsColumnsEqual):
    pass


def _ddl(columns: str, rows: str, names: str = "id, color, date_day") -> str:
    """What dbt-redshift writes for a model under contract."""
    table = "create table <model_identifier> "
    return f"{table}( {columns} ) ; insert into <model_identifier> ( select {names} from ( {rows} ) as model_subq ) ;"


_NOTE = "-- depends_on: <foreign_key_model_identifier> "
_ROWS = _NOTE + "select 'blue' as color, 1 as id, '2019-01-01' as date_day"
_COLUMNS = (
    "id integer not null primary key references <foreign_key_model_identifier> (id) unique, color text, date_day text"
)


class TestTableConstraintsRuntimeDdlEnforcement(constraints.BaseConstraintsRuntimeDdlEnforcement):
    @pytest.fixture(scope="class")
    def expected_sql(self) -> str:
        return _ddl(_COLUMNS, _ROWS)


class TestIncrementalConstraintsRuntimeDdlEnforcement(constraints.BaseIncrementalConstraintsRuntimeDdlEnforcement):
    @pytest.fixture(scope="class")
    def expected_sql(self) -> str:
        return _ddl(_COLUMNS, _ROWS)


class TestModelConstraintsRuntimeEnforcement(constraints.BaseModelConstraintsRuntimeEnforcement):
    @pytest.fixture(scope="class")
    def expected_sql(self) -> str:
        keys = "primary key (id), constraint strange_uniqueness_requirement unique (color, date_day), "
        keys += "foreign key (id) references <foreign_key_model_identifier> (id)"
        return _ddl(f"id integer not null, color text, date_day text, {keys}", _ROWS)


class TestConstraintQuotedColumn(constraints.BaseConstraintQuotedColumn):
    @pytest.fixture(scope="class")
    def expected_sql(self) -> str:
        rows = "select 'blue' as \"from\", 1 as id, '2019-01-01' as date_day"
        return _ddl('id integer not null, "from" text not null, date_day text', rows, 'id, "from", date_day')


class _NotNull:
    @pytest.fixture(scope="class")
    def expected_error_messages(self) -> list[str]:
        return ["Cannot insert a NULL value into column id"]


class TestTableConstraintsRollback(_NotNull, constraints.BaseConstraintsRollback):
    pass


class TestIncrementalConstraintsRollback(_NotNull, constraints.BaseIncrementalConstraintsRollback):
    pass


# Functions: Redshift's SQL functions name their arguments by position.


class _Function:
    @pytest.fixture(scope="class")
    def functions(self) -> dict[str, str]:
        return {"price_for_xlarge.sql": "select $1 * 2", "price_for_xlarge.yml": function_files.MY_UDF_YML}


class TestUdfs(_Function, udfs.UDFsBasic):
    def check_function_volatility(self, sql: str) -> None:
        assert "VOLATILE" in sql  # dbt-redshift always writes one


class TestCanFindScalarFunction(_Function, udfs.CanFindScalarFunctionRelation):
    pass


class TestDeterministicUdf(_Function, udfs.DeterministicUDF):
    pass


class TestStableUdf(_Function, udfs.StableUDF):
    pass


class TestNonDeterministicUdf(_Function, udfs.NonDeterministicUDF):
    pass


class TestErrorForUnsupportedType(_Function, udfs.ErrorForUnsupportedType):
    pass


class TestPythonUdfNotSupported(udfs.PythonUDFNotSupported):
    pass


class TestDefaultArguments(udfs.SqlUDFDefaultArgSupport):
    expect_default_arg_support = False

    @pytest.fixture(scope="class")
    def functions(self) -> dict[str, str]:
        yml = function_files.MY_UDF_WITH_DEFAULT_ARG_YML
        return {"price_for_xlarge.sql": "select $1 * 2", "price_for_xlarge.yml": yml}
