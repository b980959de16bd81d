"""Hooks of models, seeds, snapshots and runs; ephemeral models.

Base classes of hooks compare what a hook saw of its target with dbt-postgres' own profile: here it is this one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dbt.tests.adapter.ephemeral import test_ephemeral as ephemeral
from dbt.tests.adapter.hooks import test_model_hooks as model_hooks
from dbt.tests.adapter.hooks import test_run_hooks as run_hooks
from dbt.tests.util import check_relations_equal, run_dbt

from .suite import classes

classes(
    globals(),
    [
        model_hooks.BasePrePostModelHooksOnSeeds, model_hooks.BaseHooksRefsOnSeeds,
        model_hooks.BasePrePostModelHooksOnSeedsPlusPrefixed,
        model_hooks.BasePrePostModelHooksOnSeedsPlusPrefixedWhitespace,
        model_hooks.BasePrePostModelHooksOnSnapshots, model_hooks.BasePrePostSnapshotHooksInConfigKwargs,
        model_hooks.BaseDuplicateHooksInConfigs, run_hooks.BaseAfterRunHooks,
        ephemeral.BaseEphemeralErrorHandling,
    ],
)  # fmt: skip


@pytest.fixture(scope="class")
def test_data_dir() -> Path:
    """The tables that hooks write to come with the package."""
    return Path(model_hooks.__file__).parent / "data"


def _check(seen: dict[str, Any], state: str, project: Any, host: str | None) -> None:
    wanted = {"test_state": state, "target_dbname": "dev", "target_host": host, "target_name": "default"}
    wanted |= {"target_schema": project.test_schema, "target_threads": 4, "target_type": "redshift"}
    wanted |= {"target_user": "el", "target_pass": ""}
    assert {name: seen[name] for name in wanted} == wanted
    assert seen["run_started_at"]
    assert seen["invocation_id"]
    assert seen["thread_id"].startswith("Thread-") or seen["thread_id"] == "MainThread"


class _ModelHooks:
    def check_hooks(self, state: str, project: Any, host: str | None, count: int = 1) -> None:
        for seen in self.get_ctx_vars(state, count=count, project=project):  # type: ignore[attr-defined] - the base's
            _check(seen, state, project, host)


class TestPrePostModelHooks(_ModelHooks, model_hooks.BasePrePostModelHooks):
    pass


class TestPrePostModelHooksUnderscores(_ModelHooks, model_hooks.TestPrePostModelHooksUnderscores):
    pass


class TestHookRefs(_ModelHooks, model_hooks.BaseHookRefs):
    pass


class TestPrePostModelHooksInConfig(_ModelHooks, model_hooks.BasePrePostModelHooksInConfig):
    pass


class TestPrePostModelHooksInConfigWithCount(_ModelHooks, model_hooks.BasePrePostModelHooksInConfigWithCount):
    pass


class TestPrePostModelHooksInConfigKwargs(_ModelHooks, model_hooks.BasePrePostModelHooksInConfigKwargs):
    pass


class TestPrePostRunHooks(run_hooks.BasePrePostRunHooks):
    def check_hooks(self, state: str, project: Any, host: str | None) -> None:
        _check(self.get_ctx_vars(state, project), state, project, host)


def _written(model: str) -> str:
    with open(f"target/run/test/models/{model}.sql") as file:
        return "".join(file.read().split())


class TestEphemeralMulti(ephemeral.BaseEphemeralMulti):
    def test_ephemeral_multi(self, project: Any) -> None:
        run_dbt(["seed"])
        assert len(run_dbt(["run"])) == 3
        for model in ("dependent", "double_dependent", "super_dependent"):
            check_relations_equal(project.adapter, ["seed", model])
        wanted = f"""as (with __dbt__cte__base as (select * from {project.test_schema}.seed),
            __dbt__cte__base_copy as (select * from __dbt__cte__base)"""
        assert "".join(wanted.split()) in _written("double_dependent")


class TestEphemeralNested(ephemeral.BaseEphemeralNested):
    def test_ephemeral_nested(self, project: Any) -> None:
        assert len(run_dbt(["run"])) == 2
        source = f'"dev"."{project.test_schema}"."source_table"'
        wanted = f"""as (with __dbt__cte__ephemeral_level_two as (select * from {source}), __dbt__cte__ephemeral
            as (select * from __dbt__cte__ephemeral_level_two) select * from __dbt__cte__ephemeral)"""
        assert "".join(wanted.split()) in _written("root_view")
