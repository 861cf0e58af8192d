import pytest

from tests.support.prometheus import find


def test_without_prometheus_a_test_is_skipped_with_the_name_of_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match=r"promtool is not installed.*package prometheus"):
        find("promtool")


def test_without_prometheus_a_test_fails_where_it_may_not_be_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="promtool is not installed"):
        find("promtool")
