"""How long a client may take, and how many clients are served at once, in one value."""

from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """The defaults are meant for production; tests shorten the times. Times in seconds, sizes in bytes.

    A request that begins with one of `prompt` and is not answered by the front itself is served by threads of its own:
    those paths read little, write little and call no other service.
    """

    prompt: tuple[bytes, ...] = (b"POST /events", b"GET /healthz", b"GET /readyz")
    request: float = 30.0  # for a request to arrive, and again for a body that is read while it is served
    progress: float = 60.0  # without any progress in sending, after which a client counts as gone
    farewell: float = 2.0  # for a client to take an answer that was given before all of its body was read
    storing: float = 5.0  # for another writer to finish, before events are answered 503
    held: int = 64 * KIB  # kept in memory of one request; a longer body is read while it is served
    waiting: int = 1000  # requests that have not arrived; the oldest gives way to a new one
    waiting_bytes: int = 32 * 1024 * KIB  # held by all of them together
    prompt_threads: int = 2  # in each reading process, for prompt requests
    answer_threads: int = 4  # for all other requests, which may have slow readers
    upload_threads: int = 4  # for bodies read while they are served, which may have slow writers
