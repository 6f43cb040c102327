"""The console for those who do not see it, or not well: no rule of axe-core is broken."""

import importlib.util
from pathlib import Path

import pytest
from console import Console

# Of the package the file of axe-core is used, and nothing else: it is not imported.
AXE = Path(importlib.util.find_spec("axe_playwright_python").origin).with_name("axe.min.js").read_text()


def violations(console: Console) -> list[str]:
    console.driver.execute_script(AXE)
    script = """const done = arguments[0];
        axe.run(document, {resultTypes: ["violations"]}).then((it) => done([it.violations, it.passes.length]))"""
    found, passed = console.driver.execute_async_script(script)
    assert passed > 10, "axe has looked at nothing"
    return [f"{it['id']}: {it['help']}: {node['html'][:120]}" for it in found for node in it["nodes"]]


@pytest.mark.refusals
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing(browser, start, tmp_path, width, scheme):
    service = start("--data", str(tmp_path))
    console = Console(browser, service.url)
    console.prefer(color_scheme=scheme, reduced_motion="reduce")
    console.resize(width)
    assert violations(console) == []
    # With answers, a refusal, a statement, and the dialog open.
    console.run("create", "100.50")
    console.run("deposit", "50.25")
    console.run("withdraw", "1000")
    console.run("statement")
    console.run("list")
    assert violations(console) == []
    console.press("delete")
    console.wait_for_dialog()
    assert violations(console) == []


def test_axe_finds_what_is_wrong(console):
    console.driver.execute_script("document.querySelector('label[for=account]').remove()")
    console.find("#account").get_attribute("id")
    console.driver.execute_script("document.querySelector('#account').removeAttribute('placeholder')")
    assert any(it.startswith("label:") for it in violations(console))
