"""Variables of the environment: read once, refused clearly, never printed."""

import pytest

from el import settings
from el.errors import SettingError

URL = "mysql://reader:p%40ss%2Fword@db.example.org:3307/clinic"


def test_a_source_url_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CLINIC__CREDENTIALS", URL)
    server = settings.mysql("clinic")
    assert (server.host, server.port, server.user, server.password, server.database) == (
        "db.example.org",
        3307,
        "reader",
        "p@ss/word",
        "clinic",
    )


def test_a_remote_host_is_verified_and_this_machine_needs_no_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CLINIC__CREDENTIALS", URL)
    assert settings.mysql("clinic").tls == "verify_identity"
    monkeypatch.setenv("SOURCES__CLINIC__CREDENTIALS", URL + "?ssl-mode=required")
    assert settings.mysql("clinic").tls == "required"
    monkeypatch.setenv("SOURCES__CLINIC__CREDENTIALS", "mysql://reader:x@127.0.0.1/clinic")
    assert settings.mysql("clinic").tls == "disabled"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "postgres://u:secret-pw@h/db",
        "mysql://h/db",
        "mysql://u:secret-pw@h",
        "mysql://u:secret-pw@h:port/db",
        "mysql://u:secret-pw@h/db?charset=utf8",
        "mysql://u:secret-pw@[h/db",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SOURCES__CLINIC__CREDENTIALS", url)
    with pytest.raises(SettingError, match="SOURCES__CLINIC__CREDENTIALS") as caught:
        settings.mysql("clinic")
    assert "secret-pw" not in str(caught.value)


@pytest.mark.parametrize("url", ["file:///tmp", "s3://", "s3:/bucket"])
def test_a_landing_must_be_on_s3(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LANDING_URL", url)
    with pytest.raises(SettingError, match="LANDING_URL"):
        settings.landing()


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESTINATION__REDSHIFT__CREDENTIALS__HOST", "h")
    with pytest.raises(SettingError, match="DESTINATION__REDSHIFT__CREDENTIALS__DATABASE is not set"):
        settings.redshift()


def test_a_short_hash_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EL_HASH_KEY", "short")
    with pytest.raises(SettingError, match="could be guessed"):
        settings.hash_key()


def test_no_repr_shows_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CLINIC__CREDENTIALS", URL)
    prefix = "DESTINATION__REDSHIFT__CREDENTIALS__"
    for name in ("HOST", "DATABASE", "USERNAME"):
        monkeypatch.setenv(prefix + name, "x")
    monkeypatch.setenv(prefix + "PASSWORD", "p@ss/word")
    assert "p@ss/word" not in repr(settings.mysql("clinic")) + repr(settings.redshift())


def test_the_archive_has_a_bucket_a_key_and_perhaps_a_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHIVE_URL", "s3://vault/kept/for/ever/")
    with pytest.raises(SettingError, match="ARCHIVE_KMS_KEY is not set"):
        settings.archive()
    monkeypatch.setenv("ARCHIVE_KMS_KEY", "alias/vault")
    assert settings.archive() == settings.ArchivePlace("vault", "kept/for/ever", "alias/vault", None)
    monkeypatch.setenv("ARCHIVE_OBJECT_LOCK", "compliance")
    assert settings.archive().lock == "COMPLIANCE"
    monkeypatch.setenv("ARCHIVE_OBJECT_LOCK", "yes")
    with pytest.raises(SettingError, match="must be none, governance or compliance"):
        settings.archive()
