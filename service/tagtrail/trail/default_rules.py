"""The tag rules that stand after the configured ones: which tags people mean to be fixed, and which to move.

A table of kind, regular expression and reason; the first that fits the whole tag decides, for every repository.
What is in doubt is called moving: a release tag taken for a moving one costs a remark that an image is unpinned,
the other way round is a false violation, and violations are kept for ever.
"""

from typing import Final, Literal

Kind = Literal["release", "moving"]

_PLATFORM = (
    r"([-_.](linux|windows|darwin|amd64|x86_64|x86-64|x64|386|i386|arm64|arm64v8|aarch64|arm|arm32v6|arm32v7|armhf"
    r"|armv6|armv7|v6|v7|v8|ppc64le|s390x|riscv64|loong64))*"
)
_WORD = (
    r"(latest|newest|current|stable|unstable|rolling|release|lts|default|mainline|head|next|preview|experimental"
    r"|prod|production|live|preprod|pre-production|staging|stage|uat|qa|test|testing|integration|sandbox|demo"
    r"|dev|devel|develop|development|main|master|trunk|edge|nightly|daily|weekly|canary|snapshot|alpha|beta|rc)"
)
_FOLLOWING = (
    r"(latest|snapshot|dev|devel|develop|nightly|daily|weekly|edge|canary|main|master|trunk|head|unstable|rolling)"
)
_TOPIC = r"(pr|mr|pull|merge|issue|branch|feature|feat|fix|bugfix|hotfix|topic|task|renovate|dependabot)"
_DATE = r"(19|20)\d\d[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])"

TABLE: Final[tuple[tuple[Kind, str, str], ...]] = (
    (
        "moving",
        r"(sha256|sha512)-[0-9a-f]{32,}(\..+)?",
        "names a digest whose signatures and attestations it holds: tools write it anew with each one they add",
    ),
    ("moving", rf"(?i){_WORD}{_PLATFORM}", "is a word that follows the newest push of its kind"),
    ("moving", r"(?i)v?\d+(\.\d+)*\.x([-_.].+)?", "has an x for whatever version is the newest"),
    ("moving", rf"(?i){_TOPIC}[-_.].+", "names a branch or a pull request, pushed again with every commit"),
    ("moving", rf"(?i).+[-_.]{_FOLLOWING}{_PLATFORM}", "ends in a word that follows a branch"),
    ("release", rf"(?i)(.+[-_.])?v?{_DATE}([-_.t].+)?", "holds a date: the build of that day"),
    ("release", r"(?i)v?\d+\.\d+(\.\d+)*([-_.a-z].*)?", "is a version"),
    ("release", r"(?i).+[-_.]v?\d+\.\d+\.\d+(\.\d+)*([-_.a-z].*)?", "is a name and a version"),
    ("release", r"((sha|git|commit|rev)[-_.]|g)[0-9a-f]{7,64}([-_.].+)?", "names a commit"),
    ("release", r"v?\d{3,}", "is a number of three or more digits: a build number or a time"),
    ("moving", r"(.+[-_.])?[a-f]{7,}([-_.].+)?", "has a word of the letters a to f, without a digit: no commit"),
    ("release", r"(.+[-_.])?g?[0-9a-f]{7,64}([-_.].+)?", "holds a commit's hash of 7 or more hexadecimal digits"),
    ("release", r"(?i)(build|bld|b|ci|run|job|pipeline|rev|r)[-_.]?\d+([-_.].+)?", "is a build number"),
    ("release", r"(?i)(main|master|trunk|develop|nightly)[-_.]\d+", "is a numbered build of a branch"),
    ("moving", r"(?i)v?\d{1,2}([-_.].+)?", "is a major version, which by common convention follows its newest release"),
    ("moving", r".*", "has nothing in it that looks fixed, such as a version, a date, a commit or a build number"),
)
