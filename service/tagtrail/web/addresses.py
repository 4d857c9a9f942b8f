"""Where pages are: an image's page has the address that reads like its reference, `/registries/main/team/app:1.0.0`."""

from urllib.parse import quote

from werkzeug.routing import BaseConverter, Map


class RepositoryConverter(BaseConverter):
    """A repository's name; its slashes are those of the address. It never holds a colon, so a tag can follow one."""

    part_isolating = False
    regex = r"[a-z0-9][a-z0-9._/-]*"

    def to_url(self, value: str) -> str:
        """The name as it stands in an address."""
        return quote(value, safe="/")


class TagConverter(BaseConverter):
    """A tag."""

    regex = r"[A-Za-z0-9_][A-Za-z0-9._-]*"


class DigestConverter(BaseConverter):
    """A digest, or the beginning of one."""

    regex = r"[A-Za-z0-9+._:=-]+"

    def to_url(self, value: str) -> str:
        """The digest as it stands in an address: with its colon."""
        return quote(value, safe=":+=")


def add_converters(routes: Map) -> None:
    """Let rules name what addresses hold."""
    routes.converters |= {"repository": RepositoryConverter, "tag": TagConverter, "digest": DigestConverter}
