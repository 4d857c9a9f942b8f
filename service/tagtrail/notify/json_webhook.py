"""A channel whose message is one JSON document, posted: what the chat services share.

Each of them says how it writes text, builds the document, says where it goes, and what an answer means.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from tagtrail.config.channels import JsonChannelConfig, WebhookUrlConfig
from tagtrail.notify.formatting import Markup, presentable
from tagtrail.notify.http import Judge, Post, SendOutcome, judge, post
from tagtrail.notify.message import Message
from tagtrail.notify.templates import TemplateOutput, write

Json: TypeAlias = dict[str, Any]
JSON_HEADERS: Final[Mapping[str, str]] = {"Content-Type": "application/json; charset=utf-8"}
OPEN: Final = "Open in tagtrail"  # what the button, or the link, says
_MALFORMED: Final = frozenset({400, 413, 422})


@dataclass(frozen=True, slots=True)
class JsonWebhook:
    """A channel. `build` is given a presentable message, and what a template wrote in place of its sentences, or None.

    `request` puts the document's bytes for the message with this id into a request.
    """

    config: JsonChannelConfig
    markup: Markup
    build: Callable[[Message, str | None], Json]
    request: Callable[[bytes, str], Post]
    judge: Judge = judge

    @property
    def name(self) -> str:
        """What the operator calls it."""
        return self.config.name

    def send(self, message: Message) -> SendOutcome:
        """Send the message once. A body of the operator's that the service does not take gives way to our own."""
        written = write(self.config, message, self.markup)
        outcome = self._post(message, written)
        if written.body is not None and outcome.is_permanent and outcome.status in _MALFORMED:
            trouble = f"body {self.config.body} was refused with {outcome.status} {outcome.detail}".rstrip()
            return replace(
                self._post(message, TemplateOutput()), trouble=f"{trouble}; the channel's own form took its place"
            )
        return replace(outcome, trouble=written.trouble)

    def preview(self, message: Message) -> str:
        """The document, indented; a broken template is told of after it."""
        written = write(self.config, message, self.markup)
        shown = json.dumps(json.loads(self._body(message, written)), ensure_ascii=False, indent=2)
        return shown if written.trouble is None else f"{shown}\n{written.trouble}"

    def _post(self, message: Message, written: TemplateOutput) -> SendOutcome:
        return post(self.request(self._body(message, written), message.id), self.judge)

    def _body(self, message: Message, written: TemplateOutput) -> bytes:
        if written.body is not None:
            return written.body
        return as_bytes(self.build(presentable(message), written.text))


def as_bytes(document: Json) -> bytes:
    """The document as it is sent, in UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def to_secret_url(config: WebhookUrlConfig) -> Callable[[bytes, str], Post]:
    """A request to the channel's secret `url`."""
    return lambda body, _: Post(config.url.reveal(), body, JSON_HEADERS)


def read_object(text: str) -> Mapping[str, Any]:
    """An answer's JSON object, empty when it is none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def seconds(value: object) -> float | None:
    """A number of an answer as seconds to wait, if it is one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**9:
        return None
    return float(value)
