"""The console, as a person uses it: what is typed, pressed and seen."""

import os
import re
from pathlib import Path

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

WAIT_S = 10
POLL_S = 0.05


class Page:
    """A page in the browser."""

    def __init__(self, driver: WebDriver, url: str):
        self.driver = driver
        self.url = url
        driver.get(url)

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.find(selector).text

    def wait(self, condition, what: str):
        """Waits until `condition()` is true, and returns what it gave."""
        return WebDriverWait(self.driver, WAIT_S, POLL_S).until(lambda _: condition(), f"waited for {what}")

    def wait_for_text(self, selector: str, expected: str) -> None:
        def is_there():
            return expected in self.text(selector)

        try:
            self.wait(is_there, expected)
        except Exception as error:
            raise AssertionError(f"{selector}: expected {expected!r}, not {self.text(selector)!r}") from error

    def what_sticks_out(self, width: int) -> list[str]:
        """What does not fit into this width, or into its card, be it seen, cut off, or only there by scrolling sideways."""
        script = """return [document.documentElement, ...document.body.querySelectorAll("*")].filter(
            (it) => it.checkVisibility()
                && (it.getBoundingClientRect().right
                        > Math.min(arguments[0], it.closest(".card")?.getBoundingClientRect().right ?? Infinity) + 0.5
                    || it.scrollWidth > arguments[0] && getComputedStyle(it).textOverflow !== "ellipsis")
        ).map((it) => it.outerHTML.slice(0, 80))"""
        return self.driver.execute_script(script, width)

    def resize(self, width: int, height: int = 900) -> None:
        """Makes the page this wide. A window could not be made as narrow as a telephone."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, **features: str) -> None:
        """Sets what the person prefers, such as `color_scheme="dark"`."""
        features = [
            {"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def at(self, timezone: str) -> None:
        """Puts the person into a time zone."""
        self.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": timezone})

    def screenshot(self, name: str, whole: bool = True) -> None:
        """Keeps a picture of the whole page, or of the part that is seen."""
        width = self.driver.execute_script("return innerWidth")
        if whole:
            self.resize(width, self.driver.execute_script("return document.documentElement.scrollHeight"))
        self.driver.save_screenshot(str(Path(os.environ["SCREENSHOTS"]) / f"{name}.png"))
        if whole:
            self.resize(width)


class Console(Page):
    """The page at `/`."""

    def __init__(self, driver: WebDriver, url: str):
        super().__init__(driver, url)
        # The first listing and the first look at the health have come back.
        self.wait_for_text("#health-status", "healthy")
        self.wait(lambda: self.text("#list-outcome"), "the first listing")

    def type(self, selector: str, text: str) -> None:
        field = self.find(selector)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(Keys.DELETE)
        field.send_keys(text)

    def press(self, step: str) -> None:
        """Presses the button of a step."""
        self.find(f"#{step} form button").click()

    def run(self, step: str, amount: str | None = None) -> str:
        """Types an amount, presses the button of a step, and returns what the page says then."""
        if amount is not None:
            self.type(f"#{step}-amount", amount)
        self.press(step)
        return self.outcome(step)

    def check_balance(self) -> str:
        """Asks for the balance, and returns the one that is shown then."""
        self.press("balance")
        self.wait(lambda: self.status("balance"), "the balance")
        return self.balance()

    def outcome(self, step: str) -> str:
        """What the page says of a step, once the answer is there."""
        self.wait(lambda: self.text(f"#{step} .status") and self.text(f"#{step}-outcome"), f"the outcome of {step}")
        return self.text(f"#{step}-outcome")

    def is_refused(self, step: str) -> bool:
        return "refused" in self.find(f"#{step}-outcome").get_attribute("class").split()

    def unfold(self, step: str) -> None:
        """Shows the curl line of a step, and what was answered."""
        self.find(f"#{step} summary").click()

    def curl(self, step: str) -> str:
        """The curl line of a step, with the line ends that copying it gives."""
        return self.find(f"#{step} .curl").get_property("textContent")

    def status(self, step: str) -> str:
        return self.text(f"#{step} .status")

    def body(self, step: str) -> str:
        return self.find(f"#{step} .body").get_property("textContent")

    def account(self) -> str:
        return self.find("#account").get_property("value")

    def choose(self, number: str) -> None:
        self.type("#account", number)

    def balance(self) -> str:
        return self.text("#balance-now")

    def rows(self) -> list[tuple[str, str]]:
        """The accounts in the list: number and balance."""
        # In one go: the list may be drawn anew between two looks at it.
        script = """return [...document.querySelectorAll("#list-rows tr")].map(
            (row) => [".use", ".money"].map((part) => row.querySelector(part).textContent))"""
        return [tuple(row) for row in self.driver.execute_script(script)]

    def wait_for_rows(self, expected: list[tuple[str, str]]) -> None:
        try:
            self.wait(lambda: self.rows() == expected, "the list")
        except Exception as error:
            raise AssertionError(f"the list shows {self.rows()}, not {expected}") from error

    def transactions(self) -> list[tuple[str, str, str, str]]:
        """The statement: what, the key, the amount, the balance after it."""
        script = """return [...document.querySelectorAll("#statement-rows tr")].map(
            (row) => [".kind", ".number", ".amount", ".after"].map((part) => row.querySelector(part).textContent))"""
        return [tuple(row) for row in self.driver.execute_script(script)]

    def wait_for_transactions(self, expected: list[tuple[str, str, str, str]]) -> None:
        """A pattern stands for any key that it fits."""

        def fits(shown: tuple, row: tuple) -> bool:
            pairs = zip(shown, row, strict=True)
            return all(it.fullmatch(text) if isinstance(it, re.Pattern) else it == text for text, it in pairs)

        def is_there() -> bool:
            shown = self.transactions()
            return len(shown) == len(expected) and all(map(fits, shown, expected))

        try:
            self.wait(is_there, "the statement")
        except Exception as error:
            raise AssertionError(f"the statement shows {self.transactions()}, not {expected}") from error

    def wait_for_dialog(self) -> str:
        self.wait(lambda: self.find("#confirm").is_displayed(), "the dialog")
        return self.text("#confirm-text")
