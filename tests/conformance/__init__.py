"""SQL cases for any Redshift: what a statement gives, by the page of the documentation that says so."""
