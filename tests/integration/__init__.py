"""``el`` as a process on the local stack."""
