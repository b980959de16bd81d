"""A local Redshift: the Postgres wire protocol and Redshift's dialect in front of a PostgreSQL it owns.

`python -m local.redshift --help` starts it; docs/reference/local-redshift.md says what it accepts, emulates,
refuses and does not imitate. It proves semantics, never speed.
"""
