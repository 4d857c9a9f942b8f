"""The JSON Schema of the configuration file, for editors: `python -m tagtrail.config.schema` writes it."""

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from tagtrail.config.model import ConfigFile
from tagtrail.config.secrets import Secret
from tagtrail.config.values import Seconds, Size

PATH: Final = Path(__file__).parent / "schema.json"


def make_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) of what the types of the configuration accept."""
    schema = msgspec.json.schema(ConfigFile, schema_hook=_describe)
    _drop_python_only(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "tagtrail configuration"} | schema


def _describe(kind: Any) -> dict[str, Any]:
    """The schema of a type that msgspec does not know."""
    if issubclass(kind, Secret):
        text = {"type": "string", "minLength": 1}
        forms = [_object({key: text}) for key in ("env", "file", "value")]
        return {"description": (kind.__doc__ or "").partition("\n")[0], "oneOf": forms}
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if issubclass(kind, Seconds | Size):
        schema["pattern"] = rf"^[0-9]{{1,12}} ?({'|'.join(kind.units)})$"
    return schema | ({"examples": [kind.example]} if hasattr(kind, "example") else {})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _drop_python_only(schema: Any) -> None:
    """Take out what only our reader does: null for a key that is left out, and a look-ahead in patterns."""
    if isinstance(schema, list):
        for item in schema:
            _drop_python_only(item)
    if isinstance(schema, dict):
        options = schema.get("anyOf", [])
        if {"type": "null"} in options:
            options.remove({"type": "null"})
        if not isinstance(schema.get("default", ""), str | int):
            del schema["default"]  # of a section or a list: its keys have their own
        if isinstance(schema.get("pattern"), str):
            schema["pattern"] = schema["pattern"].removesuffix(r"(?!\n)")
        for item in schema.values():
            _drop_python_only(item)


def render() -> str:
    """The schema as the text of the file."""
    return json.dumps(make_schema(), indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(render())
