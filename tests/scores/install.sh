#!/bin/sh
# Make the filters available that the tests in this folder ask: SpamAssassin and rspamd.
#
#   tests/scores/install.sh
#
# Run it as root in a Debian or Ubuntu system. Neither is started as a service: the tests start
# their own, on ports of loopback, with everything they write in a temporary directory. What is
# there already is left alone, so running it again takes a fraction of a second.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

# Commands that tests call, and the package of each.
filters='spamassassin:spamassassin rspamd:rspamd'

missing=
for pair in $filters; do
    command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "run this as root: it installs$missing" >&2
    exit 77
fi

# Installing a package starts its service unless this says no (Debian policy 9.3.3.2).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt-get update -qq
# shellcheck disable=SC2086 # a list of names
apt-get install -y -qq --no-install-recommends $missing
