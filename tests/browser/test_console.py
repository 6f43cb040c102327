"""The console at `/`."""

import csv
import io
import json
import re
import subprocess
import uuid
from datetime import datetime, timedelta

import pytest
from console import Console
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from service import value_of

LARGEST_BALANCE = "9999999999999.99"
SHOWN_LARGEST = "9,999,999,999,999.99"

# What the console sends for a key, in a statement.
KEY = re.compile("[0-9a-f]{32}")

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_it_shows_the_service_alive_and_keeps_looking(console, service):
    _, health = service.call("GET", "/health")
    assert console.text("#health-status") == "healthy"
    assert console.text("#health-accounts") == "0"
    assert console.text("#health-limit") == "1000"
    assert console.text("#health-largest") == "10,000.00"
    assert console.text("#health-version") == health["version"]
    service.create()
    console.wait_for_text("#health-accounts", "1")


def test_it_leads_to_the_documentation(console):
    links = [link.get_dom_attribute("href") for link in console.find_all("nav a")]
    assert links == ["/docs", "/redoc", "/openapi.json"]


def test_an_account_from_its_creation_to_its_end(console, service):
    assert "Created with 100.50." in console.run("create", "100.50")
    number = console.account()
    assert console.status("create").startswith("201 Created")
    assert value_of(console.body("create"))["account_number"] == number
    assert console.balance() == "100.50" and service.balance(number) == "100.5"

    assert console.check_balance() == "100.50"
    assert console.status("balance").startswith("200 OK")
    assert "the account holds 100.80." in console.run("deposit", "0.30")
    assert console.status("deposit").startswith("200 OK")
    assert console.balance() == "100.80" and service.balance(number) == "100.8"

    assert "the account holds 80.79." in console.run("withdraw", "20.01")
    assert console.balance() == service.balance(number) == "80.79"

    console.run("list")
    console.wait_for_rows([(number, "80.79")])
    console.wait_for_text("#health-accounts", "1")

    console.press("delete")
    assert "80.79 is left on it." in console.wait_for_dialog()
    assert console.text("#confirm-account") == number
    console.find("#confirm .danger").click()
    assert console.outcome("delete") == "Deleted."
    assert console.status("delete").startswith("204")
    assert console.account() == "" and console.balance() == "–"
    console.wait_for_rows([])
    assert service.accounts() == []


def test_the_account_stays_chosen_when_the_page_is_loaded_again(console, service):
    number = service.create("5")
    # As copied from a table, with what stands around it.
    console.choose(f"  {number} ")
    assert console.account() == number
    console.driver.refresh()
    console.wait(lambda: console.balance() == "5.00", "the balance of the account in the address")
    assert console.account() == number


LOST = ("throw new TypeError('lost')", "does not answer")
# Also of a proxy that gave up, or of a journal whose disk did not answer, nobody knows what was done.
DOUBTFUL = ("return new Response('{\"detail\":\"nobody knows\"}', {status: 503})", "nobody knows")


@pytest.mark.refusals
@pytest.mark.parametrize(("answered", "words"), [LOST, DOUBTFUL])
def test_a_click_after_an_answer_that_got_lost_does_not_do_it_twice(console, service, answered, words):
    number = service.create("5")
    console.choose(number)
    # The service does it, and the answer is lost on the way.
    script = """const real = window.fetch; window.fetch = async (...request) => {
        await real(...request); window.fetch = real; %s; }"""
    console.driver.execute_script(script % answered)
    assert words in console.run("deposit", "1")
    assert "the account holds 6.00." in console.run("deposit", "1")
    assert service.balance(number) == "6.0"
    # Once it is answered, the next click is another deposit.
    console.press("deposit")
    console.wait(lambda: console.balance() == "7.00", "the second deposit")


def test_the_page_says_where_money_is_kept(browser, start, tmp_path):
    for flags, words in ([], "in memory"), (["--data", str(tmp_path / "data")], "on disk"):
        console = Console(browser, start(*flags).url)
        console.wait_for_text("#health-mode", words)


def test_ten_deposits_of_a_tenth_can_be_withdrawn_as_one(console, service):
    number = service.create()
    console.choose(number)
    for _ in range(10):
        console.run("deposit", "0.1")
    assert console.balance() == "1.00"
    assert "holds 0.00." in console.run("withdraw", "1.0")
    console.press("delete")
    assert console.wait_for_dialog() == "No money is left on it."


