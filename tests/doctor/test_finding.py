"""What a check has found is a value."""

from pillarbox.doctor.finding import NOTE, Finding


def test_a_finding_is_a_value():
    """Two that say the same are equal; evidence is kept as it is, in order."""
    one = Finding("a.x", NOTE, "p", meaning="m", fix="f", evidence=["1", "2"])
    assert one == Finding("a.x", NOTE, "p", meaning="m", fix="f", evidence=("1", "2"))
    assert one != Finding("a.x", NOTE, "p", meaning="m", fix="f")
    assert one.evidence == ("1", "2")
    assert one.is_end is False
