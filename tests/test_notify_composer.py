"""What messages say: the story of the command line, told to a channel that reads plain text, and nasty cases."""

from dataclasses import replace

import pytest

from tagtrail.config.model import RouteConfig
from tagtrail.ledger.batch import rebuild
from tagtrail.ledger.declare import Declaration, Origin, declare
from tagtrail.ledger.erase import erase, find_holdings
from tagtrail.notify.formatting import plain, presentable
from tagtrail.notify.texts.draft import MessageContext
from tagtrail.store.outbox import SERVICE, SUMMARY, Delivery, add_delivery, find_lines, get_delivery, make_id
from tagtrail.trail.instant import SECOND
from tagtrail.trail.rules import EnvironmentRule, RegistryIdentity, Rules
from tagtrail.wording.text import listed
from tests import api_client
from tests.command_line import DAY, HOST, HOSTILE, HOSTILE_AS_SHOWN, HOUR, RULES
from tests.conftest import Ledger
from tests.events import START, delete_digest, delete_repository, delete_tag, digest_of, push
from tests.messaging import Chat, open_chat, text_of

COPY = f"skopeo copy --all --preserve-digests docker://{HOST}/team/app@sha256:{{}} docker://{HOST}/team/app:{{}}"


@pytest.fixture
def chat(ledger: Ledger) -> Chat:
    chat = open_chat(ledger)
    ledger.put_in_force(RULES)
    return chat


def release(chat: Chat) -> None:
    """1.0.0 is published for production, and 1.1.0 is pushed a day later."""
    chat.hear(push("1.0.0", "one", 1), push("stable", "one", 2), push("prod", "one", 3))
    chat.hear(push("1.1.0", "two", DAY))


def test_one_push_of_several_tags_is_one_message_headed_by_the_deployment(chat: Chat) -> None:
    [message] = chat.hear(push("1.0.0", "one", 1), push("stable", "one", 2), push("prod", "one", 3))
    assert (
        text_of(message)
        == f"""\
team/app in production: 1.0.0 (first deployment)

prod is new: 1.0.0 (ONE). Nothing was published for production before.
Pushed with it: 1.0.0 (new), stable (new).

Pinned reference:
  {HOST}/team/app:1.0.0@sha256:ONE"""
    )
    assert (message.kind, message.tone, message.tags) == ("deployed", "good", ("1.0.0", "prod", "stable"))
    assert (message.environment, message.repository, message.registry) == ("production", "team/app", "main")
    assert (message.digest, message.reference) == (digest_of("one"), f"{HOST}/team/app:1.0.0@{digest_of('one')}")
    assert len(message.lines) == 3


def test_a_new_release_is_a_short_message(chat: Chat) -> None:
    assert chat.texts(push("1.1.0", "two", DAY)) == [
        f"""\
team/app: new tag 1.1.0

1.1.0 is new: TWO.

Pinned reference:
  {HOST}/team/app:1.1.0@sha256:TWO"""
    ]


def test_new_tags_of_one_push_are_one_sentence(chat: Chat) -> None:
    [text] = chat.texts(push("1.0.0", "one", 1), push("stable", "one", 2))
    assert text.split("\n\n")[:2] == ["team/app: new tags 1.0.0, stable", "1.0.0, stable are new: ONE."]
    [many] = chat.hear(*(push(f"9.0.{n}", "two", 100) for n in range(300)))
    assert many.title.startswith("team/app: new tags 9.0.")
    assert many.title.endswith(" and 292 more")
    assert len(many.sentences) == 1


def test_a_deployment_says_from_what_to_what_and_how_to_go_back(chat: Chat) -> None:
    release(chat)
    assert chat.texts(push("prod", "two", DAY + 60)) == [
        f"""\
team/app in production: 1.0.0 → 1.1.0

prod moved from 1.0.0 (ONE) to 1.1.0 (TWO).
Before, production ran 1.0.0 for 1 day.

Pinned reference:
  {HOST}/team/app:1.1.0@sha256:TWO
To go back to 1.0.0:
  {COPY.format("ONE", "prod")}"""
    ]


def test_a_rollback_says_when_production_ran_it_before(chat: Chat) -> None:
    release(chat)
    chat.hear(push("prod", "two", DAY + 60))
    assert chat.texts(push("prod", "one", DAY + 3 * HOUR)) == [
        f"""\
team/app in production: rollback to 1.0.0, which production had for 1 day until 12:01 UTC

prod moved back from 1.1.0 (TWO) to 1.0.0 (ONE).
Before, production ran 1.1.0 for 2 h 59 min.

Pinned reference:
  {HOST}/team/app:1.0.0@sha256:ONE
To undo, back to 1.1.0:
  {COPY.format("TWO", "prod")}"""
    ]
    assert chat.texts(push("prod", "one", DAY + 4 * HOUR)) == []  # a repeated push is never told


