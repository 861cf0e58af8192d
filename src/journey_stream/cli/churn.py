"""`journey-stream churn`: the parameters of churn risk, fitted and judged."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from journey_stream.cli.errors import CommandError
from journey_stream.cli.inputs import DATASET, Problems, read_inputs
from journey_stream.cli.options import instant_ms

if TYPE_CHECKING:
    from journey_stream.churn.evaluate import Evaluation
    from journey_stream.churn.fit import Fitted
    from journey_stream.churn.judge import Judgement
    from journey_stream.churn.parameters import Parameters

app = typer.Typer(help="Churn risk: fit its parameters to a history, and judge them.", no_args_is_help=True)

History = Annotated[
    list[str] | None,
    typer.Argument(metavar="HISTORY", help="JSONL, CSV or Parquet files of touchpoints (.gz is fine)."),
]
DataSet = Annotated[str | None, typer.Option("--dataset", metavar="NAME", help="`cdnow` or `completejourney` instead.")]
Window = Annotated[str | None, typer.Option(metavar="DURATION", help="Prediction window, such as 28d.")]


@app.command()
def fit(
    history: History = None,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where the parameters go (YAML).")],
    dataset: DataSet = None,
    until: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Use only what happened before; else everything.")
    ] = None,
    window: Window = None,
    template: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="Parameters that say what is not fitted: kinds of touchpoints, signals and half-lives, bands.",
        ),
    ] = None,
    only_rfm: Annotated[
        bool, typer.Option("--only-rfm", help="Fit the reference of RFM scores, and keep all else of the template.")
    ] = False,
    signals: Annotated[bool, typer.Option(help="Fit the weights of the template's signals, or do without.")] = True,
    name: Annotated[str | None, typer.Option(help="Name of the parameters; else that of the file.")] = None,
    number: Annotated[int, typer.Option("--version", min=1, help="Version of the parameters.")] = 1,
    description: Annotated[str | None, typer.Option(help="A sentence about the parameters.")] = None,
) -> None:
    """Fit parameters to a history by maximum likelihood, and calibrate them on windows within that history."""
    from journey_stream.churn.fit import fit as fit_panel  # noqa: PLC0415
    from journey_stream.churn.fit import refit_rfm  # noqa: PLC0415
    from journey_stream.churn.write import write_parameters  # noqa: PLC0415
    from journey_stream.cli.churn_history import read_panel  # noqa: PLC0415

    start = _parameters(template, window)
    start = replace(start, name=name or out.stem, version=number, description=description or start.description)
    end = None if until is None else instant_ms(until)
    problems = Problems()
    panel = read_panel(read_inputs(_inputs(history, dataset), problems), start, end)
    problems.finish()
    until_ms = panel.last + 1 if end is None else end
    if only_rfm:
        refitted = refit_rfm(panel, start, until=until_ms)
        out.write_text(write_parameters(refitted), encoding="utf-8")
        _print_rfm(refitted)
        print(f"parameters in {out}")
        return
    data = dataset or ", ".join(Path(one).name for one in history or [])
    fitted = fit_panel(panel, start, until=until_ms, data=data, with_signals=signals)
    out.write_text(write_parameters(fitted.parameters), encoding="utf-8")
    _print_fit(fitted, out)


@app.command()
def evaluate(
    history: History = None,
    *,
    params: Annotated[str, typer.Option("--params", "-p", metavar="FILE|NAME", help="Parameters to judge.")],
    dataset: DataSet = None,
    at: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="When to predict; else when the parameters' data ends.")
    ] = None,
    every: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Predict again so often while a whole window is left.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the calibration (PNG).")] = None,
) -> None:
    """Judge parameters on what happened after the data that they were fitted to."""
    from journey_stream.churn.evaluate import evaluate as evaluate_panel  # noqa: PLC0415
    from journey_stream.cli.churn_history import read_panel  # noqa: PLC0415

    parameters = _parameters(params, None)
    start = instant_ms(parameters.provenance.until if at is None else at)
    if start < instant_ms(parameters.provenance.until):
        typer.echo(f"warning: fitted to data until {parameters.provenance.until}: this is no hold-out", err=True)
    problems = Problems()
    panel = read_panel(read_inputs(_inputs(history, dataset), problems), parameters, None)
    problems.finish()
    # The last touchpoint stands for the end of the history: its day counts as covered.
    until = panel.last // DAY_MS * DAY_MS + DAY_MS
    instants = [start]
    while every is not None and instants[-1] + (step := _duration(every)) + parameters.window_ms <= until:
        instants.append(instants[-1] + step)
    result = evaluate_panel(panel, parameters, instants=instants, until=until)
    _print_evaluation(result, parameters)
    if plot is not None:
        from journey_stream.churn.plot import draw  # noqa: PLC0415

        draw(result, f"{parameters.name} version {parameters.version}", plot)
        print(f"calibration drawn in {plot}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="FILE|NAME")] = "completejourney",
) -> None:
    """Show parameters as they are read: shipped ones, or a file, which is thereby checked."""
    from journey_stream.churn.write import write_parameters  # noqa: PLC0415

    print(write_parameters(_parameters(name, None)), end="")


DAY_MS = 86_400_000


def _parameters(name: str | None, window: str | None) -> "Parameters":
    """Shipped ones by name, those of a file, or the default. Raises ModelError."""
    from journey_stream.churn.load import find_parameters, shipped  # noqa: PLC0415

    parameters = shipped() if name is None else find_parameters(name)
    return parameters if window is None else replace(parameters, window_ms=_duration(window))


def _duration(written: str) -> int:
    from journey_stream.journey.durations import parse_duration  # noqa: PLC0415

    length_ms = parse_duration(written)
    if not length_ms:
        raise CommandError(f"{written!r} is no duration; expected one such as 28d or 24h")
    return length_ms


def _inputs(history: list[str] | None, dataset: str | None) -> list[str]:
    if bool(history) == (dataset is not None):
        raise CommandError("expected files of touchpoints, or --dataset cdnow or completejourney, and not both")
    return list(history or []) if dataset is None else [DATASET + dataset]


def _print_fit(fitted: "Fitted", out: Path) -> None:
    from journey_stream.events.times import rfc3339  # noqa: PLC0415

    parameters, maximum = fitted.parameters, fitted.maximum
    about = parameters.provenance
    print(f"data             {about.data}, {about.since} to {about.until} (exclusive)")
    print(f"customers        {about.customers:,} with {about.purchases:,} purchase occasions")
    print(f"BG/NBD           {', '.join(f'{key} {value:.4g}' for key, value in parameters.bgnbd._asdict().items())}")
    print(f"log-likelihood   {maximum.log_likelihood:,.1f}")
    print(f"recalibrated on  {fitted.outcomes:,} outcomes of {len(fitted.looks)} windows within that time")
    for look in fitted.looks:
        share = 100 * look.outcome.mean()
        print(f"  from {rfc3339(look.at)[:10]} for {look.window_ms / DAY_MS:3.0f} days  {share:5.1f} % stayed away")
    for signal in parameters.signals:
        print(f"signal           {signal.id:20} {signal.weight:+.3f} log-odds ({signal.basis})")
    _print_rfm(parameters)
    for remark in fitted.remarks:
        print(f"note             {remark}")
    print(f"parameters in {out}")


def _print_rfm(parameters: "Parameters") -> None:
    from journey_stream.journey.durations import format_duration  # noqa: PLC0415

    rfm = parameters.rfm
    if rfm is None:
        return
    print(f"RFM              recency at {', '.join(map(format_duration, rfm.recency))}")
    print(f"                 frequency above {', '.join(map(str, rfm.frequency))}")
    money = (
        "no values in the data" if rfm.monetary is None else f"above {', '.join(f'{cut:g}' for cut in rfm.monetary)}"
    )
    print(f"                 monetary {money}")


def _print_evaluation(result: "Evaluation", parameters: "Parameters") -> None:
    from journey_stream.events.times import rfc3339  # noqa: PLC0415
    from journey_stream.journey.durations import format_duration  # noqa: PLC0415

    judged = result.score
    print(
        f"parameters       {parameters.name} version {parameters.version}, {parameters.provenance.data} until "
        f"{parameters.provenance.until}"
    )
    print(f"predicted at     {', '.join(rfc3339(at)[:10] for at in result.instants)}")
    print(f"outcome          no {parameters.event} within {format_duration(parameters.window_ms)}")
    print(f"predictions      {judged.customers:,}, of which {100 * judged.stayed_away:.1f} % came true")
    print()
    print(f"{'':27} {'AUC':>6} {'Brier':>7} {'worst group off':>16} {'lift, top tenth':>16} {'mean':>6}")
    _print_row("score", judged)
    _print_row("BG/NBD alone", result.bgnbd)
    for ranking in result.baselines:
        print(f"{ranking.name:27} {ranking.auc:6.4f} {'':7} {'':16} {ranking.lift:16.2f}")
    _print_row("refitted to these outcomes", result.ceiling)
    print()
    _print_groups(judged)


def _print_row(name: str, one: "Judgement") -> None:
    print(f"{name:27} {one.auc:6.4f} {one.brier:7.4f} {one.calibration_error:16.3f} {one.lift:16.2f} {one.mean:6.3f}")


def _print_groups(judged: "Judgement") -> None:
    print("tenth  customers  predicted  observed    off")
    for number, group in enumerate(judged.groups, start=1):
        print(f"{number:5}  {group.customers:9,}  {group.predicted:9.3f}  {group.observed:8.3f}  {group.error:5.3f}")
