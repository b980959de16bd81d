"""The local S3 API: moto's server, without what it would do again for every request.

It looks through its folders and through the addresses of all services, logs a line and starts a thread: a half of its
time. And who lists versions makes it copy every object of the bucket, contents and all; each subscription of a topic
gets an RSA key. Each object that it keeps on disk is an open file.
"""

from __future__ import annotations

import functools
import io
import logging
import resource
from concurrent.futures import ThreadPoolExecutor
from socketserver import ThreadingMixIn
from typing import Any

from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.s3.models import FakeKey
from moto.server import main
from moto.sns.models import Subscription

backends.list_of_moto_modules = functools.cache(lambda found=backends.list_of_moto_modules: frozenset(found()))
DomainDispatcherApplication.get_backend_for_host = functools.cache(DomainDispatcherApplication.get_backend_for_host)
#: More than clients that wait at once, as for a message of a queue.
_threads = ThreadPoolExecutor(128)
_mixin: Any = ThreadingMixIn
_mixin.process_request = lambda server, request, address: _threads.submit(
    server.process_request_thread, request, address
)
_key = functools.cache(Subscription.private_key.__wrapped__)
Subscription.private_key = lambda _: _key(None)


def _listed(key: FakeKey, _: dict[int, Any]) -> FakeKey:
    """What a listing says of an object."""
    listed = FakeKey.__new__(FakeKey)
    # ``disposed``: there is nothing to close.
    vars(listed).update(vars(key) | {"_value_buffer": io.BytesIO(), "multipart": None, "disposed": True})
    return listed


FakeKey.__deepcopy__ = _listed

if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    granted = 10240 if most == resource.RLIM_INFINITY else most  # macOS has no limit, and grants no more than that
    resource.setrlimit(resource.RLIMIT_NOFILE, (granted, most))
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    main()