def test_without_an_amount_an_account_begins_empty(console, service):
    assert "Created with 0.00." in console.run("create", "")
    assert service.balance(console.account()) == "0.0"


def test_the_dialog_can_be_declined_in_every_way(console, service):
    number = service.create("5")
    console.choose(number)
    for decline in (
        lambda: console.find("#confirm .quiet").click(),
        lambda: ActionChains(console.driver).send_keys(Keys.ESCAPE).perform(),
        lambda: ActionChains(console.driver).send_keys(Keys.ENTER).perform(),
    ):
        console.press("delete")
        console.wait_for_dialog()
        decline()
        console.wait(lambda: not console.find("#confirm").is_displayed(), "the dialog to close")
    assert service.balance(number) == "5.0"
    assert console.account() == number


def test_everything_works_from_the_keyboard(console, service):
    keys = ActionChains(console.driver)
    console.find("#create-amount").click()
    keys.key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).send_keys("7.5", Keys.ENTER).perform()
    assert "7.5" in console.outcome("create")
    console.wait(lambda: len(console.rows()) == 1, "the account in the list")
    # Past the buttons of the list, to the account number.
    for _ in range(12):
        ActionChains(console.driver).send_keys(Keys.TAB).perform()
        if console.driver.switch_to.active_element.get_attribute("id") == "account":
            break
    ActionChains(console.driver).send_keys(Keys.ENTER).perform()
    console.wait_for_text("#balance .status", "200 OK")
    assert console.balance() == "7.50"


def test_a_double_click_is_one_deposit(console, service):
    number = service.create()
    console.choose(number)
    console.type("#deposit-amount", "1")
    script = 'const button = document.querySelector("#deposit form button"); button.click(); button.click();'
    console.driver.execute_script(script)
    console.outcome("deposit")
    assert service.balance(number) == "1.0"


# The curl lines


def in_a_shell(line: str) -> str:
    ran = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=10)
    assert ran.returncode == 0, (line, ran.stderr)
    return ran.stdout


def test_every_curl_line_does_the_same_in_a_shell(console, service):
    console.run("create", "100.50")
    number = console.account()
    created = value_of(in_a_shell(console.curl("create")))
    assert created["balance"] == "100.5" and created["account_number"] != number

    for step, amount, left in (("deposit", "12.34", "125.18"), ("withdraw", "0.01", "125.16")):
        console.run(step, amount)
        assert value_of(in_a_shell(console.curl(step)))["new_balance"] == left
        assert service.balance(number) == left

    console.check_balance()
    assert in_a_shell(console.curl("balance")) == console.body("balance")
    console.run("list")
    assert in_a_shell(console.curl("list")) == console.body("list")
    assert "204 No Content" in in_a_shell(console.curl("delete"))
    assert [it["account_number"] for it in service.accounts()] == [created["account_number"]]


@pytest.mark.refusals
@pytest.mark.parametrize("typed", ["it's", "$(exit 7)", '"\\', "a\\'b", "`exit 7`", "é💶", "!!", "&& exit 7"])
def test_what_is_typed_cannot_break_out_of_the_curl_line(console, service, typed):
    console.choose(service.create())
    # A keyboard has no 💶, and chromedriver types no more than a keyboard can.
    set_value(console, "#deposit-amount", typed)
    console.run("deposit")
    printed = in_a_shell(console.curl("deposit"))
    assert printed == console.body("deposit")
    assert json.loads(printed)["detail"][0]["input"] == typed

    set_value(console, "#account", typed)
    console.run("balance")
    assert in_a_shell(console.curl("balance")) == console.body("balance") == '{"detail":"Account not found"}'


def set_value(console: Console, selector: str, value: str) -> None:
    script = 'arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event("input", {bubbles: true}))'
    console.driver.execute_script(script, console.find(selector), value)


def test_the_curl_line_follows_what_is_typed(console):
    assert "{account_number}/deposit" in console.curl("deposit")
    console.type("#create-amount", "3.14")
    assert "-d '{\"initial_balance\":\"3.14\"}'" in console.curl("create")
    console.choose(NOBODY)
    for step in ("balance", "deposit", "withdraw", "statement", "delete"):
        assert f"{console.url}/accounts/{NOBODY}" in console.curl(step)


