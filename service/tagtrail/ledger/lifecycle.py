"""The lines of the service about itself: the rules in force, its starts and its clean stops."""

from tagtrail import __version__
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Draft, Submission
from tagtrail.line import Entry
from tagtrail.trail.rules import Rules


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
