"""Logging in to RDS by IAM: a token for each connection, of the form that AWS checks, seen by nobody else."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pymysql
import pytest

from el import settings
from el.errors import SettingError, SourceError
from el.mysql import connection, process

VARIABLE = "SOURCES__SHOP__CREDENTIALS"
URL = "mysql://el%20reader@shop.abc.eu-west-1.rds.amazonaws.com:3307/shop?iam=eu-west-1&ssl-ca=/rds.pem"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> settings.MySQL:
    monkeypatch.setenv(VARIABLE, URL)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-that-is-not-one")
    connection._rds.cache_clear()
    return settings.mysql("shop")


def test_a_token_names_host_user_and_region_and_lives_for_15_minutes(server: settings.MySQL) -> None:
    token = urlsplit("https://" + connection.password(server))
    assert token.netloc == "shop.abc.eu-west-1.rds.amazonaws.com:3307"
    said = {name: values[0] for name, values in parse_qs(token.query).items()}
    assert (said["Action"], said["DBUser"], said["X-Amz-Expires"]) == ("connect", "el reader", "900")
    assert said["X-Amz-Credential"].endswith("/eu-west-1/rds-db/aws4_request")
    assert len(said["X-Amz-Signature"]) == 64


def test_every_connection_has_a_token_of_its_own_and_no_log_has_one(
    server: settings.MySQL, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    made: list[str] = []
    used: list[str] = []

    class Signer:
        def generate_db_auth_token(self, **_: Any) -> str:
            made.append(f"token&number={len(made)}")
            return made[-1]

    def refuse(**options: Any) -> None:
        used.append(options["password"].decode())
        raise pymysql.err.OperationalError(1045, f"denied {used[-1]}")

    monkeypatch.setattr(connection, "_rds", lambda region: Signer())
    monkeypatch.setattr(connection.pymysql, "connect", refuse)
    monkeypatch.setattr(connection, "_tls", lambda *how: None)  # there is no /rds.pem
    for _ in range(2):
        with pytest.raises(SourceError) as caught, connection.connected("shop", server):
            pass
        assert "token" not in str(caught.value)
    used += [unquote(urlsplit(process._url(server)).password or "") for _ in range(2)]
    assert used == made
    assert len(set(made)) == 4
    assert "token" not in caplog.text + repr(server)


def test_connectorx_is_allowed_to_send_the_token_as_rds_wants_it(server: settings.MySQL) -> None:
    options = parse_qs(urlsplit(process._url(server)).query)
    assert options["enable_cleartext_plugin"] == ["true"]
    assert options["ssl-mode"] == ["verify_identity"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (URL.replace("@", ":secret-pw@"), "a password and [?]iam: choose one"),
        (URL + "&ssl-mode=required", "whoever answers would get the token"),
        (URL.replace("shop.abc.eu-west-1.rds.amazonaws.com", "127.0.0.1"), "ssl-mode disabled"),
    ],
)
def test_a_token_is_no_password_and_goes_to_a_verified_server_only(
    monkeypatch: pytest.MonkeyPatch, url: str, message: str
) -> None:
    monkeypatch.setenv(VARIABLE, url)
    with pytest.raises(SettingError, match=message) as caught:
        settings.mysql("shop")
    assert "secret-pw" not in str(caught.value)


def test_without_aws_credentials_the_table_fails_with_the_reason(
    server: settings.MySQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    connection._rds.cache_clear()
    with pytest.raises(SourceError, match="NoCredentialsError"):
        connection.password(server)
