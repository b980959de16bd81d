"""The local S3 API: moto's server, without what it would do again for every request.

It looks through its folders and through the addresses of all services, and logs a line: a third of its time.
"""

from __future__ import annotations

import functools
import logging

from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import main

backends.list_of_moto_modules = functools.cache(lambda found=backends.list_of_moto_modules: frozenset(found()))
DomainDispatcherApplication.get_backend_for_host = functools.cache(DomainDispatcherApplication.get_backend_for_host)

if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    main()
