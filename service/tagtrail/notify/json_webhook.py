"""JSON webhook: the base of the channels that post one JSON document, as the chat services do.

Each of them brings its markup, the document, the request, and how it interprets a response.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from tagtrail.config.channels import JsonChannelConfig, WebhookUrlConfig
from tagtrail.notify.formatting import Markup, presentable
from tagtrail.notify.http import Interpret, Post, SendOutcome, interpret, post
from tagtrail.notify.message import Message
from tagtrail.notify.templates import TemplateOutput, apply_templates

Json: TypeAlias = dict[str, Any]
JSON_HEADERS: Final[Mapping[str, str]] = {"Content-Type": "application/json; charset=utf-8"}
OPEN: Final = "Open in tagtrail"  # the label of the button or link
_MALFORMED: Final = frozenset({400, 413, 422})


@dataclass(frozen=True, slots=True)
class JsonWebhook:
    """A channel that posts a JSON document.

    `build` makes the document from a presentable message and the template's text, which replaces the sentences (None
    without a template). `request` makes the request from the document's bytes and the message's id.
    """

    config: JsonChannelConfig
    markup: Markup
    build: Callable[[Message, str | None], Json]
    request: Callable[[bytes, str], Post]
    interpret: Interpret = interpret

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self.config.name

    def send(self, message: Message) -> SendOutcome:
        """Send the message once. If the service refuses the operator's own `body`, send the default format instead."""
        output = apply_templates(self.config, message, self.markup)
        outcome = self._post(message, output)
        if output.body is not None and outcome.is_permanent and outcome.status in _MALFORMED:
            error = f"body {self.config.body} was refused with {outcome.status} {outcome.detail}".rstrip()
            default = self._post(message, TemplateOutput())
            return replace(default, template_error=f"{error}; the default format was sent instead")
        return replace(outcome, template_error=output.error)

    def preview(self, message: Message) -> str:
        """The document, indented, followed by the error of a broken template."""
        output = apply_templates(self.config, message, self.markup)
        shown = json.dumps(json.loads(self._body(message, output)), ensure_ascii=False, indent=2)
        return shown if output.error is None else f"{shown}\n{output.error}"

    def _post(self, message: Message, output: TemplateOutput) -> SendOutcome:
        return post(self.request(self._body(message, output), message.id), self.interpret)

    def _body(self, message: Message, output: TemplateOutput) -> bytes:
        if output.body is not None:
            return output.body
        return as_bytes(self.build(presentable(message), output.text))


def as_bytes(document: Json) -> bytes:
    """The document in compact JSON, in UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def to_secret_url(config: WebhookUrlConfig) -> Callable[[bytes, str], Post]:
    """Makes requests to the channel's secret `url`."""
    return lambda body, _: Post(config.url.reveal(), body, JSON_HEADERS)


def read_object(text: str) -> Mapping[str, Any]:
    """The JSON object of a response; empty if it is not one."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def seconds(value: object) -> float | None:
    """A value of a response as seconds to wait; None if it is not a usable number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**9:
        return None
    return float(value)
