"""All that talks to Redshift: connection, DDL, ledger, the merge transaction."""
