"""The one error of the embedded servers."""


class DevStackError(Exception):
    """An embedded server cannot be started or stopped; the message is one line that says why."""
