"""Slack, Discord, Teams, Google Chat, Matrix and Telegram: what is posted, and what their answers mean."""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final, Literal, get_args

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tagtrail.notify.channels import make_channel
from tagtrail.notify.formatting import units
from tagtrail.notify.message import Fact, Message
from tests.chat import ChatRoom, Reply
from tests.messages import ALERT, EVERYDAY, GO_BACK, NEW, PINNED, ROLLBACK, SECRETS, configuration, said_by

Kind = Literal["slack", "discord", "teams", "googlechat", "matrix", "telegram"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
SCHEMAS: Final = {
    kind: jsonschema.Draft202012Validator(json.loads((Path(__file__).parent / f"schemas/{kind}.json").read_text()))
    for kind in KINDS
}


def body_of(kind: Kind, message: Message, **changes: Any) -> Any:
    return json.loads(make_channel(configuration(kind, **changes)).preview(message))


def texts(document: Any) -> Iterator[str]:
    """Every string of the document."""
    if isinstance(document, str):
        yield document
    elif isinstance(document, list | dict):
        for each in document.values() if isinstance(document, dict) else document:
            yield from texts(each)


# --- what each service would read as words, after its own markup and ours are taken out ---


class Reader(HTMLParser):
    """What an HTML text shows outside of code, and which tags it has; none may be left open."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.code: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"{self._open} is left open in {text}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        assert all(name == "href" for name, _ in attrs)
        if tag != "br":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.code if {"code", "pre"} & set(self._open) else self.words).append(data)


def without_markdown_code(text: str) -> str:
    """The text without blocks and spans of code. Raises AssertionError when a value could end one."""
    seen = re.compile(r"\\[^A-Za-z0-9\s]|```\n[^`\n]*\n```|`[^`\n]+`")
    text = seen.sub(lambda found: found[0] if found[0].startswith("\\") else "", text)
    assert "`" not in re.sub(r"\\.", "", text), text
    return text


BLOCK: Final = re.compile(r"^\s*(?:[>#+=-]|&gt;|\d+[.)]\s)", re.MULTILINE)  # what begins a block in Markdown


def slack_words(body: Any) -> Iterator[str]:
    fallback = without_markdown_code(body["text"])
    for text in [fallback, *(each["text"] for each in objects(body, "mrkdwn"))]:
        own = re.sub(r"<https?://[^|<>]+\|Open in tagtrail>", "", without_markdown_code(text))
        own = re.sub(r"^\*([^*\n]*)\*$", r"\1", own, flags=re.M)  # a label of ours
        assert not re.search(r"[<>*~\[\]]|(?<![^\W_])_|_(?![^\W_])", own), own
        assert not re.search(r"&(?!amp;|lt;|gt;)", own), own
        assert not BLOCK.search(own), own
        yield html.unescape(own)
    for each in objects(body, "plain_text"):
        assert not re.search(r"[<>]", each["text"])
        yield each["text"]


def objects(document: Any, kind: str) -> Iterator[dict[str, Any]]:
    """Every object of the document with this `type`."""
    if isinstance(document, dict):
        if document.get("type") == kind:
            yield document
        document = list(document.values())
    if isinstance(document, list):
        for each in document:
            yield from objects(each, kind)


def discord_words(body: Any) -> Iterator[str]:
    (embed,) = body["embeds"]
    for text in [embed["title"], embed["description"], *texts(embed["fields"])]:
        own = re.sub(r"^\*\*((?:\\.|[^*\n])*)\*\*$", r"\1", without_markdown_code(text), flags=re.M)
        assert not re.search(r"[*_~`|<>\[\]]", re.sub(r"\\[^A-Za-z0-9\s]", "", own)), own
        assert not BLOCK.search(own), own
        yield re.sub(r"\\([^A-Za-z0-9\s])", r"\1", own)


def teams_words(body: Any) -> Iterator[str]:
    yield body["summary"]
    card = body["attachments"][0]["content"]
    facts = [text for each in objects(card, "FactSet") for text in texts(each["facts"])]
    for text in [*(each["text"] for each in objects(card, "TextBlock")), *facts]:
        bare = re.sub(r"\\[^A-Za-z0-9\s]", "", text)
        assert not re.search(r"[*`|<>\[\]&]|(?<![^\W_])_|_(?![^\W_])|\{\{", bare), text
        assert not BLOCK.search(text), text
        yield re.sub(r"\\([^A-Za-z0-9\s])", r"\1", text)
    assert not any("{{" in each["text"] for each in objects(card, "TextRun"))


def googlechat_words(body: Any) -> Iterator[str]:
    header = body["cardsV2"][0]["card"]["header"]
    widgets = json.dumps(body["cardsV2"][0]["card"]["sections"])
    yield from (body["fallbackText"], header["title"])
    for text in widgets_texts(json.loads(widgets)):
        read = Reader(text)
        assert read.tags <= {"b", "br"}
        yield from read.words


def widgets_texts(document: Any) -> Iterator[str]:
    """The HTML of a card's widgets; what is Markdown there is one block of code."""
    for each in document if isinstance(document, list) else document.values() if isinstance(document, dict) else []:
        if isinstance(each, dict) and each.get("textSyntax") == "MARKDOWN":
            assert not without_markdown_code(each["text"])
        elif isinstance(each, dict) and "text" in each and "onClick" not in each:
            yield each["text"]
            yield from filter(None, [html.escape(each.get("topLabel", ""))])
        else:
            yield from widgets_texts(each)


def matrix_words(body: Any) -> Iterator[str]:
    read = Reader(body["formatted_body"])
    assert read.tags <= {"p", "strong", "br", "ul", "li", "code", "pre", "a", "em"}
    assert read.links == ([ROLLBACK.link.replace("_", "%5F")] if read.links and ROLLBACK.link else [])
    yield from read.words


def telegram_words(body: Any) -> Iterator[str]:
    read = Reader(body["text"])
    assert read.tags <= {"b", "code", "pre", "a", "i"}
    yield from read.words
    assert not re.search(r"&(?!amp;|lt;|gt;|quot;)", body["text"])  # Telegram knows no other names


WORDS: Final = {
    "slack": slack_words,
    "discord": discord_words,
    "teams": teams_words,
    "googlechat": googlechat_words,
    "matrix": matrix_words,
    "telegram": telegram_words,
}
LIVE: Final = re.compile(r"[@#$]\w|://|\bwww\.\w|\w\.[^\W\d_]{2}|:[\w+-]+:|(?:^|\s)/\w", re.MULTILINE)

# --- what could come from outside ---

NASTY: Final = [
    "@everyone", "@here", "@room", "@alice", "<!channel>", "<!here|x>", "<@U123>", "<@&1>", "<#C1>", "<users/all>",
    "<at>all</at>", "#general", "$TSLA", ":tada:", "<a:b:1>", "</start:1>", "<t:1:R>", "/start", "tg://user?id=1",
    "http://evil.example/p?a=b", "www.evil.example", "evil.example", "mallory@evil.example", "<http://evil.example|x>",
    "[x](http://evil.example)", "![x](http://evil.example)", "<a href='http://evil.example'>x</a>", "<b>", "<script>",
    "<!--", "&lt;!channel&gt;", "&amp;", "*b*", "**b**", "_i_", "__init__", "my_app", "~s~", "||s||", "`c`", "```",
    "> quoted", "# head", "- item", "1. item", "{{DATE(2026-04-20T14:03:12Z)}}", "{{TIME(x)}}", "\\", "\\*b*", '"}]}',
    "\x00", "\x1b[31m", "\r\n", "\n# head", "\n\n> q", "\u2028", "\u202e", "\u2066", "\u200b", "\ufeff", "\ud800",
    "\udfff",    "\U000e0041", "🏴\u200d☠️", "é" * 20, "x" * 10_000, "😀" * 3_000, "&" * 5_000, "<" * 5_000, "_" * 3_000,
    "\x01" * 4_000, " ",
]  # fmt: skip
HOSTILE: Final = st.lists(
    st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=[]), max_size=20)), max_size=6
).map("".join)


