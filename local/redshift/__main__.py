"""`python -m local.redshift`: start the local Redshift and stay until SIGTERM or Ctrl-C.

One line on standard output when it answers; everything else on standard error.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from . import loads
from .catalog import install
from .postgres import Postgres, PostgresError
from .server import Server

_EPILOG = """environment:
  LOCAL_REDSHIFT_USER       who may log in (default: el)
  LOCAL_REDSHIFT_PASSWORD   with which password (required)
  LOCAL_REDSHIFT_DATABASE   the database made at the first start (default: dev)
  AWS_ENDPOINT_URL, AWS_*   where COPY reads, as boto3 takes them

example:
  LOCAL_REDSHIFT_PASSWORD=… python -m local.redshift --data .local/redshift --port 5439
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local.redshift",
        description="A local imitation of Amazon Redshift, in front of a PostgreSQL that it starts and owns.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="where the data lives; made if missing")
    parser.add_argument("--port", type=int, default=5439, help="0 chooses a free one (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--isolation", choices=["serializable", "snapshot"], default="serializable",
                        help="as a provisioned cluster's, or as Serverless has it (default: %(default)s)")  # fmt: skip
    parser.add_argument("--log-statements", type=Path, metavar="FILE",
                        help="append one JSON line per connection and statement, literals left out")  # fmt: skip
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s local.redshift: %(message)s", stream=sys.stderr)
    password = os.environ.get("LOCAL_REDSHIFT_PASSWORD", "")
    if not password:
        parser.error("LOCAL_REDSHIFT_PASSWORD is not set in the environment")
    options.data.mkdir(parents=True, exist_ok=True)
    lock = (options.data / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print(f"another local Redshift is running on {options.data}", file=sys.stderr)
        return 1
    return _run(options, password)


def _run(options: argparse.Namespace, password: str) -> int:
    user = os.environ.get("LOCAL_REDSHIFT_USER", "el")
    database = os.environ.get("LOCAL_REDSHIFT_DATABASE", "dev")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    try:
        postgres = Postgres(options.data, options.isolation)
        try:
            return _serve(postgres, options, stop, (user, password, database))
        finally:
            postgres.stop()
    except (PostgresError, OSError) as error:
        print(f"the local Redshift did not start: {error}", file=sys.stderr)
        return 1


def _serve(postgres: Postgres, options: argparse.Namespace, stop: threading.Event, login: tuple[str, str, str]) -> int:
    postgres.start()
    install(postgres, *login)
    loads.configure(postgres.connect)
    server = Server(options.host, options.port, postgres.socket_path, postgres.connect, options.log_statements)
    threading.Thread(target=server.serve, daemon=True).start()
    print(f"local Redshift ready on {options.host}:{server.port}, database {login[2]}", flush=True)
    try:
        while not stop.wait(1):
            if not postgres.running():
                print(f"PostgreSQL ended by itself; see {postgres.log}", file=sys.stderr)
                return 1
    finally:
        server.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
