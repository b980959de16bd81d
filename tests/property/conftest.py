"""The servers of tests/local, for the property tests that need one."""

from tests.local.conftest import aws_environment, bucket, db, make_redshift, redshift

__all__ = ["aws_environment", "bucket", "db", "make_redshift", "redshift"]
