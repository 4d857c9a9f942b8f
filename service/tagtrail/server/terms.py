"""What a worker process grants its clients: seconds, threads and places, in one value."""

from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True, slots=True)
class Terms:
    """The defaults are meant for production; tests shorten the times. Times in seconds, sizes in bytes.

    A request that begins with one of `prompt` is answered by the thread that accepted it, so whatever serves these
    paths must read no more than `held` bytes, write little and call nobody.
    """

    prompt: tuple[bytes, ...] = (b"POST /events", b"GET /healthz", b"GET /readyz")
    patience: float = 0.05  # that an accepting thread waits for the rest of a request, before it is parked
    request: float = 30.0  # for a parked request to arrive, and again for the body of one read while it is served
    progress: float = 60.0  # without any progress in sending, after which a reader counts as gone
    farewell: float = 2.0  # for a client to take an answer that was given before all of its body was read
    held: int = 256 * KIB  # kept in memory of one request; a longer body is read while it is served
    parked: int = 1000  # requests waiting to arrive; the oldest gives way to a new one
    parked_bytes: int = 32 * 1024 * KIB  # held by all of them together
    queued: int = 100  # requests waiting for a thread, per lane; the next one is answered 503
    late_threads: int = 2  # for prompt requests that arrived slowly
    answer_threads: int = 4  # for all other requests, which may have slow readers
    upload_threads: int = 4  # for bodies read while they are served, which may have slow writers
