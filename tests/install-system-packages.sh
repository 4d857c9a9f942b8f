#!/bin/sh
# Installs the commands that are named and missing, where that is possible: as root, or through sudo. They are what the
# tests, the demo and the benchmark need besides Python packages; each is called like its package, or is a package's name.
# Says what is missing and succeeds all the same; each test that needs a missing part says so itself.
missing=
for command in "$@"; do
    command -v "$command" >/dev/null 2>&1 || dpkg -s "$command" >/dev/null 2>&1 || missing="$missing $command"
done
case $missing in *gcc*) missing="$missing libc6-dev" ;; esac # the headers, which a compiler is no use without
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "missing:$missing (no apt-get here; install them by hand)" >&2
    exit 0
fi
if [ "$(id -u)" = 0 ]; then as_root=; else as_root='sudo -n'; fi
# Debian's package would start a registry of its own on port 5000: ask it not to, for this installation only.
policy=/usr/sbin/policy-rc.d
[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null && $as_root chmod +x "$policy" && ours=yes; }
{ $as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing; } \
    >/dev/null 2>&1 || echo "missing:$missing (apt-get could not install them)" >&2
[ "${ours:-}" = yes ] && $as_root rm -f "$policy"
exit 0