def check(kind: Kind, message: Message) -> None:
    """The document is what the service documents, within its limits, and nothing in it came to life."""
    body = body_of(kind, message)
    SCHEMAS[kind].validate(body)
    check_limits(kind, body)
    for text in texts(body):
        assert text.replace("\n", "").replace("\u200b", "").isprintable()
    for words in WORDS[kind](body):
        assert not LIVE.search(words), (kind, words)


def check_limits(kind: Kind, body: Any) -> None:
    octets = len(json.dumps(body, ensure_ascii=False).encode())
    if kind == "discord":
        embed = body["embeds"][0]
        counted = [embed["title"], embed["description"], embed["footer"]["text"], *texts(embed["fields"])]
        assert sum(map(units, counted)) <= 6_000
    if kind == "teams":
        assert octets <= 28_000
    if kind == "googlechat":
        assert octets <= 32_000
        assert json.dumps(body).count('"widgets"') <= 100
    if kind == "matrix":
        assert octets <= 65_000
    if kind == "telegram":
        assert units(body["text"]) <= 4_096


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("message", EVERYDAY, ids=lambda message: message.kind)
def test_an_everyday_message_is_as_the_service_documents_it(kind: Kind, message: Message) -> None:
    check(kind, message)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nasty", NASTY, ids=lambda text: ascii(text[:24]))
