//! Pages that need nothing else: no network, no script. What those of `bench` and `verify` have in common.

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A page, with this style beside the common one.
pub(crate) fn page(title: &str, style: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(style)) (PreEscaped(DARK)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}

const STYLE: &str = "
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.wide { overflow-x: auto; } figure { margin: 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .85rem; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #ddd; white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { color: #666; } dd { margin: 0; }
";

/// Behind all other styles, which it changes. Plots are drawn on white: turned around, with their hues kept.
const DARK: &str = "
@media (prefers-color-scheme: dark) {
body { color: #ddd; background: #16191d; } th, td { border-color: #3a3f45; } dt { color: #a5abb2; }
figure svg { filter: invert(1) hue-rotate(180deg); }
.good { background: #1d4427; } .bad, .wrong, tr.wrong { background: #5c2020; } .open { background: #4d4313; }
}
";
