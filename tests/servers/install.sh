#!/bin/sh
# Make the mail servers and tools available that the tests in this folder use.
#
#   tests/servers/install.sh
#
# Debian's mail servers exclude each other as packages, and installing one starts it. So they are
# not installed: each is downloaded with the libraries that are missing here and unpacked into a
# directory of its own, and the tests start it from there, on ports of loopback, with
# configuration and spool in a temporary directory. The machine's own mail server is not touched.
#
# Where to: $PILLARBOX_SERVERS; by default /var/cache/pillarbox-servers for root (the servers drop
# their rights and must be able to read it), else pillarbox-servers in the user's cache directory.
#
# Run it as root in a Debian or Ubuntu system; as any other user it unpacks the servers, leaves
# out the tools, and the tests skip the servers that need root to run. What is there already is
# left alone, so running it again takes a fraction of a second.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

# Commands that tests call, and the package of each.
tools='msmtp:msmtp swaks:swaks strace:strace openssl:openssl update-ca-certificates:ca-certificates
    cc:gcc mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs
    systemd-analyze:systemd'

# Directory name, then the packages that are unpacked into it.
servers='
postfix    postfix
dovecot    dovecot-lmtpd dovecot-submissiond
exim       exim4-daemon-heavy libnss-wrapper
opensmtpd  opensmtpd
cyrus      cyrus-imapd libsasl2-modules libsasl2-modules-db sasl2-bin
microsocks microsocks
bind       bind9
nftables   nftables
faketime   libfaketime
'

if [ "$(id -u)" = 0 ]; then
    default=/var/cache/pillarbox-servers
else
    default=${XDG_CACHE_HOME:-$HOME/.cache}/pillarbox-servers
fi
root=${PILLARBOX_SERVERS:-$default}
umask 022
mkdir -p "$root"

has_lists=
update_lists() {
    [ -n "$has_lists" ] || [ "$(id -u)" != 0 ] || apt-get update -qq
    has_lists=yes
}

install_tools() {
    missing=
    for pair in $tools; do
        command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
    done
    [ -e /usr/include/stdio.h ] || missing="$missing libc6-dev"
    [ -n "$missing" ] || return 0
    update_lists
    # shellcheck disable=SC2086 # a list of names
    apt-get install -y -qq --no-install-recommends $missing
}

unpack() {
    name=$1
    shift
    [ "$(cat "$root/$name/.packages" 2>/dev/null)" = "$*" ] && return 0
    update_lists
    archives=$(mktemp -d)
    mkdir -p "$archives/partial"
    # Downloading needs no rights over the package database, only an archive directory of its own;
    # --reinstall because a server that this machine has installed is wanted here all the same.
    apt-get install -y -qq --no-install-recommends --download-only --reinstall \
        -o Debug::NoLocking=1 -o APT::Sandbox::User= -o Dir::Cache::archives="$archives" "$@" >/dev/null
    rm -rf "$root/$name.new"
    mkdir "$root/$name.new"
    for archive in "$archives"/*.deb; do
        case ${archive##*/} in
        libc6_* | libc-bin_* | libgcc-s1_*) ;; # those of the machine, whatever apt would upgrade
        *) dpkg-deb -x "$archive" "$root/$name.new" ;;
        esac
    done
    # Nobody gets rights from these: they are started by who has them, or do without.
    find "$root/$name.new" -perm /6000 -exec chmod u-s,g-s {} +
    rm -rf "$archives" "$root/$name"
    echo "$*" >"$root/$name.new/.packages"
    mv "$root/$name.new" "$root/$name"
    echo "unpacked $* into $root/$name"
}

[ "$(id -u)" != 0 ] || install_tools
echo "$servers" | while read -r name packages; do
    # shellcheck disable=SC2086 # a list of names
    [ -z "$name" ] || unpack "$name" $packages
done
