//! Documents that are kept true: what they name is there.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test states what it expects by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the tests are.
const FOLDERS: [&str; 6] = [
    "src",
    "crates",
    "tests",
    "fuzz",
    "loom-tests",
    "shuttle-tests",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a folder, but for what builds leave there.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true if path.ends_with("target") => {}
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// The names of the tests in a file of Rust (functions with an attribute `test`) or of Python.
fn tests_in(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        let after = |keyword: &str| {
            let (_, rest) = line.split_once(keyword)?;
            rest.split_once('(').map(|(name, _)| name.to_owned())
        };
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if line.starts_with("def test_") {
            names.extend(after("def "));
        } else if line.starts_with("fn ") || line.starts_with("async fn ") {
            let name = after("fn ").filter(|_| is_test);
            names.extend(name);
            is_test = false;
        }
    }
    names
}

fn tests() -> BTreeSet<String> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        files(&root().join(folder), &mut found);
    }
    let is_source = |path: &PathBuf| {
        let extension = path.extension().and_then(|it| it.to_str());
        extension == Some("rs") || extension == Some("py")
    };
    let texts = found.iter().filter(|it| is_source(it));
    let texts = texts.map(|path| fs::read_to_string(path).unwrap());
    texts.flat_map(|text| tests_in(&text)).collect()
}

/// What stands in backticks in the last column of a table whose heading there is "test".
fn tests_named(markdown: &str) -> Vec<String> {
    let mut named = Vec::new();
    let mut is_of_tests = false;
    for line in markdown.lines() {
        let last = line.strip_prefix('|').and_then(|it| it.strip_suffix('|'));
        let last = last.map(|cells| cells.rsplit('|').next().unwrap_or_default());
        match last {
            None => is_of_tests = false,
            Some(cell) if cell.trim() == "test" => is_of_tests = true,
            Some(cell) if is_of_tests && !cell.starts_with("---") => {
                let names: Vec<_> = cell
                    .split('`')
                    .skip(1)
                    .step_by(2)
                    .map(str::to_owned)
                    .collect();
                assert!(!names.is_empty(), "a row without a test: {line}");
                named.extend(names);
            }
            Some(_) => {}
        }
    }
    named
}

/// What stands in backticks and is a path: of a file of Rust, or of a folder.
fn paths_named(markdown: &str) -> BTreeSet<String> {
    let in_backticks = markdown.split('`').skip(1).step_by(2);
    let is_path = |it: &&str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/.".contains(&byte);
        it.bytes().all(is_plain) && (it.ends_with(".rs") || it.ends_with('/') && it.len() > 1)
    };
    in_backticks.filter(is_path).map(str::to_owned).collect()
}

/// Whether a path, from the root, is meant by what a document calls it, which may leave out where it is.
fn is_meant(path: &str, named: &str) -> bool {
    match named.strip_suffix('/') {
        None => format!("/{path}").ends_with(&format!("/{named}")),
        Some(_) => format!("/{path}").contains(&format!("/{named}")),
    }
}

fn all_paths() -> Vec<String> {
    let mut found = Vec::new();
    for folder in FOLDERS.iter().chain(&["benches", "deploy", "examples"]) {
        files(&root().join(folder), &mut found);
    }
    let relative = |path: &PathBuf| path.strip_prefix(root()).unwrap().display().to_string();
    found.iter().map(relative).collect()
}

#[test]
fn every_file_on_the_map_is_there() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (named, paths) = (paths_named(&map), all_paths());
    assert!(named.len() >= 100, "only {} paths are found", named.len());
    let is_there = |named: &&String| paths.iter().any(|path| is_meant(path, named));
    let missing: Vec<_> = named.iter().filter(|it| !is_there(it)).collect();
    assert!(missing.is_empty(), "named and not there: {missing:#?}");
}

/// Those of the crate and of the service by name; those of the binary, and what belongs to one idea, by their folder.
#[test]
fn every_module_is_on_the_map() {
    const WHOLE: [&str; 3] = [
        "src/journal/snapshot/",
        "src/durable/simulation/",
        "crates/cashpoint-cli/src/",
    ];
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let named = paths_named(&map);
    let is_on_it = |path: &str| {
        let is_whole = WHOLE.iter().any(|folder| path.starts_with(folder));
        let mut named = named.iter().filter(|it| is_whole || it.ends_with(".rs"));
        named.any(|it| is_meant(path, it))
    };
    let paths = all_paths();
    let modules = paths.iter().filter(|path| {
        let is_source = path.starts_with("src/") || path.starts_with("crates/");
        let is_front = ["mod.rs", "lib.rs", "main.rs"]
            .iter()
            .any(|it| path.ends_with(it));
        is_source && path.ends_with(".rs") && !is_front
    });
    let (on_it, missing): (Vec<_>, Vec<_>) = modules.partition(|path| is_on_it(path));
    assert!(missing.is_empty(), "not on the map: {missing:#?}");
    assert!(on_it.len() >= 150, "only {} modules are found", on_it.len());
}

/// The headings of a document, as links name them.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let headings = prose(markdown)
        .into_iter()
        .filter(|line| line.starts_with('#'));
    let is_kept = |it: &char| it.is_alphanumeric() || "-_ ".contains(*it);
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        text.chars()
            .filter(is_kept)
            .collect::<String>()
            .replace(' ', "-")
    };
    headings.map(anchor).collect()
}

/// The lines that are no code.
fn prose(markdown: &str) -> Vec<&str> {
    let mut is_code = false;
    let lines = markdown.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect()
}

