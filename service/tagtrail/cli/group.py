"""A group of commands with a usual one, whose name need not be said."""

import click


class UsualGroup(click.Group):
    """Does `list` unless its first word is another of its commands: `tags team/app` is `tags list team/app`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the usual command first where there is none."""
        return super().parse_args(ctx, args if args and args[0] in self.commands else ["list", *args])
