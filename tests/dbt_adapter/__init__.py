"""dbt's own adapter suite against a local Redshift."""