@pytest.mark.parametrize("has_clipboard", [True, False])
def test_the_curl_line_can_be_copied(console, has_clipboard):
    if not has_clipboard:
        # As on a page that came over plain http from another machine.
        console.driver.execute_script("delete Navigator.prototype.clipboard")
    grant = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"], "origin": console.url}
    console.driver.execute_cdp_cmd("Browser.grantPermissions", grant)
    console.unfold("create")
    console.find("#create .copy").click()
    console.wait_for_text("#create .copy", "Copied")
    console.choose("")
    console.find("#account").send_keys(Keys.CONTROL, "v")
    # A field of one line makes spaces of line ends.
    assert console.account() == console.curl("create").replace("\n", " ")


# Refusals


@pytest.mark.refusals
@pytest.mark.parametrize(
    ("step", "amount", "words"),
    [
        ("deposit", "0.001", "at most two decimals"),
        ("withdraw", "0.001", "at most two decimals"),
        ("create", "0.001", "at most two decimals"),
        ("deposit", "plenty", "not a number"),
        ("deposit", "", "not a number"),
        ("deposit", "0", "more than 0.0"),
        ("create", "-1", "below 0.0"),
        ("create", "10000.01", "the most is 10000.0"),
        ("deposit", "1e400", "the most is 10000.0"),
        ("withdraw", "5.01", "Insufficient funds"),
    ],
)
def test_a_refusal_is_said_in_plain_words_by_the_field(console, service, step, amount, words):
    number = service.create("5")
    console.choose(number)
    assert words in console.run(step, amount)
    assert console.is_refused(step)
    field = console.find(f"#{step}-amount")
    assert field.get_attribute("aria-invalid") == "true"
    assert field.get_attribute("aria-describedby") == f"{step}-outcome"
    assert console.status(step)[:3] in ("400", "422")
    assert service.balance(number) == "5.0" and len(service.accounts()) == 1

    # The next attempt takes the complaint away.
    console.type(f"#{step}-amount", "1")
    assert console.text(f"#{step}-outcome") == "" and field.get_attribute("aria-invalid") is None


@pytest.mark.refusals
@pytest.mark.parametrize("step", ["balance", "deposit", "withdraw"])
def test_an_unknown_account_is_refused_in_plain_words(console, step):
    console.choose(NOBODY)
    assert "Account not found" in console.run(step)
    assert console.status(step).startswith("404") and console.is_refused(step)
    assert console.find("#account").get_attribute("aria-invalid") == "true"


@pytest.mark.refusals
def test_an_account_that_went_meanwhile_cannot_be_deleted(console, service):
    number = service.create()
    console.choose(number)
    service.call("DELETE", f"/accounts/{number}")
    console.press("delete")
    console.wait_for_text("#delete-outcome", "Account not found")
    assert not console.find("#confirm").is_displayed()


@pytest.mark.parametrize("step", ["balance", "deposit", "withdraw", "delete"])
def test_without_an_account_nothing_is_sent(console, step):
    console.press(step)
    console.wait_for_text(f"#{step}-outcome", "Choose an account first")
    assert console.driver.switch_to.active_element.get_attribute("id") == "account"


@pytest.mark.refusals
def test_a_full_service_says_so(browser, start):
    service = start("--max-accounts", "2")
    console = Console(browser, service.url)
    for _ in range(2):
        assert "Created" in console.run("create", "1")
    assert "Maximum number of accounts (2) reached" in console.run("create", "1")
    assert console.status("create").startswith("507") and console.is_refused("create")
    console.wait_for_text("#health-accounts", "2")
    assert len(service.accounts()) == 2


@pytest.mark.refusals
def test_markup_stays_text(console, service):
    markup = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>"
    number = service.create()
    console.choose(number)
    for step in ("create", "deposit", "withdraw"):
        console.run(step, markup)
        assert json.loads(console.body(step))["detail"][0]["input"] == markup
        assert json.dumps(markup) in console.curl(step).replace("'\\''", "'")
    console.choose(markup)
    console.run("balance")
    assert console.find_all("main img, main b, dialog img") == []
    assert console.driver.title == "Cashpoint"


# Exactness


