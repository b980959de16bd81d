"""Starting, stopping, being killed, starting again."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg2
import pytest

from .conftest import Running


def put(server: Running, value: int) -> None:
    connection = server.connect()
    with connection.cursor() as cursor:
        cursor.execute("create table if not exists public.kept (a int)")
        cursor.execute("insert into public.kept values (%s)", (value,))
    connection.commit()
    connection.close()


def kept(server: Running) -> list[int]:
    connection = server.connect()
    with connection.cursor() as cursor:
        cursor.execute("select a from public.kept order by a")
        found = [a for (a,) in cursor.fetchall()]
    connection.close()
    return found


def postgres_of(server: Running) -> list[psutil.Process]:
    """Found by the data folder on the command line, as `ps` would."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(server.data) in part for part in process.info["cmdline"] or []):
            found.append(process)
    return [p for p in found if "postgres" in p.name()]


def test_data_survives_a_restart_and_stopping_leaves_no_process(make_redshift: Callable[..., Running]) -> None:
    server = make_redshift().start()
    put(server, 1)
    open_one = server.connect()
    assert server.stop() == 0
    assert postgres_of(server) == []
    with pytest.raises(psycopg2.Error):
        open_one.cursor().execute("select 1")
    server.start()
    put(server, 2)
    assert kept(server) == [1, 2]
    assert server.stop() == 0


def test_after_a_kill_the_next_start_ends_the_orphan_and_keeps_what_was_committed(
    make_redshift: Callable[..., Running],
) -> None:
    server = make_redshift().start()
    put(server, 1)
    assert server.process is not None
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(10)
    orphans = postgres_of(server)
    assert orphans, "PostgreSQL lives on when its server is killed"
    server.start()
    assert not any(p.is_running() and p.pid in {o.pid for o in orphans} for p in postgres_of(server))
    assert kept(server) == [1]
    assert server.stop() == 0


def test_a_second_server_on_the_same_data_is_refused(make_redshift: Callable[..., Running]) -> None:
    server = make_redshift().start()
    second = Running(server.data, server.environment)
    with pytest.raises(AssertionError, match="another local Redshift is running"):
        second.start()
    put(server, 1)
    assert server.stop() == 0


def test_two_servers_run_side_by_side(redshift: Running, snapshot_redshift: Running) -> None:
    assert redshift.port != snapshot_redshift.port
    for server in (redshift, snapshot_redshift):
        connection = server.connect()
        connection.close()


def test_an_interrupted_first_start_is_repaired(make_redshift: Callable[..., Running]) -> None:
    server = make_redshift()
    (server.data / "pgdata").mkdir()
    (server.data / "pgdata" / "half").write_text("initdb was killed here")
    server.start()
    put(server, 1)
    assert server.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands PostgreSQL to another user")
def test_a_folder_that_the_other_user_cannot_reach_says_where_the_data_is(
    make_redshift: Callable[..., Running],
) -> None:
    server = make_redshift()
    server.data.chmod(0o700)
    server.start()
    put(server, 1)
    assert server.stop() == 0
    cluster = Path((server.data / "WHERE-IS-THE-DATA.txt").read_text().split("cluster is in ")[1].strip())
    try:
        assert cluster.parent.name.startswith("local-redshift-") and (cluster / "PG_VERSION").exists()
        server.start()
        assert kept(server) == [1]
        assert server.stop() == 0
        shutil.rmtree(server.data)  # deletes the cluster elsewhere too, at the latest when it would be used again
        server.data.mkdir(mode=0o700)
        server.start()
        with pytest.raises(psycopg2.errors.UndefinedTable):
            kept(server)
        assert server.stop() == 0
    finally:
        shutil.rmtree(cluster.parent)


def test_a_port_in_use_is_said_so(make_redshift: Callable[..., Running], redshift: Running) -> None:
    server = make_redshift()
    server.port = redshift.port
    with pytest.raises(AssertionError, match="did not start"):
        server.start()
    assert postgres_of(server) == []


def test_a_missing_password_is_asked_for(make_redshift: Callable[..., Running]) -> None:
    server = make_redshift()
    del server.environment["LOCAL_REDSHIFT_PASSWORD"]
    with pytest.raises(AssertionError, match="LOCAL_REDSHIFT_PASSWORD"):
        server.start()
