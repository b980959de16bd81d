"""Materialized views: made, changed, refreshed, replaced, and found by the catalog as what they are."""

from __future__ import annotations

from typing import Any

import pytest
from dbt.tests.adapter.catalog.relation_types import CatalogRelationTypes
from dbt.tests.adapter.materialized_view import basic, changes, files
from dbt.tests.adapter.persist_docs.test_persist_docs import BasePersistDocs
from dbt.tests.util import get_model_file, run_dbt, set_model_file

LAID_OUT = """{{ config(materialized='materialized_view', sort_type='compound', sort=['id'], dist='id') }}
select * from {{ ref('my_seed') }}"""


def relation_type(project: Any, relation: Any) -> str | None:
    """As dbt-redshift tells them apart: by the text that pg_views has of a view."""
    found = project.run_sql(
        f"""
        select 'table' from pg_tables where schemaname = '{relation.schema}' and tablename = '{relation.identifier}'
        union all
        select case when definition ilike '%create materialized view%' then 'materialized_view' else 'view' end
        from pg_views where schemaname = '{relation.schema}' and viewname = '{relation.identifier}'""",
        fetch="all",
    )
    assert len(found) < 2
    return str(found[0][0]) if found else None


def layout(project: Any, relation: Any) -> tuple[str, str]:
    name = f"\"schema\" = '{relation.schema}' and \"table\" = '{relation.identifier}'"
    found = project.run_sql(f"select sortkey1, diststyle from svv_table_info where {name}", fetch="one")
    return found[0], found[1]


def autorefresh(project: Any, relation: Any) -> str:
    name = f"trim(schema) = '{relation.schema}' and trim(name) = '{relation.identifier}'"
    found = project.run_sql(f"select autorefresh from stv_mv_info where {name}", fetch="one")
    return str(found[0])


class _Models:
    @pytest.fixture(scope="class", autouse=True)
    def models(self) -> dict[str, str]:
        return {"my_table.sql": files.MY_TABLE, "my_view.sql": files.MY_VIEW, "my_materialized_view.sql": LAID_OUT}

    @staticmethod
    def query_relation_type(project: Any, relation: Any) -> str | None:
        return relation_type(project, relation)


class TestMaterializedViewBasic(_Models, basic.MaterializedViewBasic):
    @staticmethod
    def insert_record(project: Any, table: Any, record: tuple[int, int]) -> None:
        project.run_sql(f"insert into {table} (id, value) values {record}")

    @staticmethod
    def refresh_materialized_view(project: Any, materialized_view: Any) -> None:
        project.run_sql(f"refresh materialized view {materialized_view}")

    @staticmethod
    def query_row_count(project: Any, relation: Any) -> int:
        return int(project.run_sql(f"select count(*) from {relation}", fetch="one")[0])


class _Changes(_Models, changes.MaterializedViewChanges):
    """AUTO REFRESH is altered; another layout makes the view anew."""

    @staticmethod
    def check_start_state(project: Any, materialized_view: Any) -> None:
        assert autorefresh(project, materialized_view) == "f"
        assert layout(project, materialized_view) == ("id", "KEY(id)")

    @staticmethod
    def _change(project: Any, materialized_view: Any, before: str, after: str) -> None:
        model = get_model_file(project, materialized_view)
        assert before in model
        set_model_file(project, materialized_view, model.replace(before, after))

    @classmethod
    def change_config_via_alter(cls, project: Any, materialized_view: Any) -> None:
        cls._change(project, materialized_view, "dist='id'", "dist='id', auto_refresh=True")

    @staticmethod
    def check_state_alter_change_is_applied(project: Any, materialized_view: Any) -> None:
        assert autorefresh(project, materialized_view) == "t"

    @classmethod
    def change_config_via_replace(cls, project: Any, materialized_view: Any) -> None:
        cls._change(project, materialized_view, "dist='id'", "dist='even'")
        cls._change(project, materialized_view, "sort=['id']", "sort=['value']")

    @staticmethod
    def check_state_replace_change_is_applied(project: Any, materialized_view: Any) -> None:
        assert layout(project, materialized_view) == ("value", "EVEN")


