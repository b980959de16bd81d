"""What goes wrong with the local stack."""


class StackError(Exception):
    """A server that is missing, does not start or does not stop; the message says what to do."""
