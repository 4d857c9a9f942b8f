"""The lines that the service writes about itself: the rules put in force, its starts and its orderly stops."""

from tagtrail import __version__
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Draft, Submission
from tagtrail.line import Entry
from tagtrail.trail.rules import Rules


def record_start(recorder: Recorder, rules: Rules) -> None:
    """Put the rules in force, if they are not those already in force, and record that the service started."""
    drafts = [Draft(Entry(kind="started", version=__version__))]
    book = recorder.book
    if not book.is_written or book.latest != rules:
        drafts.insert(0, Draft(Entry(kind="configuration", configuration=rules.to_json())))
    recorder.record(Submission(tuple(drafts)))


def record_stop(recorder: Recorder) -> None:
    """Record that the service stopped in order; a start without a stop before it tells of a crash."""
    recorder.record(Submission((Draft(Entry(kind="stopped", version=__version__)),)))
