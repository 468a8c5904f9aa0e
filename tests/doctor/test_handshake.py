"""The looking at a server: however it speaks, there is an end."""

from __future__ import annotations

import contextlib
from itertools import repeat
from threading import Event
from time import monotonic

from patients import patient_of
from pillarbox.delivery.route import Route
from pillarbox.doctor.handshake import shake_hands
from pillarbox.errors import DeadlineError
from speakers import Speaker

PATIENCE_S = 0.4


def test_server_that_never_ends_its_answer_is_left(tmp_path):
    """Attack: a line at a time, each in time, of an answer to EHLO that has no last one."""
    is_over = Event()

    def talk(connection):
        with contextlib.suppress(OSError):
            connection.sendall(b"220 mx.example\r\n")
            for line in repeat(b"250-MORE\r\n"):
                if is_over.wait(PATIENCE_S / 4):
                    return
                connection.sendall(line)

    with Speaker(talk) as server:
        route = Route(patient_of(tmp_path, port=server.port).account, None)
        begun_s = monotonic()
        found = shake_hands(route, route.tls_policy, PATIENCE_S)
        took_s = monotonic() - begun_s
        is_over.set()
    assert isinstance(found.error, DeadlineError)
    assert found.greeting is not None
    assert took_s < 8 * PATIENCE_S