@pytest.mark.refusals
def test_the_largest_balance_is_shown_to_the_cent(browser, start):
    service = start("--max-transaction-amount", LARGEST_BALANCE)
    console = Console(browser, service.url)
    assert console.text("#health-largest") == SHOWN_LARGEST
    assert SHOWN_LARGEST in console.run("create", LARGEST_BALANCE)
    number = console.account()
    assert console.balance() == SHOWN_LARGEST
    assert f'"balance":{LARGEST_BALANCE},' in console.body("create")
    console.wait_for_rows([(number, SHOWN_LARGEST)])
    console.run("deposit", "0.01")
    assert console.is_refused("deposit")
    assert "9,999,999,999,999.98" in console.run("withdraw", "0.01")
    assert console.balance() == "9,999,999,999,999.98"
    assert service.balance(number) == "9999999999999.98"
    console.resize(360)
    assert console.what_sticks_out(360) == []


def test_digits_that_no_binary_float_holds_are_shown_as_they_came(console, service):
    # The service prints none so long today. The page must not be what loses them if it ever does.
    digits = "123456789012345678901234567890.12"
    script = """const real = window.fetch;
        window.fetch = async (path, options) => path.endsWith("/balance")
          ? new Response(`{"account_number":"n","balance":${arguments[0]}}`) : real(path, options)"""
    console.driver.execute_script(script, digits)
    console.choose("n")
    assert console.check_balance() == "123,456,789,012,345,678,901,234,567,890.12"
    assert console.body("balance") == f'{{"account_number":"n","balance":{digits}}}'


# The list


def test_all_accounts_are_reached_page_by_page(browser, service):
    numbers = [(service.create(str(n)), f"{n}.00") for n in range(1, 13)]
    console = Console(browser, service.url)
    set_value(console, "#list-limit", "5")
    console.run("list")
    pages = [numbers[0:5], numbers[5:10], numbers[10:12]]
    console.wait_for_rows(pages[0])
    for page in pages[1:]:
        console.find("#list-next").click()
        console.wait_for_rows(page)
    assert "after=" in console.curl("list")
    assert console.find("#list-next").get_attribute("aria-disabled") == "true"
    assert console.text("#list-page") == "Page 3"

    console.find("#list-previous").click()
    console.wait_for_rows(pages[1])
    console.find("#list-previous").click()
    console.wait_for_rows(pages[0])
    assert console.find("#list-previous").get_attribute("aria-disabled") == "true"

    set_value(console, "#list-limit", "50")
    console.run("list")
    console.wait_for_rows(numbers)
    assert "12 of 12" in console.text("#list-outcome")


def test_an_account_is_chosen_in_the_list_and_deleted(browser, service):
    numbers = [service.create(str(n)) for n in range(1, 7)]
    console = Console(browser, service.url)
    set_value(console, "#list-limit", "5")
    console.run("list")
    console.find("#list-rows tr:nth-child(2) .use").click()
    assert console.account() == numbers[1] and console.balance() == "2.00"
    chosen = "#list-rows tr[aria-current='true'] .use"
    assert console.find(chosen).get_attribute("title") == numbers[1]

    console.find("#list-next").click()
    console.wait_for_rows([(numbers[5], "6.00")])
    console.find("#list-rows .use").click()
    console.press("delete")
    assert "6.00 is left on it." in console.wait_for_dialog()
    console.find("#confirm .danger").click()
    # The last page is gone with its last account: the one before it is shown.
    console.wait_for_rows([(number, f"{n}.00") for n, number in enumerate(numbers[:5], 1)])
    assert numbers[5] not in [it["account_number"] for it in service.accounts()]


# The statement


@pytest.fixture
def durable(start, tmp_path):
    return start("--data", str(tmp_path / "data"))


