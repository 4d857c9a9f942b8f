"""Everything else, by Apprise: `pip install 'tagtrail[apprise]'`. What it is given is plain text."""

import importlib
import logging
import warnings
from typing import Any, Final

from tagtrail.config.channels import AppriseConfig
from tagtrail.errors import ConfigurationError
from tagtrail.notify.channels.plaintext import PLAIN, still, text_below_title
from tagtrail.notify.formatting import presentable
from tagtrail.notify.http import CONNECT_TIMEOUT, READ_TIMEOUT, TOTAL_TIMEOUT, Channel, SendOutcome
from tagtrail.notify.message import Message, MessageTone
from tagtrail.notify.templates import write

_TYPES: Final[dict[MessageTone, str]] = {"notice": "info", "good": "success", "warning": "warning", "alarm": "failure"}

# Apprise escapes a text for the service's markup, and a title only where it becomes a part of the text.
_LOOK_ALIKE: Final = str.maketrans("<>*`~[]", "‹›∗ˋ∼［］")


def make(config: AppriseConfig) -> Channel:
    """The channel to the service that Apprise knows by the secret `url`.

    Raises ConfigurationError when Apprise is not installed, or knows no such service.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what Apprise itself imports
        library = _import(config)
        asset = _asset(library)
        service = library.Apprise.instantiate(config.url.reveal(), asset=asset)
    if service is None:
        raise ConfigurationError(
            f"notify: the url of the channel {config.name!r} is none that Apprise can use; "
            "try it with Apprise's own command"
        )
    _restrain(service)
    sender = library.Apprise(asset=asset)
    sender.add(service)
    return Apprise(config, sender)


class Apprise:
    """A service, by way of Apprise."""

    def __init__(self, config: AppriseConfig, sender: Any) -> None:
        self.name = config.name
        self._config = config
        self._sender = sender

    def send(self, message: Message) -> SendOutcome:
        """Have Apprise send the message. It does not say why it could not, so that every failure is tried again."""
        title, body, trouble = self._form(message)
        try:
            result = self._sender.notify(
                title=title,
                body=body,
                body_format="text",
                notify_type=_TYPES[message.tone],
                interpret_escapes=False,
            )
        except Exception as error:  # whatever a service's plugin does; its text may hold the URL
            return SendOutcome(is_sent=False, detail=f"Apprise failed ({type(error).__name__})")
        if not result:
            return SendOutcome(is_sent=False, detail="Apprise could not send it")
        return SendOutcome(is_sent=True, detail="sent by Apprise", trouble=trouble)

    def preview(self, message: Message) -> str:
        """The title and the text that Apprise is given."""
        title, body, trouble = self._form(message)
        return f"{title}\n\n{body}\n{trouble or ''}"

    def _form(self, message: Message) -> tuple[str, str, str | None]:
        """The title, the text, and what is wrong with the channel's template."""
        written = write(self._config, message, PLAIN)
        shown = still(presentable(message))
        return shown.title.translate(_LOOK_ALIKE), text_below_title(shown, written.text), written.trouble


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
    """How Apprise shall behave: nothing kept on disk, no redirect, no emoji made of words, and never for long."""
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
    """What a URL's parameters could change of that, changed back."""
    service.redirects = False
    service.retry = 0
    service.socket_connect_timeout = min(service.socket_connect_timeout, CONNECT_TIMEOUT)
    service.socket_read_timeout = min(service.socket_read_timeout, READ_TIMEOUT)
