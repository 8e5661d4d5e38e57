"""The one error of the embedded servers."""


class DevStackError(Exception):
    """An embedded server cannot be started or stopped; the message gives the reason in one line."""
