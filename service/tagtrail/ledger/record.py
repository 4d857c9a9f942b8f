"""Recording: drafts become lines, and the lines are projected, in one write transaction.

This is how everything is recorded but the ordinary events of a registry, which `front.py` appends first and projects in
batches. A process that records here first projects what was only appended, so that lines are projected in their order.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from tagtrail import __version__
from tagtrail.errors import StorageUnavailable
from tagtrail.ledger.append import Tail
from tagtrail.ledger.batch import Outbox, Projector
from tagtrail.ledger.project import Meaning, as_line
from tagtrail.ledger.rulebook import RuleBook, load_rulebook
from tagtrail.ledger.submission import Draft, Line, Outcome, Recorded, Submission
from tagtrail.line import Entry
from tagtrail.store.database import Connection, Store, StoreBusy, is_trouble_of_the_disk
from tagtrail.store.lines import LedgerEnd, begin_generation, get_end, get_newest_time, iterate_lines
from tagtrail.trail.instant import now
from tagtrail.trail.rules import Rules


class Recorder:
    """Records in one store; safe to call from many threads. `clock` gives our time, in nanoseconds.

    `outbox` writes down which messages a line gives. `projected` is called with the lines that this recorder has
    projected, after they are committed.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], int] = now,
        outbox: Outbox | None = None,
        projected: Callable[[Sequence[Recorded]], None] = lambda _: None,
    ) -> None:
        self.store = store
        self.clock = clock
        self._outbox = outbox
        self._report = projected
        self._projector: Projector | None = None
        self._latest = 0  # when the newest line was appended, as far as this process knows

    def record(self, submission: Submission) -> list[Outcome]:
        """Record the submission; when this returns, it is durable.

        Returns an outcome for each of its drafts. Raises StorageUnavailable when nothing was stored.
        """
        with self._recording() as tail:
            outcomes = tail.record(submission)
            recorded = self._project_tail(tail)
        self._report(list(recorded.values()))
        return [recorded[each.seq] if isinstance(each, Recorded) else each for each in outcomes]

    def now(self) -> int:
        """Our time, in nanoseconds: never behind the ledger's, to which a clock that was set back has to catch up.

        Raises StorageUnavailable.
        """
        self._prepared()
        return max(self.clock(), self._latest)

    @property
    def book(self) -> RuleBook:
        """The rules in force, as the ledger holds them."""
        return self._prepared().book

    def record_with(self, draft: Draft, change: Callable[[Connection], None]) -> Recorded:
        """Record a line and, in the same transaction, change what lies beside the ledger.

        Raises StorageUnavailable, and whatever `change` raises; nothing was stored then.
        """
        with self._recording() as tail:
            seq = tail.append(draft).seq
            recorded = self._project_tail(tail)
            change(tail.tx)
        self._report(list(recorded.values()))
        return recorded[seq]

    def amend(self, draft: Draft, change: Callable[[Connection], None]) -> Recorded:
        """Record a line and, in the same transaction, take away what it says is taken away.

        Every process then forgets the ids and rules that it remembers. Raises as `record_with`.
        """

        def take_away(tx: Connection) -> None:
            change(tx)
            begin_generation(tx)

        return self.record_with(draft, take_away)

    def record_after(self, change: Callable[[Connection], Draft]) -> Recorded:
        """Change the ledger and, in the same transaction, record the line that `change` returns.

        `change` begins a new generation where it adds lines. Raises as `record_with`.
        """
        drafts: list[Draft] = []
        with self._recording(lambda tx: drafts.append(change(tx))) as tail:
            seq = tail.append(drafts[0]).seq
            recorded = self._project_tail(tail)
        self._report(list(recorded.values()))
        return recorded[seq]

    def catch_up(self, appended: Sequence[Line] = (), *, wait: bool = True) -> None:
        """Project the lines that were only appended. `appended` are the newest of them, as far as they are known.

        The transaction is not flushed: what a power cut takes away is derived again. Raises StorageUnavailable, and
        StoreBusy without `wait` while another writer has its turn.
        """
        with self.guarding(), self.store.writing(durable=False, wait=wait) as tx:
            recorded = self.catch_up_in(tx, appended)
        self._report(recorded)

    def catch_up_in(self, tx: Connection, appended: Sequence[Line] = ()) -> list[Recorded]:
        """As `catch_up`, in a transaction that does more. The caller reports what was projected."""
        end = get_end(tx)
        projector = self._meet(tx, end)
        if end.projected >= end.seq:
            return []
        lines = [line for line in appended if line.seq > end.projected]
        if not lines or (lines[0].seq, lines[-1].seq) != (end.projected + 1, end.seq):
            lines = [as_line(stored) for stored in iterate_lines(tx, first=end.projected + 1)]
        return _as_recorded(lines, projector.project(tx, lines))

    def note_time(self, received_at: int) -> None:
        """Remember when the newest line was appended, so that `now` is never behind it."""
        self._latest = max(self._latest, received_at)

    def report(self, recorded: Sequence[Recorded]) -> None:
        """Tell that these lines are projected and committed."""
        self._report(recorded)

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Forget what is remembered if the transaction inside fails: it may have been rolled back."""
        try:
            yield
        except StoreBusy:  # nothing was begun
            raise
        except BaseException:
            self._projector = None
            raise

    def _prepared(self) -> Projector:
        projector = self._projector
        if projector is None:
            try:
                db = self.store.raw_reader()
                projector = self._projector = Projector(load_rulebook(db), end=get_end(db), outbox=self._outbox)
                self.note_time(get_newest_time(db))
            except Exception as error:
                if is_trouble_of_the_disk(error):
                    raise StorageUnavailable(f"the ledger cannot be read: {error}") from error
                raise
        return projector

    def _meet(self, tx: Connection, end: LedgerEnd) -> Projector:
        projector = self._projector
        if projector is None or projector.generation != end.generation:
            projector = self._projector = Projector(load_rulebook(tx), end=end, outbox=self._outbox)
        projector.meet(tx, end)
        return projector

    @contextmanager
    def _recording(self, change: Callable[[Connection], None] = lambda _: None) -> Iterator[Tail]:
        """The ledger's end, with every line before it projected, inside the one write transaction, after a change."""
        caught_up: list[Recorded] = []
        with self.guarding():
            self._prepared()
            with self.store.writing() as tx:
                caught_up = self.catch_up_in(tx)
                change(tx)
                received_at = get_newest_time(tx)
                tail = Tail(tx, seq=get_end(tx).seq, received_at=received_at, clock=self.clock())
                yield tail
        self.note_time(tail.received_at)
        self._report(caught_up)

    def _project_tail(self, tail: Tail) -> dict[int, Recorded]:
        """Project what was appended in this transaction; by seq."""
        projector = self._meet(tail.tx, get_end(tail.tx))
        recorded = _as_recorded(tail.lines, projector.project(tail.tx, tail.lines))
        return {each.seq: each for each in recorded}


def _as_recorded(lines: Iterable[Line], meanings: Iterable[Meaning]) -> list[Recorded]:
    return [Recorded(line.seq, line.entry, tuple(meaning.moves)) for line, meaning in zip(lines, meanings, strict=True)]


def record_start(recorder: Recorder, rules: Rules) -> None:
    """Put the rules in force, unless they already are, and record that the service started."""
    drafts = [Draft(Entry(kind="started", version=__version__))]
    book = recorder.book
    if not book.is_written or book.latest != rules:
        drafts.insert(0, Draft(Entry(kind="configuration", configuration=rules.to_json())))
    recorder.record(Submission(tuple(drafts)))


def record_stop(recorder: Recorder) -> None:
    """Record a clean stop; two starts without a stop in between mean a crash."""
    recorder.record(Submission((Draft(Entry(kind="stopped", version=__version__)),)))
