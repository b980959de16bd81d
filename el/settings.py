"""Where things are and who we are: the one list of environment variables.

In: the environment. Out: small frozen objects with what one part needs; their ``repr`` hides passwords.
Values come from the environment alone, never from a file that could be committed; the local stack writes them
to ``.local/env``, an account keeps them in ``.env`` or in its scheduler. A secret may lie in AWS Secrets Manager
instead (``secrets.py``), and its variable says where. AWS credentials are boto3's own business.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import certifi

from el import secrets
from el.errors import SettingError


@dataclass(frozen=True)
class Variable:
    """One environment variable, as the reference page shows it.

    A ``secret`` one may name a secret of AWS Secrets Manager in place of its value.
    """

    name: str
    meaning: str
    default: str | None = None
    secret: bool = False


VARIABLES = (
    Variable(
        "SOURCES__<SOURCE>__CREDENTIALS",
        "URL of the source's MySQL: mysql://user:password@host:port/database, percent-encoded. A host that is "
        "not this machine is reached by verified TLS; ?ssl-mode=… and ?ssl-ca=/path.pem change that. ?iam=<region> and "
        "no password: logs in to RDS by an IAM token.",
        secret=True,
    ),
    Variable(
        "SOURCES__<SOURCE>__REPLICA",
        "URL of a replica, in the same form: rows are read there, and the primary is only asked for the window. "
        "Needs GTIDs.",
        "the primary",
        secret=True,
    ),
    Variable("EL_REPLICA_SECONDS", "how long to wait for a replica that is behind", "600"),
    Variable("LANDING_URL", "s3://bucket/prefix that extract writes and load reads"),
    Variable("AWS_REGION", "region of the landing's bucket; boto3's other AWS_* variables apply as usual"),
    Variable("DESTINATION__REDSHIFT__CREDENTIALS__HOST", "Redshift's host"),
    Variable("DESTINATION__REDSHIFT__CREDENTIALS__PORT", "Redshift's port", "5439"),
    Variable("DESTINATION__REDSHIFT__CREDENTIALS__DATABASE", "Redshift's database"),
    Variable("DESTINATION__REDSHIFT__CREDENTIALS__USERNAME", "user that owns the raw schemas"),
    Variable("DESTINATION__REDSHIFT__CREDENTIALS__PASSWORD", "that user's password", secret=True),
    Variable(
        "EL_REDSHIFT_IAM",
        "cluster:<identifier> or workgroup:<name>: log in by temporary credentials that IAM gives, instead of a "
        "password. A workgroup's user is that of the IAM identity",
        "the password",
    ),
    Variable(
        "EL_REDSHIFT_SSLMODE",
        "libpq's word for TLS to Redshift; a host that is not this machine is verified unless you say otherwise",
        "verify-full",
    ),
    Variable("EL_REDSHIFT_SSLROOTCERT", "file of the authorities that may vouch for Redshift", "certifi's"),
    Variable("EL_COPY_IAM_ROLE", "IAM role by which Redshift reads the landing: an ARN, or default", "default"),
    Variable(
        "ARCHIVE__<SOURCE>__CREDENTIALS",
        "URL of the source's MySQL, the primary, for el-archive alone: a user of its own, who may delete. The form is "
        "that of SOURCES__<SOURCE>__CREDENTIALS",
        secret=True,
    ),
    Variable(
        "ARCHIVE_URL",
        "s3://bucket/prefix of the archive; the bucket must keep versions. Where load has it too, it tells Redshift "
        "which rows are archived",
    ),
    Variable("ARCHIVE_KMS_KEY", "KMS key that encrypts what is archived: an id, an ARN or alias/<name>"),
    Variable(
        "ARCHIVE_OBJECT_LOCK",
        "governance or compliance: S3 itself refuses to delete an archive object before its class's end. The bucket "
        "must have been made with Object Lock. Nobody can undo compliance, not even the account's root",
        "none",
    ),
    Variable("EL_HASH_KEY", "key of the HMAC-SHA-256 of `hash` columns; never sent to MySQL", secret=True),
    Variable("EL_SOURCES", "folder of the source files", "el/sources"),
    Variable("EL_HOME", "folder for logs and for work that is deleted when a run ends", ".el"),
    Variable("EL_TABLES_AT_ONCE", "how many tables are worked on side by side", "4"),
    Variable(
        "EL_LEASE_SECONDS",
        "how long the lease of a run that died on another host keeps its tables; 0 takes none: two runs may then do "
        "the same work twice, and a table's lag is that of its last commit",
        "60",
    ),
    Variable(
        "EL_RETENTION_DAYS",
        "days after which the bucket's lifecycle deletes files of the landing (retention_days of deploy/terraform): "
        "load and status warn of a commit that is not loaded when three quarters of them are over",
        "none: files stay",
    ),
    Variable(
        "EL_TRIGGER",
        "hand or schedule: what the record of a run says. Mistakes in a source file are an alert on schedule only",
        "hand on a terminal, else schedule",
    ),
    Variable("EL_ALERTS_SNS_TOPIC", "ARN of the SNS topic that alerts go to", "none"),
    Variable(
        "EL_ALERTS_APPRISE",
        "URLs of the library apprise that alerts go to, with blanks between: Slack, e-mail, PagerDuty and others",
        "none",
        secret=True,
    ),
)


@dataclass(frozen=True)
class MySQL:
    """One MySQL database and how to log in.

    ``tls`` is one of connectorx's ``ssl-mode`` words: disabled, preferred, required, verify_ca, verify_identity.
    ``check`` is a statement that fails if another server answers than the one that was asked. ``iam_region``: RDS is
    there, and the password is a token (``mysql/connection.py``). ``variable``: who said all that, for messages.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    tls: str
    tls_ca: str | None
    check: str | None = None
    iam_region: str | None = None
    variable: str = "its URL"

    @property
    def where(self) -> str:
        """For messages: everything but the password."""
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


