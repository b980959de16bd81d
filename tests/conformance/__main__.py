"""The conformance table against any server: `make conformance DSN="host=… port=5439 user=… dbname=…"`.

Prints one block per case that differs, and the count. Uses the schema el_conformance, which it drops. A password comes
from PGPASSWORD or ~/.pgpass. Exit code 1 if anything differs.
"""

from __future__ import annotations

import sys

from .cases import Scratch, difference, load


def main(dsn: str) -> int:
    cases, differences = load(), 0
    scratch = Scratch(dsn)
    try:
        for case in cases:
            found = difference(case, scratch.run(case.sql), words=False)
            if found:
                differences += 1
                print(f"{case.page}\n  {case.sql}\n  gave {found}\n")
    finally:
        scratch.drop()
    print(f"{len(cases)} cases, {differences} differ")
    return 1 if differences else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} DSN")
    sys.exit(main(sys.argv[1]))