def test_a_rollback_read_on_another_day_names_the_day(chat: Chat) -> None:
    release(chat)
    chat.hear(push("prod", "two", DAY + 60), push("prod", "one", DAY + 3 * HOUR))
    [one_day] = chat.texts(push("prod", "two", 2 * DAY))
    [many_days] = chat.texts(push("prod", "one", 9 * DAY))
    assert one_day.startswith(
        "team/app in production: rollback to 1.1.0, which production had for 2 h 59 min until yest"
    )
    assert "production had for 21 h until 2026-04-22 12:00 UTC" in many_days


def test_a_violation_names_the_environments_and_what_to_do(chat: Chat) -> None:
    release(chat)
    [message] = chat.hear(push("1.0.0", "other", DAY + 5 * HOUR))
    assert (
        text_of(message)
        == f"""\
Release tag team/app:1.0.0 was overwritten

1.0.0 was ONE for 1 day 4 h; at 17:00 UTC it became OTHER.
The earlier image was published for production (now): check what runs there and whether this was intended.
Give the earlier image a new tag before a cleanup removes it, and the new content its own version.
Protect release tags: configure the registry, or its proxy, to refuse overwriting and deleting them.

The earlier image:
  {HOST}/team/app@sha256:ONE
To keep it as 1.0.0-before:
  {COPY.format("ONE", "1.0.0-before")}"""
    )
    assert (message.kind, message.tone) == ("violation", "alarm")
    assert (message.digest, message.previous_digest) == (digest_of("other"), digest_of("one"))


def test_a_violation_that_was_repaired_before_it_was_sent_says_so(chat: Chat) -> None:
    release(chat)
    first, again = chat.texts(push("1.0.0", "other", DAY + 10), push("1.0.0", "one", DAY + 12))
    assert "Repaired since: 1.0.0 is the earlier image again, since 12:00 UTC." in first
    assert "Give the earlier image" not in first
    assert again.startswith("Release tag team/app:1.0.0 was moved back\n")


def test_a_repository_that_is_deleted_is_one_violation_for_all_its_release_tags(chat: Chat) -> None:
    release(chat)
    assert chat.texts(delete_repository(2 * DAY)) == [
        """\
2 release tags of team/app were deleted: 1.0.0, 1.1.0

The whole repository was deleted.
1.0.0 was ONE for 1 day 23 h, until it was deleted at 12:00 UTC.
1.1.0 was TWO for 1 day, until it was deleted at 12:00 UTC.
The earlier images were published for production (until 12:00 UTC): check what runs there and whether this was intended.
If you still need the earlier image, push it again from where it was built, under a new tag.
Protect release tags: configure the registry, or its proxy, to refuse overwriting and deleting them.
production: nothing is published any more, because its tag prod was deleted.
Deleted with it: stable."""
    ]


def test_of_very_many_deleted_tags_only_the_release_tags_are_called_so(chat: Chat) -> None:
    chat.hear(push("1.0.0", "one", 0), *(push(f"branch-{n}", "one", 1) for n in "abcdefghijk" * 11))
    chat.hear(*(push(f"topic-x{n}", "two", 2) for n in range(120)))
    [message] = chat.hear(delete_repository(HOUR))
    assert message.title == "Release tag team/app:1.0.0 was deleted"


def test_what_has_no_release_tag_is_said_to_be_unpinned(chat: Chat) -> None:
    [message] = chat.hear(push("staging", "spare", 5, repository="team/worker"))
    assert (
        text_of(message)
        == f"""\
team/worker in staging: SPARE (first deployment)

staging is new: SPARE. Nothing was published for staging before.
No release tag names this image: push it under a version as well, so that it can be identified and deployed again.

Pinned reference:
  {HOST}/team/worker@sha256:SPARE"""
    )
    assert message.tone == "warning"


def test_a_deleted_tag_says_what_it_was(chat: Chat) -> None:
    chat.hear(push("latest", "spare", 0))
    assert chat.texts(delete_tag("latest", HOUR)) == [
        "team/app: latest deleted\n\nlatest was deleted. It was SPARE for 1 h."
    ]


