"""Takes the picture of the built book that the README shows: `make screenshot`."""

import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import browsers

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "_build" / "html" / "results.html"
PICTURE = ROOT / "results" / "book.png"


def main() -> None:
    if not PAGE.is_file():
        sys.exit(f"{PAGE} does not exist; build the book first: make book")
    browser = browsers.find()
    if browser is None:
        sys.exit(browsers.MISSING)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = launched.new_page(viewport={"width": 1280, "height": 860}, color_scheme="light")
        page.goto(PAGE.as_uri())
        page.wait_for_load_state("networkidle")
        # The first figure below its heading; the sidebar shows the current page by itself.
        page.evaluate("document.querySelector('#gains-over-the-baseline').scrollIntoView()")
        page.evaluate("document.querySelector('.bd-sidebar-primary').scrollTop = 0")
        page.wait_for_timeout(500)  # milliseconds, for figures that load when they are near
        page.screenshot(path=PICTURE)
        launched.close()
    # A page has few colours: a palette takes a third of the bytes.
    Image.open(PICTURE).convert("RGB").quantize(128).save(PICTURE, optimize=True)
    print(f"wrote {PICTURE} ({PICTURE.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
