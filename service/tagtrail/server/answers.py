"""One request through the WSGI application: between gunicorn's parser and gunicorn's response."""

import logging
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any
from wsgiref.types import WSGIApplication

from gunicorn import util
from gunicorn.http import RequestParser, errors, wsgi

from tagtrail import logs
from tagtrail.server.connections import ClientConnection
from tagtrail.server.limits import ServerLimits

_log = logging.getLogger(__name__)
_NAME = "tagtrail"  # the Server header, without a version
_DRAINED = 16 * 1024 * 1024  # bytes of an unread body that are taken, so that its sender gets to read the answer
_FAILED = "500 Internal Server Error"
_STATUS: dict[type[BaseException], str] = {  # as gunicorn's own workers answer; other malformed requests are 400
    errors.LimitRequestLine: "414 URI Too Long",
    errors.LimitRequestHeaders: "431 Request Header Fields Too Large",
    errors.ExpectationFailed: "417 Expectation Failed",
    errors.UnsupportedTransferCoding: "501 Not Implemented",
    errors.ConfigurationProblem: _FAILED,
    errors.InvalidResponseHeader: _FAILED,
    errors.InvalidResponseHeaderName: _FAILED,
}


class Settings:
    """gunicorn's configuration with every value looked up once: its own look-ups cost 15 us per request."""

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration
        for name in configuration.settings:
            setattr(self, name, getattr(configuration, name))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._configuration, name)


class Answers:
    """Calls the application. Each method answers a connection, or finds the client gone, and then closes it."""

    def __init__(self, application: WSGIApplication, *, settings: Settings, limits: ServerLimits) -> None:
        self._application = application
        self._settings = settings
        self._limits = limits

    def at_once(self, connection: ClientConnection) -> None:
        """Answer a whole request whose answer is short: it is sent in one piece, without waiting for the client."""
        self._serve(connection, iter([bytes(connection.received)]), _BufferedResponse(connection.socket))
        connection.close()

    def at_length(self, connection: ClientConnection) -> None:
        """Answer a whole request as fast as its sender reads."""
        connection.limit_sending(self._limits.progress)
        self._serve(connection, iter([bytes(connection.received)]), _Stream(connection.socket))
        connection.close()

    def while_reading(self, connection: ClientConnection) -> None:
        """Answer a request whose body is still arriving, and let its sender read the answer even if it sends on."""
        connection.limit_sending(self._limits.progress)
        self._serve(connection, connection.pieces(self._limits.request), _Stream(connection.socket))
        util.close_graceful(connection.socket, timeout=self._limits.farewell, max_drain=_DRAINED)

    def _serve(
        self, connection: ClientConnection, pieces: Iterator[bytes], sink: "_BufferedResponse | _Stream"
    ) -> None:
        request = None
        try:
            request = self._parse(connection, pieces)
            self._answer(request, connection, sink)
            sink.finish()
        except _GoneError:
            _log.debug("a client went away")
        except (Exception, SystemExit) as error:
            _log_failure(connection, request, error)
            if not sink.begun:
                refuse(connection, _status_of(error))

    def _parse(self, connection: ClientConnection, pieces: Iterator[bytes]) -> Any:
        try:
            return next(RequestParser(self._settings, pieces, connection.address))
        except (OSError, StopIteration) as error:
            raise _GoneError from error

    def _answer(self, request: Any, connection: ClientConnection, sink: "_BufferedResponse | _Stream") -> None:
        response, environ = wsgi.create(request, sink, connection.address, connection.server, self._settings)
        environ["wsgi.multithread"] = True
        response.version = _NAME
        response.force_close()
        parts = self._application(environ, response.start_response)
        try:
            _write(parts, response)
        finally:
            if hasattr(parts, "close"):
                parts.close()


def refuse(connection: ClientConnection, status: str, *, header: str = "") -> None:
    """Send a bare answer, if the socket takes it without waiting; `header` is one line with its CRLF."""
    text = f"{status}\n"
    head = (
        f"HTTP/1.1 {status}\r\nServer: {_NAME}\r\nConnection: close\r\n{header}"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    with suppress(OSError):
        connection.socket.send((head + text).encode("ascii"), socket.MSG_DONTWAIT)


class _GoneError(Exception):
    """The client went away before it was answered."""


class _BufferedResponse:
    """Takes gunicorn's response in place of a socket, and sends it in one piece, or not at all if that fails."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._parts: list[bytes] = []
        self.begun = False

    def sendall(self, data: bytes) -> None:
        self._parts.append(data)

    def finish(self) -> None:
        self.begun = True
        try:
            self._socket.sendall(b"".join(self._parts), socket.MSG_DONTWAIT)
        except OSError as error:
            raise _GoneError from error


class _Stream:
    """Sends gunicorn's response as it is made, and remembers that it has begun."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.begun = False

    def send(self, data: bytes) -> None:
        """Send `100 Continue`, which is no beginning yet."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise _GoneError from error

    def sendall(self, data: bytes) -> None:
        self.begun = True
        self.send(data)

    def finish(self) -> None:
        """Nothing is left to be sent."""


def _write(parts: Iterable[bytes], response: Any) -> None:
    for part in parts:
        response.write(part)
    response.close()


def _status_of(error: BaseException) -> str:
    malformed = "400 Bad Request" if isinstance(error, errors.ParseException) else _FAILED
    return _STATUS.get(type(error), malformed)


def _log_failure(connection: ClientConnection, request: Any, error: BaseException) -> None:
    """Log what went wrong, but nothing that a malformed request contained: it may be a token in the wrong place."""
    if _status_of(error) == _FAILED:
        logs.error(
            _log,
            "a request failed",
            method=getattr(request, "method", None),
            path=getattr(request, "path", None),
            cause=error,
        )
    else:
        logs.info(_log, "a malformed request", address=connection.address[0], problem=type(error).__name__)
