import pytest
import yaml

from journey_stream.journey.errors import ModelError
from journey_stream.journey.load import PRESETS, parse_model, preset

STAGES = {
    "four-stages": ["awareness", "consideration", "decision", "post-purchase"],
    "five-phases": ["discovery", "awareness", "evaluation", "purchase", "loyalty"],
    "six-stages": ["awareness", "consideration", "decision", "purchase", "retention", "advocacy"],
    "six-stages-assistance": ["awareness", "consideration", "decision", "purchase", "loyalty", "assistance"],
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_the_stages_of_its_taxonomy(name: str) -> None:
    model = preset(name)

    assert model.name == name
    assert [stage.id for stage in model.stages] == STAGES[name]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_every_rule_a_sentence_and_every_silence_an_act_to_wait_for(name: str) -> None:
    model = preset(name)

    assert all(" " in rule.text or rule.text == "Bought" for rule in (*model.rules, *model.inactivity))
    assert "any" not in {silence.kind for silence in model.inactivity}


@pytest.mark.parametrize("name", PRESETS)
def test_a_message_that_we_send_does_not_break_the_silence_of_a_customer(name: str) -> None:
    model = preset(name)
    sent_by_us = {("email", "sent"), ("email", "delivered"), ("mail", "campaign_sent"), ("ads", "impression")}

    waited_for = {silence.kind for silence in model.inactivity}
    breaking = {
        (channel, type_)
        for kind in model.kinds
        if kind.id in waited_for
        for pattern in kind.patterns
        for channel, type_ in sent_by_us
        if channel in (pattern.channels or {channel}) and type_ in (pattern.types or {type_})
    }

    assert breaking == set()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_being_written_and_read(name: str) -> None:
    model = preset(name)

    assert parse_model(yaml.safe_dump(model.to_document(), sort_keys=False), name) == model


def test_an_unknown_preset_names_those_that_there_are() -> None:
    with pytest.raises(ModelError) as caught:
        preset("six-stage")

    assert "five-phases" in str(caught.value)
    assert "did you mean 'six-stages'?" in str(caught.value)
