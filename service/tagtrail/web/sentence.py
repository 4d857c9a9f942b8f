"""A sentence about a line of the ledger, on a page: each part in its role, leading to what it names.

Written here and not in a template: a page of the log has hundreds of parts, and a template takes two to three times as
long.
"""

from collections.abc import Callable, Iterable

from markupsafe import Markup, escape

from tagtrail.audit.clauses import Clause, Named, Part

Link = Callable[..., str]


def make_sentence_filter(link: Link) -> Callable[[Iterable[Clause]], Markup]:
    """A filter that renders clauses; `link` gives the address of a page by its name. Texts are escaped here."""

    def render(clauses: Iterable[Clause]) -> Markup:
        told = ("".join(_render_part(part, link) for part in clause) for clause in clauses)
        return Markup(" ".join(f'<span class="clause">{clause}</span>' for clause in told))  # noqa: S704

    return render


def _render_part(part: Part, link: Link) -> str:
    text, named = escape(part.text), part.named
    if part.seq is not None:
        return f'<a class="part {part.role}" href="{link("entry", seq=part.seq)}">{text}</a>'
    if named is None:
        return f'<span class="part {part.role}">{text}</span>'
    if part.role == "digest" and named.digest is not None:
        return _render_digest(named.digest, text, link)
    return f'<a class="part {part.role}" href="{_address(named, link)}">{text}</a>'


def _render_digest(digest: str, text: str, link: Link) -> str:
    whole = escape(digest)
    return (
        f'<span class="copyable" data-copy="{whole}" data-what="digest"><a class="part digest" title="{whole}"'
        f' href="{link("digest", digest=digest)}">{text}</a></span>'
    )


def _address(named: Named, link: Link) -> str:
    if named.tag is not None:
        return link("tag", registry=named.registry, repository=named.repository, tag=named.tag)
    return link("repository", registry=named.registry, repository=named.repository)