@dataclass(frozen=True)
class Redshift:
    """One Redshift database and how to log in: by password, or by ``iam``, ``cluster:…`` or ``workgroup:…``."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    copy_role: str
    sslmode: str
    sslrootcert: str
    iam: str | None = None

    @property
    def where(self) -> str:
        """For messages: everything but the password."""
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


@dataclass(frozen=True)
class LandingPlace:
    """The bucket and the prefix, without a slash at either end, below which the landing, or the archive, lies."""

    bucket: str
    prefix: str


@dataclass(frozen=True)
class ArchivePlace:
    """The archive's bucket and prefix, without a slash at either end, its KMS key, and how S3 locks its objects.

    ``lock`` is GOVERNANCE, COMPLIANCE or None.
    """

    bucket: str
    prefix: str
    kms_key: str
    lock: str | None


@dataclass(frozen=True)
class Alerts:
    """Where alerts go: the ARN of an SNS topic, and apprise's URLs, which hold passwords and tokens."""

    sns_topic: str | None
    apprise: tuple[str, ...] = field(repr=False)


def mysql(source: str) -> MySQL:
    """How to log in to a source's MySQL, the primary.

    Raises:
        SettingError: the variable is missing or is no such URL.
        SecretError: it names a secret that cannot be fetched.
    """
    return _mysql(f"SOURCES__{source.upper()}__CREDENTIALS")


def mysql_replica(source: str) -> MySQL | None:
    """How to log in to the replica that rows are read from; None: there is none.

    Raises:
        SettingError: the variable is no such URL.
        SecretError: it names a secret that cannot be fetched.
    """
    name = f"SOURCES__{source.upper()}__REPLICA"
    return _mysql(name) if os.environ.get(name) else None


def replica_seconds() -> int:
    """How long to wait for a replica that is behind.

    Raises:
        SettingError: EL_REPLICA_SECONDS is no number from 0 to 86400.
    """
    value = os.environ.get("EL_REPLICA_SECONDS") or "600"
    if not value.isdigit() or not 0 <= int(value) <= 86400:
        raise SettingError(f"EL_REPLICA_SECONDS is {value!r}. It must be a number from 0 to 86400.")
    return int(value)


def _mysql(name: str) -> MySQL:
    shape = "mysql://user:password@host:port/database, with characters like @ : / in a password percent-encoded"
    value = _need_secret(name, shape)
    try:
        url = urlsplit(value)
        port = url.port or 3306
    except ValueError:
        raise SettingError(f"{name} cannot be read. It must be {shape}.") from None
    options = dict(parse_qsl(url.query))
    unknown = sorted(options.keys() - {"ssl-mode", "ssl-ca", "iam"})
    if url.scheme != "mysql" or not (url.hostname and url.username) or not url.path.strip("/") or unknown:
        hint = f" Unknown option {', '.join(unknown)}: only ssl-mode, ssl-ca and iam are known." if unknown else ""
        raise SettingError(f"{name} cannot be read. It must be {shape}.{hint}")
    tls = options.get("ssl-mode", "disabled" if _is_here(url.hostname) else "verify_identity").lower()
    if "iam" in options and url.password:
        raise SettingError(f"{name} has a password and ?iam: choose one. With ?iam a token is the password.")
    if "iam" in options and tls not in ("verify_ca", "verify_identity"):
        raise SettingError(
            f"{name} has ?iam and ssl-mode {tls}: whoever answers would get the token. Use verify_identity."
        )
    return MySQL(
        host=url.hostname,
        port=port,
        user=unquote(url.username),
        password=unquote(url.password or ""),
        database=unquote(url.path.strip("/")),
        tls=tls,
        tls_ca=options.get("ssl-ca"),
        iam_region=options.get("iam"),
        variable=name,
    )


