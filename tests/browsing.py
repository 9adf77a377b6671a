"""A browser without a window, for tests of pages: Debian's chromium and chromium-driver, or any Chrome and its
driver.
"""

import shutil

from selenium import webdriver

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
MISSING = "no chromium and chromedriver here: apt-get install chromium chromium-driver"


def start():
    """A driver of it, whose console is logged."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
