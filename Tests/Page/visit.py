"""A visit to the page, on which nothing may go wrong unnoticed."""

import contextlib
import mimetypes
import pathlib

from playwright.sync_api import expect

# What the test itself makes happen: the browser says so of every answer that is none.
EXPECTED = ("Failed to load resource",)
FILES = """async ([kind, files]) => {
    const transfer = new DataTransfer();
    for (const [name, type, bytes] of files) transfer.items.add(new File([new Uint8Array(bytes)], name, {type}));
    if (kind === 'paste') {
        document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: transfer, bubbles: true, cancelable: true}));
        return;
    }
    for (const name of ['dragenter', 'dragover', 'drop']) {
        document.querySelector('main').dispatchEvent(
            new DragEvent(name, {dataTransfer: transfer, bubbles: true, cancelable: true}));
    }
}"""
# Which part of what is painted lies in the upper half of the picture.
UPPER = """card => {
    const canvas = card.querySelector('canvas'), context = canvas.getContext('2d');
    const picture = card.querySelector('img').getBoundingClientRect(), map = canvas.getBoundingClientRect();
    const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
    let upper = 0, all = 0;
    for (let at = 0; at < data.length; at += 4) {
        const y = map.top + (Math.floor(at / 4 / canvas.width) + .5) / canvas.height * map.height;
        all += data[at + 3];
        if (y < picture.top + picture.height / 2) upper += data[at + 3];
    }
    return upper / all;
}"""


class Visit:
    def __init__(self, page, origin):
        self.page, self.origin, self.troubles = page, origin, []
        page.on("console", lambda message: self.hear(message))
        page.on("pageerror", lambda error: self.troubles.append(f"uncaught: {error}"))
        page.on("request", lambda request: self.see(request))
        page.add_init_script(
            "addEventListener('securitypolicyviolation', event => console.error('POLICY ' + event.violatedDirective"
            " + ' ' + event.blockedURI));")
        page.goto(origin + "/")

    def hear(self, message):
        if message.type in ("error", "warning") and not message.text.startswith(EXPECTED):
            self.troubles.append(f"{message.type}: {message.text}")

    def see(self, request):
        if not request.url.startswith((self.origin + "/", "data:", f"blob:{self.origin}/")):
            self.troubles.append(f"asks elsewhere: {request.url}")

    def card(self, name):
        return self.page.locator("li.card").filter(has=self.page.get_by_role("heading", name=name, exact=True)).first

    def choose(self, *paths):
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_role("button", name="Choose pictures").click()
        assert chooser.value.is_multiple()
        chooser.value.set_files([str(path) for path in paths])
        self.settle()

    def bring(self, kind, *paths):
        """By `drop` or `paste`, with the events that a browser makes of them."""
        files = [[path.name, mimetypes.guess_type(path)[0], list(path.read_bytes())] for path in map(pathlib.Path, paths)]
        self.page.evaluate(FILES, [kind, files])
        self.settle()

    def settle(self):
        expect(self.page.locator("li.card[aria-busy]")).to_have_count(0, timeout=20_000)

    def classes(self, name):
        return self.card(name).locator(".class span").all_inner_texts()

    def choose_class(self, name, label):
        card = self.card(name)
        card.get_by_role("button", name=label).click()
        expect(card.locator(".caption")).to_contain_text(f"Seen as {label}")

    def upper_part(self, name):
        return self.card(name).evaluate(UPPER)

    def overflow(self):
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@contextlib.contextmanager
def visit(browser, origin, **options):
    context = browser.new_context(**options)
    try:
        yield Visit(context.new_page(), origin)
    finally:
        context.close()