def test_nothing_that_a_registrys_user_can_say_comes_to_life(kind: Kind, nasty: str) -> None:
    check(kind, said_by(nasty or "x", copied=f"{PINNED}{nasty}"))


@pytest.mark.parametrize("kind", KINDS)
@given(text=HOSTILE, copied=HOSTILE)
@example(text="", copied="")
@example(text=":0", copied="")
def test_nor_does_any_mixture_of_it(kind: Kind, text: str, copied: str) -> None:
    check(kind, said_by(text or "x", copied=copied or "x"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_of_many_parts_is_made_to_fit_and_says_the_first_of_them(kind: Kind) -> None:
    many = replace(
        ROLLBACK,
        sentences=tuple(f"{at} " + "very long & <wordy> " * 40 for at in range(100)),
        facts=tuple(Fact(f"Fact {at}", "🙂" * 300) for at in range(100)),
        copy=ROLLBACK.copy * 10,
        lines=tuple(range(10_000)),
    )
    check(kind, many)
    shown = "".join(texts(body_of(kind, many)))
    assert "rollback to 1.0.0" in shown
    assert "0 very long" in shown


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_there_to_be_copied_arrives_unchanged(kind: Kind) -> None:
    shown = [html.unescape(text) for text in texts(body_of(kind, ROLLBACK))]
    for copied in (PINNED, GO_BACK):
        assert any(copied in text for text in shown)
    assert any(f"1.0.0 {NEW[:19]}" in text for text in shown)


@pytest.mark.parametrize("kind", KINDS)
def test_what_would_have_to_be_cut_to_be_copied_is_left_out(kind: Kind) -> None:
    body = json.dumps(body_of(kind, replace(ROLLBACK, copy=(Fact("To go back", "docker pull " + "x" * 5_000),))))
    assert "docker pull" not in body


@pytest.mark.parametrize("kind", KINDS)
def test_the_link_is_ours_and_a_url_of_no_other_scheme(kind: Kind) -> None:
    assert "tagtrail.example/r/main" in json.dumps(body_of(kind, ROLLBACK))
    for link in ("javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", None):
        body = json.dumps(body_of(kind, replace(ROLLBACK, link=link)))
        assert "Open in tagtrail" not in body
        assert "alert" not in body


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_cannot_end_its_markup(kind: Kind) -> None:
    link = "https://tagtrail.example/a|b>c\"d'e<f)g]h*i_j~k`l m\nn"
    body = body_of(kind, replace(ROLLBACK, link=link))
    SCHEMAS[kind].validate(body)
    assert "https://tagtrail.example/a%7Cb%3Ec%22d%27e%3Cf%29g%5Dh%2Ai%5Fj%7Ek%60l%20m%0An" in json.dumps(body)


# --- over HTTP ---


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_is_sent_once_and_in_utf_8(kind: Kind, chat_room: ChatRoom) -> None:
    channel = make_channel(configuration(kind, chat_room.url))
    assert channel.name == "ops-chat"
    outcome = channel.send(ROLLBACK)
    (request,) = chat_room.requests
    assert (outcome.is_sent, outcome.template_error) == (True, None)
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    assert request.json == json.loads(channel.preview(ROLLBACK))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [400, 404, 500])
def test_no_secret_is_in_any_outcome_preview_or_repr(kind: Kind, status: int, chat_room: ChatRoom) -> None:
    config = configuration(kind, chat_room.url)
    channel = make_channel(config)
    chat_room.otherwise = Reply(status, " ".join(getattr(config, key).reveal() for key in SECRETS[kind]).encode())
    assert "s3cret" not in repr(channel.send(ROLLBACK)) + channel.preview(ROLLBACK) + repr(channel)


@pytest.mark.parametrize("kind", KINDS)
def test_a_channel_that_is_gone_is_a_permanent_failure(kind: Kind, chat_room: ChatRoom) -> None:
    chat_room.otherwise = Reply(404, b"{}")
    assert make_channel(configuration(kind, chat_room.url)).send(ROLLBACK).is_permanent


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [b"", b"null", b"[[", b'{"retry_after": "soon", "parameters": 3}', b"[" * 9_000])
def test_an_answer_of_nonsense_is_an_outcome_as_well(kind: Kind, body: bytes, chat_room: ChatRoom) -> None:
    chat_room.otherwise = Reply(429, body, {"Retry-After": "3"})
    outcome = make_channel(configuration(kind, chat_room.url)).send(ROLLBACK)
    assert (outcome.is_sent, outcome.is_permanent, outcome.retry_after) == (False, False, 3)


