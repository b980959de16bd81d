"""The local stack: started any number of times, after a crash, and on the server that was chosen."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg2
import pymysql
import pytest

from local import fetch_mysql
from local.errors import StackError
from local.mysql_server import KINDS, find
from tests.conftest import REPOSITORY, read_env

SERVERS = ("mysql", "s3", "redshift")


def stack(folder: Path, action: str, code: int = 0, env: dict[str, str] | None = None) -> str:
    """``folder`` is ``.local``, or the folder of one server's stack in it."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "local.stack",
            action,
            "--folder",
            str(folder if folder.name == ".local" else folder.parent),
        ],
        cwd=REPOSITORY,
        env=os.environ | {"EL_MYSQL": os.environ["TEST_MYSQL"]} | (env or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


#: Nothing was chosen by hand, as for a newcomer.
UNCHOSEN = {"EL_MYSQL": "", "EL_MYSQLD": ""}


def kind_in(env: Path) -> str:
    """The kind of the stack whose variables a file has: the folder that the file lies in."""
    return env.resolve().parent.name.removeprefix("on-")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Path]:
    """A folder for stacks, in which none was made."""
    place = tmp_path / "another folder with blanks" / ".local"
    yield place
    stack(place, "reset")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "a folder with blanks" / ".local"
    stack(place, "env")
    yield (place / "env").resolve().parent
    stack(place, "reset")


def pid(folder: Path, name: str) -> int:
    return int(json.loads((folder / "run" / f"{name}.json").read_text())["pid"])


def assert_answers(folder: Path) -> None:
    """Every server takes the credentials that ``env`` has."""
    env = read_env(folder / "env")
    credentials, host = env["SOURCES__CLINIC__CREDENTIALS"].removeprefix("mysql://").split("@")
    user, password = credentials.split(":")
    port = int(host.split(":")[1].split("/")[0])
    pymysql.connect(host="127.0.0.1", port=port, user=user, password=password).close()
    psycopg2.connect(
        host=env["DBT_REDSHIFT_HOST"],
        port=env["DBT_REDSHIFT_PORT"],
        dbname=env["DBT_REDSHIFT_DATABASE"],
        user=env["DBT_REDSHIFT_USER"],
        password=env["DBT_ENV_SECRET_REDSHIFT_PASSWORD"],
    ).close()
    socket.create_connection(("127.0.0.1", int(env["AWS_ENDPOINT_URL"].rpartition(":")[2]))).close()


