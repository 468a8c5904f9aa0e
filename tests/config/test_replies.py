"""What an answer means: the provider's own meaning first, what it means anywhere last."""

import pytest

from pillarbox.config.providers import load_generic_replies, load_providers
from pillarbox.config.replies import explain


@pytest.mark.parametrize("provider", load_providers(), ids=lambda provider: provider.id)
def test_known_replies_of_a_provider_are_explained(provider):
    """Its own meaning comes first, whether it is named or not, bare or inside a line of a log."""
    for reply in provider.replies:
        for text in (reply.sample, f"host=x errormsg='{reply.sample}'"):
            if text is not reply.sample and not reply.has_code:
                continue
            first = explain(text, provider)[0]
            assert first.providers == (provider,)
        first = explain(reply.sample, provider)[0].reply
        assert (first.cause("en"), first.fix("en")) == (reply.cause("en"), reply.fix("en"))
        assert any(provider in answer.providers for answer in explain(reply.sample))


def test_generic_replies_are_explained_last():
    """Every generic hint explains its sample, behind those of providers."""
    for reply in load_generic_replies():
        assert explain(reply.sample)[-1].providers == ()


def test_each_meaning_is_one_answer():
    """Who means the same by a text stands together."""
    answers = [answer for answer in explain("535 5.7.8 no") if answer.providers]
    assert answers
    assert len(answers) == len({answer.reply.cause("en") for answer in answers})


def test_the_stage_decides():
    """What is true of a login is not said of a recipient."""
    text = "526 Authentication failure[0]"
    assert explain(text, None, "AUTH")
    assert explain(text, None, "RCPT") == []


def test_nobody_knows_everything():
    """A text that nobody knows has no answer."""
    assert explain("gibberish") == []
