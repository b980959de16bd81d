"""Sessions on Redshift, and the SQL of load: catalog, DDL, ledger, the merge transaction."""