class TestMaterializedViewChangesApply(_Changes, changes.MaterializedViewChangesApplyMixin):
    pass


class TestMaterializedViewChangesContinue(_Changes, changes.MaterializedViewChangesContinueMixin):
    pass


class TestMaterializedViewChangesFail(_Changes, changes.MaterializedViewChangesFailMixin):
    pass


class TestWithoutBackup:
    """dbt cannot read BACKUP back, so it must not take it for a change."""

    @pytest.fixture(scope="class")
    def seeds(self) -> dict[str, str]:
        return {"my_seed.csv": files.MY_SEED}

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        text = "{{ config(materialized='materialized_view', backup=False) }} select * from {{ ref('my_seed') }}"
        return {"my_materialized_view.sql": text}

    @pytest.fixture(scope="class")
    def project_config_update(self) -> dict[str, Any]:
        return {"models": {"on_configuration_change": "fail"}}

    def test_a_second_run_sees_no_change(self, project: Any) -> None:
        run_dbt(["seed"])
        run_dbt(["run", "--full-refresh"])
        assert run_dbt(["run"])[0].node.config_call_dict["backup"] is False


class TestCatalogRelationTypes(CatalogRelationTypes):
    pass


class TestCatalogOfRelations:
    """dbt's catalog query finds every column of a table, a view and a materialized view."""

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        made = {"my_view.sql": files.MY_VIEW, "my_materialized_view.sql": files.MY_MATERIALIZED_VIEW}
        return made | {"my_table.sql": files.MY_TABLE}

    @pytest.fixture(scope="class")
    def seeds(self) -> dict[str, str]:
        return {"my_seed.csv": files.MY_SEED}

    def test_the_catalog_has_them_by_schema_and_by_relation(self, project: Any) -> None:
        run_dbt(["seed"])
        run_dbt(["run"])
        names = {
            "my_seed": "table",
            "my_table": "table",
            "my_view": "view",
            "my_materialized_view": "materialized_view",
        }
        create = project.adapter.Relation.create
        where = {"database": project.database, "schema": project.test_schema}
        relations = [create(**where, identifier=name, type=kind) for name, kind in names.items()]
        schema = create(**where, identifier="INFORMATION_SCHEMA").information_schema()
        used = frozenset({(project.database, project.test_schema)})
        with project.adapter.connection_named("_test"):
            by_relation = project.adapter._get_one_catalog_by_relations(schema, relations, used)
            by_schema = project.adapter._get_one_catalog(schema, {project.test_schema}, used)
            listed = project.adapter.list_relations_without_caching(create(**where))
        assert {(r["table_name"], r["column_name"]) for r in by_relation} == {
            (n, c) for n in names for c in ("id", "value")
        }
        assert len(by_relation) == len(by_schema) == 8
        assert {relation.identifier: str(relation.type) for relation in listed} == names


COMMENTED = """
models:
  - name: my_materialized_view
    description: |
      Materialized view model description "with double quotes"
      and with 'single  quotes' as welll as other;
      '''abc123'''
      reserved -- characters
      --
      /* comment */
      Some $lbl$ labeled $lbl$ and $$ unlabeled $$ dollar-quoting
"""


class TestPersistDocsWithMaterializedView(BasePersistDocs):
    @pytest.fixture(scope="class", autouse=True)
    def seeds(self) -> dict[str, str]:
        return {"my_seed.csv": files.MY_SEED}

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        return {"my_materialized_view.sql": files.MY_MATERIALIZED_VIEW}

    @pytest.fixture(scope="class")
    def properties(self) -> dict[str, str]:
        return {"schema.yml": COMMENTED}

    def test_has_comments_pglike(self, project: Any) -> None:
        found = run_dbt(["docs", "generate"]).nodes
        assert len(found) == 2
        comment = found["model.test.my_materialized_view"].metadata.comment
        assert comment.startswith("Materialized view model description")
        self._assert_common_comments(comment)
