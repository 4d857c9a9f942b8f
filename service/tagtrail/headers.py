"""The security headers of every HTTP answer: pages, data, probes and failures."""

from typing import Final

from flask import Response

_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_DATA_POLICY: Final = "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
_HEADERS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def add_security_headers(response: Response) -> Response:
    """Add the headers to an answer.

    A page may load this site's own files and send forms to this site; other content may load nothing. An answer whose
    room says nothing about caching is not cached.
    """
    response.headers.update(_HEADERS)
    is_page = response.mimetype == "text/html"
    response.headers["Content-Security-Policy"] = _PAGE_POLICY if is_page else _DATA_POLICY
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.update(("Accept", "Authorization", "Cookie"))
    return response
