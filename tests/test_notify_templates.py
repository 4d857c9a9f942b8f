"""Templates: what they can say, what they cannot do, and how they break."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtrail.notify.channels.discord import MARKUP as DISCORD
from tagtrail.notify.channels.slack import MARKUP as SLACK
from tagtrail.notify.channels.teams import MARKUP as TEAMS
from tagtrail.notify.formatting import HTML, Markup
from tagtrail.notify.message import Fact
from tagtrail.notify.templates import TemplateError, apply_templates, render_body, render_text
from tests.messages import NEW, PINNED, ROLLBACK, configuration

PLAIN = Markup()
NASTY = '<b>*_hi_*</b> "@all" `x` [y](z)'


@pytest.fixture
def template(tmp_path: Path) -> Path:
    return tmp_path / "ops.j2"


def text(template: Path, source: str, markup: Markup = PLAIN, **changes: Any) -> str:
    template.write_text(source)
    return render_text(template, replace(ROLLBACK, **changes), markup)


def trouble(template: Path, source: str) -> str:
    """What is said of a template that is refused."""
    template.write_text(source)
    with pytest.raises(TemplateError) as raised:
        render_text(template, ROLLBACK, PLAIN)
    return str(raised.value)


def test_a_template_names_every_field_of_the_message(template: Path) -> None:
    source = """
        {{ title }}|{{ kind }}|{{ tone }}|{{ environment }}|{{ registry }}|{{ repository }}|{{ tags|join }}
        {{ digest|short }}|{{ previous_digest }}|{{ reference }}|{{ actor }}|{{ link }}|{{ time }}|{{ footer }}|{{ id }}
        {% for fact in facts %}{{ fact.label }}={{ fact.value }}{% if not loop.last %}, {% endif %}{% endfor %}
        {% for sentence in sentences %}{{ loop.index }} {{ sentence }}{% endfor %}
        {% for line in lines %}{{ line }} {% endfor %}{{ copy[0].value }} {{ facts|length }} {{ occurred_at }}
        {{ "back" if tone == "warning" else "on" }} {% if environment in ["production", "staging"] %}yes{% endif %}
    """
    output = text(template, source)
    for expected in (
        "rollback to 1.0.0|deployed|warning|production|main|team/my_app|prod",
        NEW[:19],
        PINNED,
        "By=alice",
    ):
        assert expected in output
    assert "2026-04-21 14:03 UTC · ledger lines 41, 42" in output
    assert "41 42" in output
    assert "back yes" in " ".join(output.split())


def test_what_is_not_known_prints_nothing_and_can_be_asked_for(template: Path) -> None:
    assert text(template, "[{{ actor }}][{{ actor|default('nobody') }}]", actor=None) == "[][nobody]"
    assert text(template, "{% if actor %}by {{ actor }}{% else %}-{% endif %}", actor=None) == "-"


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (HTML, "&lt;b&gt;*_hi_*&lt;/b&gt; &quot;@\u200ball&quot; `x` [y](z)"),
        (SLACK, '&lt;b&gt;∗ˍhiˍ∗&lt;/b&gt; "@\u200ball" ˋxˋ ［y］(z)'),
        (DISCORD, '\\<b\\>\\*\\_hi\\_\\*\\</b\\> "@\u200ball" \\`x\\` \\[y\\](z)'),
        (TEAMS, '\\<b\\>\\*\\_hi\\_\\*\\</b\\> "@\u200ball" \\`x\\` \\[y\\](z)'),
    ],
    ids=["html", "slack", "discord", "teams"],
)
def test_every_value_is_escaped_for_its_target(template: Path, markup: Markup, expected: str) -> None:
    assert text(template, "{{ actor }}", markup, actor=NASTY) == expected
    assert text(template, "{% set a = actor %}{{ a }}", markup, actor=NASTY) == expected
    assert text(template, "{{ tags|join }}", markup, tags=(NASTY,)) == expected
    assert text(template, "{{ facts[0].value|default('x') }}", markup, facts=(Fact("By", NASTY),)) == expected
    assert text(template, f"{{{{ '{NASTY}' }}}}", markup) == expected


def test_the_operators_own_markup_stays(template: Path) -> None:
    assert text(template, "*{{ environment }}* {{ reference|code }} <{{ link }}|page>", SLACK) == (
        f"*production* `{PINNED}` <https://tagtrail.example/r/main/team/my%5Fapp?tag=prod&amp;at=41|page>"
    )
    assert text(template, "<b>{{ reference|code }}</b>", HTML, reference="<x>") == "<b><code>&lt;x&gt;</code></b>"


def test_a_value_is_one_printable_line(template: Path) -> None:
    assert text(template, "{{ actor }}", actor="a\nb\x1b[0m\u202e\ud800") == "a\\x0ab\\x1b[0m\\u202e\\ud800"


ESCAPES = [
    "{{ title.__class__ }}",
    "{{ title.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''.__class__.__base__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ title.format(title) }}",
    "{{ '{0.__class__}'.format(title) }}",
    "{{ title|attr('__class__') }}",
    "{{ facts[0].__class__.__init__.__globals__ }}",
    "{{ facts[0]['__class__'] }}",
    "{{ facts|map(attribute='__class__')|list }}",
    "{{ config }}", "{{ request }}", "{{ lipsum.__globals__ }}", "{{ cycler.__init__ }}", "{{ joiner }}",
    "{{ range(9) }}", "{{ namespace() }}", "{{ dict(a=1) }}", "{{ self }}", "{{ loop }}",
    "{{ title|safe }}", "{{ title|e }}",
    "{% include '/etc/passwd' %}", "{% import '/etc/passwd' as x %}", "{% extends '/etc/passwd' %}",
    "{% from '/etc/passwd' import x %}", "{% do title %}", "{% debug %}",
    "{{ facts }}", "{{ facts[0] }}", "{{ tags }}", "{{ title.upper }}", "{{ title is escaped('x') }}",
]  # fmt: skip


@pytest.mark.parametrize("source", ESCAPES)
def test_there_is_no_way_out_of_the_sandbox(template: Path, source: str) -> None:
    assert str(template) in trouble(template, source)


ENDLESS = [
    "{% for a in facts recursive %}{{ loop(facts) }}{% endfor %}",
    "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "{% call x() %}{% endcall %}",
    "{% for a in range(100000000) %}{% endfor %}",
    "{% for a in title %}{{ a }}{% endfor %}",
    "{% for a in 'x' * 1000000 %}{% endfor %}",
    "{{ 'x' * 1000000000 }}", "{{ 10 ** 10 ** 10 }}", "{{ 9 ** 999999 % 7 }}", "{{ '%1000000000d' % 1 }}",
    "{{ title|center(1000000000) }}", "{{ title|indent(1000000000) }}", "{{ title|replace('', title) }}",
    "{{ title ~ title }}", "{{ title + title }}",
    "{% set x = title %}" + "{% set x = [x, x] %}" * 60 + "{{ x }}",
    "{% set x %}{{ title }}{{ title }}{% endset %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 60 + "{{ x }}",
    "{% filter upper %}x{% endfilter %}", "{% block b %}{{ self.b() }}{% endblock %}",
    "(" * 5 + "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
    "{% if title %}" * 3_000 + "{% endif %}" * 3_000,
    "{{ title }}" * 1_000,
    "{{ title" + f"|join('{'x' * 1_000}')" * 3 + "|length }}",
    "{{ title" + "|tojson" * 40 + "|length }}",
    "x" * 2_801,
    "x" * 70_000,
]  # fmt: skip


@pytest.mark.parametrize("source", ENDLESS, ids=lambda source: source[:40])
def test_no_template_runs_for_ever_or_grows(template: Path, source: str) -> None:
    began = time.monotonic()
    assert str(template) in trouble(template, source)
    assert time.monotonic() - began < 20


def test_loops_within_loops_take_a_bounded_number_of_steps(template: Path) -> None:
    many = tuple(f"tag-{at}" for at in range(20))
    template.write_text("{% for a in tags %}" * 5 + "{% endfor %}" * 5 + "done")
    began = time.monotonic()
    with pytest.raises(TemplateError, match="more than 10000 steps"):
        render_text(template, replace(ROLLBACK, tags=many), PLAIN)
    assert time.monotonic() - began < 20
    assert text(template, "{% for a in tags %}{% for b in tags %}{% endfor %}{% endfor %}done", tags=many) == "done"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("one\n{{ title", "line 2"),
        ("one\ntwo\n{% for x in facts %}\n{{ x.nothing }}{% endfor %}", "line 4: "),
        ("{{ titel }}", "line 1: 'titel' is undefined"),
        ("\n\n{{ title|shout }}", "line 3: No filter named 'shout'."),
        ("\n{{ title() }}", "line 2: call is not allowed in a template"),
        ("", "its result is empty for this message"),
        ("{# nothing #}", "its result is empty for this message"),
    ],
)  # fmt: skip
def test_a_broken_template_names_its_file_and_line(template: Path, source: str, said: str) -> None:
    assert said in trouble(template, source)
    assert trouble(template, source).startswith(str(template))


def test_a_file_that_cannot_be_read_is_a_broken_template(tmp_path: Path) -> None:
    (tmp_path / "bytes.j2").write_bytes(b"\xff\xfe")
    for name, said in (("none.j2", "No such file"), ("", "directory"), ("bytes.j2", "not UTF-8")):
        with pytest.raises(TemplateError, match=said):
            render_text(tmp_path / name, ROLLBACK, PLAIN)


def test_a_template_is_read_anew_for_every_message(template: Path) -> None:
    assert text(template, "one") == "one"
    assert text(template, "two") == "two"


def test_a_body_is_json_in_which_every_value_is_text(template: Path) -> None:
    template.write_text(
        '{"text": "{{ title }} \\n by {{ actor }}", "tags": {{ tags|tojson }}, "n": {{ lines[0] }},'
        ' "is": {{ facts[0].is_code }}, "none": {{ none|tojson }}, "code": "{{ actor|code }}", "url": "{{ link }}"}'
    )
    for actor in (
        '"}, {"text": "<!channel>',
        "\\",
        "\\u0022",
        "a\nb",
        "\ud800",
        "😀",
        "\x00\x7f",
        "{{ 7 }}",
        "{% raw %}",
    ):
        body = json.loads(render_body(template, replace(ROLLBACK, actor=actor, tags=("a", '"b'), lines=(7,)), SLACK))
        assert list(body) == ["text", "tags", "n", "is", "none", "code", "url"]
        assert body["tags"] == ["a", '"b']
        assert (body["n"], body["is"], body["none"]) == (7, True, None)
        assert body["url"] == "https://tagtrail.example/r/main/team/my%5Fapp?tag=prod&amp;at=41"
        assert "<!channel>" not in json.dumps(body)


def test_a_whole_json_value_is_escaped_for_the_service_as_well(template: Path) -> None:
    template.write_text(
        '{"text": {{ actor|tojson }}, "tags": {{ tags|tojson }}, "code": {{ actor|code|tojson }},'
        ' "n": {{ lines|tojson }}}'
    )
    actor = "<!channel> *b* @here"
    body = json.loads(render_body(template, replace(ROLLBACK, actor=actor, tags=("a", "<!here>")), SLACK))
    assert body["text"] == SLACK.escape(actor)
    assert body["tags"] == ["a", SLACK.escape("<!here>")]
    assert body["code"] == SLACK.code(actor)
    assert body["n"] == list(ROLLBACK.lines)
    assert "<!" not in json.dumps(body)


@given(actor=st.text(st.characters(exclude_categories=[])))
def test_no_value_changes_a_bodys_shape(tmp_path_factory: pytest.TempPathFactory, actor: str) -> None:
    template = tmp_path_factory.getbasetemp() / "body.json.j2"
    template.write_text('{"a": "{{ actor }}", "b": ["{{ actor }}", {{ actor|tojson }}]}')
    body = json.loads(render_body(template, replace(ROLLBACK, actor=actor), DISCORD))
    assert list(body) == ["a", "b"]
    assert body["a"] == body["b"][0] == body["b"][1]


@pytest.mark.parametrize("source", ['{"text": {{ title }}}', "{", '{"a": "{{ titel }}"}', "", '{"a": NaN'])
def test_a_body_that_is_no_json_is_a_broken_template(template: Path, source: str) -> None:
    template.write_text(source)
    with pytest.raises(TemplateError):
        render_body(template, ROLLBACK, PLAIN)


def test_without_templates_there_is_no_error_and_a_broken_one_gives_an_error(template: Path) -> None:
    assert apply_templates(configuration("slack"), ROLLBACK, SLACK).error is None
    template.write_text("{{ titel }}")
    for config in (configuration("slack", template=template), configuration("slack", body=template)):
        output = apply_templates(config, ROLLBACK, SLACK)
        assert (output.text, output.body) == (None, None)
        assert output.error == (
            f"template {template}, line 1: 'titel' is undefined; the default format was sent instead"
        )
