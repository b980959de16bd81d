"""dbt's cross-database macros and type macros."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from dbt.tests.adapter.utils import test_timestamps as timestamps
from dbt.tests.adapter.utils.data_types import test_type_string as string
from dbt.tests.adapter.utils.test_escape_single_quotes import (
    BaseEscapeSingleQuotesBackslash,
    BaseEscapeSingleQuotesQuote,
)

from .suite import classes

_MACROS = {
    "any_value": ["AnyValue"], "array_append": ["ArrayAppend"], "array_concat": ["ArrayConcat"],
    "array_construct": ["ArrayConstruct"], "bool_or": ["BoolOr"], "cast": ["Cast"],
    "cast_bool_to_text": ["CastBoolToText"], "concat": ["Concat"], "current_timestamp": ["CurrentTimestampNaive"],
    "date": ["Date"], "date_spine": ["DateSpine"], "date_trunc": ["DateTrunc"], "dateadd": ["DateAdd"],
    "datediff": ["DateDiff"], "equals": ["Equals"], "except": ["Except"], "generate_series": ["GenerateSeries"],
    "get_intervals_between": ["GetIntervalsBetween"], "get_powers_of_two": ["GetPowersOfTwo"], "hash": ["Hash"],
    "intersect": ["Intersect"], "last_day": ["LastDay"], "length": ["Length"], "listagg": ["Listagg"],
    "null_compare": ["MixedNullCompare", "NullCompare"], "position": ["Position"], "replace": ["Replace"],
    "right": ["Right"], "safe_cast": ["SafeCast"], "split_part": ["SplitPart"], "string_literal": ["StringLiteral"],
    "validate_sql": ["ValidateSqlMethod"], "source_freshness_custom_info": ["CalculateFreshnessMethod"],
    "data_types.test_type_bigint": ["TypeBigInt"], "data_types.test_type_boolean": ["TypeBoolean"],
    "data_types.test_type_float": ["TypeFloat"], "data_types.test_type_int": ["TypeInt"],
    "data_types.test_type_numeric": ["TypeNumeric"],
    "data_types.test_type_timestamp": ["TypeTimestamp"],
}  # fmt: skip


def _bases() -> list[type]:
    found = []
    for module, names in _MACROS.items():
        path = module if "." in module else f"test_{module}"
        loaded = importlib.import_module(f"dbt.tests.adapter.utils.{path}")
        found += [getattr(loaded, f"Base{name}") for name in names]
    return found


classes(
    globals(),
    [*_bases(), BaseEscapeSingleQuotesQuote, BaseEscapeSingleQuotesBackslash],
)


class TestTypeString(string.BaseTypeString):
    def assert_columns_equal(self, project: Any, expected_cols: list[Any], actual_cols: list[Any]) -> None:
        """A seed's column is as wide as its longest value: the kind is what is compared."""
        assert [c[:2] for c in expected_cols] == [c[:2] for c in actual_cols] == [("string_col", "character varying")]


class TestCurrentTimestamps(timestamps.BaseCurrentTimestamps):
    @pytest.fixture(scope="class")
    def expected_sql(self) -> None:
        return None

    @pytest.fixture(scope="class")
    def expected_schema(self) -> dict[str, str]:
        names = ("current_timestamp", "current_timestamp_in_utc_backcompat", "current_timestamp_backcompat")
        return dict.fromkeys(names, "timestamp without time zone")
