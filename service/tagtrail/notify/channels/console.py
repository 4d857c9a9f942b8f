"""Console: messages on standard output, like a log. A message begins with its time; its other lines are indented."""

import sys
from dataclasses import replace

from tagtrail.config.channels import ConsoleConfig
from tagtrail.notify.formatting import Markup, plain, presentable
from tagtrail.notify.http import Channel, SendOutcome
from tagtrail.notify.message import Message
from tagtrail.notify.templates import apply_templates
from tagtrail.trail.instant import format_instant

_INDENT = "    "


def make(config: ConsoleConfig) -> Channel:
    """The channel to standard output."""
    return Console(config)


class Console:
    """Writes to what `sys.stdout` is at the time of the message."""

    def __init__(self, config: ConsoleConfig) -> None:
        self.name = config.name
        self._config = config

    def send(self, message: Message) -> SendOutcome:
        """Write the message in one piece."""
        text, template_error = self._form(message)
        out = sys.stdout
        encoding = out.encoding or "utf-8"
        try:
            out.write(text.encode(encoding, "backslashreplace").decode(encoding))
            out.flush()
        except (OSError, ValueError) as error:  # its reader is gone, or it is closed
            reason = error.strerror if isinstance(error, OSError) else None
            return SendOutcome(is_sent=False, detail=f"standard output cannot be written ({reason or 'it is closed'})")
        return SendOutcome(is_sent=True, detail="written", template_error=template_error)

    def preview(self, message: Message) -> str:
        """The text as it is written."""
        text, template_error = self._form(message)
        return f"{text}{template_error or ''}"

    def _form(self, message: Message) -> tuple[str, str | None]:
        output = apply_templates(self._config, message, Markup())
        shown = presentable(message)
        head = f"{format_instant(message.occurred_at, 0)} {message.tone:7} {shown.title}"
        text = plain(replace(shown, title=""), output.text)
        below = [f"{_INDENT}{line}" for line in text.splitlines() if line.strip()]
        return "\n".join([head, *below]) + "\n", output.error
