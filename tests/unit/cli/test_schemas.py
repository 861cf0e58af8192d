from pathlib import Path

from journey_stream import __version__
from tests.unit.cli.conftest import Run


def test_what_was_exported_checks(run: Run, tmp_path: Path) -> None:
    exported = run("schemas", "export", "--dir", tmp_path)
    checked = run("schemas", "check", "--dir", tmp_path)

    assert sorted(exported.out.split()) == sorted(str(path) for path in tmp_path.iterdir())
    assert checked.code == 0


def test_drift_fails_and_names_the_file(run: Run, tmp_path: Path) -> None:
    run("schemas", "export", "--dir", tmp_path)
    (tmp_path / "profile.schema.json").write_text("{}")

    ran = run("schemas", "check", "--dir", tmp_path)

    assert ran.code == 1
    assert ran.out.startswith("profile.schema.json: ")


def test_the_page_and_the_asyncapi_document_are_checked_too(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "contracts.md"
    run("schemas", "export", "--dir", tmp_path, "--page", page)
    fresh = run("schemas", "check", "--dir", tmp_path, "--page", page)
    (tmp_path / "asyncapi.yaml").unlink()
    page.write_text("by hand")

    ran = run("schemas", "check", "--dir", tmp_path, "--page", page)

    assert (0, 1) == (fresh.code, ran.code)
    assert ["asyncapi.yaml: missing", "contracts.md: differs from the models"] == [
        ":".join(line.split(":")[:2]).split(";")[0] for line in ran.out.splitlines()
    ]


def test_a_release_is_named_by_the_version_and_not_written_over(run: Run, tmp_path: Path) -> None:
    first = run("schemas", "export", "--dir", tmp_path, "--release")
    released = tmp_path / "released" / __version__ / "profile.schema.json"
    released.write_text("{}")

    again = run("schemas", "export", "--dir", tmp_path, "--release")

    assert (0, 1) == (first.code, again.code)
    assert "raise the version of the package" in again.err
    assert "{}" == released.read_text()