/// Where the links of a document lead that lead to this repository.
fn links(markdown: &str) -> Vec<String> {
    let text = prose(markdown).join("\n");
    let targets = text.split("](").skip(1).filter_map(|it| it.split_once(')'));
    let targets = targets.map(|(target, _)| target.to_owned());
    targets
        .filter(|it| !it.contains("://") && !it.starts_with("../../"))
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut documents = Vec::new();
    files(&root().join("docs"), &mut documents);
    for entry in fs::read_dir(root()).unwrap() {
        documents.push(entry.unwrap().path());
    }
    documents.retain(|path| path.extension().is_some_and(|it| it == "md"));
    let (mut count, mut broken) = (0, Vec::new());
    for path in &documents {
        let text = fs::read_to_string(path).unwrap();
        for link in links(&text) {
            count += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            let is_there = match anchor {
                "" => target.exists(),
                anchor => fs::read_to_string(&target).is_ok_and(|it| anchors(&it).contains(anchor)),
            };
            if !is_there {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(count >= 50, "only {count} links are found");
}

#[test]
fn links_and_headings_are_found() {
    let text = "# A `b`: c\n[x](y.md#z) and [w](#a-b-c)\n```sh\n# no [x](no)\n```\n";
    assert_eq!(links(text), ["y.md#z", "#a-b-c"]);
    assert!(anchors(text).iter().eq(["a-b-c"]));
}

/// README is read by everybody, so it is short.
#[test]
fn readme_is_short() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let words = readme.split_whitespace().count();
    assert!(words <= 1_600, "{words} words");
}

/// A function that does not fit a screen, or a file that nobody reads to its end, is more than one idea.
#[test]
fn no_function_and_no_file_is_too_long_to_read() {
    const LINES_MAX: usize = 800;
    const FUNCTION_LINES_MAX: usize = 70;
    let mut long = Vec::new();
    let paths = all_paths();
    let ships = |path: &&String| {
        let is_source = path.starts_with("src/") || path.starts_with("crates/");
        let is_test = path.contains("/tests") || path.contains("/simulation/");
        is_source && !is_test && path.ends_with(".rs")
    };
    for path in paths.iter().filter(ships) {
        let text = fs::read_to_string(root().join(path)).unwrap();
        let lines: Vec<_> = text.lines().collect();
        if lines.len() > LINES_MAX {
            long.push(format!("{path}: {} lines", lines.len()));
        }
        for (number, name, length) in functions(&lines) {
            if length > FUNCTION_LINES_MAX {
                long.push(format!("{path}:{number}: {name} has {length} lines"));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// The line, the name and the length of each function: as rustfmt sets them, one ends with the brace below its beginning.
fn functions(lines: &[&str]) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let Some((before, rest)) = code.split_once("fn ") else {
            continue;
        };
        let is_function = before.split_whitespace().all(|word| {
            word.starts_with("pub")
                || ["in", "const", "async"].contains(&word)
                || word.ends_with(')')
        });
        let Some((name, _)) = rest.split_once(['(', '<']).filter(|_| is_function) else {
            continue;
        };
        let indent = &line[..line.len() - code.len()];
        let end = lines[index..]
            .iter()
            .position(|it| *it == format!("{indent}}}"));
        let one_line = line.ends_with('}') || line.ends_with(';');
        if let Some(length) = end.filter(|_| !one_line) {
            found.push((index + 1, name.to_owned(), length + 1));
        }
    }
    found
}

#[test]
fn the_length_of_functions_is_counted() {
    let text =
        "impl A {\n    pub(crate) fn a(\n        b: u8,\n    ) {\n        b\n    }\n}\nfn c() {}\n";
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(functions(&lines), [(2, "a".to_owned(), 5)]);
}

#[test]
fn every_test_named_in_the_threat_model_is_there() {
    let security = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let (named, tests) = (tests_named(&security), tests());
    assert!(named.len() >= 10, "only {} names are found", named.len());
    let missing: Vec<_> = named.iter().filter(|it| !tests.contains(*it)).collect();
    assert!(missing.is_empty(), "named and not there: {missing:#?}");
}

#[test]
fn names_are_found_in_tables_and_in_sources() {
    let table = "| attack | test |\n|---|---|\n| one | `a_b` and `c` |\n\n| x | y |\n|---|---|\n| `no` | `no` |\n";
    assert_eq!(tests_named(table), ["a_b", "c"]);
    let rust = "#[test]\n#[ignore]\nfn is_one() {\n}\nfn is_none() {}\n";
    assert!(tests_in(rust).iter().eq(["is_one"]));
    assert!(
        tests_in("def test_x(page):\ndef other():")
            .iter()
            .eq(["test_x"])
    );
}

#[test]
fn the_licence_of_each_crate_can_be_passed_on() {
    let place = tempfile::tempdir().unwrap();
    let script = Command::new(root().join("licenses.sh"))
        .arg(place.path())
        .current_dir(root())
        .status();
    assert!(script.unwrap().success());
    let list = fs::read_to_string(place.path().join("crates.txt")).unwrap();
    assert!(list.lines().count() > 50, "{list}");
    let mut without = Vec::new();
    for line in list.lines() {
        let (crate_name, license) = line.split_once(" | ").unwrap();
        assert!(!license.is_empty(), "{line}");
        let texts = fs::read_dir(place.path().join(crate_name.replace(" v", "-")));
        if !texts.is_ok_and(|mut texts| texts.next().is_some()) {
            without.push(crate_name);
        }
    }
    // They have none in their packages; MIT or Apache-2.0, of which the texts are there.
    let known = |name: &&str| {
        ["maud v", "maud_macros v"]
            .iter()
            .any(|it| name.starts_with(it))
    };
    assert!(without.iter().all(known), "no text: {without:?}");
    assert!(place.path().join("system").is_dir(), "the standard library");
}
