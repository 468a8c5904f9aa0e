#!/bin/sh
# Make the programs available that the tests in this folder use: those that call sendmail. And
# the shells and groff, for tests/test_manual.py.
#
#   tests/callers/install.sh
#
# Programs that only wait to be called are installed. The daemons, and those that depend on a
# mail server, are downloaded and unpacked into a directory of their own: nothing is started, no
# mail server comes to the machine, and its own cron is not touched.
#
# Where to: $PILLARBOX_CALLERS; by default /var/cache/pillarbox-callers for root, else
# pillarbox-callers in the user's cache directory.
#
# Run it as root in a Debian or Ubuntu system; any other user gets what is unpacked. What is
# there already is left alone, so running it again takes a fraction of a second.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

# A file that shows that the package is here, and the package.
tools='
/usr/lib/git-core/git-send-email git-email
/usr/share/perl5/Mail/Address.pm  libmailtools-perl
/usr/bin/php                     php-cli
/usr/bin/s-nail                  s-nail
/usr/bin/mutt                    mutt
/usr/bin/perl                    perl
/usr/bin/unshare                 util-linux
/usr/bin/groff                   groff-base
/usr/bin/zsh                     zsh
/usr/bin/fish                    fish
'

# Directory name, then the packages that are unpacked into it.
callers='
at                  at
bsd-mailx           bsd-mailx liblockfile1
cron                cron
fail2ban            fail2ban
mdadm               mdadm
smartmontools       smartmontools
unattended-upgrades unattended-upgrades
'

if [ "$(id -u)" = 0 ]; then
    default=/var/cache/pillarbox-callers
else
    default=${XDG_CACHE_HOME:-$HOME/.cache}/pillarbox-callers
fi
root=${PILLARBOX_CALLERS:-$default}
umask 022
mkdir -p "$root"

has_lists=
update_lists() {
    [ -n "$has_lists" ] || [ "$(id -u)" != 0 ] || apt-get update -qq
    has_lists=yes
}

install_tools() {
    missing=$(echo "$tools" | while read -r file package; do
        [ -z "$file" ] || [ -e "$file" ] || echo "$package"
    done)
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
    chmod 755 "$archives"
    (cd "$archives" && apt-get download -qq -o APT::Sandbox::User= "$@")
    rm -rf "$root/$name.new"
    mkdir "$root/$name.new"
    for archive in "$archives"/*.deb; do
        dpkg-deb -x "$archive" "$root/$name.new"
    done
    # Nobody gets rights from these: they are started by who has them, or do without.
    find "$root/$name.new" -perm /6000 -exec chmod u-s,g-s {} +
    rm -rf "$archives" "$root/$name"
    echo "$*" >"$root/$name.new/.packages"
    mv "$root/$name.new" "$root/$name"
    echo "unpacked $* into $root/$name"
}

[ "$(id -u)" != 0 ] || install_tools
echo "$callers" | while read -r name packages; do
    # shellcheck disable=SC2086 # a list of names
    [ -z "$name" ] || unpack "$name" $packages </dev/null
done
