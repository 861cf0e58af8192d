from journey_stream.demo.meter import Meter


def test_a_meter_without_readings_shows_nothing():
    meter = Meter()

    assert (0.0, 0, 0.0) == (meter.per_second, meter.behind, meter.seconds_behind)


def test_the_rate_is_that_of_the_last_seconds():
    meter = Meter()

    for second in range(10):
        meter.read(second, sent=second * 100, handled=second * 100)
    for second in range(10, 15):
        meter.read(second, sent=900, handled=900)

    assert 0.0 == meter.per_second
    assert 0 == meter.behind


def test_what_waits_has_waited_since_it_was_sent():
    meter = Meter()

    meter.read(1.0, sent=10, handled=10)
    meter.read(2.0, sent=20, handled=10)
    meter.read(3.0, sent=30, handled=10)
    meter.read(4.5, sent=30, handled=15)

    assert 15 == meter.behind
    assert 2.5 == meter.seconds_behind


def test_nothing_waits_once_all_is_handled():
    meter = Meter()

    meter.read(1.0, sent=10, handled=0)
    meter.read(2.0, sent=10, handled=10)

    assert (0, 0.0, 10.0) == (meter.behind, meter.seconds_behind, meter.per_second)
