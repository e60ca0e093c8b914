"""What ends a stack."""


class StackError(Exception):
    """The stack cannot go on. The message is one line that says what to do."""
