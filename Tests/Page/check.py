"""Drives the page at / in Chromium, end to end.

usage: check.py BINARY REPOSITORY_OF_THE_PROJECT [--screenshots]
"""

import contextlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "TritonClient"))

from photographs import CAT, COFFEE, cat_over_coffee, unreadable  # noqa: E402
from few_classes import with_classes  # noqa: E402
from served import served_at  # noqa: E402
from visit import visit  # noqa: E402

PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
failures = []


def check(name, holds, figure=""):
    print(f"{'ok    ' if holds else 'FAILED'}  {name:<64} {figure}", flush=True)
    if not holds:
        failures.append(name)


@contextlib.contextmanager
def part(name):
    """One part's failure keeps none of the others from being seen."""
    try:
        yield
    except Exception as error:  # noqa: BLE001: told, and counted
        check(name, False, str(error).strip().splitlines()[0])


def ways_in(browser, origin, mixed, turned):
    with part("ways in"), visit(browser, origin) as page:
        page.choose(CAT, mixed)
        check("several chosen at once", page.page.locator("li.card").count() == 2, "2 cards")
        page.bring("drop", COFFEE, turned)
        page.bring("paste", CAT)
        check("dropped and pasted", page.page.locator("li.card").count() == 5, "5 cards")
        check("right answers", page.classes("chelsea.jpg")[0] == "Egyptian cat"
              and page.classes("coffee.jpg")[0] == "espresso", "Egyptian cat; espresso")
        stages = page.card("coffee.jpg").locator(".times dt").all_inner_texts()
        check("timings of Server-Timing", stages == ["read", "decode", "resize", "queue", "compute", "encode"],
              page.card("coffee.jpg").locator(".times p").inner_text())
        heat_maps(page, mixed, turned)
        settings(page)
        page.page.get_by_role("button", name="Clear").click()
        check("cleared", page.page.locator("li.card").count() == 0)
        link = page.page.request.get(page.page.get_by_role("link", name="API").evaluate("link => link.href"))
        check("the link to the API's description", link.ok and link.json()["openapi"].startswith("3.1"))
        check("no violation of the policy, no error, nothing asked elsewhere", not page.troubles, page.troubles or "")


def heat_maps(page, mixed, turned):
    for path in (mixed, turned):
        page.choose_class(path.name, "espresso")
        espresso = page.upper_part(path.name)
        page.choose_class(path.name, "Egyptian cat")
        cat = page.upper_part(path.name)
        check(f"the cat is seen above, the espresso below ({path.stem})", cat > 0.85 and espresso < 0.2,
              f"{cat:.0%} and {espresso:.0%} of the map in the upper half")
    boxes = page.card(mixed.name).evaluate("""card => {
        const side = element => { const {x, y, width, height} = element.getBoundingClientRect(); return [x, y, width, height]; };
        return [side(card.querySelector('img')), side(card.querySelector('canvas'))]; }""")
    (x, y, width, height), (left, top, across, down) = boxes
    shares = [(left - x) / width, (top - y) / height, across / width, down / height]
    check("the map lies over the crop", all(abs(share - right) < 0.01 for share, right in zip(shares, [1 / 16, 1 / 16, 7 / 8, 7 / 8])),
          ", ".join(f"{share:.3f}" for share in shares))
    canvas = page.card(mixed.name).locator("canvas")
    page.page.get_by_role("switch", name="Heat map").uncheck()
    expect(canvas).to_be_hidden()
    page.page.get_by_role("switch", name="Heat map").check()
    expect(canvas).to_be_visible()
    page.page.get_by_label("Strength").fill("30")
    check("switched off and on, and fainter", canvas.evaluate("c => c.style.opacity") == "0.3")


def settings(page):
    page.page.locator("#model").select_option(label="efficientnet-lite0-int8")
    page.settle()
    check("another model", "efficientnet-lite0-int8" in page.card("coffee.jpg").locator(".about").inner_text())
    page.page.locator("#count").select_option("10")
    page.settle()
    check("more classes", len(page.classes("coffee.jpg")) == 10)


