//! The real binary on a forged journal, with little memory and little time.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How much memory the program may have, in KiB, program text and stacks included.
const MEMORY_KIB: u64 = 768 << 10;

/// How long it may take, on however busy a machine. What is refused takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary.
fn cashpoint() -> Command {
    bounded(env!("CARGO_BIN_EXE_cashpoint").into())
}

/// A program that is bounded in memory: what does not fit aborts it.
pub(crate) fn bounded(program: PathBuf) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -v {MEMORY_KIB} && exec \"$@\"");
    command.args(["-c", &script, "sh"]).arg(program);
    // An arena for each thread would take 64 MiB of addresses.
    command.env_clear().env("MALLOC_ARENA_MAX", "1");
    command
}

/// Waits for the end of `child`; one that takes too long is killed, and fails the test.
pub(crate) fn wait(mut child: Child, what: &str, patience: Duration) -> Output {
    let start = Instant::now();
    // What it prints has to be read meanwhile.
    let mut readers = Vec::new();
    let pipes: [Option<Box<dyn std::io::Read + Send>>; 2] = [
        child.stdout.take().map(|it| Box::new(it) as _),
        child.stderr.take().map(|it| Box::new(it) as _),
    ];
    for pipe in pipes.into_iter().flatten() {
        let mut pipe = pipe;
        readers.push(thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = pipe.read_to_end(&mut bytes);
            bytes
        }));
    }
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > patience {
            let _ = child.kill();
            panic!("{what} hangs");
        }
        thread::sleep(Duration::from_millis(5));
    };
    let mut outputs = readers.into_iter().map(|reader| reader.join().unwrap());
    Output {
        status,
        stdout: outputs.next().unwrap(),
        stderr: outputs.next().unwrap(),
    }
}

/// What `cashpoint journal` says of a journal.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `cashpoint journal`. It neither panics nor aborts nor hangs, and prints no escape sequence.
pub(crate) fn journal(what: &str, directory: &Path, arguments: &[&str]) -> Said {
    let child = cashpoint()
        .args(["journal", what])
        .arg(directory)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = wait(child, what, PATIENCE);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let code = output.status.code();
    let code = code.unwrap_or_else(|| panic!("{what}: {}\n{stderr}", output.status));
    assert!(!stderr.contains("panicked"), "{what}: {stderr}");
    assert!((0..=2).contains(&code), "{what}: {code} {stderr}");
    for text in [&stdout, &stderr] {
        let is_hostile = |char: char| char.is_control() && char != '\n';
        assert!(!text.contains(is_hostile), "{what}: {text:?}");
    }
    Said {
        code,
        stdout,
        stderr,
    }
}

/// Whether `cashpoint journal check` calls it whole, and what it reports.
pub(crate) fn check(directory: &Path) -> (bool, Value, String) {
    let said = journal("check", directory, &["--json", "--balances"]);
    let report: Value = serde_json::from_str(&said.stdout).unwrap_or_default();
    (said.code == 0, report, said.stderr)
}

/// What became of a start.
pub(crate) enum Start {
    /// It was refused, for this reason.
    Refused(String),
    /// It lists so many accounts.
    Lists(Vec<Value>),
}

/// Runs `cashpoint serve`. It neither panics nor aborts nor hangs.
pub(crate) fn serve(directory: &Path) -> Start {
    let mut child = cashpoint()
        .args(["serve", "--host", "127.0.0.1", "--port", "0"])
        .args(["--accept-clock", "--max-accounts", "100000", "--data"])
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (lines, said) = mpsc::channel();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
    let mut all = String::new();
    let port = loop {
        match said.recv_timeout(PATIENCE) {
            Ok(line) => {
                all.push_str(&line);
                all.push('\n');
                let rest = line.split("http://127.0.0.1:").nth(1);
                let digits = rest.map(|rest| rest.chars().take_while(char::is_ascii_digit));
                if let Some(Ok(port)) = digits.map(|it| it.collect::<String>().parse::<u16>()) {
                    break Some(port);
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break None,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                panic!("serve hangs: {all}");
            }
        }
    };
    let started = match port {
        Some(port) => {
            let listed = list(port);
            let _ = child.kill();
            let _ = child.wait();
            Start::Lists(listed)
        }
        None => {
            let status = child.wait().unwrap();
            assert!(status.code().is_some(), "serve: {status}\n{all}");
            assert!(!status.success(), "{all}");
            Start::Refused(all.clone())
        }
    };
    assert!(!all.contains("panicked"), "{all}");
    started
}

fn list(port: u16) -> Vec<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = "GET /accounts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    // It may come in chunks.
    let json: String = match answer.to_ascii_lowercase().contains("transfer-encoding") {
        true => body.split("\r\n").skip(1).step_by(2).collect(),
        false => body.to_owned(),
    };
    let listed: Value = serde_json::from_str(&json).unwrap_or_else(|_| panic!("{answer}"));
    match &listed {
        Value::Array(accounts) => accounts.clone(),
        object => object["accounts"].as_array().unwrap().clone(),
    }
}