def test_discord_says_in_its_body_when_to_come_again(chat_room: ChatRoom) -> None:
    chat_room.will(
        Reply(429, b'{"message": "slow down", "retry_after": 64.57, "global": false}', {"Retry-After": "65"})
    )
    assert make_channel(configuration("discord", chat_room.url)).send(ROLLBACK).retry_after == 64.57


def test_discord_is_asked_to_answer_when_the_message_is_there(chat_room: ChatRoom) -> None:
    make_channel(configuration("discord", chat_room.url)).send(ROLLBACK)
    assert chat_room.requests[0].path.endswith("?thread_id=7&wait=true")


def test_telegram_says_in_its_body_when_to_come_again_and_why_it_refuses(chat_room: ChatRoom) -> None:
    channel = make_channel(configuration("telegram", chat_room.url))
    chat_room.will(
        Reply(429, b'{"ok":false,"description":"Too Many Requests","parameters":{"retry_after":5}}'),
        Reply(400, b'{"ok":false,"description":"group upgraded","parameters":{"migrate_to_chat_id":-100123}}'),
    )
    assert channel.send(ALERT).retry_after == 5
    refused = channel.send(ALERT)
    assert refused.is_permanent
    assert refused.detail == "group upgraded (the chat's id is now -100123)"


def test_telegrams_button_is_a_link_where_telegram_would_refuse_the_button() -> None:
    body = body_of("telegram", replace(ROLLBACK, link="http://localhost:8080/x"))
    assert "reply_markup" not in body
    assert '<a href="http://localhost:8080/x">Open in tagtrail</a>' in body["text"]


def test_matrix_puts_the_same_transaction_on_every_try(chat_room: ChatRoom) -> None:
    channel = make_channel(configuration("matrix", f"{chat_room.url}/"))
    chat_room.will(Reply(429, b'{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1500}'))
    assert channel.send(ROLLBACK).retry_after == 1.5
    assert channel.send(ROLLBACK).is_sent
    first, second = chat_room.requests
    assert first.method == "PUT"
    assert first.path == second.path
    assert first.path == f"/_matrix/client/v3/rooms/%21room%3Amatrix.example/send/m.room.message/{ROLLBACK.id}"
    assert first.headers["Authorization"] == "Bearer s3cret-of-matrix"