def landing() -> LandingPlace:
    """Where the landing lies.

    Raises:
        SettingError: LANDING_URL is missing or no s3:// URL.
    """
    return _place("LANDING_URL")


def landing_is_set() -> bool:
    """False on a host that knows the archive alone."""
    return bool(os.environ.get("LANDING_URL"))


def _place(name: str) -> LandingPlace:
    value = _need(name, "s3://bucket/prefix")
    url = urlsplit(value)
    if url.scheme != "s3" or not url.netloc or url.query:
        raise SettingError(f"{name} is {value!r}. It must be s3://bucket/prefix.")
    return LandingPlace(url.netloc, url.path.strip("/"))


def archive() -> ArchivePlace:
    """Where the archive lies.

    Raises:
        SettingError: ARCHIVE_URL is missing or no s3:// URL, ARCHIVE_KMS_KEY is missing, or ARCHIVE_OBJECT_LOCK is no
            word for a lock.
    """
    place = _place("ARCHIVE_URL")
    lock = (os.environ.get("ARCHIVE_OBJECT_LOCK") or "none").upper()
    if lock not in ("NONE", "GOVERNANCE", "COMPLIANCE"):
        raise SettingError(f"ARCHIVE_OBJECT_LOCK is {lock.lower()!r}. It must be none, governance or compliance.")
    key = _need("ARCHIVE_KMS_KEY", "the KMS key of the archive: an id, an ARN or alias/<name>")
    return ArchivePlace(place.bucket, place.prefix, key, None if lock == "NONE" else lock)


def archive_place() -> LandingPlace | None:
    """Where load reads what was archived; None: nowhere, ARCHIVE_URL is not set.

    Raises:
        SettingError: it is no s3:// URL.
    """
    return _place("ARCHIVE_URL") if os.environ.get("ARCHIVE_URL") else None


def archive_mysql(source: str) -> MySQL:
    """How el-archive logs in to a source's MySQL.

    Raises:
        SettingError: the variable is missing or is no such URL.
        SecretError: it names a secret that cannot be fetched.
    """
    return _mysql(f"ARCHIVE__{source.upper()}__CREDENTIALS")


def redshift() -> Redshift:
    """How to log in to Redshift.

    Raises:
        SettingError: one of its variables is missing.
        SecretError: the password's names a secret that cannot be fetched.
    """
    prefix = "DESTINATION__REDSHIFT__CREDENTIALS__"
    port = os.environ.get(prefix + "PORT") or "5439"
    host = _need(prefix + "HOST", "the cluster's host name")
    if not port.isdigit():
        raise SettingError(f"{prefix}PORT is {port!r}. It must be a number.")
    sslmode = os.environ.get("EL_REDSHIFT_SSLMODE") or ("prefer" if _is_here(host) else "verify-full")
    iam = _redshift_iam(prefix, host, sslmode)
    of_iam = iam is not None and iam.startswith("workgroup:")
    return Redshift(
        host=host,
        port=int(port),
        database=_need(prefix + "DATABASE", "the database's name"),
        user=iam if of_iam and iam else _need(prefix + "USERNAME", "the user that owns the raw schemas"),
        password="" if iam else _need_secret(prefix + "PASSWORD", "that user's password"),
        copy_role=os.environ.get("EL_COPY_IAM_ROLE") or "default",
        sslmode=sslmode,
        sslrootcert=os.environ.get("EL_REDSHIFT_SSLROOTCERT") or certifi.where(),
        iam=iam,
    )


def _redshift_iam(prefix: str, host: str, sslmode: str) -> str | None:
    value = os.environ.get("EL_REDSHIFT_IAM")
    if not value:
        return None
    kind, _, name = value.partition(":")
    if kind not in ("cluster", "workgroup") or not name:
        raise SettingError(f"EL_REDSHIFT_IAM is {value!r}. It must be cluster:<identifier> or workgroup:<name>.")
    if os.environ.get(prefix + "PASSWORD"):
        raise SettingError(f"{prefix}PASSWORD and EL_REDSHIFT_IAM are both set: choose one.")
    if sslmode not in ("verify-ca", "verify-full") and not _is_here(host):
        raise SettingError(
            f"EL_REDSHIFT_SSLMODE is {sslmode} and EL_REDSHIFT_IAM is set: whoever answers would get the temporary "
            "password. Use verify-full."
        )
    return value


