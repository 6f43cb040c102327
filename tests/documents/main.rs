//! Documents that are kept true: what they name is there.

#![expect(
    clippy::unwrap_used,
    reason = "a test states what it expects by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the tests are.
const FOLDERS: [&str; 5] = ["src", "tests", "fuzz", "loom-tests", "shuttle-tests"];

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
    let script = Command::new(root().join("assets/licenses.sh"))
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
