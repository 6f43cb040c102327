"""Pages of other sites, in a browser that obeys them: what they can have it send, and what comes of it."""

import http.server
import json
import socket
import threading
import time

import pytest
from console import Console

WAIT_S = 10

# Each way in which a page has a browser change something without asking first. Each is a function of the URL and the body.
ATTACKS = {
    "blob": "(url, body) => fetch(url, {method: 'POST', mode: 'no-cors', body: new Blob([body])})",
    "typed array": "(url, body) => fetch(url, {method: 'POST', mode: 'no-cors', body: new TextEncoder().encode(body)})",
    "no referrer": """(url, body) => fetch(url, {method: 'POST', mode: 'no-cors', body: new Blob([body]),
        referrerPolicy: 'no-referrer'})""",
    "beacon": "(url, body) => navigator.sendBeacon(url, new Blob([body]))",
    "beacon of a typed array": "(url, body) => navigator.sendBeacon(url, new TextEncoder().encode(body))",
    "XMLHttpRequest": """(url, body) => new Promise((done) => {
        const request = new XMLHttpRequest();
        request.open('POST', url);
        request.onloadend = done;
        request.send(new Blob([body]));
    })""",
    "sandboxed frame": """(url, body) => {
        const frame = document.createElement('iframe');
        frame.sandbox = 'allow-scripts';
        frame.srcdoc = `<script>fetch('${url}', {method: 'POST', mode: 'no-cors', body: new Blob(['${body}'])})</` + 'script>';
        document.body.append(frame);
    }""",
}

# Those that the service does not take for JSON, or that ask first, are tried as well.
VAIN_ATTACKS = {
    "text": "(url, body) => fetch(url, {method: 'POST', mode: 'no-cors', body})",
    "form": """(url, body) => {
        const frame = document.createElement('iframe');
        // One name for two frames would have the second form take the first one's place, sent or not.
        frame.name = `answer-${document.forms.length}`;
        document.body.append(frame);
        const form = document.createElement('form');
        Object.assign(form, {method: 'POST', action: url, enctype: 'text/plain', target: frame.name});
        const field = document.createElement('input');
        [field.name, field.value] = [body.replace('}', ', "x": "'), '"}'];
        form.append(field);
        document.body.append(form);
        form.submit();
    }""",
}
ASKING = """(url, body) => fetch(url, {method: 'POST', headers: {'Content-Type': 'application/json'}, body})"""


class Elsewhere:
    """A site of somebody else: one empty page, under each name that leads to it."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                page = b"<!doctype html><title>Kittens</title><body>"
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def elsewhere():
    elsewhere = Elsewhere()
    yield elsewhere
    elsewhere.server.shutdown()


@pytest.fixture
def visitor(driver):
    """The browser, which may load from anywhere."""
    yield driver
    driver.get("about:blank")
    driver.get_log("performance"), driver.get_log("browser")


def run(driver, attack: str, url: str, body: str):
    """Has the page that is open do this, and returns what came of it."""
    script = f"""const [url, body, done] = arguments;
        Promise.resolve(({attack})(url, body)).then((it) => done(String(it)), (error) => done(String(error)))"""
    return driver.execute_async_script(script, url, body)


def wait(condition, what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.05)


def posts(service) -> list[str]:
    """The lines about what was to be changed. At debug, each request has one."""
    return [line for line in service.log if "POST" in line]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


# Of the same site as the service, of another, and one that sends nothing but `Origin`, for it has no TLS.
SITES = ("http://127.0.0.1", "http://localhost", "http://kittens.example")


@pytest.mark.parametrize("site", SITES)
def test_with_an_origin_configured_pages_of_others_change_nothing(visitor, start, elsewhere, site):
    production = ("--environment", "production", "--external-url", "https://cashpoint.example")
    service = start("--log-level", "debug", *production)
    number = service.create("100.0")
    visitor.get(f"{site}:{elsewhere.port}/")
    attacks = ATTACKS | VAIN_ATTACKS
    before = len(posts(service))
    for attack in attacks.values():
        run(visitor, attack, f"{service.url}/accounts", json.dumps({"initial_balance": 1}))
        run(visitor, attack, f"{service.url}/accounts/{number}/withdraw", json.dumps({"amount": 1}))
    wait(lambda: len(posts(service)) >= before + 2 * len(attacks), "every attack to arrive")
    refused = [line for line in posts(service)[before:] if "Requests from this origin are not allowed" in line]
    assert service.balance(number) == "100.0", posts(service)
    assert len(service.accounts()) == 1
    assert len(refused) == 2 * len(attacks), posts(service)
    # One that asks first is not let in, and nothing arrives.
    assert "TypeError" in run(visitor, ASKING, f"{service.url}/accounts", "{}")
    assert len(service.accounts()) == 1


@pytest.mark.parametrize("site", SITES)
def test_without_one_each_attack_works(visitor, start, elsewhere, site):
    """So the test above sees them fail for the right reason; and the start says that it is so."""
    service = start("--log-level", "debug")
    number = service.create("100.0")
    visitor.get(f"{site}:{elsewhere.port}/")
    for withdrawn, attack in enumerate(ATTACKS.values(), start=1):
        run(visitor, attack, f"{service.url}/accounts/{number}/withdraw", json.dumps({"amount": 1}))
        wait(lambda: service.balance(number) == f"{100 - withdrawn}.0", attack)
    assert "Response" in run(visitor, ASKING, f"{service.url}/accounts", "{}")


def test_pages_of_an_allowed_origin_of_another_site_change_what_they_like(visitor, start, elsewhere):
    service = start("--allowed-origin", f"http://localhost:{elsewhere.port}")
    visitor.get(f"http://localhost:{elsewhere.port}/")
    answer = f"async (url, body) => (await ({ASKING})(url, body)).status"
    assert run(visitor, answer, f"{service.url}/accounts", "{}") == "201"
    assert len(service.accounts()) == 1


def test_the_console_works_at_its_own_url_and_on_the_machine(visitor, start):
    port = free_port()
    url = f"http://cashpoint.example:{port}"
    start("--environment", "production", "--external-url", url, port=port)
    for at in (url, f"http://127.0.0.1:{port}", f"http://localhost:{port}"):
        console = Console(visitor, at)
        assert "Created with 5.0" in console.run("create", "5"), at
        assert console.run("deposit", "1.5").startswith("1.50 put in"), at
        console.press("delete")
        console.wait_for_dialog()
        console.find("#confirm button[value=delete]").click()
        assert console.outcome("delete") == "Deleted.", at


def test_a_name_that_is_led_here_opens_nothing(visitor, start):
    closed = start("--environment", "production", "--external-url", "https://cashpoint.example")
    opened = start()
    create = "(url, body) => fetch(url, {method: 'POST', body: new Blob([body])}).then((it) => it.status)"
    for service, status, count in ((opened, "201", 1), (closed, "400", 0)):
        port = service.url.rsplit(":")[-1]
        visitor.get(f"http://rebound.example:{port}/livez")
        # To the browser this is the page's own origin.
        assert run(visitor, create, "/accounts", "{}") == status
        listing = "(url) => fetch(url).then((it) => it.status)"
        assert run(visitor, listing, "/accounts", "") == ("200" if count else "400")
        assert len(service.accounts()) == count
