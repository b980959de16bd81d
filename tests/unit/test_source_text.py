"""What is written for any name is read back as that name."""

from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from el import config
from el.source_text import Entry, text

#: What MySQL takes as a name, and more: no NUL, nothing that UTF-8 cannot hold.
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=64)


@given(st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=3), NAMES), min_size=1, max_size=4, unique_by=lambda t: t[0]))
@example([("on", ["yes", "null", "~", "1e3", "0x1", "2020-01-01"], "=")])
@example([("<<", ["a\n- b", "#", ", ]", "'", '"', "\ufeff", "&a", "*a", "!t", "? ", "- "], "%")])
@example([("\ud7ff" * 64, [" "], "\U0010ffff" * 64)])
def test_every_name_comes_back_from_the_file(tables: list[tuple[str, list[str], str]]) -> None:
    comments = [f"note: {name}\n{cursor}" for name, _, cursor in tables]
    entries = [Entry(name, {"cursor": cursor, "exclude": exclude}, comments) for name, exclude, cursor in tables]
    written = text("clinic", tables[0][0], entries)
    # Not through the whole of el.config: it refuses two names that become one in Redshift.
    for name, exclude, cursor in tables:
        only = text("clinic", name, [Entry(name, {"cursor": cursor, "exclude": exclude}, comments)])
        (read,) = config.parse_source(only, Path("clinic.yml")).tables
        assert (read.name, read.cursor, list(read.exclude)) == (name, cursor, exclude)
    assert _keys(written) == [name for name, *_ in tables]
    assert len(written.splitlines()) == written.count("\n")


def _keys(written: str) -> list[str]:
    root = yaml.compose(written)
    return [key.value for key, _ in root.value[-1][1].value]


def test_a_table_that_is_left_out_is_a_comment_that_is_valid_without_its_mark() -> None:
    written = text("clinic", "clinic", [Entry("a\nb", {"mode": "replace"}, ["left out: a view"], True), Entry("c", {})])
    assert '\n  # "a\\nb": {mode: replace}\n' in written
    assert _keys(written) == ["c"]
    assert _keys(written.replace('# "a', '"a')) == ["a\nb", "c"]
