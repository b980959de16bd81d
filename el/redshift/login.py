"""Who logs in to Redshift, and with what: the one place that a password of Redshift passes through.

In: ``settings.Redshift``. Out: user and password: those of the environment, or temporary ones that IAM gives for
a quarter of an hour, which is enough because they are asked for at each log-in and a session outlives them.
"""

from __future__ import annotations

from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from el.errors import WarehouseError
from el.settings import Redshift, aws_region

#: Seconds; the least that IAM gives.
_LIFETIME = 900


def credentials(server: Redshift) -> tuple[str, str]:
    """User and password.

    Raises:
        WarehouseError: IAM gives none.
    """
    if server.iam is None:
        return server.user, server.password
    kind, _, name = server.iam.partition(":")
    try:
        if kind == "workgroup":
            client: Any = boto3.client("redshift-serverless", region_name=aws_region())
            found = client.get_credentials(workgroupName=name, dbName=server.database, durationSeconds=_LIFETIME)
            return found["dbUser"], found["dbPassword"]
        client = boto3.client("redshift", region_name=aws_region())
        found = client.get_cluster_credentials(
            ClusterIdentifier=name,
            DbUser=server.user,
            DbName=server.database,
            DurationSeconds=_LIFETIME,
            AutoCreate=False,
        )
        return found["DbUser"], found["DbPassword"]
    except (ClientError, BotoCoreError) as error:
        code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
        action = "redshift-serverless:GetCredentials" if kind == "workgroup" else "redshift:GetClusterCredentials"
        raise WarehouseError(
            f"Redshift at {server.where}: IAM gives no credentials for {kind} {name}: {code or type(error).__name__}. "
            f"Nothing was changed. Check EL_REDSHIFT_IAM, AWS_REGION and that this host may do {action}"
        ) from None
