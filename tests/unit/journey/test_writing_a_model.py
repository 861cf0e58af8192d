import re
from pathlib import Path

from journey_stream.journey.conditions import CLAUSES_MAX, COUNT_MAX, OPERATORS
from journey_stream.journey.load import FILE_BYTES_MAX, SECTIONS, parse_model

PAGE = (Path(__file__).parents[3] / "docs" / "writing-a-model.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]


def test_the_example_of_the_guide_is_a_model_with_every_section() -> None:
    model = parse_model(EXAMPLE, "docs/writing-a-model.md")

    assert [stage.id for stage in model.stages] == ["visitor", "fitting", "rider", "regular"]
    assert all(f"\n{section}:" in f"\n{EXAMPLE}" for section in SECTIONS)


def test_the_guide_names_every_operator_and_limit() -> None:
    limits = [f"at most {CLAUSES_MAX} alternatives", f"most {COUNT_MAX:,}", f"at most {FILE_BYTES_MAX // 1024} KiB"]

    assert all(op in PAGE for op in OPERATORS)
    assert all(limit in PAGE for limit in limits)
