from pathlib import Path

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
