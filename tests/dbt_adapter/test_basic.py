"""What every adapter must do: materializations, tests, snapshots, docs, and dbt's own commands."""

from __future__ import annotations

from typing import Any

import pytest
from dbt.tests.adapter.aliases import test_aliases as aliases
from dbt.tests.adapter.basic import expected_catalog as catalog
from dbt.tests.adapter.basic import files
from dbt.tests.adapter.basic import test_adapter_methods as methods
from dbt.tests.adapter.basic import test_base as base
from dbt.tests.adapter.basic import test_docs_generate as docs
from dbt.tests.adapter.basic import test_empty as empty_project
from dbt.tests.adapter.basic import test_ephemeral as basic_ephemeral
from dbt.tests.adapter.basic import test_generic_tests as generic
from dbt.tests.adapter.basic import test_incremental as incremental
from dbt.tests.adapter.basic import test_singular_tests as singular
from dbt.tests.adapter.basic import test_singular_tests_ephemeral as singular_ephemeral
from dbt.tests.adapter.basic import test_snapshot_check_cols as check_cols
from dbt.tests.adapter.basic import test_snapshot_timestamp as timestamp
from dbt.tests.adapter.basic import test_table_materialization as table
from dbt.tests.adapter.basic import test_validate_connection as connection
from dbt.tests.adapter.caching import test_caching as caching
from dbt.tests.adapter.column_types import test_column_types as column_types
from dbt.tests.adapter.concurrency import test_concurrency as concurrency
from dbt.tests.adapter.dbt_clone import test_dbt_clone as clone
from dbt.tests.adapter.dbt_debug import test_dbt_debug as debug
from dbt.tests.adapter.dbt_show import test_dbt_show as show
from dbt.tests.adapter.empty import test_empty as empty
from dbt.tests.adapter.query_comment import test_query_comment as comment
from dbt.tests.adapter.relations import test_changing_relation_type as changing
from dbt.tests.adapter.relations import test_dropping_schema_named as dropping
from dbt.tests.adapter.sample_mode import test_sample_mode as sample
from dbt.tests.adapter.simple_copy import test_simple_copy as simple_copy
from dbt.tests.util import AnyStringWith

from .suite import classes

classes(
    globals(),
    [
        base.BaseSimpleMaterializations, singular.BaseSingularTests, singular_ephemeral.BaseSingularTestsEphemeral,
        empty_project.BaseEmpty, basic_ephemeral.BaseEphemeral, incremental.BaseIncremental,
        incremental.BaseIncrementalNotSchemaChange, incremental.BaseIncrementalBadStrategy, generic.BaseGenericTests,
        methods.BaseAdapterMethod, table.BaseTableMaterialization, connection.BaseValidateConnection,
        aliases.BaseAliases, aliases.BaseAliasErrors, aliases.BaseSameAliasDifferentSchemas,
        caching.BaseCachingLowercaseModel, caching.BaseCachingSelectedSchemaOnly, caching.BaseNoPopulateCache,
        caching.BaseCachingUppercaseModel,
        changing.BaseChangeRelationTypeValidator, dropping.BaseDropSchemaNamed,
        comment.BaseQueryComments, comment.BaseMacroQueryComments, comment.BaseMacroArgsQueryComments,
        comment.BaseMacroInvalidQueryComments, comment.BaseNullQueryComments, comment.BaseEmptyQueryComments,
        concurrency.BaseConcurrency, debug.BaseDebugPostgres, debug.BaseDebugProfileVariable,
        debug.BaseDebugInvalidProjectPostgres,
        empty.BaseTestEmpty, empty.BaseTestEmptyInlineSourceRef, empty.MetadataWithEmptyFlag,
        sample.BaseSampleModeTest,
        show.BaseShowLimit, show.BaseShowDoesNotHandleDoubleLimit,
        simple_copy.SimpleCopyBase, simple_copy.EmptyModelsArentRunBase,
    ],
    quick={"BaseSimpleMaterializations"},
)  # fmt: skip

# dbt-redshift widens seeds' columns: the tests write longer names than the first rows have.
WIDE = "seeds: [{name: added, config: {column_types: {name: varchar(64)}}}]"


class TestSnapshotCheckCols(check_cols.BaseSnapshotCheckCols):
    @pytest.fixture(scope="class")
    def seeds(self) -> dict[str, str]:
        return {"base.csv": files.seeds_base_csv, "added.csv": files.seeds_added_csv, "seeds.yml": WIDE}


class TestSnapshotTimestamp(timestamp.BaseSnapshotTimestamp):
    @pytest.fixture(scope="class")
    def seeds(self) -> dict[str, str]:
        data = {"base.csv": files.seeds_base_csv, "added.csv": files.seeds_added_csv}
        return data | {"newcolumns.csv": files.seeds_newcolumns_csv, "seeds.yml": WIDE}


class TestCloneNotPossible(clone.BaseCloneNotPossible):
    pass


class TestCloneSameTargetAndState(clone.BaseCloneSameTargetAndState):
    pass


class TestShowSqlHeader(show.BaseShowSqlHeader):
    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        header = "{% call set_sql_header(config) %} create temporary table held as (select '89' as v); {% endcall %}"
        return {"sql_header.sql": "{{ config(materialized='table') }}\n" + header + "\nselect v from held"}


KINDS = {"smallint": "integer", "int": "integer", "bigint": "integer", "int2": "integer", "int8": "integer",
         "real": "float", "float4": "float", "float8": "float", "float": "float", "double precision": "float",
         "numeric": "numeric", "decimal": "numeric", "varchar(20)": "string", "text": "string"}  # fmt: skip


class TestColumnTypes(column_types.BaseColumnTypes):
    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        names = {kind: "c_" + kind.split("(")[0].replace(" ", "_") for kind in KINDS}
        sql = ", ".join(f"'1'::{kind} as {names[kind]}" for kind in KINDS)
        wanted = {names[k]: [v, "not number" if v == "string" else "number"] for k, v in KINDS.items()}
        return {"model.sql": f"select {sql}",
                "schema.yml": f"models: [{{name: model, data_tests: [is_type: {{column_map: {wanted}}}]}}]"
        }  # fmt: skip

    def test_the_columns_have_their_kinds(self, project: Any) -> None:
        self.run_and_test()


TYPES = {"id_type": "integer", "text_type": AnyStringWith("character varying"), "view_type": "VIEW",
         "time_type": "timestamp without time zone", "table_type": "BASE TABLE"}  # fmt: skip


class _Stats(dict[str, Any]):
    """Equal to the statistics that dbt-redshift takes from svv_table_info."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        names = {"encoded", "diststyle", "max_varchar", "size", "pct_used", "rows", "has_stats"}
        return isinstance(other, dict) and names <= set(other) and other["has_stats"]["value"]


class TestDocsGenerate(docs.BaseDocsGenerate):
    @pytest.fixture(scope="class")
    def expected_catalog(self, project: Any, profile_user: str) -> dict[str, Any]:
        none = catalog.no_stats()
        return catalog.base_expected_catalog(project, role=profile_user, model_stats=none, seed_stats=_Stats(), **TYPES)


class TestDocsGenReferences(docs.BaseDocsGenReferences):
    @pytest.fixture(scope="class")
    def expected_catalog(self, project: Any, profile_user: str) -> dict[str, Any]:
        stats = {"model_stats": _Stats(), "seed_stats": _Stats(), "view_summary_stats": catalog.no_stats()}
        return catalog.expected_references_catalog(project, role=profile_user, bigint_type="bigint", **stats, **TYPES)
