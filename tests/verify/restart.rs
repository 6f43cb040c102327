//! Servers that are killed and started again.
//!
//! They are processes of their own: this very test program, told by its environment to serve ([`Diary`]), or
//! the real `cashpoint serve`, which promises to remember nothing.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use cashpoint::{AccountNumber, Cents};

use crate::command_line::verify;
use crate::faulty_servers::{Fault, Twin, now};
use crate::text;
use crate::wire::{self, Message};

/// What is wrong with the memory of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    /// Nothing: it writes down what it did, and answers then.
    Sound,
    /// It answers first, and writes a little later. Whatever was answered last is lost.
    AnswersFirst,
    /// It writes first and does it then, but forgets what it has closed.
    ForgetsClosings,
    /// When it reads its diary it takes the last sum that was paid in for two. A withdrawal taken for two could be more
    /// than there is: then the server would not answer any more, which is no proof.
    ReadsTheLastDepositTwice,
    /// It offers idempotency keys, and writes none of them down.
    ForgetsKeys,
    /// It writes down which accounts there are, and not which was there first.
    ForgetsTheOrder,
}

/// How long [`Memory::AnswersFirst`] waits before it writes.
const LATER: Duration = Duration::from_millis(50);

/// When all accounts were created: nobody asks.
const EPOCH: &str = "2026-01-01T00:00:00.000000";

const PORT: &str = "CASHPOINT_TEST_PORT";
const DIARY: &str = "CASHPOINT_TEST_DIARY";
const MEMORY: &str = "CASHPOINT_TEST_MEMORY";

/// Serves accounts, and writes down each change of a balance before it is answered. A process that is killed
/// loses nothing that it has written; this is no test of disks.
struct Diary {
    memory: Memory,
    accounts: Mutex<Accounts>,
    /// What was answered to requests with keys, by these.
    keys: Mutex<HashMap<String, Message>>,
    pages: Pages,
}

/// Balances, and the order of creation.
#[derive(Default)]
struct Accounts {
    order: Vec<String>,
    balances: HashMap<String, i64>,
}

impl Accounts {
    fn add(&mut self, number: &str, cents: i64) {
        if !self.balances.contains_key(number) {
            self.order.push(number.to_owned());
        }
        *self.balances.entry(number.to_owned()).or_insert(0) += cents;
    }

    fn remove(&mut self, number: &str) {
        self.order.retain(|it| it != number);
        self.balances.remove(number);
    }
}

enum Pages {
    Now(Mutex<File>),
    Later(Mutex<mpsc::Sender<String>>),
}

