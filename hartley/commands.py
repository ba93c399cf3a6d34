"""Commands that take what they are given literally: nothing empty, nothing that is said twice and heard once."""

from __future__ import annotations

from collections import Counter

import click

from hartley.errors import InputError


class Careful(click.Command):
    """A command that refuses an option without a value, such as one from a variable of a CI system that is not set, and one that is
    given twice where only the last would count."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        rest = super().parse_args(ctx, args)
        options = {name: param for param in self.params if isinstance(param, click.Option) for name in param.opts}
        arguments = [param for param in self.params if isinstance(param, click.Argument)]
        words = given[: given.index("--")] if "--" in given else given
        named = Counter(options[word.partition("=")[0]].name for word in words if word.partition("=")[0] in options)
        for option in options.values():
            if named[option.name] > 1 and not option.multiple and not option.is_flag:
                raise click.UsageError(f"{option.opts[-1]} is given {named[option.name]} times; it takes one value", ctx)
        for at, word in enumerate(words):
            name, given_with, value = word.partition("=")
            if given_with and name in options and not value.strip():
                raise _empty(name, ctx)
            if not word.strip():
                before = words[at - 1] if at else ""
                takes = before in options and not options[before].is_flag
                raise _empty(before if takes else next((one.human_readable_name for one in arguments), "an argument"), ctx)
        return rest


def _empty(what: str, ctx: click.Context) -> click.UsageError:
    return click.UsageError(f"{what} is empty; leave it out, or give it a value", ctx)


def added_up(option: str, values: tuple[str, ...] | None) -> str | None:
    """The values of an option that may be repeated, as one list with commas; None where it was not given.

    Raises InputError where a value names nothing, such as the "," of two variables that are not set.
    """
    for value in values or ():
        if not value.strip(", \t"):
            raise InputError(f"{option} names nothing: got {value!r}; leave it out, or give it a value")
    return ",".join(values) if values else None
