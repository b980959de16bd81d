"""The listener: accepts connections, speaks TLS if asked, one thread and one PostgreSQL session per client.

The certificate is made at start and signed by itself: clients that verify one against Redshift's own authorities
refuse it, clients that only want encryption take it.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import socket
import ssl
import struct
import tempfile
import threading
import time
import traceback
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from . import protocol as wire
from .backend import cancel
from .conflicts import Conflicts
from .history import Connect, History
from .protocol import Disconnected, Wire
from .session import Log, Session

logger = logging.getLogger("local.redshift")


class Server:
    def __init__(
        self, host: str, port: int, backend_path: str, connect: Connect, statements: Path | None = None
    ) -> None:
        self._backend_path = backend_path
        self._tls = _tls_context()
        self._clients: set[Wire] = set()
        self._conflicts = Conflicts()
        self._history = History(connect)
        self._lock = threading.Lock()
        self._statements = statements.open("a", buffering=1) if statements else None
        self._count = 0
        self._closing = False
        self._listener = socket.create_server((host, port), backlog=64)
        self.port = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Until close() is called from elsewhere."""
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError as error:
                if self._closing:
                    return
                logger.error("cannot accept a connection: %s", error.strerror)
                time.sleep(0.5)  # too many open files, most likely: some will close
                continue
            self._count += 1
            threading.Thread(target=self._client, args=(sock, self._count), daemon=True).start()

    def close(self) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            client.close()

    def _client(self, sock: socket.socket, number: int) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Wire(sock)
        try:
            started = self._start(client)
            if started is not None:
                client, startup = started
                with self._lock:
                    self._clients.add(client)
                log: Log = lambda what, text: self._log(number, what, text)  # noqa: E731 # a def would need the types of Log again
                Session(client, self._backend_path, self._conflicts, self._history, log).run(startup)
        except (Disconnected, OSError):
            pass
        except Exception as error:
            # A defect of this server: the client sees its connection close, the log says where. Not the message:
            # it may hold a value.
            where = "".join(traceback.format_tb(error.__traceback__))
            logger.error("connection %d ended by an unexpected %s:\n%s", number, type(error).__name__, where)
        finally:
            with self._lock:
                self._clients.discard(client)
            client.close()

    def _start(self, client: Wire) -> tuple[Wire, bytes] | None:
        """Everything before the real start-up message; None if there is to be no session."""
        while True:
            code, payload = client.read_startup()
            if code == wire.SSL_REQUEST:
                client.sock.sendall(b"S")
                client = Wire(self._tls.wrap_socket(client.sock, server_side=True))
            elif code == wire.GSS_REQUEST:
                client.sock.sendall(b"N")
            elif code == wire.CANCEL_REQUEST:
                cancel(self._backend_path, payload)
                return None
            elif code >> 16 == 3:
                if code != wire.PROTOCOL_3:
                    client.sock.sendall(wire.message(b"v", struct.pack("!II", wire.PROTOCOL_3, 0)))
                return client, payload
            else:
                raise Disconnected("unknown protocol")

    def _log(self, number: int, what: str, text: str) -> None:
        if self._statements is not None:
            entry = {"at": round(time.time(), 6), "connection": number, "what": what, "text": text}
            with self._lock:
                self._statements.write(json.dumps(entry) + "\n")


def _tls_context() -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as pem:  # the ssl module reads files only; this one is 0600
        no_password = serialization.NoEncryption()
        pem.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password))
        pem.write(certificate.public_bytes(serialization.Encoding.PEM))
        pem.flush()
        context.load_cert_chain(pem.name)
    return context
