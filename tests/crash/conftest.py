"""The servers of tests/local, for the crash tests of the local Redshift."""

from tests.local.conftest import aws_environment, bucket, make_redshift, redshift

__all__ = ["aws_environment", "bucket", "make_redshift", "redshift"]
