#!/bin/sh
# Makes this machine ready: system packages that are missing, and .venv from the lock. Quick when all is there.
#
# System packages are installed only for commands that are missing: the MariaDB and PostgreSQL *servers* (the local
# stack starts its own, on its own ports), and venv support for Python where the system splits it off. MariaDB is not
# needed where Oracle's MySQL is there, or is asked for (EL_MYSQL=mysql): local/fetch_mysql.py fetches that one.
# With `without-servers`, on a host that uses an account's servers, the servers are left out.
set -eu
cd "$(dirname "$0")/.."

servers=yes
[ "${1:-}" != without-servers ] || servers=no

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1; then sudo "$@"
    else fail "root rights are needed to run: $*"
    fi
}

have_mysql() { [ "${EL_MYSQL:-}" = mysql ] || command -v mariadbd >/dev/null 2>&1 || command -v mysqld >/dev/null 2>&1 || [ -x /usr/sbin/mariadbd ]; }
have_postgres() {
    command -v postgres >/dev/null 2>&1 && command -v initdb >/dev/null 2>&1 && return
    for initdb in /usr/lib/postgresql/*/bin/initdb /opt/homebrew/opt/postgresql*/bin/initdb \
            /usr/local/opt/postgresql*/bin/initdb; do
        [ -x "$initdb" ] && return
    done
    return 1
}
find_python() {
    for python in python3.11 python3.12 python3.13 python3; do
        if command -v "$python" >/dev/null 2>&1 \
                && "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

install_apt() {
    say "installing $* with apt-get"
    # A service that a package starts is not needed and could take a port: packages ask this file before they start one.
    guard=/usr/sbin/policy-rc.d
    if [ ! -e "$guard" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" >/dev/null
        as_root chmod 755 "$guard"
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
        trap 'exit 130' INT TERM
    fi
    # Nor is the database cluster that Debian's postgresql makes.
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        as_root mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Dpkg::Options::=--force-confold "$@" >/dev/null
}

install_system_packages() {
    apt='' brew=''
    if [ "$servers" = yes ]; then
        have_mysql || { apt="$apt mariadb-server"; brew="$brew mariadb"; }
        have_postgres || { apt="$apt postgresql"; brew="$brew postgresql@16"; }
    fi
    python=$(find_python) || fail "Python 3.11, 3.12 or 3.13 is needed and none is on PATH"
    [ -x .venv/bin/python ] || "$python" -c 'import ensurepip' 2>/dev/null \
        || apt="$apt $("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    [ -z "$apt$brew" ] && return 0
    if command -v apt-get >/dev/null 2>&1; then
        # shellcheck disable=SC2086  # a list of packages
        install_apt $apt
    elif command -v brew >/dev/null 2>&1; then
        # shellcheck disable=SC2086
        [ -z "$brew" ] || { say "installing$brew with Homebrew"; brew install -q $brew; }
    else
        fail "missing:$apt (names as on Debian). Install them with this system's package manager, then run: make setup"
    fi
    [ "$servers" = yes ] || return 0
    have_mysql || fail "the MariaDB server is still missing after the installation"
    have_postgres || fail "the PostgreSQL server is still missing after the installation"
}

make_venv() {
    wanted=$(cat requirements.lock pyproject.toml local/setup.sh | cksum)
    [ "$(cat .venv/.installed 2>/dev/null || true)" = "$wanted" ] && return 0
    say "installing Python packages into .venv"
    [ -x .venv/bin/python ] || "$(find_python)" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
    hook_activate
    echo "$wanted" >.venv/.installed
}

# With the environment active, a bare `el` or `dbt` finds the servers of this checkout. Variables that are already set
# for other servers are left alone, all of them: half of one and half of the other would be worse than an error.
hook_activate() {
    grep -q 'el: servers of this checkout' .venv/bin/activate && return 0
    cat >>.venv/bin/activate <<'HOOK'

# el: servers of this checkout
if [ -z "${LANDING_URL:-}${DBT_REDSHIFT_HOST:-}" ]; then
    for _el_env in "${VIRTUAL_ENV%/.venv}/.env" "${VIRTUAL_ENV%/.venv}/.local/env"; do
        if [ -f "$_el_env" ]; then
            case $- in *a*) . "$_el_env" ;; *) set -a; . "$_el_env"; set +a ;; esac
            break
        fi
    done
    unset _el_env
fi
HOOK
}

install_system_packages
make_venv
[ "$servers" = no ] || [ -f .local/env ] || .venv/bin/python -m local.stack env