impl Diary {
    fn open(path: &Path, memory: Memory) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let mut lines: Vec<_> = text.lines().collect();
        if memory == Memory::ReadsTheLastDepositTwice {
            let is_deposit = |line: &&&str| line.rsplit(' ').next().is_some_and(is_positive);
            let last = lines.iter().rev().find(is_deposit).copied();
            lines.extend(last);
        }
        let mut accounts = Accounts::default();
        for line in lines {
            let (number, change) = line.split_once(' ').unwrap();
            match change.parse::<i64>() {
                Ok(cents) => accounts.add(number, cents),
                Err(_) => accounts.remove(number),
            }
        }
        if memory == Memory::ForgetsTheOrder {
            accounts.order.sort();
        }
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).open(path).unwrap();
        let pages = if memory == Memory::AnswersFirst {
            let (sender, receiver) = mpsc::channel::<String>();
            thread::spawn(move || {
                while let Ok(line) = receiver.recv() {
                    thread::sleep(LATER);
                    let late: String = [line].into_iter().chain(receiver.try_iter()).collect();
                    file.write_all(late.as_bytes()).unwrap();
                }
            });
            Pages::Later(Mutex::new(sender))
        } else {
            Pages::Now(Mutex::new(file))
        };
        Self {
            memory,
            accounts: Mutex::new(accounts),
            keys: Mutex::default(),
            pages,
        }
    }

    fn write(&self, number: &str, change: &str) {
        let line = format!("{number} {change}\n");
        match &self.pages {
            Pages::Now(file) => file.lock().unwrap().write_all(line.as_bytes()).unwrap(),
            Pages::Later(sender) => sender.lock().unwrap().send(line).unwrap(),
        }
    }

    fn answer(&self, request: &Message) -> Message {
        let Some(key) = request.field("idempotency-key") else {
            return self.answer_now(request);
        };
        let mut keys = self.keys.lock().unwrap();
        let asked = format!("{} {}", request.start, request.text());
        if let Some(known) = keys.get(key) {
            return match known.field("asked") {
                Some(it) if it == asked => known.clone(),
                _ => Message::answer(422, "{\"detail\":\"The idempotency key was used before\"}"),
            };
        }
        let mut answer = self.answer_now(request);
        answer.set("asked", &asked);
        keys.insert(key.to_owned(), answer.clone());
        answer
    }

    fn answer_now(&self, request: &Message) -> Message {
        let parts: Vec<_> = request.word(1).split('/').skip(1).collect();
        let mut accounts = self.accounts.lock().unwrap();
        match (request.word(0), parts.as_slice()) {
            ("GET", ["health"]) => {
                let count = accounts.order.len();
                let json = format!("{{\"accounts_count\":{count},\"max_accounts\":100000}}");
                Message::answer(200, &json)
            }
            ("GET", ["accounts"]) => {
                let listed = accounts.order.iter().map(|number| {
                    let shown = json(number, *accounts.balances.get(number).unwrap());
                    let shown = shown.trim_end_matches('}');
                    format!("{shown},\"created_at\":\"{EPOCH}\",\"last_updated\":\"{EPOCH}\"}}")
                });
                let listed = listed.collect::<Vec<_>>().join(",");
                let total = accounts.order.len();
                let json = format!("{{\"total_accounts\":{total},\"accounts\":[{listed}]}}");
                Message::answer(200, &json)
            }
            ("POST", ["accounts"]) => {
                let number = AccountNumber::random().to_string();
                let initial = sum(request);
                self.write(&number, &initial.to_string());
                accounts.add(&number, initial);
                let told = json(&number, initial);
                let told = told.trim_end_matches('}');
                let message = "\"message\":\"Account created successfully\"";
                Message::answer(201, &format!("{told},{message}}}"))
            }
            (_, ["accounts", number, ..]) => match accounts.balances.get(*number).copied() {
                None => Message::answer(404, "{\"detail\":\"Account not found\"}"),
                Some(balance) => match (request.word(0), parts.last()) {
                    ("DELETE", _) => {
                        if self.memory != Memory::ForgetsClosings {
                            self.write(number, "closed");
                        }
                        accounts.remove(number);
                        Message::answer(204, "")
                    }
                    ("GET", _) => Message::answer(200, &json(number, balance)),
                    (_, verb) => {
                        let sum = sum(request);
                        let (change, kind) = match verb {
                            Some(&"deposit") => (sum, "deposit"),
                            _ => (-sum, "withdrawal"),
                        };
                        if balance + change < 0 {
                            return Message::answer(400, "{\"detail\":\"Insufficient funds\"}");
                        }
                        self.write(number, &change.to_string());
                        accounts.add(number, change);
                        let [sum, told] = [sum, balance + change].map(|it| Cents::new(it).unwrap());
                        let now = now();
                        Message::answer(
                            200,
                            &format!(
                                "{{\"account_number\":\"{number}\",\"new_balance\":{told},\
                                 \"transaction_amount\":{sum},\"transaction_type\":\"{kind}\",\
                                 \"timestamp\":\"{now}\"}}"
                            ),
                        )
                    }
                },
            },
            ("GET", ["openapi.json"]) if self.memory == Memory::ForgetsKeys => {
                Message::answer(200, "{\"description\":\"Idempotency-Key\"}")
            }
            _ => Message::answer(404, "{\"detail\":\"Not Found\"}"),
        }
    }
}

fn json(number: &str, cents: i64) -> String {
    let balance = Cents::new(cents).unwrap();
    format!("{{\"account_number\":\"{number}\",\"balance\":{balance}}}")
}

fn is_positive(sum: &str) -> bool {
    sum.parse().is_ok_and(|cents: i64| cents > 0)
}

/// The sum in a body such as `{"amount":0.37}`.
fn sum(request: &Message) -> i64 {
    let text = request.text();
    let (_, number) = text.split_once(':').unwrap();
    let cents: Cents = number.trim_end_matches('}').parse().unwrap();
    cents.get()
}

