"""The options that name the target of records."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import click

from batching_demo.cli import options
from batching_demo.contracts.targets import RECORDS_TARGET, TargetDeclaration


@dataclass(frozen=True)
class TargetOptions:
    """What the user says of the target of records."""

    target: str = RECORDS_TARGET
    targets: Sequence[TargetDeclaration] = ()

    @property
    def declaration(self) -> TargetDeclaration | None:
        """The declaration of the target; None for `records`.

        Raises:
            BadParameter: None is declared under this name.
        """
        if self.target == RECORDS_TARGET:
            return None
        declared = {one.name: one for one in self.targets}
        if self.target not in declared:
            near = get_close_matches(self.target, [RECORDS_TARGET, *declared], 1)
            advice = (
                f"is it {near[0]}?" if near else "name the file that declares it with --targets"
            )
            raise click.BadParameter(
                f"nothing declares a target {self.target}: {advice}", param_hint="--target"
            )
        return declared[self.target]


target_options = options.as_one(
    "into",
    TargetOptions,
    options.option(
        "--target",
        default=RECORDS_TARGET,
        metavar="NAME",
        help="Target that the records go to: records, or a table of your own by its name in"
        " --targets.",
    ),
    options.targets,
)
