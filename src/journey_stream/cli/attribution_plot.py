"""The credits of all models as a picture."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from journey_stream.serve.queries.answers import Attribution

KEYS_MAX = 12
COLOURS = ("#1f5fa8", "#5b8fc7", "#2f7d5b", "#7db08f", "#c08a2e", "#b0623a", "#7a4f8f")
"""One for each model."""


def draw(found: Attribution, path: Path) -> None:
    """Write a PNG: for each key a bar per model, the keys with the most linear credit first, at most twelve."""
    linear = found.models["linear"]
    places = sorted(range(len(found.keys)), key=lambda place: (-linear[place], place))[:KEYS_MAX]
    height = 0.8 / len(found.models)
    figure = Figure(figsize=(8.0, 1.4 + 0.75 * max(len(places), 1)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, (name, credits_) in enumerate(found.models.items()):
        lines = [row - 0.4 + height * (number + 0.5) for row in range(len(places))]
        axes.barh(lines, [credits_[place] for place in places], height, color=COLOURS[number], label=name)
    axes.set_yticks(range(len(places)), [found.keys[place] or "(none)" for place in places])
    axes.invert_yaxis()
    attributed = found.conversions - found.unattributed
    axes.set(
        title=f"What leads to {found.goal}: {attributed:,} entries, {found.look_back_days:g} days back",
        xlabel="credit in entries",
    )
    axes.grid(axis="x", color="0.92")
    axes.set_axisbelow(True)
    axes.legend(loc="lower right", fontsize="small")
    figure.savefig(path, format="png")
