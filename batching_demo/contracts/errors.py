"""Errors whose message is one line for the user: what is wrong, where, and what to do next."""


class UserError(Exception):
    """Ends a command with its message."""

    exit_code = 1
    is_outage = False
    """Whether a server did not answer, so that the same may succeed later."""


class InputError(UserError):
    """The input is refused as it is."""

    exit_code = 2
