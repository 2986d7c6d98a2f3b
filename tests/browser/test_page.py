"""The page in a real browser: it renders, listens, and keeps to itself."""

import json

import pytest
from chromium import browser, missing, requested
from made_runs import make_groups, make_run

from dlcli.report.comparison.comparison import ComparisonOptions, compare
from dlcli.report.page import html
from dlcli.runs import selectors

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

EVIL = "<script>alert(1)</script>"
BROKEN = {"status": "failed", "reason": f"{EVIL} & more", "metrics": {}}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A page of two tasks, five groups, a failed run, and a run that would like to be a script."""
    out = tmp_path_factory.mktemp("runs")
    for hidden, rate, top in ((8, 0.1, 0.7), (16, 0.1, 0.8), (16, 0.01, 0.9)):
        keys = {"model.hidden": hidden, "model.rate": rate}
        make_groups(out, {"tcn": [top, top + 0.01, top - 0.02]}, keys=keys)
    for seed in (0, 1):
        make_run(out, "gru", seed, 0.5 + seed / 10, info={"name": EVIL, "argv": [EVIL]}, keys={"model.words": EVIL})
    make_groups(out, {"lstm": [3e-4, 2e-2, 0.5]}, task="adding", metric="mse")
    make_run(out, "gru", 7, keys={"model.words": EVIL}, info=BROKEN)
    asked = ComparisonOptions()
    html.write_comparison(out / "page.html", compare(selectors.scan(out), asked), asked, f"dlcli compare runs {EVIL}")
    return out / "page.html"


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def page(driver, path):
    driver.get(path.as_uri())
    settle(driver)
    return driver


def settle(driver):
    """Two frames: layout is observed in the first and drawn in the second."""
    driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(arguments[0], 0)))")


def all_of(page, selector):
    return page.find_elements("css selector", selector)


def texts(page, selector):
    return [element.text for element in all_of(page, selector)]


def click(page, selector):
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", all_of(page, selector)[0])
    all_of(page, selector)[0].click()
    settle(page)


def choose(page, label, value):
    script = (
        "const box = document.querySelector(`[aria-label='${arguments[0]}']`); box.value = arguments[1];"
        "box.dispatchEvent(new Event('change')); box.dispatchEvent(new Event('input'));"
    )
    page.execute_script(script, label, value)
    settle(page)


def complaints(page):
    return [entry for entry in page.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]


def test_it_renders_every_part_without_a_complaint(page):
    for part in ("sentence", "results", "curves", "differences", "parallel", "runs", "left"):
        assert all_of(page, f"#{part}"), part
    assert len(all_of(page, "#results tbody tr")) == 5
    assert len(all_of(page, ".forest .forest-row")) == 5 + 3
    assert len(all_of(page, "#parallel .polyline")) == 3 + 1
    assert len(all_of(page, "#runs details")) == 9 + 2 + 3 + 1
    assert all(path.get_attribute("d").startswith("M") for path in all_of(page, "#curves .mean"))
    assert complaints(page) == []
    assert not page.execute_script("return document.body.innerText.match(/undefined|NaN|\\[object|null/)")


def test_no_request_leaves_the_page(page, path):
    requested(page)
    page.get(path.as_uri())
    settle(page)
    choose(page, "task", "digits")
    click(page, "#runs summary")
    assert {address.partition(":")[0] for address in requested(page)} <= {"file", "data"}
    assert not page.execute_script(
        "return performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length"
    )


def test_a_request_would_be_refused_by_the_pages_own_policy(page):
    script = "fetch('http://127.0.0.1:9/').then(() => arguments[0]('sent'), () => arguments[0]('refused'))"
    assert page.execute_async_script(script) == "refused"
    assert any("Content Security Policy" in entry["message"] for entry in complaints(page))


def test_a_run_that_is_called_a_script_stays_text(page):
    assert not page.execute_script("return document.querySelectorAll('main script').length")
    assert any(EVIL in text for text in texts(page, "#results td"))
    assert EVIL in page.find_element("id", "under").text
    assert any(EVIL in text for text in texts(page, "#left li"))
    page.execute_script("document.querySelectorAll('#runs details').forEach((row) => { row.open = true; })")
    settle(page)
    page.execute_async_script("setTimeout(arguments[0], 50)")
    assert len([text for text in texts(page, "#runs pre") if EVIL in text]) >= 2
    with pytest.raises(Exception, match="no such alert"):
        page.switch_to.alert.accept()


def column(page, title):
    heads = texts(page, "#results th")
    place = next(at for at, text in enumerate(heads, 1) if text.startswith(title))
    return texts(page, f"#results tbody td:nth-child({place})"), f"#results th:nth-child({place}) button"


def test_heads_sort_by_number_and_by_name_and_turn_round(page):
    before, head = column(page, "mean")
    click(page, head)
    up, _ = column(page, "mean")
    assert [float(text) for text in up] == sorted(map(float, before))
    click(page, head)
    down, _ = column(page, "mean")
    assert down == up[::-1]
    _, head = column(page, "group")
    click(page, head)
    names, _ = column(page, "group")
    assert names[0] == EVIL
    assert all_of(page, "#results th[aria-sort='ascending']")[0].text.startswith("group")


def drawn_groups(page, kind="mean"):
    return {path.get_attribute("data-group") for path in all_of(page, f"#curves .{kind}")}


def test_toggles_hide_and_show_groups_everywhere(page):
    choose(page, "task", "digits")
    whole = drawn_groups(page)
    assert len(whole) == 4
    click(page, "#curves .chip[data-group]")
    gone = whole - drawn_groups(page)
    assert len(gone) == 1
    assert all_of(page, "#curves .chip[data-group]")[0].get_attribute("aria-pressed") == "false"
    assert not all_of(page, f"#parallel .polyline[data-group='{gone.pop()}']")
    click(page, "#curves .chip[data-group]")
    assert drawn_groups(page) == whole
    click(page, "#curves .chip.all")
    assert drawn_groups(page) == set()
    assert "nothing to draw" in all_of(page, "#curves .plot")[0].text
    click(page, "#curves .chip.all")
    assert drawn_groups(page) == whole


def shape(page, kind="mean"):
    return [path.get_attribute("d") for path in all_of(page, f"#curves .{kind}")]


@pytest.mark.parametrize("name", ["xLog", "yLog"])
def test_logarithms_change_the_curves_and_back(page, name):
    before = shape(page)
    click(page, f"#curves [data-view='{name}']")
    assert shape(page) != before
    assert "NaN" not in "".join(shape(page))
    click(page, f"#curves [data-view='{name}']")
    assert shape(page) == before


def test_smoothing_keeps_the_raw_curve_in_sight(page):
    before = shape(page)
    assert shape(page, "raw") == []
    choose(page, "smoothing", 0.8)
    assert shape(page) != before
    assert len(shape(page, "raw")) == len(before)
    choose(page, "smoothing", 0)
    assert shape(page) == before


def test_bands_seeds_metrics_and_tasks(page):
    choose(page, "task", "digits")
    assert drawn_groups(page, "band") == drawn_groups(page)
    assert drawn_groups(page, "seed") == set()
    click(page, "#curves [data-view='seeds']")
    assert len(all_of(page, "#curves .seed")) == 9 + 2
    choose(page, "metric", "train loss")
    assert "train loss" in all_of(page, "#curves .plot")[0].text
    assert drawn_groups(page)
    choose(page, "task", "adding")
    assert "valid mse" in all_of(page, "#curves .plot")[0].text
    assert len(drawn_groups(page)) == 1


def test_hovering_tells_step_and_values(page):
    from selenium.webdriver import ActionChains

    choose(page, "task", "digits")
    plot = all_of(page, "#curves .plot svg")[0]
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    ActionChains(page).move_to_element(plot).perform()
    settle(page)
    tip = page.find_element("id", "tip").text
    assert tip.startswith("step ")
    assert "tcn" in tip
    assert "[" in tip
    ActionChains(page).move_to_element(page.find_element("id", "title")).perform()
    settle(page)
    assert not page.find_element("id", "tip").is_displayed()


def test_a_run_opens_to_its_configuration_and_environment(page):
    assert all_of(page, "#runs pre") == []
    click(page, "#runs summary")
    page.execute_async_script("setTimeout(arguments[0], 50)")
    shown = " ".join(texts(page, "#runs pre"))
    assert all(word in shown for word in ("Adam", "commit", "signature"))


def test_runs_are_filtered(page):
    box = all_of(page, "#runs .filter")[0]
    box.send_keys("failed")
    settle(page)
    assert len([row for row in all_of(page, "#runs details") if row.is_displayed()]) == 1


def ground(page):
    return page.execute_script("return getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize(("scheme", "light"), [("light", True), ("dark", False)])
def test_light_and_dark_follow_the_system_and_the_button(page, scheme, light):
    features = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
    settle(page)

    def is_light():
        return sum(json.loads(ground(page).replace("rgb(", "[").replace(")", "]"))) > 400

    assert is_light() == light
    click(page, "#theme")
    assert is_light() != light
    click(page, "#theme")
    assert is_light() == light
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_narrow_window_scrolls_nothing_but_its_tables(page):
    page.set_window_size(420, 900)
    try:
        settle(page)
        settle(page)
        assert page.execute_script("return document.documentElement.scrollWidth - innerWidth") <= 0
        assert shape(page)
    finally:
        page.set_window_size(1400, 1000)
        settle(page)


def test_the_page_of_one_run_and_of_one_without_anything(driver, tmp_path):
    make_run(tmp_path)
    bare = make_run(tmp_path, "gru", info={"status": "failed", "metrics": {}})
    for name in ("metrics.csv", "config.yaml", "environment.json"):
        (bare / name).unlink()
    driver.get_log("browser")
    for place, run in enumerate(selectors.scan(tmp_path)):
        html.write_run(tmp_path / f"{place}.html", run)
        driver.get((tmp_path / f"{place}.html").as_uri())
        settle(driver)
        assert len(all_of(driver, "#runs details")) == 1
        assert complaints(driver) == []
        assert bool(shape(driver)) == (run.info["label"] == "tcn")


def test_words_are_axes_evenly_spaced(driver, tmp_path):
    for act, hidden, value in (("relu", 8, 0.9), ("tanh", 16, 0.8), (None, 16, 0.7), ("relu", 32, 0.6)):
        make_groups(tmp_path, {"tcn": [value, value + 0.01]}, keys={"model.act": act, "model.hidden": hidden})
    asked = ComparisonOptions()
    html.write_comparison(tmp_path / "page.html", compare(selectors.scan(tmp_path), asked), asked, "words")
    driver.get((tmp_path / "page.html").as_uri())
    settle(driver)
    axis = [node for node in all_of(driver, "#parallel text.halo") if node.text in ("null", "relu", "tanh")]
    assert {node.text for node in axis} == {"null", "relu", "tanh"}
    low, middle, high = sorted(float(node.get_attribute("y")) for node in axis)
    assert middle - low == pytest.approx(high - middle, abs=0.1)
    assert len(all_of(driver, "#parallel path.polyline")) == 4
    assert complaints(driver) == []


@pytest.mark.parametrize(("count", "bands"), [(6, 6), (7, 0)])
def test_many_groups_have_no_bands(driver, tmp_path, count, bands):
    make_groups(tmp_path, {f"m{number}": [0.1 * number, 0.1 * number + 0.05] for number in range(count)})
    asked = ComparisonOptions()
    html.write_comparison(tmp_path / "page.html", compare(selectors.scan(tmp_path), asked), asked, "bands")
    driver.get((tmp_path / "page.html").as_uri())
    settle(driver)
    assert len(all_of(driver, "path.mean")) == count
    assert len(all_of(driver, "path.band")) == bands