def curl(browser, origin, directory):
    with part("curl"), visit(browser, origin, permissions=["clipboard-read", "clipboard-write"]) as page:
        odd = directory / "a cat's photo.jpg"
        shutil.copy(CAT, odd)
        page.choose(odd)
        page.card(odd.name).get_by_text("The same with curl").click()
        page.card(odd.name).get_by_role("button", name="Copy").click()
        expect(page.card(odd.name).get_by_role("button", name="Copied")).to_be_visible()
        command = page.page.evaluate("navigator.clipboard.readText()")
        answer = json.loads(subprocess.run(
            ["bash", "-c", command], cwd=directory, check=True, capture_output=True, timeout=30).stdout)
        labels = [prediction["label"] for prediction in answer["results"][0]["predictions"]]
        check("the command that is copied gives the same", labels == page.classes(odd.name), command.split("\n")[0])
        check("nothing wrong meanwhile", not page.troubles, page.troubles or "")


def keyboard(browser, origin, mixed):
    with part("keyboard"), visit(browser, origin) as page:
        keys = page.page.keyboard
        # From now on choosers are caught: what begins with the first wait for one may come after a key that opens it.
        page.page.on("filechooser", lambda _: None)

        def tab_to(selector):
            for _ in range(40):
                keys.press("Tab")
                if page.page.evaluate("s => document.activeElement.matches(s)", selector):
                    return
            raise AssertionError(f"Tab does not lead to {selector}")

        tab_to("#choose")
        with page.page.expect_file_chooser() as chooser:
            keys.press("Enter")
        chooser.value.set_files([str(mixed), str(CAT)])
        page.settle()
        tab_to("#heat")
        keys.press("Space")
        expect(page.card(mixed.name).locator("canvas")).to_be_hidden()
        keys.press("Space")
        tab_to("#strength")
        keys.press("ArrowLeft")
        check("settings by keyboard", page.page.get_by_label("Strength").input_value() == "69")
        tab_to("button.class[aria-pressed=false]")
        keys.press("Enter")
        check("a class by keyboard", page.page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true")
        tab_to("summary")
        keys.press("Enter")
        check("the command by keyboard", page.page.locator("details[open] pre").count() == 1)
        page.page.locator("li.card button.plain").first.focus()
        keys.press("Enter")
        check("after a removal the focus is on the next", page.page.locator("li.card").count() == 1
              and page.page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Remove"))
        outline = page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        check("the focus is seen", outline == "solid", outline)
        check("news for screen readers", "Egyptian cat" in page.page.locator("#news").text_content())


def what_fails(browser, binary, models, directory):
    with part("failures"):
        with served_at(binary, models, "--max-body-bytes", "500000") as addresses:
            origin = f"http://{addresses['listening']}"
            with visit(browser, origin) as page:
                said = {415: "no picture", 422: "damaged", 413: "too large"}
                for status, path in unreadable(directory).items():
                    page.choose(path)
                    text = page.card(path.name).get_by_role("alert").inner_text()
                    check(f"{status} is said plainly", said[status] in text, " ".join(text.split())[:110])
                huge = directory / "huge.jpg"
                huge.write_bytes(bytes(8_000_000))
                page.choose(huge)
                text = page.card(huge.name).get_by_role("alert").inner_text()
                check("8 MB that are not taken, and how many are", "too large" in text and "8.0 MB" in text
                      and "no more than 500 kB" in text, " ".join(text.split())[:110])
                busy = {"status": 503, "headers": {"Retry-After": "2", "Content-Type": "application/problem+json"},
                        "body": json.dumps({"title": "Overloaded", "detail": "what waits already would take 400 ms"})}
                page.page.route("**/v1/classify*", lambda route: route.fulfill(**busy))
                page.choose(COFFEE)
                text = page.card("coffee.jpg").get_by_role("alert").inner_text()
                check("503 says when to try again", "busy" in text and "2 seconds" in text, " ".join(text.split())[:110])
                page.page.unroute("**/v1/classify*")
                page.card("coffee.jpg").get_by_role("button", name="Try again").click()
                page.settle()
                check("trying again works", page.classes("coffee.jpg")[0] == "espresso")
                page.choose(CAT)
                check("one that is fine among them", page.classes("chelsea.jpg")[0] == "Egyptian cat")
                accessible("with failures", page)
                stays = page
                check("nothing wrong meanwhile", not page.troubles, page.troubles or "")
                page.page.route("**/v1/models", lambda route: route.abort())
                stays.page.reload()
                expect(stays.page.locator("#problem")).to_contain_text("cannot be reached")
                check("a server that is gone", True, "cannot be reached")


def few_classes(browser, binary, models, directory):
    for labels in (["Egyptian cat", "espresso", "tench"], ["espresso"]):
        count = len(labels)
        few = with_classes(pathlib.Path(models) / "efficientnet-lite0" / "1", labels, directory / f"models-{count}")
        with part(f"{count} classes"), served_at(binary, str(few)) as addresses, \
                visit(browser, f"http://{addresses['listening']}") as page:
            page.page.locator("#count").select_option("10")
            page.choose(COFFEE)
            check(f"a model of {count}: all of its classes", sorted(page.classes("coffee.jpg")) == sorted(labels)
                  and page.classes("coffee.jpg")[0] == "espresso", ", ".join(page.classes("coffee.jpg")))
            for label in labels:
                page.choose_class("coffee.jpg", label)
            maps = page.card("coffee.jpg").locator("button.class").count()
            check(f"a model of {count}: a map of each", maps == count, f"{maps} maps")
            # Before the page knows the models, too.
            page.page.route("**/v1/models", lambda route: route.abort())
            page.page.reload()
            page.choose(COFFEE)
            check(f"a model of {count}: when the page does not know it", len(page.classes("coffee.jpg")) == count)
            check(f"a model of {count}: nothing wrong meanwhile", not page.troubles, page.troubles or "")


def with_keys(browser, binary, models, directory):
    with part("keys"):
        keys = directory / "keys.txt"
        key = subprocess.run([binary, "key", "page", "--append", str(keys)], check=True, capture_output=True,
                             text=True).stdout.strip()
        with served_at(binary, models, "--api-keys-file", str(keys)) as addresses, \
                visit(browser, f"http://{addresses['listening']}") as page:
            field = page.page.get_by_label("This server asks for a key")
            expect(field).to_be_focused()
            field.fill("wrong")
            field.press("Enter")
            expect(field).to_be_visible()
            field.fill(key)
            field.press("Enter")
            expect(page.page.locator("#model")).to_be_enabled()
            page.choose(CAT)
            command = page.card("chelsea.jpg").locator("pre").text_content()
            check("a key is asked for, taken and not shown", page.classes("chelsea.jpg")[0] == "Egyptian cat"
                  and "$SWIFTLET_KEY" in command and key not in page.page.content())


def accessible(name, page):
    found = [violation for violation in Axe().run(page.page).response["violations"]]
    serious = [violation for violation in found if violation["impact"] in ("serious", "critical")]
    check(f"axe-core: nothing serious, {name}", not serious,
          "; ".join(f"{violation['id']}: {violation['nodes'][0]['target']}" for violation in serious)
          or f"{len(found)} lesser")


def appearances(browser, origin, mixed, images):
    looks = {
        "light": {"viewport": {"width": 1080, "height": 860}, "color_scheme": "light"},
        "dark": {"viewport": {"width": 1080, "height": 860}, "color_scheme": "dark"},
        "phone": {**PHONE, "color_scheme": "light"}, "phone, dark": {**PHONE, "color_scheme": "dark"},
        "narrow": {"viewport": {"width": 320, "height": 600}},
    }
    for name, options in looks.items():
        # The policy would keep axe-core from being brought in by the test.
        with part(name), visit(browser, origin, bypass_csp=True, reduced_motion="reduce", **options) as page:
            page.page.wait_for_function("!document.getElementById('model').disabled")
            check(f"{name}: no scrolling sideways, empty", page.overflow() <= 0)
            page.choose(mixed, COFFEE) if name.startswith("phone") else page.choose(COFFEE, mixed)
            page.choose_class(mixed.name, "Egyptian cat")
            page.page.wait_for_timeout(200)
            check(f"{name}: no scrolling sideways, with results", page.overflow() <= 0)
            red = int(page.page.evaluate("getComputedStyle(document.body).backgroundColor").split("(")[1].split(",")[0])
            check(f"{name}: the background", (red < 64) == ("dark" in name), f"red {red}")
            if name.startswith("phone"):
                camera = page.page.get_by_role("button", name="Take a photo")
                with page.page.expect_file_chooser() as chooser:
                    camera.click()
                check(f"{name}: a photo by the camera", chooser.value.element.get_attribute("capture") == "environment")
                chooser.value.set_files(str(CAT))
                page.settle()
                check(f"{name}: the photo's answer", page.classes("chelsea.jpg")[0] == "Egyptian cat")
                page.card("chelsea.jpg").get_by_role("button", name="Remove").click()
            accessible(name, page)
            motion = page.page.locator(".class i").first.evaluate("bar => getComputedStyle(bar).transitionDuration")
            check(f"{name}: no motion where none is wished", motion == "0s", motion)
            if images and name in ("light", "dark", "phone"):
                page.page.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
                page.page.screenshot(path=images / f"page-{name}.jpg", type="jpeg", quality=80)
                if name == "light":
                    heat_screenshot(page, mixed, images)


def heat_screenshot(page, mixed, images):
    """The same picture twice, as either of what is on it, side by side."""
    from PIL import Image
    parts = []
    for label in ("Egyptian cat", "espresso"):
        page.choose_class(mixed.name, label)
        page.page.wait_for_timeout(200)
        path = images / "part.png"
        page.card(mixed.name).locator(".view").screenshot(path=path)
        parts.append(Image.open(path).convert("RGB"))
        path.unlink()
    width = sum(picture.width for picture in parts) + 16
    both = Image.new("RGB", (width, max(picture.height for picture in parts)), "white")
    at = 0
    for picture in parts:
        both.paste(picture, (at, 0))
        at += picture.width + 16
    both.save(images / "page-heat.jpg", quality=82)


def main(binary, project, *flags):
    project = pathlib.Path(project).resolve()
    images = project / "docs" / "images" if "--screenshots" in flags else None
    models = str(project / "models")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        directory = pathlib.Path(temporary)
        mixed = cat_over_coffee(directory / "cat-and-coffee.jpg")
        turned = cat_over_coffee(directory / "turned.jpg", turned=True)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        print(f"Chromium {browser.version}", flush=True)
        with served_at(binary, models, "--model", "efficientnet-lite0") as addresses:
            origin = f"http://{addresses['listening']}"
            ways_in(browser, origin, mixed, turned)
            curl(browser, origin, directory)
            keyboard(browser, origin, mixed)
            appearances(browser, origin, mixed, images)
        what_fails(browser, binary, models, directory)
        with_keys(browser, binary, models, directory)
        few_classes(browser, binary, models, directory)
        with part("switched off"), served_at(binary, models, "--page", "off") as addresses:
            try:
                status = urllib.request.urlopen(f"http://{addresses['listening']}/").status
            except urllib.error.HTTPError as error:
                status = error.code
            check("switched off", status == 404, status)
        browser.close()
    if failures:
        raise SystemExit(f"{len(failures)} checks failed: " + "; ".join(failures))
    print("passed")


main(*sys.argv[1:])
