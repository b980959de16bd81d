"""Seeds, and tests that store their failures."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from dbt.tests.adapter.simple_seed import test_seed as seed
from dbt.tests.adapter.simple_seed import test_seed_type_override as override
from dbt.tests.adapter.store_test_failures_tests import basic
from dbt.tests.adapter.store_test_failures_tests import test_store_test_failures as store

from .suite import OneByOne, classes

classes(
    globals(),
    [
        seed.BaseSimpleSeedEnabledViaConfig, seed.BaseTestEmptySeed,
        store.BaseStoreTestFailures, store.BaseStoreTestFailuresLimit,
        basic.StoreTestFailuresAsInteractions, basic.StoreTestFailuresAsProjectLevelOff,
        basic.StoreTestFailuresAsProjectLevelView, basic.StoreTestFailuresAsProjectLevelEphemeral,
        basic.StoreTestFailuresAsGeneric, basic.StoreTestFailuresAsExceptions,
    ],
)  # fmt: skip

_WANTED = {
    "seed_enabled": {"birthday": "date", "seed_id": "character varying(256)"},
    "seed_tricky": {
        "seed_id": "integer", "seed_id_str": "character varying(256)", "a_bool": "boolean",
        "looks_like_a_bool": "character varying(256)", "a_date": "timestamp without time zone",
        "looks_like_a_date": "character varying(256)", "relative": "character varying(9)",
        "weekday": "character varying(8)",
    },
}  # fmt: skip


@pytest.mark.dbt_adapter_quick
class TestSimpleSeedColumnOverride(override.BaseSimpleSeedColumnOverride):
    """dbt-redshift's type text is VARCHAR(256); a seed's other strings are as wide as their longest value."""

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        def column(name: str, kind: str) -> str:
            return f"{{name: {name}, data_tests: [column_type: {{type: {kind}}}]}}"

        seeds = (
            f"{{name: {name}, columns: [{', '.join(column(*item) for item in columns.items())}]}}"
            for name, columns in _WANTED.items()
        )
        return {"models.yml": f"seeds: [{', '.join(seeds)}]"}

    @staticmethod
    def seed_enabled_types() -> dict[str, str]:
        return {"seed_id": "text", "birthday": "date"}

    @staticmethod
    def seed_tricky_types() -> dict[str, str]:
        return dict.fromkeys(("seed_id_str", "looks_like_a_bool", "looks_like_a_date"), "text")


class TestBasicSeedTests(OneByOne, seed.BaseBasicSeedTests):
    pass


class TestSeedConfigFullRefreshOn(OneByOne, seed.BaseSeedConfigFullRefreshOn):
    pass


class TestSeedConfigFullRefreshOff(OneByOne, seed.BaseSeedConfigFullRefreshOff):
    pass


class TestSeedCustomSchema(OneByOne, seed.BaseSeedCustomSchema):
    pass


class TestSeedWithUniqueDelimiter(OneByOne, seed.BaseSeedWithUniqueDelimiter):
    pass


class TestSeedWithWrongDelimiter(OneByOne, seed.BaseSeedWithWrongDelimiter):
    pass


class TestSeedWithEmptyDelimiter(OneByOne, seed.BaseSeedWithEmptyDelimiter):
    pass


class TestSeedParsing(OneByOne, seed.BaseSeedParsing):
    pass


class TestSimpleSeedWithBom(OneByOne, seed.BaseSimpleSeedWithBOM):
    @pytest.fixture(scope="class", autouse=True)
    def setUp(self, project: Any) -> None:
        """The base looks for the package's file beside this one."""
        project.run_sql(seed.seeds.seeds__expected_sql)
        shutil.copy(Path(seed.__file__).parent / "seed_bom.csv", Path(project.project_root) / "seeds")


class TestSeedSpecificFormats(OneByOne, seed.BaseSeedSpecificFormats):
    pass
