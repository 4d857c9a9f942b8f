"""One delete may take many tags with it, and whoever is told of it may want to know of some of them only."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tagtrail.store.database import Connection
from tagtrail.store.questions.series import marks

# Whether a registry's repository's tag, with the environments that it means, is to be told of.
Wants: TypeAlias = Callable[[str, str, str, tuple[str, ...]], bool]


def find_unwanted(db: Connection, seqs: Sequence[int], wants: Wants | None) -> frozenset[tuple[int, int]]:
    """The line and the tag's id of each tag that was deleted beside another, of which alone somebody wants to know."""
    if wants is None:
        return frozenset()
    wanted, unwanted = set[int](), set[tuple[int, int]]()
    for seq, tag_id, registry, repository, tag, environments in db.execute(
        "SELECT m.seq, m.tag_id, g.name, r.name, t.name, (SELECT group_concat(p.environment, char(10))"
        " FROM publications p WHERE p.seq = m.seq AND p.tag_id = m.tag_id) FROM moves m JOIN tags t ON t.id = m.tag_id"
        " JOIN repositories r ON r.id = t.repository_id JOIN registries g ON g.id = r.registry_id"
        f" WHERE m.seq IN ({marks(seqs)}) AND m.manifest_id IS NULL",
        seqs,
    ):
        if wants(registry, repository, tag, tuple((environments or "").split())):
            wanted.add(seq)
        else:
            unwanted.add((seq, tag_id))
    return frozenset(each for each in unwanted if each[0] in wanted)
