//! README, walked from its first word to its last: each shell block is run as it stands, in one session, and what is
//! printed must be what the comments below a command say (`…` is anything).
//!
//! Differences from what a reader does: `cargo` is not run here; ports are free ones; a server is killed before the next is
//! started; and of commands that measure or verify for minutes only the arguments are checked. `fresh.sh` runs what is left
//! out, in a fresh clone.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test states what it expects by panicking"
)]

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// What ends the output of a block.
const END: &str = "-- end of the block --";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The lines of each block of shell.
fn shell_blocks(markdown: &str) -> Vec<Vec<String>> {
    let mut blocks = Vec::new();
    let mut block = None;
    for line in markdown.lines() {
        match &mut block {
            None if line == "```sh" => block = Some(Vec::new()),
            None => {}
            Some(_) if line == "```" => blocks.extend(block.take()),
            Some(lines) => lines.push(line.to_owned()),
        }
    }
    blocks
}

/// What a command is, without the comment behind it.
fn command_of(line: &str) -> &str {
    line.split(" #").next().unwrap_or_default().trim()
}

/// Whether `text` is as `pattern` says, in which `…` is anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('…');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut ends_open = !pattern.contains('…') && rest.is_empty();
    for piece in pieces {
        let Some(place) = rest.find(piece) else {
            return false;
        };
        rest = &rest[place + piece.len()..];
        ends_open = piece.is_empty() || rest.is_empty();
    }
    ends_open
}

/// One terminal with a shell, and one for each server.
struct Walk {
    place: tempfile::TempDir,
    shell: Child,
    to_shell: ChildStdin,
    from_shell: Lines<BufReader<ChildStdout>>,
    servers: Vec<Child>,
    /// Where README has a port, and what it is here.
    ports: [(&'static str, u16); 2],
}

impl Walk {
    fn begin() -> Self {
        let place = tempfile::tempdir().unwrap();
        let examples = root().join("examples").canonicalize().unwrap();
        std::os::unix::fs::symlink(examples, place.path().join("examples")).unwrap();
        let mut shell = Command::new("bash");
        let ports = [("8000", free_port()), ("9000", free_port())];
        let mut shell = in_place(&mut shell, place.path(), ports[0].1)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut to_shell = shell.stdin.take().unwrap();
        let from_shell = BufReader::new(shell.stdout.take().unwrap()).lines();
        // An answer of the service has no line end.
        writeln!(
            to_shell,
            "set -eo pipefail; curl() {{ command curl \"$@\"; echo; }}"
        )
        .unwrap();
        Self {
            place,
            shell,
            to_shell,
            from_shell,
            servers: Vec::new(),
            ports,
        }
    }

    /// `text`, with the ports of this walk.
    fn here(&self, text: &str) -> String {
        let ports = self.ports.iter();
        ports.fold(text.to_owned(), |text, (named, port)| {
            text.replace(&format!("localhost:{named}"), &format!("localhost:{port}"))
        })
    }

    /// Starts a server in a terminal of its own, in the place of the one before.
    fn serve(&mut self, command: &str, port: u16) {
        for mut server in self.servers.drain(..) {
            server.kill().unwrap();
            server.wait().unwrap();
        }
        let mut server = Command::new("bash");
        server.args(["-c", &format!("exec {command}")]);
        let server = in_place(&mut server, self.place.path(), self.ports[0].1)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.servers.push(server);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{command}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs a block in the shell, and returns what it printed.
    fn run(&mut self, block: &str) -> Vec<String> {
        let block = self.here(block);
        writeln!(self.to_shell, "{block}\necho; echo '{END}'").unwrap();
        let mut printed = Vec::new();
        for line in self.from_shell.by_ref() {
            let line = line.unwrap();
            if line == END {
                return printed;
            }
            printed.push(line);
        }
        let status = self.shell.wait().unwrap();
        panic!("{status} in\n{block}\nafter\n{}", printed.join("\n"));
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        for server in self.servers.iter_mut().chain([&mut self.shell]) {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// A command in the walk's directory, with `cashpoint` on its path and no settings but the port.
fn in_place<'a>(command: &'a mut Command, place: &Path, port: u16) -> &'a mut Command {
    let program = Path::new(env!("CARGO_BIN_EXE_cashpoint"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    command
        .current_dir(place)
        .env_clear()
        .env("PATH", path)
        .env("PORT", port.to_string())
}

/// Of a command that takes minutes, or ends with a verdict, what is run instead.
fn shortened(command: &str) -> String {
    let convicts = command.contains("localhost:9000");
    match command.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["cashpoint", "verify"] if convicts => {
            format!(
                "{command} > verdict || [ $? = 1 ]; grep CONVICTED verdict; grep '✗ a ' verdict"
            )
        }
        ["cashpoint", "verify" | "bench"] => format!("{command} --help > /dev/null"),
        _ => command.to_owned(),
    }
}

#[test]
fn readme_does_what_it_says() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut walk = Walk::begin();
    let (mut compared, mut served) = (0, 0);
    for block in shell_blocks(&readme) {
        let commands: Vec<_> = block
            .iter()
            .map(|line| command_of(line))
            .filter(|it| !it.starts_with("cargo "))
            .collect();
        match commands[..] {
            [] => continue,
            [one] if one.starts_with("cashpoint serve") => {
                let port = walk.ports[0].1;
                walk.serve(one, port);
                served += 1;
                continue;
            }
            [one] if one.starts_with("python3 ") => {
                let port = walk.ports[1].1;
                walk.serve(&format!("{one} {port}"), port);
                served += 1;
                continue;
            }
            _ => {}
        }
        let block_before = commands.join("\n");
        let script: Vec<_> = commands.iter().map(|it| shortened(it)).collect();
        let printed = walk.run(&script.join("\n"));
        let printed: Vec<_> = printed
            .iter()
            .filter(|line| line.starts_with('{'))
            .collect();
        let expected: Vec<_> = block
            .iter()
            .filter_map(|line| line.strip_prefix("# {"))
            .collect();
        if expected.is_empty() {
            continue;
        }
        assert_eq!(
            printed.len(),
            expected.len(),
            "{printed:#?} of\n{block_before}"
        );
        for (printed, expected) in printed.iter().zip(expected) {
            let expected = format!("{{{expected}");
            assert!(fits(&expected, printed), "{printed}\nis not\n{expected}");
            compared += 1;
        }
    }
    assert!(
        compared >= 8 && served == 3,
        "{compared} answers, {served} servers"
    );
}

#[test]
fn what_is_printed_is_held_against_what_is_promised() {
    assert!(fits("a…c", "abc") && fits("…", "x") && fits("ab", "ab"));
    assert!(fits(r#"{"n":"…","b":1.0}"#, r#"{"n":"x-y","b":1.0}"#));
    for wrong in ["ab", "abcd", "xabc", ""] {
        assert!(!fits("a…c", wrong), "{wrong}");
    }
    let blocks = shell_blocks("```sh\na\n```\n```text\nb\n```\n```sh\nc  # d\n```\n");
    assert_eq!(blocks, [vec!["a".to_owned()], vec!["c  # d".to_owned()]]);
    assert_eq!(command_of("c d  # e"), "c d");
}
