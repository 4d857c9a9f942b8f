"""`tagtrail annotate`: ties a ticket, a commit or an approval to a line of the ledger, as a new line."""

import click

from tagtrail import __version__
from tagtrail.cli.asked import Asked
from tagtrail.cli.options import asking
from tagtrail.ledger.annotate import RELATIONS, Annotation, annotate, read_annotation
from tagtrail.ledger.declare import Origin
from tagtrail.ledger.record import Recorder
from tagtrail.wording.line_text import annotation

_CHANGES = tuple(relation for relation in RELATIONS if relation != "note")


@click.command("annotate", short_help="Tie a ticket, a commit or an approval to a line.")
@click.argument("seq", type=click.IntRange(min=0))
@click.option("--ticket", metavar="ID", help="A ticket, such as OPS-17.")
@click.option("--commit", metavar="SHA", help="A commit, by its id or URL.")
@click.option("--approval", metavar="ID", help="An approval, by its number; not by a name.")
@click.option("--incident", metavar="ID", help="An incident, by its number.")
@click.option("--note", metavar="TEXT", help="Anything else; alone, or beside one of these. It can be erased.")
@click.option("--actor", metavar="NAME", help="Who ties it; nobody is named without it. It can be erased.")
@click.option("--key", metavar="TEXT", help="The same annotation under the same key is recorded once.")
@asking(is_list=False)
def annotate_command(
    asked: Asked, *, seq: int, note: str | None, actor: str | None, key: str | None, **changes: str | None
) -> None:
    """Tie a ticket, a commit, an approval, an incident or a note to the line SEQ, as a new line.

    `tagtrail log` shows the number of each line. What is tied stays in the ledger for ever, so name no person in it,
    except in the note and by --actor.
    """
    said = _read(changes, note, actor)
    origin = Origin(user_agent=f"tagtrail/{__version__} (command line)")
    noted = annotate(asked.trail.store, Recorder(asked.trail.store), seq, said, key=key, origin=origin)
    answer = read_annotation(asked.trail.store, noted.seq)
    if asked.as_json:
        asked.screen.json([answer])
        return
    recorded = "Recorded" if noted.is_new else "Had been recorded"
    asked.screen.say(f"{recorded} as line {noted.seq}: {annotation(answer)}, tied to line {seq}.")


def _read(changes: dict[str, str | None], note: str | None, actor: str | None) -> Annotation:
    given = {relation: changes[relation] for relation in _CHANGES if changes[relation] is not None}
    if len(given) > 1 or not (given or note):
        raise click.UsageError(f"Name one of --{', --'.join(_CHANGES)}, or a --note.")
    for relation, change in given.items():
        return Annotation(relation, change, note, actor)  # type: ignore[arg-type]  # one of RELATIONS
    return Annotation("note", None, note, actor)
