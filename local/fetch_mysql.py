"""Oracle's MySQL server out of the distribution's packages, unpacked into one folder; nothing is installed.

In: apt's own programs, the mirror and the keyring of this system. Out: a folder with everything that ``mysqld`` needs,
libc included, and a file ``mysqld`` in it, which starts the server by that folder's own loader, root or not.

Debian's stable releases have no Oracle MySQL, and where a package exists it conflicts with MariaDB's. So the packages
of Debian's unstable release (on Ubuntu: of the system's own) are downloaded with lists and a status of their own: apt's
are left alone. About 65 MB, once.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from local.errors import StackError

#: What the tests ran on; the unstable release moves, so another one may be fetched, and its version is printed.
TESTED = "9.7.4"
#: Per distribution: the suite and the component, the keyring, and how the server's package is called.
_SOURCES = {
    "debian": ("sid", "main", "debian-archive-keyring.gpg", r"mysql-server-core(-[\d.]+)?"),
    "ubuntu": ("", "main", "ubuntu-archive-keyring.gpg", r"mysql-server-core-[\d.]+"),
}
_UNTIL_IT_CAN = "Without it: EL_MYSQL=mariadb, or EL_MYSQLD with the path of a mysqld that is installed."

_STARTER = """\
#!/bin/sh
# Starts the server by the loader and the libraries that were fetched with it.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit
[ "${{1:-}}" != --no-defaults ] || shift
exec "$here/root{loader}" --library-path "{libraries}" "$here/root/usr/sbin/mysqld" --no-defaults \\
    --basedir="$here/root/usr" --lc-messages-dir="$here/root/usr/share/mysql" \\
    --character-sets-dir="$here/root/usr/share/mysql/charsets" --plugin-dir="$here/root/usr/lib/mysql/plugin" \\
    --secure-file-priv=NULL "$@"
"""


def fetch(folder: Path) -> Path:
    """The program that starts the server; fetched if it is not there.

    Raises:
        StackError: the system has no apt, or a package cannot be had.
    """
    program = folder / "mysqld"
    if program.exists():
        return program
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            unfinished = folder.with_name(folder.name + ".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            _fetch(unfinished)
            shutil.rmtree(folder, ignore_errors=True)
            unfinished.rename(folder)
    return program


def _fetch(folder: Path) -> None:
    distribution = _distribution()
    if shutil.which("apt-get") is None or distribution not in _SOURCES:
        raise StackError(f"Oracle's MySQL cannot be fetched: this is no Debian or Ubuntu with apt-get. {_UNTIL_IT_CAN}")
    suite, component, keyring, pattern = _SOURCES[distribution]
    mirror, own_suite = _mirror()
    print(f"fetching Oracle's MySQL from {suite or own_suite} of {distribution} (about 65 MB, once)", flush=True)
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    (folder / "status").touch()
    signed = f"signed-by=/usr/share/keyrings/{keyring}"
    (folder / "sources.list").write_text(f"deb [{signed}] {mirror} {suite or own_suite} {component}\n")
    options = [
        f"-oDir::Etc::sourcelist={folder}/sources.list",
        "-oDir::Etc::sourceparts=/dev/null",
        "-oDir::Etc::preferencesparts=/dev/null",
        f"-oDir::State::Lists={folder}/lists",
        f"-oDir::Cache={folder}/cache",
        # Nothing is installed as far as apt knows: so it takes every dependency, libc included.
        f"-oDir::State::status={folder}/status",
        "-oAPT::Install-Recommends=false",
        *(["-oAPT::Sandbox::User=root"] if os.geteuid() == 0 else []),
    ]
    _run(["apt-get", *options, "-qq", "update"])
    names = _run(["apt-cache", *options, "pkgnames", "mysql-server-core"]).split()
    found = sorted((name for name in names if re.fullmatch(pattern, name)), key=_version_in)
    if not found:
        raise StackError(f"{mirror} {suite or own_suite} has no mysql-server-core. {_UNTIL_IT_CAN}")
    _run(["apt-get", *options, "-qq", "-d", "-y", "install", found[-1]])
    root = folder / "root"
    for package in sorted((folder / "cache" / "archives").glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(root)])
    for part in ("lists", "cache"):
        shutil.rmtree(folder / part)
    _write_starter(folder, root)


def _write_starter(folder: Path, root: Path) -> None:
    # Debian calls its library folders by the triplet of the architecture; each has one loader.
    loaders = sorted((root / "usr" / "lib").glob("*-linux-gnu*/ld-linux*.so.*"))
    if not loaders:
        raise StackError(f"no loader for {platform.machine()} is among the packages. {_UNTIL_IT_CAN}")
    libraries = [f"$here/root/usr/lib/{loaders[0].parent.name}", "$here/root/usr/lib/mysql/private"]
    text = _STARTER.format(loader=f"/{loaders[0].relative_to(root)}", libraries=":".join(libraries))
    (folder / "mysqld").write_text(text)
    (folder / "mysqld").chmod(0o755)


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("ID", "")
    except OSError:
        return ""


def _mirror() -> tuple[str, str]:
    """Where the system takes its own packages from, and its suite: not that of updates, security or others."""
    listed = _run(
        ["apt-get", "indextargets", "--format", "$(COMPONENT) $(RELEASE) $(REPO_URI)", "Created-By: Packages"]
    )
    sources = [line.split(" ", 2) for line in listed.splitlines()]
    own = [(address, suite) for component, suite, address in sources if component == "main" and "-" not in suite]
    # A mirror of a company may be called otherwise, so what the address looks like only decides between several.
    own.sort(key=lambda source: not re.search(r"/(debian|ubuntu|ubuntu-ports)(\.list)?/?$", source[0]))
    if not own:
        raise StackError(f"none of this system's package sources is the distribution's own archive. {_UNTIL_IT_CAN}")
    return own[0]


def _version_in(name: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", name)]


def _run(command: list[str]) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        end = "\n".join("    " + line for line in (done.stdout + done.stderr).splitlines()[-5:])
        raise StackError(
            f"Oracle's MySQL cannot be fetched: {command[0]} ended with {done.returncode}:\n{end}\n{_UNTIL_IT_CAN}"
        )
    return done.stdout