def redshift_is_set() -> bool:
    """False on a host that only extracts."""
    return bool(os.environ.get("DESTINATION__REDSHIFT__CREDENTIALS__HOST"))


def hash_key() -> bytes:
    """The key of `hash` columns.

    Raises:
        SettingError: EL_HASH_KEY is missing or shorter than 16 characters.
        SecretError: it names a secret that cannot be fetched.
    """
    key = _need_secret("EL_HASH_KEY", "a random text of 16 characters or more, kept as long as the data is")
    if len(key) < 16:
        raise SettingError("EL_HASH_KEY is shorter than 16 characters: hashes made with it could be guessed.")
    return key.encode()


def aws_region() -> str | None:
    """boto3 reads AWS_DEFAULT_REGION only; the rest of AWS's tools read AWS_REGION first."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")


def sources_folder() -> Path:
    """The folder of the source files."""
    return Path(os.environ.get("EL_SOURCES") or "el/sources")


def home() -> Path:
    """The folder for logs and for work that is deleted when a run ends."""
    return Path(os.environ.get("EL_HOME") or ".el").absolute()


def tables_at_once() -> int:
    """How many tables are worked on side by side.

    Raises:
        SettingError: EL_TABLES_AT_ONCE is no number from 1 to 64.
    """
    value = os.environ.get("EL_TABLES_AT_ONCE") or "4"
    if not value.isdigit() or not 1 <= int(value) <= 64:
        raise SettingError(f"EL_TABLES_AT_ONCE is {value!r}. It must be a number from 1 to 64.")
    return int(value)


def lease_seconds() -> int:
    """How long a lease lasts that nobody renews; 0: none are taken.

    Raises:
        SettingError: EL_LEASE_SECONDS is neither 0 nor a number from 4 to 3600.
    """
    value = os.environ.get("EL_LEASE_SECONDS") or "60"
    if not value.isdigit() or (int(value) != 0 and not 4 <= int(value) <= 3600):
        raise SettingError(f"EL_LEASE_SECONDS is {value!r}. It must be 0 or a number from 4 to 3600.")
    return int(value)


def retention_days() -> int | None:
    """Days after which the bucket deletes files of the landing; None if it does not.

    Raises:
        SettingError: EL_RETENTION_DAYS is no number above 0.
    """
    value = os.environ.get("EL_RETENTION_DAYS")
    if value and (not value.isdigit() or int(value) == 0):
        raise SettingError(f"EL_RETENTION_DAYS is {value!r}. It must be a number of days above 0, or nothing.")
    return int(value) if value else None


def trigger() -> str:
    """``hand`` or ``schedule``.

    Raises:
        SettingError: EL_TRIGGER is neither.
    """
    value = os.environ.get("EL_TRIGGER") or ("hand" if sys.stdin and sys.stdin.isatty() else "schedule")
    if value not in ("hand", "schedule"):
        raise SettingError(f"EL_TRIGGER is {value!r}. It must be hand or schedule.")
    return value


def alerts() -> Alerts:
    """Where alerts go; nowhere if neither variable is set.

    Raises:
        SettingError: EL_ALERTS_SNS_TOPIC is no ARN of a topic.
    """
    topic = os.environ.get("EL_ALERTS_SNS_TOPIC") or None
    if topic and not topic.startswith("arn:"):
        raise SettingError(f"EL_ALERTS_SNS_TOPIC is {topic!r}. It must be the ARN of an SNS topic: arn:aws:sns:…")
    return Alerts(topic, tuple((os.environ.get("EL_ALERTS_APPRISE") or "").split()))


def configure_dlt() -> None:
    """dlt's settings, which it reads from the environment; what the user set there stays."""
    for name, value in {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "CRITICAL",  # its messages may quote values
        "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true",
        "NORMALIZE__WORKERS": "1",
        "LOAD__WORKERS": "1",  # a file is in memory twice while it is uploaded
        "DATA_WRITER__BUFFER_MAX_ITEMS": "1",  # a chunk is a row group: nothing is held back to make larger ones
        "DATA_WRITER__FILE_MAX_BYTES": "8388608",
    }.items():
        os.environ.setdefault(name, value)


def _is_here(host: str) -> bool:
    return host in ("127.0.0.1", "localhost", "::1")


def _need(name: str, shape: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise SettingError(
            f"{name} is not set in the environment. It is {shape}. For the local stack: make up, then . .local/env"
        )
    return value


def _need_secret(name: str, shape: str) -> str:
    value = _need(name, shape)
    return secrets.fetch(name, value, aws_region()) if value.startswith(secrets.PREFIX) else value
