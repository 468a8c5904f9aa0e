"""SPF against the open test suite of the SPF community, and the limits of RFC 7208."""

import json
from pathlib import Path

import pytest

from pillarbox.dns.answers import LookupFailedError
from pillarbox.dns.spf import check_host

# The suite is (C) 2006-2014 its authors, see rfc7208-tests.LICENSE; turned into JSON, whole but
# for the comments.
SUITE = json.loads((Path(__file__).parent / "rfc7208-tests.json").read_text())

CASES = [
    pytest.param(scenario["zonedata"], case, id=name)
    for scenario in SUITE
    for name, case in scenario["tests"].items()
]


def zone_asker(zone):
    """Return an ``Ask`` that knows a zone of the suite; SPF rows double as TXT."""
    rows = {name.lower(): records for name, records in zone.items()}

    def ask(name, kind, depth=0):
        found, has_txt, times_out = [], False, False
        for record in rows.get(name.lower().rstrip("."), []):
            if record == "TIMEOUT":
                times_out = True
                continue
            ((key, value),) = record.items()
            has_txt = has_txt or key == "TXT"
            if key == "CNAME" and kind != "CNAME" and depth < 10:
                return ask(value, kind, depth + 1)
            found.append((key, value))
        wanted = "SPF" if kind == "TXT" and not has_txt else kind
        answers = [plain(value, kind) for key, value in found if key == wanted and value != "NONE"]
        if not answers and times_out:
            raise LookupFailedError(name, kind, "no answer")
        return tuple(answers)

    return ask


def plain(value, kind):
    """Return a row of the suite as ``Answer`` has it."""
    if kind == "TXT":
        return "".join([value] if isinstance(value, str) else value).encode("utf-8")
    if kind == "MX":
        return value[0], value[1].rstrip(".")
    return value


@pytest.mark.parametrize(("zone", "case"), CASES)
def test_open_suite(zone, case):
    """Each of its cases has one of the results that it allows, and the explanation."""
    verdict = check_host(case["host"], case["mailfrom"] or "", zone_asker(zone), helo=case["helo"])
    allowed = case["result"] if isinstance(case["result"], list) else [case["result"]]
    assert verdict.result in allowed, verdict
    if case.get("explanation") not in (None, "DEFAULT"):
        assert verdict.explanation == case["explanation"]
