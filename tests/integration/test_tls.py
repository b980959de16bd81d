"""TLS to MySQL, by both drivers: whoever answers has to prove it, unless the user says otherwise by name.

A host that is not this machine is verified without being asked for (``unit/test_settings.py``); here the URL asks.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from el import settings
from el.errors import SourceError
from el.mysql.connection import connected, rows
from el.mysql.process import Process
from tests.mysql_sql import session_status
from tests.private_mysql import PrivateMySQL

VARIABLE = "SOURCES__SHOP__CREDENTIALS"


class Authority:
    """A certificate authority, which lies in a file."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        own = self._signed(self._name, self._key.public_key(), x509.BasicConstraints(True, None))
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def server(self, address: str) -> list[str]:
        """Options of a MySQL server whose certificate is for an address, and which takes nothing but TLS."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mysql")])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        certificate, secret = self._folder / f"{address}.pem", self._folder / f"{address}.key"
        certificate.write_bytes(self._signed(name, key.public_key(), names).public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return [f"--ssl-cert={certificate}", f"--ssl-key={secret}"]

    def _signed(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(self._name).public_key(key)
        made = made.serial_number(x509.random_serial_number()).add_extension(extension, critical=False)
        made = made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
        return made.sign(self._key, hashes.SHA256())


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.fixture
def login(
    tmp_path: Path, ours: Authority, private: PrivateMySQL, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., settings.MySQL]:
    """Starts MySQL with a certificate for an address; how to log in to it at 127.0.0.1."""

    def start(address: str, mode: str, authority: Authority | None = ours) -> settings.MySQL:
        private.start(*ours.server(address))
        private.run(
            "create user 'el'@'127.0.0.1' identified by 'secret-pw' require ssl",
            "grant all on db.* to 'el'@'127.0.0.1'",
        )
        file = f"&ssl-ca={authority.file}" if authority else ""
        monkeypatch.setenv(VARIABLE, f"mysql://el:secret-pw@127.0.0.1:{private.port}/db?ssl-mode={mode}{file}")
        return settings.mysql("shop")

    return start


CIPHER = session_status("Ssl_cipher")


def ciphers(server: settings.MySQL) -> list[str]:
    """How PyMySQL's connection and connectorx's are encrypted; empty texts where they are not."""
    with connected("shop", server) as connection:
        ((one,),) = rows(connection, CIPHER)
    with Process("shop.t", server) as process:
        process.ask(CIPHER)
        (other,) = [value for batch in process.answer() for value in batch.column(0).to_pylist()]
    return [str(one), str(other)]


@pytest.mark.parametrize(
    ("address", "mode", "known"),
    [("127.0.0.1", "verify_identity", True), ("10.0.0.1", "verify_ca", True), ("10.0.0.1", "required", False)],
)
def test_both_drivers_talk_in_cipher_to_a_server_that_is_verified_as_far_as_was_asked(
    login: Callable[..., settings.MySQL], ours: Authority, address: str, mode: str, known: bool
) -> None:
    assert all(ciphers(login(address, mode, ours if known else None)))


@pytest.mark.parametrize(
    ("address", "mode", "known"),
    [
        pytest.param("10.0.0.1", "verify_identity", True, id="another host"),
        pytest.param("127.0.0.1", "verify_identity", False, id="another authority", marks=pytest.mark.long),
        pytest.param("127.0.0.1", "verify_ca", False, id="another authority, host not asked", marks=pytest.mark.long),
    ],
)
def test_both_drivers_refuse_a_server_that_cannot_prove_who_it_is(
    login: Callable[..., settings.MySQL], ours: Authority, tmp_path: Path, address: str, mode: str, known: bool
) -> None:
    server = login(address, mode, ours if known else Authority(tmp_path, "theirs"))
    with (
        pytest.raises(SourceError, match="its TLS certificate was refused") as caught,
        connected("s", server),
    ):
        pass
    assert "secret-pw" not in str(caught.value)
    with Process("shop.t", server) as process:
        process.ask("select 1")
        with pytest.raises(SourceError) as caught:
            list(process.answer())
    assert "secret-pw" not in str(caught.value)
