"""The upload page in a real browser, Debian's Chromium."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import blan
import numpy as np
import pytest
from blan.report import png
from playwright.sync_api import Browser, Page, expect, sync_playwright
from serving import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server("--max-mb", "1") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no Chromium; install Debian's package chromium")
    # Chromium's sandbox does not work for root, as in most containers.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=arguments)
        yield running
        running.close()


@pytest.fixture
def page(server: Server, browser: Browser) -> Iterator[Page]:
    """The page, opened. Whatever goes wrong in it fails the test, but for the status of a photo that is bad."""
    context = browser.new_context(base_url=server.url)
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda message: problems.append(message.text) if message.type != "log" else None)
    opened.on("request", lambda request: None if is_own(request.url, server) else problems.append(request.url))
    opened.goto("/")
    expect(opened.locator("#about")).to_have_text("40 attributes of each face in your photos")
    yield opened
    context.close()
    assert [problem for problem in problems if "422 (Unprocessable" not in problem] == []


def is_own(address: str, server: Server) -> bool:
    return address.startswith((f"{server.url}/", "data:image/png", f"blob:{server.url}/"))


def choose(page: Page, *files: Path) -> None:
    page.set_input_files("#files", list(map(str, files)))
    expect(page.locator("article")).to_have_count(len(files))
    expect(page.locator("[aria-busy]")).to_have_count(0, timeout=30_000)


@pytest.fixture(scope="module")
def bad(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("files") / "notes.jpg"
    path.write_text("no photo")
    return path


def test_boxes_and_bars_appear(page, whole_photo):
    choose(page, whole_photo)
    expect(page.locator("#status")).to_have_text("1 face in 1 photo")
    (expected,) = blan.load().predict(whole_photo)
    left, top, right, bottom = expected.face.box
    box = page.locator("svg rect.box")
    assert [round(float(box.get_attribute(name)), 1) for name in ("x", "y", "width", "height")] == [
        round(value, 1) for value in (left, top, right - left, bottom - top)
    ]
    expect(page.locator("svg circle")).to_have_count(5)
    picture, shown = page.locator(".shown img").bounding_box(), box.bounding_box()
    scale = picture["width"] / 400
    assert shown["x"] - picture["x"] == pytest.approx(left * scale, abs=3)
    assert shown["y"] - picture["y"] == pytest.approx(top * scale, abs=3)
    names = page.locator(".present .name").all_text_contents()
    assert names == [name.replace("_", " ") for name in expected.attributes]
    first = page.locator(".present li").first
    expect(first.locator(".value")).to_have_text(f"{100 * expected[next(iter(expected.attributes))]:.1f} %")
    width = first.locator(".bar i").bounding_box()["width"] / first.locator(".bar").bounding_box()["width"]
    assert width == pytest.approx(max(expected.probabilities), abs=0.02)
    expect(page.locator(".absent li").first).to_be_hidden()
    page.locator("summary").click()
    expect(page.locator(".absent li").first).to_be_visible()
    assert len(names) + page.locator(".absent li").count() == 40


def test_attention_is_laid_over_the_face(page, whole_photo):
    choose(page, whole_photo)
    layers = page.locator(".crop .level")
    expect(layers).to_have_count(3)
    switch, slider = page.get_by_label("Level 2 · middle"), page.get_by_label("Level 2, opacity in per cent")
    for layer in layers.all():
        expect(layer).to_be_hidden()
    switch.check()
    expect(layers.nth(1)).to_be_visible()
    expect(layers.nth(0)).to_be_hidden()
    crop, layer = page.locator(".crop").bounding_box(), layers.nth(1).bounding_box()
    assert crop == layer
    slider.fill("30")
    assert layers.nth(1).evaluate("image => getComputedStyle(image).opacity") == "0.3"
    switch.uncheck()
    expect(layers.nth(1)).to_be_hidden()
    slider.press("ArrowRight")  # moving it shows the map
    expect(switch).to_be_checked()
    assert layers.nth(1).evaluate("image => getComputedStyle(image).opacity") == "0.31"


def test_bad_files_say_why_and_good_ones_still_appear(page, whole_photo, bad, tmp_path):
    large = tmp_path / "large.png"
    large.write_bytes(bytes(1_100_000))
    choose(page, bad, whole_photo, large)
    alerts = page.get_by_role("alert")
    expect(alerts.nth(0)).to_have_text("notes.jpg: the image in memory is neither a JPEG nor a PNG file")
    expect(alerts.nth(1)).to_have_text("The file has 1.05 MB; this server takes up to 1 MB.")
    heads = [text.split()[0] for text in page.locator("article h2").all_text_contents()]
    assert heads == ["notes.jpg", whole_photo.name, "large.png"]
    expect(page.locator("#status")).to_have_text("1 face in 1 photo · 2 photos failed")


def test_several_faces_and_none(page, whole_photo, tmp_path):
    pixels = blan.read_image(whole_photo)
    two, none = tmp_path / "two.png", tmp_path / "none.png"
    two.write_bytes(png.encode(np.hstack([pixels, pixels[:, ::-1]])))
    none.write_bytes(png.encode(np.full((50, 70, 3), 90, dtype=np.uint8)))
    choose(page, two, none)
    assert page.locator("svg text").all_text_contents() == ["1", "2"]
    expect(page.locator(".face-card")).to_have_count(2)
    expect(page.locator("article").nth(1)).to_contain_text("No face was found")
    page.locator(".face-card h3").filter(has_text="Face 2").hover()
    expect(page.locator("svg g").nth(1)).to_have_class("lit")
    expect(page.locator("svg g").nth(0)).not_to_have_class("lit")
    page.get_by_label("Boxes and landmarks").uncheck()
    expect(page.locator("svg").first).to_be_hidden()


def test_the_keyboard_is_enough(page, whole_photo):
    # The browser is told to hand choosers over while the first listener is added, without an answer: added only by
    # expect_file_chooser, a key pressed at once can come before that, and the chooser goes nowhere.
    page.on("filechooser", lambda chooser: None)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "files"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(str(whole_photo))
    expect(page.locator(".face-card")).to_have_count(1, timeout=30_000)
    for _ in range(3):  # aligned, boxes, save
        page.keyboard.press("Tab")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    saved = json.loads(Path(download.value.path()).read_text())
    assert saved["photos"][0]["name"] == whole_photo.name
    assert set(saved["photos"][0]["faces"][0]) == {"face", "attributes", "probabilities"}
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # clear
    expect(page.locator("article")).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == "files"


def test_dropped_crops(page, photo):
    page.get_by_label("The photos are face crops").check()
    page.evaluate(
        """async ([content, name]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(content)], name, { type: "image/jpeg" }));
            const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
            document.getElementById("drop").dispatchEvent(new DragEvent("dragenter", options));
            document.getElementById("drop").dispatchEvent(new DragEvent("drop", options));
        }""",
        [list(photo.read_bytes()), photo.name],
    )
    expect(page.locator("article h2")).to_have_text(re.compile("an aligned crop$"), timeout=30_000)
    expect(page.locator("svg")).to_have_count(0)
    expect(page.locator(".face-card")).to_have_count(1)


def test_no_picture_is_wider_than_a_narrow_page(page, whole_photo):
    page.set_viewport_size({"width": 360, "height": 700})
    choose(page, whole_photo)
    page.locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_dark_and_light(page):
    grounds = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(18, 21, 26)", "rgb(244, 245, 247)"]


def test_a_token_is_asked_for(browser, whole_photo):
    with Server(BLAN_SERVE_TOKEN="sesame") as guarded:
        context = browser.new_context(base_url=guarded.url)
        page = context.new_page()
        page.goto("/")
        field = page.get_by_label("This server wants a token")
        for token in ("wrong", "sesame"):
            field.fill(token)
            field.press("Enter")
            if token == "wrong":
                expect(page.get_by_role("alert")).to_have_text("That is not the token.")
        expect(field).to_be_hidden()
        choose(page, whole_photo)
        expect(page.locator(".face-card")).to_have_count(1)
        context.close()