def test_up_is_idempotent_and_survives_crashes_and_a_restart(folder: Path) -> None:
    assert stack(folder, "up").count(" is up on 127.0.0.1:") == 3
    assert_answers(folder)
    assert stat.S_IMODE((folder / "env").stat().st_mode) == 0o600
    assert stack(folder, "up") == ""  # all run: nothing to say
    env = read_env(folder / "env")

    for name in ("mysql", "redshift"):  # a crash: their children and their files stay behind
        os.kill(pid(folder, name), signal.SIGKILL)
    stack(folder, "ps", code=1)
    assert stack(folder, "up").count(" is up on ") == 2
    assert_answers(folder)

    processes = [psutil.Process(pid(folder, name)) for name in ("mysql", "s3", "redshift")]
    children = [child for process in processes for child in process.children(recursive=True)]
    assert stack(folder, "down").count(" is down") == 3
    assert not [p for p in processes + children if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    stack(folder, "up")
    assert_answers(folder)
    assert read_env(folder / "env") == env


def test_a_pid_that_now_belongs_to_somebody_else_is_left_alone(folder: Path) -> None:
    """After a reboot another program may have the number that our server had."""
    stack(folder, "env")
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        (folder / "run" / "s3.json").write_text(json.dumps({"pid": other.pid, "started": 1.0}))
        stack(folder, "down")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_port_that_was_taken_in_the_meantime_is_replaced(folder: Path) -> None:
    stack(folder, "env")
    taken = json.loads((folder / "state.json").read_text())["ports"]["mysql"]
    with socket.socket() as other:
        other.bind(("127.0.0.1", taken))
        other.listen()
        said = stack(folder, "up")
    assert f"port {taken} of mysql is taken by another process" in said
    assert_answers(folder)


def test_a_server_that_does_not_start_shows_the_end_of_its_log_and_its_path(folder: Path) -> None:
    stack(folder, "env")
    (folder / "mysql").mkdir()  # no data folder that a server could use
    said = stack(folder, "up", code=1)
    assert "mysql ended while it started" in said
    assert str(folder / "log" / "mysql.log") in said
    assert len(said.splitlines()) > 2


def test_the_server_that_was_chosen_is_kept_and_env_is_that_of_the_last_choice(local: Path) -> None:
    stack(local, "env", env={"EL_MYSQL": "mariadb"})
    stack(local, "env", env=UNCHOSEN)
    assert kind_in(local / "env") == "mariadb"
    said = stack(local, "env", env={"EL_MYSQL": "mysql"})
    assert "the local stack is the one on mysql now" in said
    assert "activate it again" in said
    assert stack(local, "env", env=UNCHOSEN) == ""
    assert kind_in(local / "env") == "mysql"
    assert read_env(local / "env") == read_env(local / "on-mysql" / "env")
    assert read_env(local / "env") != read_env(local / "on-mariadb" / "env")


def test_the_stacks_of_both_servers_run_side_by_side_and_down_and_reset_end_both(local: Path) -> None:
    for kind, version in (("mysql", "select @@version_comment"), ("mariadb", "select version()")):
        assert stack(local, "up", env={"EL_MYSQL": kind}).count(" is up on 127.0.0.1:") == 3
        assert_answers(local / f"on-{kind}")
        url = urlsplit(read_env(local / f"on-{kind}" / "env")["EL_MYSQL_ADMIN_URL"])
        login = {"host": url.hostname, "port": url.port, "user": url.username, "password": url.password}
        with pymysql.connect(**login) as connection, connection.cursor() as cursor:
            cursor.execute(version)
            assert ("MariaDB" in cursor.fetchone()[0]) == (kind == "mariadb")
            cursor.execute(f"create database only_on_{kind}")
            cursor.execute("show databases like 'only_on_%'")
            assert cursor.fetchall() == ((f"only_on_{kind}",),)
    processes = [psutil.Process(pid(local / f"on-{kind}", name)) for kind in KINDS for name in SERVERS]
    assert len({process.pid for process in processes}) == 6
    stack(local, "ps")
    assert stack(local, "down").count(" is down") == 6
    assert not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    stack(local, "reset")
    assert [(local / f"on-{kind}" / "mysql").exists() for kind in KINDS] == [False, False]


def test_down_says_nothing_of_a_stack_that_was_never_made(local: Path) -> None:
    stack(local, "env", env={"EL_MYSQL": "mariadb"})
    assert stack(local, "down") == ""
    assert not (local / "on-mysql").exists()


@pytest.mark.parametrize("action", ["up", "env", "ps", "alerts"])
def test_a_server_that_is_no_kind_is_refused_and_the_choice_stays(local: Path, action: str) -> None:
    stack(local, "env", env={"EL_MYSQL": "mariadb"})
    said = stack(local, action, code=1, env={"EL_MYSQL": "oracle"})
    assert said == "EL_MYSQL=oracle is neither mysql nor mariadb\n"
    stack(local, "env", env=UNCHOSEN)
    assert kind_in(local / "env") == "mariadb"


def test_a_mysqld_that_is_not_oracles_is_refused_in_a_sentence(local: Path, tmp_path: Path) -> None:
    mariadb = find("mariadb")
    said = stack(local, "up", code=1, env={"EL_MYSQL": "mysql", "EL_MYSQLD": mariadb.path})
    is_no_mysql = f"EL_MYSQLD={mariadb.path} is MariaDB {mariadb.version}; it must be the mysqld of Oracle's MySQL\n"
    assert said == is_no_mysql
    for path in (tmp_path / "missing", tmp_path):
        said = stack(local, "up", code=1, env={"EL_MYSQL": "mysql", "EL_MYSQLD": str(path)})
        assert said.startswith(f"EL_MYSQLD={path} is no MySQL server that runs;")
    stack(local, "env", env={"EL_MYSQL": "mariadb", "EL_MYSQLD": mariadb.path})  # MySQL's does not matter there


def test_without_apt_the_fetch_says_what_to_do_and_leaves_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError) as refused:
        fetch_mysql.fetch(tmp_path / "mysql-server")
    assert "no Debian or Ubuntu with apt-get" in str(refused.value)
    assert "EL_MYSQL=mariadb" in str(refused.value)
    assert "EL_MYSQLD" in str(refused.value)
    assert not (tmp_path / "mysql-server").exists()


def apt(folder: Path, get: str) -> None:
    """Programs that stand for apt's: an archive that has one package, which holds a loader and a server."""
    root = folder / "package"
    for file, text in (
        ("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", '#!/bin/sh\nshift 2; exec "$@"\n'),
        ("usr/sbin/mysqld", '#!/bin/sh\necho "mysqld  Ver 9.9.9 for Linux"; printf "%s\\n" "$@"\n'),
    ):
        (root / file).parent.mkdir(parents=True)
        (root / file).write_text(text)
        (root / file).chmod(0o755)
    programs = {
        "apt-get": f'case "$*" in indextargets*) echo "main stable http://localhost/debian";; *install*) {get};; esac',
        "apt-cache": "echo mysql-server-core",
        "dpkg-deb": f'mkdir -p "$3"; cp -r {shlex.quote(str(root))}/. "$3"',
    }
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)


def test_a_fetch_that_was_interrupted_is_made_anew_and_the_server_starts_from_a_path_with_blanks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs, server = tmp_path / "bin", tmp_path / "with a 'blank" / "mysql-server"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(fetch_mysql, "_distribution", lambda: "debian")
    place = 'for o in "$@"; do case "$o" in -oDir::Cache=*) cache="${o#*=}";; esac; done; '
    apt(programs, place + 'touch "$cache/archives/half.deb"; kill -9 $$')
    with pytest.raises(StackError, match="apt-get ended with -9"):
        fetch_mysql.fetch(server)
    assert not server.exists()

    shutil.rmtree(programs / "package")
    apt(programs, place + 'test ! -e "$cache/archives/half.deb" && touch "$cache/archives/whole.deb"')
    program = fetch_mysql.fetch(server)
    said = subprocess.run([program, "--no-defaults", "--datadir=a b"], capture_output=True, text=True, check=True)
    assert "Ver 9.9.9" in said.stdout
    lines = said.stdout.splitlines()
    assert f"--basedir={server}/root/usr" in lines
    assert "--datadir=a b" in lines
    assert lines.count("--no-defaults") == 1
    assert sorted(path.name for path in server.iterdir()) == ["mysqld", "root", "sources.list", "status"]
    (programs / "apt-get").write_text("#!/bin/sh\nexit 1\n")
    assert fetch_mysql.fetch(server) == program  # what is there is not fetched again