def test_google_chat_is_given_the_same_request_id_on_every_try(chat_room: ChatRoom) -> None:
    channel = make_channel(configuration("googlechat", chat_room.url))
    for _ in range(2):
        channel.send(ROLLBACK)
    paths = {request.path for request in chat_room.requests}
    assert paths == {f"/v1/spaces/A/messages?key=k&token=s3cret-of-google&requestId={ROLLBACK.id}"}


def test_a_teams_connector_that_says_200_and_means_429_has_sent_nothing(chat_room: ChatRoom) -> None:
    said = b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"
    chat_room.will(Reply(200, said), Reply(202, b""))
    channel = make_channel(configuration("teams", chat_room.url))
    refused = channel.send(ROLLBACK)
    assert (refused.is_sent, refused.is_permanent) == (False, False)
    assert channel.send(ROLLBACK).is_sent


# --- with the operator's templates ---


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_takes_the_place_of_the_sentences(kind: Kind, tmp_path: Path) -> None:
    template = tmp_path / "ops.j2"
    template.write_text("{{ environment }} now runs {{ tags|join }} by {{ actor }}\n{{ reference|code }}")
    body = body_of(kind, replace(ROLLBACK, actor="al_ice"), template=template)
    SCHEMAS[kind].validate(body)
    shown = html.unescape("\n".join(texts(body)))
    assert "production now runs prod by al" in shown
    assert PINNED in shown
    if kind not in ("slack", "matrix"):  # there the plain text stays whole beside it
        assert "prod moved back from" not in shown


@pytest.mark.parametrize("kind", KINDS)
@given(text=HOSTILE)
def test_nothing_comes_to_life_in_a_template(kind: Kind, text: str) -> None:
    template = Path(__file__).parent / "schemas/every-value.j2"
    body = body_of(kind, replace(said_by(text or "x"), facts=(), copy=()), template=template)
    SCHEMAS[kind].validate(body)
    for words in WORDS[kind](body):
        assert not LIVE.search(words), (kind, words)


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_template_falls_back_to_the_services_own_form_and_is_reported(
    kind: Kind, chat_room: ChatRoom, tmp_path: Path
) -> None:
    template = tmp_path / "ops.j2"
    template.write_text("fine\n{{ nobody }}")
    channel = make_channel(configuration(kind, chat_room.url, template=template))
    outcome = channel.send(ROLLBACK)
    assert outcome.is_sent
    assert outcome.template_error is not None
    assert f"{template}, line 2: 'nobody' is undefined" in outcome.template_error
    assert chat_room.requests[0].json == body_of(kind, ROLLBACK)
    assert outcome.template_error in channel.preview(ROLLBACK)


def test_a_body_is_the_operators_own(chat_room: ChatRoom, tmp_path: Path) -> None:
    body = tmp_path / "ops.json.j2"
    body.write_text('{"text": "{{ title }}", "tags": {{ tags|tojson }}}')
    assert make_channel(configuration("slack", chat_room.url, body=body)).send(ROLLBACK).template_error is None
    assert chat_room.requests[0].json == {"text": ROLLBACK.title, "tags": ["prod"]}


def test_a_body_that_the_service_refuses_gives_way_to_our_own(chat_room: ChatRoom, tmp_path: Path) -> None:
    body = tmp_path / "ops.json.j2"
    body.write_text('{"txet": "{{ title }}"}')
    chat_room.will(Reply(400, b"no_text"))
    outcome = make_channel(configuration("slack", chat_room.url, body=body)).send(ROLLBACK)
    assert outcome.is_sent
    assert outcome.template_error == f"body {body} was refused with 400 no_text; the default format was sent instead"
    assert [request.json for request in chat_room.requests] == [{"txet": ROLLBACK.title}, body_of("slack", ROLLBACK)]