def test_a_statement_shows_what_happened_and_follows_it(browser, durable):
    console = Console(browser, durable.url)
    assert not console.find("#statement-hint").is_displayed()
    console.run("create", "100.50")
    number = console.account()
    assert console.run("statement") == "1 transaction shown."
    opened = ("Opened", KEY, "+100.50", "100.50")
    console.wait_for_transactions([opened])
    assert console.status("statement").startswith("200 OK")
    assert in_a_shell(console.curl("statement")) == console.body("statement")
    console.at("UTC")
    console.run("statement")
    time = console.find("#statement-rows .time")
    created = durable.accounts()[0]["created_at"]
    assert time.text == created.replace("T", " ")[:19]
    # By the clock of whoever looks; UTC on hover.
    console.at("Asia/Kolkata")
    console.run("statement")
    local = datetime.fromisoformat(created) + timedelta(hours=5, minutes=30)
    console.wait_for_text("#statement-rows .time", local.isoformat(" ", "seconds"))
    shown = console.find("#statement-rows .time").get_attribute("title")
    assert shown == f"{created.replace('T', ' ')} UTC"

    console.run("deposit", "0.30")
    deposit = ("Deposit", KEY, "+0.30", "100.80")
    console.wait_for_transactions([deposit, opened])
    console.run("withdraw", "20.01")
    withdrawal = ("Withdrawal", KEY, "−20.01", "80.79")
    console.wait_for_transactions([withdrawal, deposit, opened])
    console.find("#statement-order").send_keys("oldest")
    assert console.transactions() and not console.find("#statement-table").is_displayed()
    assert not console.find("#statement-csv").is_displayed()
    console.run("statement")
    console.wait_for_transactions([opened, deposit, withdrawal])

    # The statement of another account is not shown as its own, and a closed one keeps its own.
    other = durable.create()
    console.choose(other)
    assert not console.find("#statement-table").is_displayed()
    durable.call("DELETE", f"/accounts/{number}")
    console.choose(number)
    console.run("statement")
    console.wait_for_transactions([opened, deposit, withdrawal, ("Closed", "", "−80.79", "0.00")])
    assert console.find("#statement-table").is_displayed()


def test_a_statement_is_read_page_by_page(browser, durable):
    number = durable.create("0.5")
    for n in range(1, 23):
        durable.call("POST", f"/accounts/{number}/deposit", f'{{"amount":{n}}}')
    console = Console(browser, durable.url)
    console.choose(number)
    console.run("statement")
    rows = [("Deposit", "", f"+{n}.00", f"{n * (n + 1) // 2}.50") for n in range(22, 0, -1)]
    rows.append(("Opened", "", "+0.50", "0.50"))
    console.wait_for_transactions(rows[:10])
    for begin in (10, 20):
        console.find("#statement-next").click()
        console.wait_for_transactions(rows[begin : begin + 10])
    assert "cursor=3" in console.curl("statement")
    assert console.text("#statement-page") == "Page 3"
    assert console.find("#statement-next").get_attribute("aria-disabled") == "true"
    console.find("#statement-previous").click()
    console.wait_for_transactions(rows[10:20])
    console.press("statement")
    console.wait_for_transactions(rows[:10])


def test_one_click_opens_an_account_with_its_statement(browser, durable):
    numbers = [durable.create(str(n)) for n in (1, 2)]
    console = Console(browser, durable.url)
    console.find(f"#list-rows [title='{numbers[1]}']").click()
    console.wait_for_transactions([("Opened", "", "+2.00", "2.00")])
    assert console.balance() == "2.00"
    console.find(f"#list-rows [title='{numbers[0]}']").click()
    console.wait_for_transactions([("Opened", "", "+1.00", "1.00")])
    # It is still open after a reload, and follows what is done.
    console.driver.refresh()
    console.wait_for_transactions([("Opened", "", "+1.00", "1.00")])
    console.run("withdraw", "0.25")
    console.wait_for_transactions([("Withdrawal", KEY, "−0.25", "0.75"), ("Opened", "", "+1.00", "1.00")])


def test_a_statement_is_filtered_and_saved(browser, durable, tmp_path):
    number = durable.create("100")
    for n in range(1, 15):
        durable.call("POST", f"/accounts/{number}/deposit", f'{{"amount":{n}}}')
    formula = '=HYPERLINK("x"),1'
    durable.call("POST", f"/accounts/{number}/withdraw", '{"amount":0.5}', formula)
    console = Console(browser, durable.url)
    console.driver.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    console.find("#list-rows .use").click()
    console.wait(lambda: len(console.transactions()) == 10, "the statement")
    # Of a kind: all there are, beyond the first page.
    console.find("#statement-kind").send_keys("withdrawals")
    assert console.run("statement") == "1 transaction shown, of 16 looked through."
    console.wait_for_transactions([("Withdrawal", formula, "−0.50", "204.50")])
    console.find("#statement-csv").click()
    saved = tmp_path / f"statement-{number}.csv"
    console.wait(saved.exists, "the file")
    head, line = csv.reader(io.StringIO(saved.read_text()))
    assert head == ["sequence", "timestamp", "type", "amount", "balance_after", "idempotency_key"]
    # A spreadsheet must not run what some client sent for a key.
    assert line[2:] == ["withdrawal", "0.5", "204.5", f"'{formula}"]

    # Days are those of whoever looks, up to the end of the last one.
    console.at("Pacific/Kiritimati")
    opened = datetime.fromisoformat(durable.accounts()[0]["created_at"])
    today = (opened + timedelta(hours=14)).date()
    console.find("#statement-kind").send_keys("everything")
    for first, last, count in ((0, 0, 10), (1, 1, 0), (-1, -1, 0), (-1, 0, 10)):
        for field, days in (("from", first), ("to", last)):
            set_value(console, f"#statement-{field}", str(today + timedelta(days=days)))
        console.run("statement")
        words = f"{count} transactions shown."
        console.wait_for_text("#statement-outcome", words)
    set_value(console, "#statement-to", "")
    set_value(console, "#statement-from", "")