def test_a_withdrawal_says_what_to_publish_again(chat: Chat) -> None:
    release(chat)
    chat.hear(push("prod", "two", DAY + 60), push("prod", "one", DAY + HOUR), push("1.0.0", "other", DAY + 2 * HOUR))
    [message] = chat.hear(delete_digest("one", 2 * DAY))
    assert (
        text_of(message)
        == f"""\
team/app in production: nothing is published any more

The image itself was deleted, together with every tag that named it.
Its tag prod was deleted.
Before, production ran 1.0.0 (ONE) for 23 h.
Running containers keep running, but a new one that pulls this tag will fail.
Think twice before you go back to 1.1.0: it was itself rolled back.
Deleted with it: stable.

To publish 1.1.0 again:
  {COPY.format("TWO", "prod")}"""
    )
    assert (message.kind, message.tone) == ("deleted", "warning")


def test_moving_tags_say_where_they_went(chat: Chat) -> None:
    release(chat)
    [moved] = chat.texts(push("stable", "two", DAY + HOUR + 2))
    [back] = chat.texts(push("stable", "one", DAY + 2 * HOUR))
    assert moved.split("\n")[:3] == [
        "team/app:stable: 1.0.0 → 1.1.0", "", "stable moved from 1.0.0 (ONE) to 1.1.0 (TWO) after 1 day 1 h."
    ]  # fmt: skip
    assert back.split("\n")[2] == (
        "stable moved back from 1.1.0 (TWO) to 1.0.0 (ONE), which it was for 1 day 1 h until 13:00 UTC."
    )


def test_an_outdated_change_is_never_reported_as_current(chat: Chat) -> None:
    release(chat)
    first, second = chat.hear(push("prod", "two", DAY + 60), push("prod", "other", DAY + 600))
    assert (
        text_of(first)
        == f"""\
team/app in production: 1.0.0 → 1.1.0 (no longer current)

prod moved from 1.0.0 (ONE) to 1.1.0 (TWO).
Before, production ran 1.0.0 for 1 day.
No longer current: production has had OTHER since 12:10 UTC.

Pinned reference:
  {HOST}/team/app:1.1.0@sha256:TWO"""
    )
    assert (first.tone, "moved on" in text_of(second)) == ("notice", False)


def test_a_move_that_a_late_event_removed_leaves_nothing_to_report(chat: Chat) -> None:
    chat.hear(push("stable", "one", 1))
    chat.ledger.clock.pass_seconds(100)
    chat.ledger.receive(push("stable", "two", 50))
    [delivery] = chat.deliveries()
    chat.ledger.receive(push("stable", "two", 40))  # it was two before that, as is known by now
    assert chat.compose(delivery).title == "Nothing left to report"


def test_people_are_named_only_where_they_may_be(ledger: Ledger) -> None:
    chat = open_chat(ledger, identities=True)
    ledger.put_in_force(RULES)
    ledger.receive(push("prod", "one", 0, actor=HOSTILE, agent="agent-of-eve"))
    [delivery] = chat.deliveries()
    told = chat.compose(delivery)
    assert f"By: {HOSTILE_AS_SHOWN} (claimed)\nFrom: 192.0.2.7, agent-of-eve" in plain(presentable(told))
    assert told.actor == HOSTILE
    chat.identities = False
    hidden = repr(chat.compose(delivery))
    assert not any(secret in hidden for secret in ("eve", "192.0.2.7", "claimed"))


def test_somebody_who_was_erased_is_not_named_and_the_message_is_made_all_the_same(ledger: Ledger) -> None:
    chat = open_chat(ledger, identities=True)
    ledger.put_in_force(RULES)
    ledger.receive(push("prod", "one", 0, actor="alice"))
    [delivery] = chat.deliveries()
    erase(ledger.recorder, find_holdings(ledger.store, "alice"), reason="asked for")
    message = chat.compose(delivery)
    assert "By: a person whose name was erased" in text_of(message)
    assert "alice" not in repr(message)


