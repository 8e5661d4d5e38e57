"""Refuse an option that is given twice and takes one value: click keeps the last one in silence."""

from collections import Counter
from collections.abc import Sequence

import click


def check_given_once(command: click.Command, ctx: click.Context, arguments: Sequence[str]) -> None:
    """Check the arguments of a command, and of the command below it that they name.

    Raises:
        click.UsageError: An option is given twice, or the arguments are wrong in another way.
    """
    _, rest, given = command.make_parser(ctx).parse_args(list(arguments))
    for parameter, times in Counter(given).items():
        if times > 1 and isinstance(parameter, click.Option) and _takes_one(parameter):
            names = "/".join((*parameter.opts, *parameter.secondary_opts))
            raise click.UsageError(f"{names} is given {times} times: give it once", ctx)
    if isinstance(command, click.Group) and rest:
        name, inner, below = command.resolve_command(ctx, rest)
        if inner:
            context = click.Context(inner, ctx, name, **inner.context_settings)
            check_given_once(inner, context, below)


def _takes_one(option: click.Option) -> bool:
    """Return whether a second value would replace the first. A plain flag says the same twice."""
    is_plain_flag = option.is_flag and not option.secondary_opts
    return not (option.multiple or option.count or is_plain_flag)
