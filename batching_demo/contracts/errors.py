"""Errors for the user. The message is one line: what is wrong, where, and what to do next."""


class UserError(Exception):
    """An error that ends a command. The command prints the message."""

    exit_code = 1
    is_outage = False
    """Whether a server did not answer. If so, the same command may succeed later."""


class SettingsError(UserError):
    """A setting is missing or wrong; the message names what to do."""


class InputError(UserError):
    """The input cannot be loaded as it is."""

    exit_code = 2