def test_a_declared_deployment_says_who_says_so_and_keeps_the_note_to_those_who_may_read_it(ledger: Ledger) -> None:
    chat = open_chat(ledger)
    ledger.put_in_force(RULES)
    chat.hear(push("1.0.0", "one", 1), push("1.1.0", "two", 2))
    for at, tag in ((200, "1.0.0"), (3_800, "1.1.0")):
        ledger.clock.now = START + at * SECOND
        said = Declaration("production", f"team/app:{tag}", change="OPS-17", actor="carol", note="dave agreed")
        declare(ledger.store, ledger.recorder, said, origin=Origin("198.51.100.4", "curl/8"))
    deliveries = chat.deliveries()
    assert (
        text_of(chat.compose(deliveries[-1]))
        == f"""\
team/app in production: 1.0.0 → 1.1.0

A pipeline declared 1.1.0 (TWO) for production, in place of 1.0.0 (ONE).
Before, production ran 1.0.0 for 1 h.

Change: OPS-17

Pinned reference:
  {HOST}/team/app:1.1.0@sha256:TWO
To go back to 1.0.0:
  {HOST}/team/app:1.0.0@sha256:ONE"""
    )
    assert not any(name in repr(chat.compose(deliveries[-1])) for name in ("carol", "dave", "198.51.100.4"))
    chat.identities = True
    assert "Note: dave agreed\nBy: carol (claimed)\nFrom: 198.51.100.4, curl/8" in text_of(chat.compose(deliveries[-1]))


def test_a_tag_that_moves_while_a_pipeline_declares_it_is_one_message_with_the_ticket(ledger: Ledger) -> None:
    chat = open_chat(ledger)
    ledger.put_in_force(RULES)
    ledger.receive(push("1.0.0", "one", 0), push("prod", "one", 0.5))
    ledger.clock.pass_seconds(1)
    declare(ledger.store, ledger.recorder, Declaration("production", "team/app:prod", change="OPS-17"))
    [text] = [text_of(message) for message in chat.read()]
    assert text.startswith("team/app in production: 1.0.0 (first deployment)\n\nprod is new: 1.0.0 (ONE).")
    assert "\n\nChange: OPS-17\n\n" in text


def test_environments_with_different_changes_get_separate_sentences(chat: Chat) -> None:
    release(chat)
    chat.hear(push("prod", "two", DAY + 60), push("prod", "one", DAY + HOUR))
    [text] = chat.texts(push("staging", "two", DAY + 2 * HOUR), push("prod", "two", DAY + 2 * HOUR + 1))
    assert text.split("\n\n")[:2] == [
        "team/app in production: rollback to 1.1.0, which production had for 59 min until 13:00 UTC",
        (
            "prod moved back from 1.0.0 (ONE) to 1.1.0 (TWO).\nBefore, production ran 1.0.0 for 1 h.\n"
            "staging: 1.1.0 (first deployment)."
        ),
    ]
    [same] = chat.texts(push("staging", "other", 2 * DAY), push("prod", "other", 2 * DAY + 1))
    assert same.startswith("team/app in production, staging: 1.1.0 → OTHER\n")


def test_images_with_the_same_release_tag_are_distinguished_by_digest(chat: Chat) -> None:
    release(chat)
    chat.hear(push("1.0.0", "other", DAY + 10))
    [text] = chat.texts(push("prod", "other", DAY + 20))
    assert text.startswith("team/app in production: 1.0.0, ONE → OTHER\n")


def test_without_a_known_host_the_command_is_tagtrail_rollback(ledger: Ledger) -> None:
    chat = open_chat(ledger)
    ledger.put_in_force(Rules(environments=(EnvironmentRule("production", "**", "prod"),)))
    first, second = push("prod", "one", 0, host="registry"), push("prod", "two", HOUR, host="registry")
    assert "tagtrail rollback team/app@production" in chat.texts(first, second)[-1]


def test_of_several_registries_the_one_is_named_and_the_link_leads_to_it(ledger: Ledger) -> None:
    chat = open_chat(ledger, public_url="https://tagtrail.example/here")
    ledger.put_in_force(replace(RULES, registries=(*RULES.registries, RegistryIdentity("edge", "edge.example"))))
    [message] = chat.hear(push("prod", "one", 0))
    assert message.title == "main/team/app in production: ONE (first deployment)".replace("ONE", digest_of("one")[:19])
    assert message.link == "https://tagtrail.example/here/registries/main/team/app:prod"
    [message] = chat.hear(push("1.1.0", "two", DAY), push("1.1", "two", DAY + 1))
    assert message.link == "https://tagtrail.example/here/registries/main/team/app"


