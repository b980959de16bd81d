"""Hosts are upgraded one after the other: one is on the version that was released last, the other on this one.

The released one is the commit of the last tag; where the clone has no tags, the last commit that set the version. What
the old host writes, the new one reads. What the new host writes, the old one reads or refuses by name, and nothing is
lost: then it is upgraded too.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from el.landing import COMMIT
from tests.archive.test_run import AS_OF, OLD, configure, live, make
from tests.conftest import REPOSITORY, Finished, Source

REFUSED = "and this el knows format"


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, check=False).stdout


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it was released last."""
    commit = git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*").decode().strip()
    commit = commit or git("log", "-1", "--format=%H", "-G^version = ", "--", "pyproject.toml").decode().strip()
    packed = git("archive", commit, "el") if commit else b""
    if not packed:
        pytest.skip("not a clone with the history of the last release")
    folder = tmp_path_factory.mktemp("released")
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(folder, filter="data")
    return folder


class Host:
    """A host that runs the released version: its own disk, the same environment."""

    def __init__(self, source: Source, released: Path) -> None:
        self._env = os.environ | source.env | source.host("old") | {"PYTHONPATH": str(released)}
        self._folder = released

    def __call__(self, *arguments: str, program: str = "el.cli") -> Finished:
        done = subprocess.run(
            [sys.executable, "-m", program, *arguments],
            cwd=self._folder,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def old(source: Source, released: Path) -> Host:
    source.env |= {"LANDING_URL": f"s3://el-landing/{source.name}"}  # so that `el runs` lists no others
    host = Host(source, released)
    code = f"import el; assert el.__file__.startswith({str(released)!r}), el.__file__"
    subprocess.run([sys.executable, "-c", code], cwd=released, env=host._env, check=True)
    return host


def rows(source: Source) -> list[tuple[Any, ...]]:
    return source.redshift("select id, v from raw.t order by id")


@pytest.fixture
def table(source: Source) -> Source:
    stamp = "timestamp(6) not null default current_timestamp(6) on update current_timestamp(6)"
    source.mysql(
        f"create table t (id int primary key, v varchar(10), updated_at {stamp}, key (updated_at))",
        "insert into t (id, v) values (1, 'a'), (2, 'b')",
    )
    source.configure({"t": {}})
    return source


def test_a_new_loader_loads_what_an_old_extractor_wrote_and_goes_on_from_it(old: Host, table: Source) -> None:
    assert old("run").code == 0
    table.mysql("update t set v = 'x' where id = 1")
    assert old("extract").code == 0
    table.el("load")
    assert rows(table) == [(1, "x"), (2, "b")]
    table.mysql("update t set v = 'y' where id = 2")
    table.el("run")
    assert rows(table) == [(1, "x"), (2, "y")]
    assert table.el("status", "--json").json[0]["pending"] == 0
    assert len(table.el("runs", "--json").json) == 4, "the records of both"


def test_an_old_loader_loads_what_a_new_extractor_wrote_or_refuses_it_by_name(old: Host, table: Source) -> None:
    table.el("run")
    table.mysql("update t set v = 'x' where id = 1")
    table.el("extract")
    written = table.commit("t", 2)["format"]
    done = old("load")
    assert written == COMMIT.number
    assert (done.code, REFUSED in done.err) in ((0, False), (1, True)), done.err
    if done.code:
        assert rows(table) == [(1, "a"), (2, "b")]
        table.el("load")
    assert rows(table) == [(1, "x"), (2, "b")]
    table.mysql("update t set v = 'y' where id = 2")
    done = old("run")
    assert (done.code, REFUSED in done.err) in ((0, False), (1, True)), done.err
    table.el("run")
    assert rows(table) == [(1, "x"), (2, "y")]


def test_a_new_archive_goes_on_with_an_old_ones_journal_and_brings_its_rows_back(old: Host, source: Source) -> None:
    make(source, 10)
    configure(source, "t")
    done = old("run", "--execute", "--as-of", AS_OF, program="el.archive.cli")
    assert done.code == 0, done.err
    source.mysql(f"insert into t (id, v, created_at) values (20, 'later', '{OLD}')")
    source.archive("run", "--execute", "--as-of", AS_OF)
    assert live(source) == [11]
    source.archive("verify", "--all")
    source.archive("restore", f"{source.name}.t", "--all", "--into", f"{source.name}.t")
    assert live(source) == [*range(1, 12), 20]
    done = old("verify", "--all", program="el.archive.cli")
    assert (done.code, REFUSED in done.out + done.err) in ((0, False), (1, True)), done.err
