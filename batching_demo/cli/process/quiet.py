"""The option --quiet, and what it keeps from being printed."""

import logging

import click

_QUIET = f"{__name__}.quiet"
"""The key of the context's `meta` under which commands and what they call find --quiet."""


def _keep_quiet(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    ctx.meta[_QUIET] = value


def is_quiet() -> bool:
    """Return whether the command that runs was called with --quiet."""
    ctx = click.get_current_context(silent=True)
    return bool(ctx and ctx.meta.get(_QUIET))


def report(line: str) -> None:
    """Print progress on standard error, unless --quiet is given; standard output is for results."""
    if not is_quiet():
        click.echo(line, err=True)


quiet_option = click.option(
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_keep_quiet,
    help="Print only the result, and on standard error what is wrong.",
)


def _log_problems_only(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    _keep_quiet(ctx, parameter, value)
    if value:
        logging.getLogger("batching_demo").setLevel(logging.WARNING)


quiet_logs_option = click.option(
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_log_problems_only,
    help="Log only warnings and errors.",
)
