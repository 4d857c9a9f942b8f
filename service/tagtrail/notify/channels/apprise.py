"""Apprise, for all other services (`pip install 'tagtrail[apprise]'`). It gets plain text."""

import importlib
import logging
import warnings
from typing import Any, Final

from tagtrail.config.channels import AppriseConfig
from tagtrail.errors import ConfigurationError
from tagtrail.notify.channels.plaintext import PLAIN, make_inert, text_below_title
from tagtrail.notify.formatting import presentable
from tagtrail.notify.http import CONNECT_TIMEOUT, READ_TIMEOUT, TOTAL_TIMEOUT, Channel, SendOutcome
from tagtrail.notify.message import Message, MessageTone
from tagtrail.notify.templates import apply_templates

_TYPES: Final[dict[MessageTone, str]] = {"notice": "info", "good": "success", "warning": "warning", "alarm": "failure"}

# Apprise escapes the text for the service's markup, but the title only if it becomes a part of the text.
_LOOK_ALIKE: Final = str.maketrans("<>*`~[]", "‹›∗ˋ∼［］")


def make(config: AppriseConfig) -> Channel:
    """The channel to the service at the secret `url`, in Apprise's notation.

    Raises ConfigurationError if Apprise is not installed or does not know the service.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from packages that Apprise imports
        library = _import(config)
        asset = _asset(library)
        service = library.Apprise.instantiate(config.url.reveal(), asset=asset)
    if service is None:
        raise ConfigurationError(
            f"notify: the url of the channel {config.name!r} is not one that Apprise can use; "
            "try it with the `apprise` command"
        )
    _restrain(service)
    sender = library.Apprise(asset=asset)
    sender.add(service)
    return Apprise(config, sender)


class Apprise:
    """A service that Apprise sends to."""

    def __init__(self, config: AppriseConfig, sender: Any) -> None:
        self.name = config.name
        self._config = config
        self._sender = sender

    def send(self, message: Message) -> SendOutcome:
        """Send the message. Apprise gives no reason for a failure, so every failure is tried again."""
        title, body, template_error = self._form(message)
        try:
            result = self._sender.notify(
                title=title,
                body=body,
                body_format="text",
                notify_type=_TYPES[message.tone],
                interpret_escapes=False,
            )
        except Exception as error:  # from the service's plugin; its text may contain the URL
            return SendOutcome(is_sent=False, detail=f"Apprise failed ({type(error).__name__})")
        if not result:
            return SendOutcome(is_sent=False, detail="Apprise could not send it")
        return SendOutcome(is_sent=True, detail="sent by Apprise", template_error=template_error)

    def preview(self, message: Message) -> str:
        """The title and the text that Apprise gets."""
        title, body, template_error = self._form(message)
        return f"{title}\n\n{body}\n{template_error or ''}"

    def _form(self, message: Message) -> tuple[str, str, str | None]:
        """The title, the text, and the error of a broken template."""
        output = apply_templates(self._config, message, PLAIN)
        shown = make_inert(presentable(message))
        return shown.title.translate(_LOOK_ALIKE), text_below_title(shown, output.text), output.error


def _import(config: AppriseConfig) -> Any:
    try:
        library = importlib.import_module("apprise")
    except ImportError:
        raise ConfigurationError(
            f"notify: the channel {config.name!r} is of the kind apprise, which is not installed; "
            "install it with: pip install 'tagtrail[apprise]'"
        ) from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it logs URLs
    return library


def _asset(library: Any) -> Any:
    """The settings of Apprise: nothing kept on disk, no redirects, no words turned into emoji, a time limit."""
    return library.AppriseAsset(
        app_id="tagtrail",
        app_desc="tagtrail",
        storage_mode="memory",
        http_redirects=False,
        interpret_emojis=False,
        async_mode=False,
        service_timeout=TOTAL_TIMEOUT,
    )


def _restrain(service: Any) -> None:
    """Undo what a URL's parameters can change of these settings."""
    service.redirects = False
    service.retry = 0
    service.socket_connect_timeout = min(service.socket_connect_timeout, CONNECT_TIMEOUT)
    service.socket_read_timeout = min(service.socket_read_timeout, READ_TIMEOUT)
