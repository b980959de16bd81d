"""`datasharing: true` in the profile: dbt-redshift reads the catalog by SHOW TABLES, SHOW COLUMNS, SHOW SCHEMAS and
SHOW GRANTS. And `redshift_grants_extended`, with which it grants to groups.

Here with one database: datashares themselves are not imitated.
"""

from __future__ import annotations

from typing import Any

import pytest
from dbt.adapters.redshift import RedshiftRelation
from dbt.tests.adapter.catalog.relation_types import CatalogRelationTypes
from dbt.tests.adapter.grants.test_incremental_grants import BaseIncrementalGrants
from dbt.tests.adapter.grants.test_model_grants import BaseModelGrants
from dbt.tests.adapter.grants.test_seed_grants import BaseSeedGrants
from dbt.tests.adapter.grants.test_snapshot_grants import BaseSnapshotGrants
from dbt.tests.adapter.incremental.test_incremental_on_schema_change import BaseIncrementalOnSchemaChange
from dbt.tests.util import run_dbt

from . import test_contracts_and_docs, test_materialized_views  # the modules: a class by name would be collected twice


class Datasharing:
    @pytest.fixture(scope="class")
    def dbt_profile_target(self, dbt_profile_target: dict[str, Any]) -> dict[str, Any]:
        return dbt_profile_target | {"datasharing": True}


class GrantsExtended:
    """dbt names users `user:…` then, and the base classes do not."""

    @pytest.fixture(scope="class")
    def project_config_update(self) -> dict[str, Any]:
        return {"flags": {"redshift_grants_extended": True}}

    def assert_expected_grants_match_actual(self, project: Any, name: str, expected: dict[str, list[str]]) -> None:
        named = {privilege: [f"user:{user}" for user in users] for privilege, users in expected.items()}
        super().assert_expected_grants_match_actual(project, name, named)  # type: ignore[misc] - of the other base


class TestModelGrantsExtended(GrantsExtended, BaseModelGrants):
    pass


class TestIncrementalGrantsExtended(GrantsExtended, BaseIncrementalGrants):
    pass


class TestSeedGrantsExtended(GrantsExtended, BaseSeedGrants):
    pass


class TestSnapshotGrantsExtended(GrantsExtended, BaseSnapshotGrants):
    pass


class TestModelGrantsWithDatasharing(Datasharing, GrantsExtended, BaseModelGrants):
    pass


class TestIncrementalGrantsWithDatasharing(Datasharing, GrantsExtended, BaseIncrementalGrants):
    pass


class TestSeedGrantsWithDatasharing(Datasharing, GrantsExtended, BaseSeedGrants):
    pass


class TestSnapshotGrantsWithDatasharing(Datasharing, GrantsExtended, BaseSnapshotGrants):
    pass


class TestOnSchemaChangeWithDatasharing(Datasharing, BaseIncrementalOnSchemaChange):
    pass


class TestCatalogRelationTypesWithDatasharing(Datasharing, CatalogRelationTypes):
    pass


class TestMaterializedViewBasicWithDatasharing(Datasharing, test_materialized_views.TestMaterializedViewBasic):
    pass


class TestUdfsWithDatasharing(Datasharing, test_contracts_and_docs.TestUdfs):
    pass


class TestColumnsInRelation:
    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        return {"my_model.sql": "select 1.23::numeric(3, 2) as my_num, 'a'::varchar(1) as my_char"}

    def test_columns_have_their_sizes(self, project: Any) -> None:
        run_dbt(["run"])
        where = {"database": project.database, "schema": project.test_schema}
        relation = RedshiftRelation.create(**where, identifier="my_model", type=RedshiftRelation.View)
        with project.adapter.connection_named("_test"):
            columns = project.adapter.get_columns_in_relation(relation)
        assert [(c.column, c.data_type) for c in columns] == [
            ("my_num", "numeric(3,2)"),
            ("my_char", "character varying(1)"),
        ]


class TestColumnsInRelationWithDatasharing(Datasharing, TestColumnsInRelation):
    pass


class TestGrantsToGroups(GrantsExtended):
    """A table granted to a user and to a group, run twice: the second run finds nothing to change."""

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        grants = "grants={'select': ['dbt_reader_1', 'group:dbt_readers']}"
        return {"my_model.sql": "{{ config(materialized='view', " + grants + ") }} select 1 as fun"}

    def test_a_group_is_granted_to(self, project: Any) -> None:
        project.run_sql("create group dbt_readers")
        try:
            run_dbt(["run"])
            run_dbt(["run"])
            found = project.run_sql(
                f"""select identity_type, identity_name from svv_relation_privileges
                where namespace_name = '{project.test_schema}' and relation_name = 'my_model'
                    and identity_name like 'dbt%'
                order by 1""",
                fetch="all",
            )
            assert [tuple(row) for row in found] == [("group", "dbt_readers"), ("user", "dbt_reader_1")]
        finally:
            project.run_sql(f"drop schema {project.test_schema} cascade")
            project.run_sql("drop group dbt_readers")
