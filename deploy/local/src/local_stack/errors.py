"""What a person is told when the local stack cannot do what was asked."""


class StackError(Exception):
    """The message is for the person at the terminal: what is wrong, and what to do about it."""


class PortInUse(StackError):  # noqa: N818 - a state of the machine
    """A port that was asked for belongs to another process."""


class MissingTools(StackError):  # noqa: N818 - a state of the machine
    """Something has to be installed first; the message names all of it."""
