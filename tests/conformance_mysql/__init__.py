"""Facts that ``el`` relies on in a MySQL server, which any server can be asked."""
