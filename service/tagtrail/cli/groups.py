"""Groups of commands that import a command when it is used, so that every command starts fast."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click


class LazyCommand(NamedTuple):
    """A command by its place in this folder, `module:name`, and its line in the help of its group."""

    place: str
    help: str


class LazyGroup(click.Group):
    """A group of lazy commands, in sections with a title each."""

    def __init__(
        self, *args: Any, sections: Mapping[str, Mapping[str, LazyCommand]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._sections = sections or {}
        self._lazy = {name: command for section in self._sections.values() for name, command in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in the order of the help."""
        return [*self._lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name. Its module is imported now."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, name = self._lazy[cmd_name].place.partition(":")
        command: click.Command = getattr(import_module(f"tagtrail.cli.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands into the help, without importing them."""
        for title, commands in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, command.help) for name, command in commands.items()])


class ListGroup(LazyGroup):
    """A group whose command `list` needs no name: `tags team/app` is `tags list team/app`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert `list` where the first word is none of the group's commands."""
        return super().parse_args(ctx, args if args and args[0] in self._lazy else ["list", *args])