def test_a_delete_of_several_tags_is_reported_only_for_the_tags_of_the_route(chat: Chat) -> None:
    release(chat)
    lines = chat.hear(delete_digest("one", 2 * DAY))[0].lines
    chat.routes = (RouteConfig(("chat",), tag="prod", kinds=frozenset({"deleted"})), RouteConfig(("other",)))
    narrow = chat.compose_lines(lines)
    assert (narrow.kind, narrow.tags) == ("deleted", ("prod",))
    assert "stable" not in text_of(narrow)
    assert "1.0.0 was" not in text_of(narrow)
    chat.routes = (RouteConfig(("chat",), tag="stable"),)
    assert text_of(chat.compose_lines(lines)).startswith("team/app: stable deleted\n")
    chat.routes = (RouteConfig(("chat",), environment="production"),)
    assert chat.compose_lines(lines).tags == ("prod",)
    chat.routes = (RouteConfig(("chat",), tag="nothing"),)
    assert len(chat.compose_lines(lines).tags) == 3, "it was wanted once, so all of it is told"


def test_a_summary_covers_only_the_tags_of_the_route(chat: Chat) -> None:
    release(chat)
    lines = chat.hear(delete_digest("one", 2 * DAY))[0].lines
    chat.routes = (RouteConfig(("chat",), tag="prod"),)
    message = chat.compose(summary_of(chat, list(lines)))
    assert message.title == "team/app: 1 change of 1 tag at once"
    assert "stable" not in text_of(message)


def summary_of(chat: Chat, seqs: list[int]) -> Delivery:
    """A burst merged into one summary."""
    at = chat.ledger.clock()
    summary = Delivery(make_id(at), "chat", SUMMARY, SUMMARY, "sending", at, at, at)
    with chat.ledger.store.writing() as tx:
        add_delivery(tx, summary, lines=seqs)
    return summary


def test_a_burst_is_summed_up_with_the_last_digest_of_each_tag(chat: Chat) -> None:
    release(chat)
    chat.hear(push("prod", "two", DAY + 60), push("1.0.0", "other", DAY + 120), delete_tag("stable", DAY + 180))
    lines = [seq for (seq,) in chat.ledger.rows("SELECT DISTINCT seq FROM moves ORDER BY seq")]
    message = chat.compose(summary_of(chat, lines))
    assert (
        text_of(message)
        == """\
team/app: 7 changes of 4 tags at once, 1 violation

4 new tags, 2 moves, 0 moves back, 1 delete, 2 deployments, from yesterday 12:00 UTC to 12:03 UTC. Now:
team/app:1.0.0 is OTHER, after 2 changes, VIOLATION: a release tag never moves
team/app:prod is 1.1.0 (TWO), published for production, after 2 changes
team/app:stable is deleted, after 2 changes
team/app:1.1.0 is TWO""".replace(" 0 moves back,", "")
    )
    assert (message.kind, message.tone, message.lines) == ("summary", "alarm", tuple(lines))


def test_a_burst_of_declared_deployments_says_what_their_environments_have_by_now(chat: Chat) -> None:
    """The summary names the environment by itself, since no tag has the declared digest."""
    chat.hear(push("1.0.0", "one", 0), push("1.1.0", "two", 1), push("latest", "other", 2))
    for reference in ("team/app:1.1.0", "team/app:1.0.0", f"team/app@{digest_of('other')}"):
        chat.ledger.clock.pass_seconds(60)
        declare(chat.ledger.store, chat.ledger.recorder, Declaration("production", reference))
    lines = [seq for (seq,) in chat.ledger.rows("SELECT seq FROM publications ORDER BY seq")]
    message = chat.compose(summary_of(chat, lines))
    title, _, counts, *rows = text_of(message).split("\n")
    assert title == "team/app: 3 changes of 2 tags at once"
    assert counts.startswith("3 deployments, ")
    assert rows == ["team/app in production is OTHER", "team/app:1.0.0 is ONE", "team/app:1.1.0 is TWO"]
    last = chat.compose(summary_of(chat, lines[-1:]))
    assert last.title == "team/app: 1 change at once"
    assert (last.registry, last.repository) == ("main", "team/app")


def test_a_summary_names_twenty_tags_and_counts_the_rest(chat: Chat) -> None:
    chat.hear(*(push(f"tag-{n}", "one", n, repository=f"team/app-{n}") for n in range(30)))
    message = chat.compose(summary_of(chat, [seq for (seq,) in chat.ledger.rows("SELECT seq FROM moves")]))
    assert message.title == "30 repositories: 30 changes of 30 tags at once"
    assert len(message.sentences) == 1 + 20 + 1
    assert message.sentences[1].startswith("team/app-29:tag-29 is sha256:")
    assert message.sentences[-1] == "And 10 more tags; `tagtrail log` lists all changes."


