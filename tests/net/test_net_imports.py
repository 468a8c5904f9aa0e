"""What the network costs at start-up: nothing is imported that ``socket`` or ``ssl`` does not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = str(Path(__file__).parents[2] / "src")


def modules_after(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after some code."""
    program = f"import sys; sys.path.insert(0, {SOURCE!r})\n{code}\n"
    program += "names = sorted(sys.modules)\nimport json\nprint(json.dumps(names))"
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(("module", "allowed"), [
    ("pillarbox.net.dial", "import socket"),
    ("pillarbox.net.stream", "import socket"),
    ("pillarbox.net.tls", "import ssl"),
    ("pillarbox.net.trust", "import ssl"),
])  # fmt: skip
def test_imports_nothing_that_the_standard_module_does_not(module, allowed):
    """Each import here would be paid for by every mail that is sent."""
    more = modules_after(f"import {module}") - modules_after(allowed) - {"__future__"}
    assert {name for name in more if not name.startswith("pillarbox")} == set()


def test_a_connection_in_plain_text_needs_no_ssl():
    """``tls off`` towards a relay on the same machine costs 8 ms less."""
    code = """
import socket, time
from pillarbox.net.dial import Endpoint, dial
with socket.create_server(("127.0.0.1", 0)) as listener:
    stream = dial(Endpoint("127.0.0.1", listener.getsockname()[1]), 5)
    stream.write(b"QUIT", time.monotonic() + 5)
    stream.has_input()
    stream.close()
"""
    assert "ssl" not in modules_after(code)


def test_a_secured_connection_loads_nothing_rare():
    """What explains failures, reads priorities or knows IDNA2003 is not loaded when all is well."""
    code = """
import _thread, socket, ssl, time
from pillarbox.net.dial import Endpoint, dial
from pillarbox.net.tls import TlsPolicy, make_context
policy = TlsPolicy(check_certificate=False)
with socket.create_server(("127.0.0.1", 0)) as listener:
    port = listener.getsockname()[1]
    stream = dial(Endpoint("localhost", port), 5, resolver=lambda host, port, **_: [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))])
    try:
        stream.start_tls(make_context(policy), policy, "localhost", time.monotonic())
    except Exception as error:
        assert type(error).__name__ == "DeadlineError", error
"""
    rare = {"explain", "priorities", "proxy"}
    loaded = modules_after(code)
    assert loaded.isdisjoint(f"pillarbox.net.{name}" for name in rare)
    assert loaded.isdisjoint({"encodings.idna", "stringprep", "idna", "hashlib", "threading"})
