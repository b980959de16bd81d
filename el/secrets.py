"""Secrets that lie in AWS Secrets Manager: a variable holds where, and this fetches what.

In: ``secretsmanager:<name or ARN>[#<key>]``, and the name of the variable for messages. Out: the secret's text, or what
its JSON has under the key. Each secret is fetched once per process, whatever the number of variables that name it. No
message holds any of it: AWS's own quote the request, so only the code of an error is passed on.

Why only whole values: a password that is put into a URL here would have to be encoded, and the reader would have to
know which part came from where.
"""

from __future__ import annotations

import json
import re
from functools import cache

from el.errors import SecretError, SettingError

PREFIX = "secretsmanager:"
_SHAPE = f"{PREFIX}<name or ARN>, or {PREFIX}<name or ARN>#<key of its JSON>"
_REASONS = {
    "ResourceNotFoundException": "there is no such secret in this region, or it has no value yet",
    "AccessDeniedException": "this host's role may not read it: it needs secretsmanager:GetSecretValue",
    "DecryptionFailure": "its KMS key cannot be used: the role needs kms:Decrypt",
    "InvalidRequestException": "it cannot be read, as one that is scheduled for deletion",
    "UnrecognizedClientException": "AWS does not know this host's credentials",
    "ExpiredTokenException": "this host's AWS credentials have expired",
}


def fetch(variable: str, value: str, region: str | None) -> str:
    """The secret that ``value`` names; ``region`` is where it lies unless an ARN says otherwise.

    Raises:
        SettingError: the value is no such name, or the secret is not of the form that it needs.
        SecretError: Secrets Manager cannot be reached or refuses.
    """
    # Here, because most runs need none, and `el --help` must answer at once.
    from botocore.exceptions import BotoCoreError, ClientError

    name, _, key = value.removeprefix(PREFIX).partition("#")
    if not re.fullmatch(r"[\w/+=.@:!-]+", name) or value.endswith("#"):
        raise SettingError(f"{variable} names no secret. It must be {_SHAPE}. Nothing was started.")
    where = f"{variable}: secret {name}"
    arn = re.match(r"arn:[^:]+:secretsmanager:([^:]+):", name)
    try:
        text = _text(name, arn[1] if arn else region)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        raise SecretError(
            f"{where}: {_REASONS.get(code, 'Secrets Manager refuses')} ({code}). Nothing was started."
        ) from None
    except BotoCoreError as error:
        raise SecretError(
            f"{where}: Secrets Manager cannot be used ({type(error).__name__}). Nothing was started. Check the "
            "network, AWS_REGION and the AWS credentials of this host, as boto3 finds them."
        ) from None
    found = _under(key, text) if key else text
    if not found:
        what = f'has no text under the key "{key}", or is no JSON object' if key else "is binary or empty"
        raise SettingError(f"{where} {what}. Nothing was started. Correct the secret, or {variable}: {_SHAPE}.")
    return found


@cache
def _text(name: str, region: str | None) -> str:
    """The text of a secret; empty if it is binary."""
    import boto3
    from botocore.config import Config

    client = boto3.session.Session().client(
        "secretsmanager",
        region_name=region,
        config=Config(retries={"mode": "standard", "max_attempts": 4}, connect_timeout=10, read_timeout=20),
    )
    return str(client.get_secret_value(SecretId=name).get("SecretString") or "")


def _under(key: str, text: str) -> str:
    """What a JSON object has under a key; empty if that is no text."""
    try:
        found = json.loads(text)
    except ValueError:
        return ""
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""