def test_a_repository_with_the_longest_names_makes_a_message(chat: Chat) -> None:
    repository, tag = "/".join(["a" * 50] * 5), "t" * 128
    [message] = chat.hear(push(tag, "one", 0, repository=repository, actor="x" * 5_000))
    assert message.title == f"{repository}: new tag {tag}"
    assert len(presentable(message).title) <= 140


def test_a_delivery_of_which_nothing_is_left_makes_a_message(chat: Chat) -> None:
    at = chat.ledger.clock()
    gone = Delivery(make_id(at), "chat", "main/team/app", "sha256:x", "waiting", at, at, at)
    alert = Delivery(make_id(at), "chat", SERVICE, "trouble 99", "waiting", at, at, at)
    with chat.ledger.store.writing() as tx:
        add_delivery(tx, gone, lines=[77_777])
        add_delivery(tx, alert)
    for delivery in (gone, alert):
        message = chat.compose(delivery)
        assert (message.title, message.id) == ("Nothing left to report", delivery.id)


def test_a_retried_delivery_keeps_its_id(chat: Chat) -> None:
    chat.ledger.receive(push("prod", "one", 0))
    [delivery] = chat.deliveries()
    again = get_delivery(chat.ledger.store.reader(), delivery.id)
    assert again is not None
    assert chat.compose(delivery) == chat.compose(again)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("192.0.2.7:40000", "192.0.2.7"),
        ("[2001:db8::7]:40000", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("host", "host"),
    ],
)
def test_an_address_is_shown_without_its_port(ledger: Ledger, address: str, shown: str) -> None:
    chat = open_chat(ledger, identities=True)
    [message] = chat.hear(push("prod", "one", 0, address=address, agent=""))
    assert [fact.value for fact in message.facts if fact.label == "From"] == [shown]


def test_times_are_said_as_people_say_them() -> None:
    context = MessageContext(Rules(), START + 3 * HOUR_NS, identities=False)
    assert [context.at(START - days * 24 * HOUR_NS) for days in (0, 1, 2)] == [
        "at 12:00 UTC", "yesterday 12:00 UTC", "on 2026-04-18 12:00 UTC"
    ]  # fmt: skip
    assert listed("abc", most=2) == "a, b and 1 more"


HOUR_NS = 3_600 * SECOND


@pytest.mark.parametrize("seed", range(8))
def test_every_story_gives_messages_that_name_no_person_without_identities(ledger: Ledger, seed: int) -> None:
    chat = open_chat(ledger, public_url="https://tagtrail.example")
    ledger.put_in_force(api_client.RULES)
    for event in api_client.some_events(seed, 120):
        ledger.clock.now = max(ledger.clock.now, START + int(event.at * SECOND))
        ledger.receive(event)
    deliveries = chat.deliveries()
    assert deliveries
    for delivery in deliveries:
        message = chat.compose(delivery)
        assert (message.id, message.registry) == (delivery.id, "main")
        assert message.lines == find_lines(ledger.store.reader(), delivery.id)
        assert not any(name in repr(message) for name in ("alice", "bob", "192.0.2.7", "docker/27"))
        is_old = "(no longer current)" in message.title
        assert not (is_old and any(fact.label.startswith(("To go back", "To undo")) for fact in message.copy))
    before = [chat.compose(delivery) for delivery in deliveries]
    rebuild(ledger.store)
    assert [chat.compose(delivery) for delivery in deliveries] == before


def test_the_story_of_the_api_gives_these_titles(ledger: Ledger) -> None:
    chat = open_chat(ledger)
    ledger.put_in_force(api_client.RULES)
    events = [replace(event, at=event.at * 10) for event in api_client.story()]  # so that nothing is gathered
    titles = [message.title for event in events for message in chat.hear(event)]
    one, index, only, lab = (digest_of(content)[:19] for content in ("one", "index", "only", "lab"))
    assert one not in " ".join(titles)
    assert titles == [
        "team/app: new tag 1.0.0",
        "team/app: new tag stable",
        "team/app in production: 1.0.0 (first deployment)",
        "team/app: new tag 1.1.0",
        "team/app in production: 1.0.0 → 1.1.0",
        "team/app in production: rollback to 1.0.0, which production had for 1 min 30 s until 12:02 UTC",
        "Release tag team/app:1.0.0 was overwritten",
        "Release tag team/app:1.1.0 was deleted",
        "team/app: new tag 2.0",
        "team/app in production: 1.0.0 → 2.0",
        f"team/web in staging: {only} (first deployment)",
        f"lab/x in lab: {lab} (first deployment)",
        "lab/x in lab: nothing is published any more",
    ]
    assert index not in " ".join(titles)
