"""Times after the end of a series, against pandas' calendars."""

import numpy as np
import pandas as pd
import pytest

from dlcli.data.calendar import following, has_clock, iso


@pytest.mark.parametrize("frequency", ["D", "h", "15min", "W-MON", "MS", "ME", "QS-JAN", "YS-JAN", "B"])
def test_following_continues_calendar_frequencies(frequency):
    dates = pd.date_range("2019-12-30", periods=48, freq=frequency)
    ticks = dates.as_unit("us").asi8.astype(np.float64)
    later = following(ticks[:36], 12, dated=True)
    np.testing.assert_array_equal(later, ticks[36:])


def test_following_takes_the_median_step_of_irregular_dates_and_of_numbers():
    np.testing.assert_array_equal(following(np.array([1.0, 2, 4, 5, 6]), 3, dated=False), [7, 8, 9])
    day = 86_400e6
    ticks = np.array([0.0, 1, 2, 4, 5]) * day
    np.testing.assert_array_equal(following(ticks, 2, dated=True), np.array([6.0, 7]) * day)


def test_following_of_a_single_row_is_unknown_for_dates():
    assert np.isnan(following(np.array([0.0]), 2, dated=True)).all()
    np.testing.assert_array_equal(following(np.array([3.0]), 2, dated=False), [4, 5])


def test_iso_writes_the_time_of_day_on_request_and_nothing_for_nan():
    day = 86_400e6
    assert iso(np.array([0.0, day, np.nan]), clock=False).tolist() == ["1970-01-01", "1970-01-02", ""]
    assert iso(np.array([0.0, day / 2]), clock=True).tolist() == ["1970-01-01T00:00:00", "1970-01-01T12:00:00"]
    assert (has_clock(np.array([0.0, day])), has_clock(np.array([0.0, day / 2]))) == (False, True)