@pytest.mark.parametrize("width", [1280, 360])
def test_a_statement_fits_and_can_be_seen(browser, start, tmp_path, width):
    service = start("--data", str(tmp_path), "--max-transaction-amount", LARGEST_BALANCE)
    number = service.create(LARGEST_BALANCE)
    key = "k" * 255
    random_key = str(uuid.uuid4())
    service.call("POST", f"/accounts/{number}/withdraw", '{"amount":9999999999999.98}', key)
    service.call("POST", f"/accounts/{number}/deposit", '{"amount":12.5}', random_key)
    console = Console(browser, service.url)
    console.prefer(color_scheme="light", reduced_motion="reduce")
    console.resize(width)
    console.choose(number)
    console.run("statement")
    console.wait_for_transactions(
        [
            ("Deposit", random_key, "+12.50", "12.51"),
            ("Withdrawal", key, "−9,999,999,999,999.98", "0.01"),
            ("Opened", "", f"+{SHOWN_LARGEST}", SHOWN_LARGEST),
        ]
    )
    assert console.what_sticks_out(width) == []
    console.screenshot(f"console-{width}-statement")


def test_in_memory_the_page_says_how_to_get_statements(console):
    console.wait(lambda: console.find("#statement-hint").is_displayed(), "the hint")
    assert "--data DIRECTORY" in console.text("#statement-hint")
    assert not console.find("#statement form button").is_displayed()


# A service that is gone


@pytest.mark.refusals
def test_a_service_that_is_gone_is_reported(console, service):
    console.run("create", "1")
    service.stop()
    console.wait_for_text("#health-status", "does not answer")
    assert console.find("#vitals").get_attribute("data-state") == "silent"
    assert "does not answer" in console.run("deposit", "1")
    assert console.status("deposit") == "No answer" and console.is_refused("deposit")
    console.press("delete")
    console.wait_for_text("#delete-outcome", "does not answer")
    console.prefer(reduced_motion="reduce", color_scheme="light")
    console.screenshot("console-silent")


# The look


@pytest.mark.refusals
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 768, 360])
def test_it_fits_and_can_be_seen(browser, service, width, scheme):
    for n in range(1, 8):
        service.create(f"{n * 1234.5:.2f}")
    console = Console(browser, service.url)
    console.prefer(color_scheme=scheme, reduced_motion="reduce")
    console.resize(width)
    assert console.what_sticks_out(width) == []
    console.screenshot(f"console-{width}-{scheme}-first")
    console.run("create", "100.50")
    console.check_balance()
    console.run("deposit", "50.25")
    console.run("withdraw", "1000")
    console.wait_for_text("#list-outcome", "of 8")
    assert console.what_sticks_out(width) == []
    console.screenshot(f"console-{width}-{scheme}")
    console.press("delete")
    console.wait_for_dialog()
    assert console.what_sticks_out(width) == []
    console.screenshot(f"console-{width}-{scheme}-dialog", whole=False)


def test_a_first_visit_can_be_seen(browser, durable):
    """The picture in README: `docs/console.png` is a copy of it."""
    console = Console(browser, durable.url)
    console.prefer(color_scheme="light", reduced_motion="reduce")
    console.resize(1280, 1000)
    console.run("create", "1000")
    console.run("deposit", "0.10")
    console.run("withdraw", "500")
    console.check_balance()
    console.driver.execute_script("scrollTo(0, 0); document.activeElement.blur()")
    console.screenshot("readme", whole=False)
