"""Where a setup writes, and whose the file is then."""

import os

import pytest

from pillarbox.errors import InputOutputError, UsageError
from pillarbox.setup.order import Order
from pillarbox.setup.placing import Rights

IS_ROOT = os.geteuid() == 0
ROOT = (0, 0) if IS_ROOT else (-1, -1)


def system(tmp_path):
    """Return an order for the system below a directory."""
    (tmp_path / "etc").mkdir(parents=True, exist_ok=True)
    return Order(is_system=True, environment={}, root=f"{tmp_path}/")


def test_a_users_file_is_what_his_programs_read(tmp_path):
    """~/.msmtprc, unless only the other one is there."""
    order = Order(is_system=False, environment={"HOME": str(tmp_path)})
    assert order.account_path() == f"{tmp_path}/.msmtprc"
    other = tmp_path / ".config/msmtp/config"
    other.parent.mkdir(parents=True)
    other.touch()
    assert order.account_path() == str(other)
    (tmp_path / ".msmtprc").symlink_to("nowhere")
    assert order.account_path() == f"{tmp_path}/.msmtprc"
    assert order.rights(None) == Rights(-1, -1, 0o600)


def test_the_configured_place_of_configurations_counts(tmp_path):
    """XDG_CONFIG_HOME."""
    (tmp_path / "x/msmtp").mkdir(parents=True)
    (tmp_path / "x/msmtp/config").touch()
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": f"{tmp_path}/x"}
    order = Order(is_system=False, environment=environment)
    assert order.account_path() == f"{tmp_path}/x/msmtp/config"


def test_the_systems_file_is_below_its_top(tmp_path):
    """And root's alone."""
    order = system(tmp_path)
    assert order.account_path() == f"{tmp_path}/etc/msmtprc"
    assert order.rights(None) == Rights(*ROOT, 0o600)
    assert order.root_rights(0o644) == Rights(*ROOT, 0o644)


@pytest.mark.parametrize(("line", "gid"), [
    ("pillarbox:x:990:991::/:/x\n", 991),
    ("pillarbox-other:x:990:991::/:/x\n", None),
    ("pillarbox:x:990:no::/:/x\n", None),
    ("pillarbox\n", None),
])  # fmt: skip
def test_the_service_reads_it_by_its_group(tmp_path, line, gid):
    """As docs/queue.md tells, and only where its user is there."""
    order = system(tmp_path)
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n" + line)
    expected = Rights(*ROOT, 0o600)
    if gid is not None:
        expected = Rights(ROOT[0], gid if IS_ROOT else -1, 0o640)
    assert order.rights(None) == expected


@pytest.mark.parametrize(("mode", "after"), [
    (0o600, 0o600), (0o640, 0o640), (0o400, 0o400), (0o644, 0o600), (0o660, 0o600), (0o604, 0o600),
])  # fmt: skip
def test_a_mode_that_root_chose_stays_if_it_is_safe(tmp_path, mode, after):
    """What others could read or change ends."""
    order = system(tmp_path)
    rc = tmp_path / "etc/msmtprc"
    rc.touch()
    rc.chmod(mode)
    assert order.rights(rc.stat()).mode == after


def test_another_top_is_a_systems(tmp_path):
    """A user has his home."""
    with pytest.raises(UsageError, match="--root is for the system"):
        Order(is_system=False, environment={}, root=str(tmp_path))
    assert Order(is_system=True, environment={}, root="/").root == ""


def test_what_a_link_leads_to_is_in_the_system(tmp_path):
    """Attack: ``etc/msmtprc -> /etc/msmtprc`` in an image would mean the machine's own file."""
    order = system(tmp_path / "image")
    path = tmp_path / "image/etc/msmtprc"
    path.symlink_to("ours")
    assert order.look(str(path)).target == f"{tmp_path}/image/etc/ours"
    path.unlink()
    for outside in (f"{tmp_path}/outside", "../../outside", f"{tmp_path}/image-2"):
        path.symlink_to(outside)
        with pytest.raises(InputOutputError, match="leads out of"):
            order.look(str(path))
        path.unlink()
