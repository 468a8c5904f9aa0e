"""Where a service has its files."""

import os

from pillarbox.config.places import find_places


def test_the_system_has_its_places_whatever_the_environment_says():
    """The daemon of the system is not led elsewhere by variables."""
    environment = {"HOME": "/h", "XDG_RUNTIME_DIR": "/r", "XDG_STATE_HOME": "/s"}
    places = find_places(environment, is_user=False)
    assert places == find_places({}, is_user=False)
    assert places.settings == "/etc/pillarbox/pillarbox.toml"
    assert places.spool == "/var/spool/pillarbox"
    assert places.submit_socket == "/run/pillarbox/submit.sock"
    assert places.control_socket == "/run/pillarbox/control.sock"
    assert places.accounts_file == "/etc/msmtprc"


def test_a_user_has_his_own(tmp_path):
    """The directories of the XDG specification are used where the environment names them."""
    environment = {
        "HOME": "/h",
        "XDG_RUNTIME_DIR": str(tmp_path),
        "XDG_STATE_HOME": "/state",
        "XDG_CONFIG_HOME": "/config",
    }
    places = find_places(environment, is_user=True)
    assert places.settings == "/config/pillarbox/pillarbox.toml"
    assert places.spool == "/state/pillarbox/spool"
    assert places.submit_socket == f"{tmp_path}/pillarbox/submit.sock"
    assert places.control_socket == f"{tmp_path}/pillarbox/control.sock"
    assert places.accounts_file == ""


def test_a_user_without_xdg_has_the_default_directories():
    """Without the variables, or with relative ones, the specification's defaults are used."""
    for extra in ({}, {"XDG_STATE_HOME": "state", "XDG_CONFIG_HOME": "."}, {"XDG_STATE_HOME": ""}):
        places = find_places({"HOME": "/h", **extra}, is_user=True)
        assert places.settings == "/h/.config/pillarbox/pillarbox.toml"
        assert places.spool == "/h/.local/state/pillarbox/spool"


def test_without_a_runtime_directory_the_sockets_are_beside_the_spool():
    """Cron has no XDG_RUNTIME_DIR, and not every system has /run/user."""
    places = find_places({"HOME": "/h", "XDG_RUNTIME_DIR": "/no/such"}, is_user=True)
    assert places.submit_socket == "/h/.local/state/pillarbox/submit.sock"
    usual = f"/run/user/{os.getuid()}"
    expected = usual if os.path.isdir(usual) else "/h/.local/state"
    places = find_places({"HOME": "/h"}, is_user=True)
    assert places.submit_socket == f"{expected}/pillarbox/submit.sock"


def test_the_home_directory_is_found_without_home():
    """The user database knows it where the environment does not."""
    assert find_places({}, is_user=True).spool.startswith(os.path.expanduser("~"))
