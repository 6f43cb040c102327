"""One browser for all tests, a service for each, and a watch on what the browser loads and complains of."""

import json
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from console import Console
from selenium import webdriver
from service import Service

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
    # What the DNS of an attacker says of the names that are his.
    "--host-resolver-rules=MAP *.example 127.0.0.1",
)


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    Path(os.environ["SCREENSHOTS"]).mkdir(parents=True, exist_ok=True)
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # Both paths are given, so that Selenium looks for nothing to download.
    chromedriver = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=chromedriver)
    yield driver
    driver.quit()


@pytest.fixture
def start():
    """Starts services, and stops them in the end."""
    services = []

    def start(*flags: str, port: int = 0) -> Service:
        services.append(Service(*flags, port=port))
        return services[-1]

    yield start
    for service in services:
        service.stop()


@pytest.fixture
def service(start) -> Service:
    return start()


@pytest.fixture
def browser(driver, request, start):
    """The browser, as if new. Afterwards: it loaded nothing from elsewhere, and had nothing to complain of.

    After `start`, so that it has left the page before its service is stopped: the page keeps asking for its health.
    """
    driver.get("about:blank")
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "UTC"})
    driver.get_log("performance"), driver.get_log("browser")
    yield driver
    driver.get("about:blank")  # Whatever the page still had under way ends here.
    assert_nothing_from_elsewhere(requested_urls(driver))
    is_refusal_expected = request.node.get_closest_marker("refusals") is not None
    complaints = [it for it in driver.get_log("browser") if is_complaint(it, is_refusal_expected)]
    assert not complaints, complaints


@pytest.fixture
def console(browser, service) -> Console:
    return Console(browser, service.url)


def requested_urls(driver) -> list[str]:
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]


def assert_nothing_from_elsewhere(urls: list[str]) -> None:
    loaded = [urlsplit(url) for url in urls]
    loaded = [url for url in loaded if url.scheme not in ("about", "blob", "data")]
    assert loaded, "the log of requests works"
    assert {url.hostname for url in loaded} == {"127.0.0.1"}, urls
    assert not [url for url in loaded if url.path == "/favicon.ico"], "the icon is in the page"


def is_complaint(entry: dict, is_refusal_expected: bool) -> bool:
    """Whether the browser's own console has something to say. It calls every refusal an error."""
    is_refusal = entry["source"] == "network"
    is_warning = entry["level"] in ("SEVERE", "WARNING")
    return is_warning and not (is_refusal and is_refusal_expected)
