"""
SpamAssassin with the rules of its package and nothing else: no network, no Bayes, no preferences.

One Perl process scores all mails: loading the rules takes as long as twenty mails do.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from scores.points import Score, behind_trace, ranked

__all__ = ["MISSING", "score_all"]

_PROGRAM = "/usr/bin/spamassassin"
_PATIENCE_S = 100
MISSING = (
    ""
    if os.access(_PROGRAM, os.X_OK)
    else "SpamAssassin is missing: tests/scores/install.sh installs it"
)

# Reads the names of files; tells its version, then the points of each and what they are for.
_JUDGE = r"""
use strict; use warnings; use Mail::SpamAssassin;
my $home = $ARGV[0];
my $judge = Mail::SpamAssassin->new({
    local_tests_only => 1, dont_copy_prefs => 1, home_dir_for_helpers => $home,
    userprefs_filename => "$home/none", userstate_dir => $home,
    post_config_text => "use_bayes 0\n",
});
print Mail::SpamAssassin::Version(), "\n";
while (my $name = <STDIN>) {
    chomp $name;
    open my $file, '<:raw', $name or die "$name: $!\n";
    my $octets = do { local $/; <$file> };
    close $file;
    my $mail = $judge->parse($octets, 1);
    my $status = $judge->check($mail);
    my @rules = map { "$_=" . ($judge->{conf}->{scores}->{$_} // 1) }
        split /,/, $status->get_names_of_tests_hit();
    printf "%.3f %s\n", $status->get_score(), join ' ', @rules;
    $status->finish(); $mail->finish();
}
"""


def score_all(mails):
    """Return SpamAssassin's version and a ``Score`` for each of the mails."""
    with tempfile.TemporaryDirectory(prefix="spamassassin-") as folder:
        names = []
        for number, mail in enumerate(mails):
            path = Path(folder) / f"{number}.eml"
            path.write_bytes(behind_trace(mail))
            names.append(f"{path}\n")
        done = subprocess.run(
            ["perl", "-e", _JUDGE, folder],
            input="".join(names),
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "HOME": folder, "LC_ALL": "C.UTF-8"},
            timeout=_PATIENCE_S,
        )
    assert done.returncode == 0, done.stderr
    version, *lines = done.stdout.splitlines()
    assert len(lines) == len(mails), done.stdout + done.stderr
    return version, [_parse_score(line) for line in lines]


def _parse_score(line):
    points, *rules = line.split()
    pairs = (rule.split("=") for rule in rules)
    return Score(float(points), ranked((name, float(value)) for name, value in pairs))