/// Not a test: what the servers of the tests below run.
#[test]
#[ignore = "serves until it is killed"]
fn serve_until_killed() {
    let [port, diary, memory] = [PORT, DIARY, MEMORY].map(|name| std::env::var(name).unwrap());
    let memory = match memory.as_str() {
        "Sound" => Memory::Sound,
        "AnswersFirst" => Memory::AnswersFirst,
        "ForgetsClosings" => Memory::ForgetsClosings,
        "ReadsTheLastDepositTwice" => Memory::ReadsTheLastDepositTwice,
        "ForgetsKeys" => Memory::ForgetsKeys,
        "ForgetsTheOrder" => Memory::ForgetsTheOrder,
        other => panic!("{other}"),
    };
    let diary = Diary::open(&PathBuf::from(diary), memory);
    let listener = TcpListener::bind(("127.0.0.1", port.parse().unwrap())).unwrap();
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    let answer = move |request: Message, _: &mut _| Some(diary.answer(&request));
    wire::serve_on(listener, nobody, |_| (), answer);
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Runs `cashpoint verify` on what `command` starts at a port.
fn kill_and_verify(port: u16, command: &str, kills: &str) -> Output {
    let url = format!("http://127.0.0.1:{port}");
    let what = ["http", &url, "--only", "restart"];
    let load = ["--connections", "8", "--accounts", "20"];
    let how = ["--kills", kills, "--restart-cmd", command];
    verify(&[what, load, how].concat())
}

fn verify_memory(memory: Memory) -> Output {
    let port = free_port();
    let diary = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("diary-{memory:?}"));
    let _ = fs::remove_file(&diary);
    kill_and_verify(port, &command_of(port, &diary, memory), "6")
}

/// What starts a server that keeps a diary.
fn command_of(port: u16, diary: &Path, memory: Memory) -> String {
    format!(
        "{PORT}={port} {DIARY}='{}' {MEMORY}={memory:?} exec '{}' restart::serve_until_killed --exact --ignored",
        diary.display(),
        std::env::current_exe().unwrap().display()
    )
}

fn assert_convicted(output: &Output, said: &str) {
    let text = text(output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("CONVICTED: kill -9 and restart"), "{text}");
    assert!(text.contains(said), "{text}");
}

#[test]
fn who_writes_before_it_answers_is_acquitted() {
    let output = verify_memory(Memory::Sound);
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("killed and restarted 6 times"), "{text}");
}

/// What was read after the restart before says nothing of what was done since.
#[test]
fn who_does_not_come_back_is_not_convicted() {
    let port = free_port();
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gone");
    let _ = fs::remove_dir_all(&directory);
    // Each start leaves a line; the third fails.
    let command = format!(
        "mkdir -p '{0}' && echo >>'{0}/starts' && [ $(wc -l <'{0}/starts') -lt 3 ] && {1}",
        directory.display(),
        command_of(port, &directory.join("diary"), Memory::Sound)
    );
    let output = kill_and_verify(port, &command, "6");
    let text = text(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("the restart command failed"), "{text}");
    assert!(text.contains("killed and restarted 1 times"), "{text}");
}

/// A process that has nothing to do with the server, which remembers nothing and goes on.
#[test]
fn who_was_not_killed_is_not_acquitted() {
    let twin = Twin::start(Fault::None, 300);
    let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
    let process = other.id().to_string();
    let what = ["http", &twin.url(), "--only", "restart"];
    let how = ["--connections", "8", "--pid", &process];
    let output = verify(&[what, how].concat());
    assert!(!other.wait().unwrap().success(), "it was killed");
    let text = text(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("a server still answers"), "{text}");
}

#[test]
fn who_answers_before_it_writes_is_convicted() {
    let output = verify_memory(Memory::AnswersFirst);
    assert_convicted(&output, "are not as was acknowledged");
}

#[test]
fn who_forgets_closings_is_convicted() {
    let output = verify_memory(Memory::ForgetsClosings);
    assert_convicted(&output, " was closed");
}

#[test]
fn who_does_the_last_deposit_twice_is_convicted() {
    let output = verify_memory(Memory::ReadsTheLastDepositTwice);
    assert_convicted(&output, "a client was told a balance of");
}

#[test]
fn who_forgets_keys_is_convicted() {
    let output = verify_memory(Memory::ForgetsKeys);
    assert_convicted(
        &output,
        "idempotency key, after a restart, and was not answered as before",
    );
}

#[test]
fn who_forgets_the_order_of_creation_is_convicted() {
    let output = verify_memory(Memory::ForgetsTheOrder);
    assert_convicted(&output, "not in the order of creation");
}

#[test]
fn a_server_in_memory_is_convicted() {
    let port = free_port();
    let command = format!(
        "exec '{}' serve --host 127.0.0.1 --port {port} 2>/dev/null",
        env!("CARGO_BIN_EXE_cashpoint")
    );
    let output = kill_and_verify(port, &command, "1");
    assert_convicted(&output, "a client was told that the account does not exist");
}
