"""Incremental models and snapshots, in every strategy that dbt-redshift has."""

from __future__ import annotations

from typing import Any

import pytest
from dbt.tests.adapter.incremental import test_incremental_merge_exclude_columns as exclude
from dbt.tests.adapter.incremental import test_incremental_microbatch as microbatch
from dbt.tests.adapter.incremental import test_incremental_on_schema_change as schema_change
from dbt.tests.adapter.incremental import test_incremental_predicates as predicates
from dbt.tests.adapter.incremental import test_incremental_unique_id as unique
from dbt.tests.adapter.simple_snapshot import new_record_check_mode as new_check
from dbt.tests.adapter.simple_snapshot import new_record_dbt_valid_to_current as valid_to
from dbt.tests.adapter.simple_snapshot import new_record_timestamp_mode as new_timestamp
from dbt.tests.adapter.simple_snapshot import test_ephemeral_snapshot_hard_deletes as hard_deletes
from dbt.tests.adapter.simple_snapshot import test_snapshot as snapshot
from dbt.tests.adapter.simple_snapshot import test_various_configs as various

from .suite import OneByOne, classes

classes(
    globals(),
    [
        exclude.BaseMergeExcludeColumns, schema_change.BaseIncrementalOnSchemaChange,
        predicates.BaseIncrementalPredicates, unique.BaseIncrementalUniqueKey,
        snapshot.BaseSimpleSnapshot, snapshot.BaseSnapshotCheck,
        new_timestamp.BaseSnapshotNewRecordTimestampMode, new_check.BaseSnapshotNewRecordCheckMode,
        valid_to.BaseSnapshotNewRecordDbtValidToCurrent,
        hard_deletes.BaseSnapshotEphemeralHardDeletes, hard_deletes.BaseSnapshotNewColumnTimestampStrategy,
        hard_deletes.BaseSnapshotNewColumnSpecificCheckCols, hard_deletes.BaseSnapshotNewColumnWithDeletes,
    ],
)  # fmt: skip


class TestIncrementalPredicatesMerge(predicates.BaseIncrementalPredicates):
    @pytest.fixture(scope="class")
    def project_config_update(self) -> dict[str, Any]:
        settings = {"+incremental_predicates": ["dbt_internal_dest.id != 2"], "+incremental_strategy": "merge"}
        return {"models": settings}


class TestMicrobatch(microbatch.BaseMicrobatch):
    """dbt-redshift's microbatch needs no unique key."""

    @pytest.fixture(scope="class")
    def microbatch_model_sql(self) -> str:
        config = "materialized='incremental', incremental_strategy='microbatch', event_time='event_time'"
        config += ", batch_size='day', begin=modules.datetime.datetime(2020, 1, 1, 0, 0, 0)"
        return "{{ config(" + config + ") }} select * from {{ ref('input_model') }}"

    @pytest.fixture(scope="class")
    def insert_two_rows_sql(self, project: Any) -> str:
        rows = "(4, '2020-01-04 00:00:00-0'), (5, '2020-01-05 00:00:00-0')"
        return f"insert into {project.test_schema}.input_model (id, event_time) values {rows}"


class TestSnapshotColumnNames(OneByOne, various.BaseSnapshotColumnNames):
    pass


class TestSnapshotColumnNamesFromDbtProject(OneByOne, various.BaseSnapshotColumnNamesFromDbtProject):
    pass


class TestSnapshotInvalidColumnNames(OneByOne, various.BaseSnapshotInvalidColumnNames):
    pass


class TestSnapshotDbtValidToCurrent(OneByOne, various.BaseSnapshotDbtValidToCurrent):
    pass


class TestSnapshotMultiUniqueKey(OneByOne, various.BaseSnapshotMultiUniqueKey):
    pass
