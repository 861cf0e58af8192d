from pathlib import Path

from journey_stream.journey.describe import markdown, mermaid, presets_page
from journey_stream.journey.load import parse_model
from tests.unit.journey.model_texts import changed, good_model

PAGE = Path(__file__).parents[3] / "docs" / "models.md"
REWRITE = "python -c 'from journey_stream.journey.describe import presets_page; print(presets_page(), end=str())'"


def test_the_committed_page_of_presets_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == presets_page(), f"write it anew: {REWRITE} > docs/models.md"


def test_the_diagram_has_an_arrow_for_each_move() -> None:
    assert mermaid(good_model()) == (
        "stateDiagram-v2\n"
        '    state "aware" as s0\n'
        '    state "warm" as s1\n'
        '    state "customer" as s2\n'
        "    [*] --> s2 : bought\n"
        "    s0 --> s1 : looks\n"
        "    [*] --> s0 : hello\n"
        "    s1 --> s0 : quiet\n"
    )


def test_rules_that_make_the_same_move_share_an_arrow() -> None:
    text = changed("text: Bought}\n", "text: Bought}\n  - {id: again, to: customer, when: view}\n")

    assert "    [*] --> s2 : bought, again\n" in mermaid(parse_model(text, "shop.yaml"))


def test_the_page_of_a_model_says_when_each_rule_fires() -> None:
    lines = markdown(good_model()).splitlines()

    assert lines[0] == "# shop (version 1)"
    assert "| warm | Looks closer | 10m |" in lines
    assert "| view | Looked | web: search or view |" in lines
    assert "| looks | warm | aware | 2 times view within 7d | Looked twice |" in lines
    assert "| quiet | aware | warm | no view for 30d | Quiet |" in lines
    assert lines[-1] == (
        "Customers move forward to any later stage; back through inactivity only. "
        "Whoever fell back is won back to any stage up to their peak."
    )


def test_conditions_are_written_with_signs() -> None:
    where = "{value: {gte: 10}, currency: [EUR, SEK], properties.vip: {exists: true}}"
    text = changed("when: buy", f"when: {{any: [{{touchpoint: buy, where: {where}}}, {{all: [view, buy]}}]}}")

    page = markdown(parse_model(text, "shop.yaml"))

    assert "| buy (value ≥ 10, currency in EUR, SEK, properties.vip is present), or view and buy |" in page


def test_the_words_of_an_author_cannot_break_the_table() -> None:
    text = changed("text: Bought}", 'text: "a | b\\n<b>c</b> & \\\\|"}')

    assert "| a \\| b &lt;b&gt;c&lt;/b&gt; &amp; \\\\\\| |" in markdown(parse_model(text, "shop.yaml"))
