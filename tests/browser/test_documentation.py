"""The documentation at `/docs` and `/redoc`."""

import pytest
from console import Page
from selenium.webdriver.common.by import By


def operations(service) -> list[tuple[str, str]]:
    _, document = service.call("GET", "/openapi.json")
    return [(method, path) for path, methods in document["paths"].items() for method in methods if method != "parameters"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_swagger_ui_shows_every_operation(browser, service, scheme):
    page = Page(browser, service.url + "/docs")
    page.prefer(color_scheme=scheme)
    expected = operations(service)
    page.wait(lambda: len(page.find_all(".opblock")) == len(expected), "the operations")
    shown = {
        (
            block.find_element(By.CSS_SELECTOR, ".opblock-summary-method").text.lower(),
            block.find_element(By.CSS_SELECTOR, ".opblock-summary-path").get_attribute("data-path"),
        )
        for block in page.find_all(".opblock")
    }
    assert shown == set(expected)
    assert page.find_all(".errors-wrapper") == []
    page.screenshot(f"docs-{scheme}")


def test_swagger_ui_sends_requests(browser, service):
    page = Page(browser, service.url + "/docs")
    create = "div.opblock-post:has([data-path='/accounts'])"
    page.wait(lambda: page.find_all(create), "the operation")
    page.find(f"{create} .opblock-summary-control").click()
    page.wait(lambda: page.find_all(f"{create} .execute"), "the button")
    page.find(f"{create} .execute").click()
    page.wait_for_text(f"{create} .live-responses-table tbody .response-col_status", "201")
    assert len(service.accounts()) == 1


def test_swagger_ui_asks_for_a_balance_by_the_number_alone(browser, service):
    """What is filled in beforehand is sent: it must not ask for a balance of the past."""
    number = service.create("5")
    page = Page(browser, service.url + "/docs")
    balance = "div.opblock-get:has([data-path='/accounts/{account_number}/balance'])"
    page.wait(lambda: page.find_all(balance), "the operation")
    page.find(f"{balance} .opblock-summary-control").click()
    page.wait(lambda: page.find_all(f"{balance} .execute"), "the button")
    page.find(f"{balance} tr[data-param-name='account_number'] input").send_keys(number)
    page.find(f"{balance} .execute").click()
    page.wait_for_text(f"{balance} .live-responses-table tbody .response-col_status", "200")


# Whatever fills its part of the page with a light colour.
LIGHT_AREAS = """return [...document.querySelectorAll("body, body *")].filter((it) => {
    const [r, g, b, alpha = 1] = getComputedStyle(it).backgroundColor.match(/[\\d.]+/g).map(Number);
    const { width, height } = it.getBoundingClientRect();
    return alpha > 0.5 && r + g + b > 500 && width * height > 20_000;
}).map((it) => it.outerHTML.slice(0, 100))"""


def test_redoc_follows_the_dark_mode(browser, service):
    page = Page(browser, service.url + "/redoc")
    page.wait(lambda: page.find_all("[data-section-id*='operation/'], [data-section-id*='/paths/']"), "the operations")
    page.prefer(color_scheme="light")
    assert page.driver.execute_script(LIGHT_AREAS) != [], "the search finds what is light"
    page.prefer(color_scheme="dark")
    page.wait(lambda: page.driver.execute_script(LIGHT_AREAS) == [], "the dark")
    page.screenshot("redoc-dark", whole=False)


def test_redoc_shows_every_operation(browser, service):
    page = Page(browser, service.url + "/redoc")
    expected = operations(service)
    page.wait(lambda: len(page.find_all("[data-section-id*='operation/'], [data-section-id*='/paths/']")), "the operations")
    shown = page.text("#redoc")
    for _, path in expected:
        assert path in shown, path
    assert page.find_all("img") == []
    page.screenshot("redoc", whole=False)


def test_redoc_searches(browser, service):
    page = Page(browser, service.url + "/redoc")
    page.wait(lambda: page.find_all(".search-input"), "the search field")
    page.find(".search-input").send_keys("withdraw")
    page.wait(lambda: page.find_all("[data-role='search:results'] li"), "what was found")


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documentation_leads_back(browser, service, path):
    page = Page(browser, service.url + path)
    page.find("a.back").click()
    page.wait_for_text("h1", "Money, exact to the cent.")
