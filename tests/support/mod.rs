//! Starts the real `cashpoint` binary and speaks raw HTTP/1.1 to it over 127.0.0.1.
//!
//! There is no HTTP client library here on purpose: a test decides about every byte that it sends
//! and sees every byte that comes back. A server is killed when its [`Server`] is dropped, and no
//! test passes if its server has panicked.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for something that should happen at once, on however busy a machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Settings of the service; a test sees the ones that it sets, not those of whoever runs it.
const SETTINGS: [&str; 24] = [
    "ALLOWED_HOST",
    "ALLOWED_ORIGIN",
    "HOST",
    "PORT",
    "MAX_ACCOUNTS",
    "MAX_TRANSACTION_AMOUNT",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "ENVIRONMENT",
    "RENDER_EXTERNAL_URL",
    "MAX_CONNECTIONS",
    "HEADER_TIMEOUT",
    "BODY_TIMEOUT",
    "ANSWER_TIMEOUT",
    "SHUTDOWN_TIMEOUT",
    "DRAIN_DELAY",
    "DATA",
    "ACCEPT_CLOCK",
    "EXISTING",
    "INSECURE_DATA",
    "EXIT_ON_FAILURE",
    "IDEMPOTENCY_WINDOW",
    "IDEMPOTENCY_KEYS_MAX",
    "RUST_LOG",
];

/// The binary with no setting of the environment that runs the tests.
pub(crate) fn cashpoint() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cashpoint"));
    for setting in SETTINGS {
        command.env_remove(setting);
    }
    command
}

/// The binary as the shell starts it: `"$@"` in the script stands for it and its arguments.
pub(crate) fn by_shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    for setting in SETTINGS {
        command.env_remove(setting);
    }
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_cashpoint")]);
    command
}

/// The command line and the environment of a server to be started.
pub(crate) struct Launch(Command);

impl Launch {
    /// `cashpoint serve` and nothing else.
    pub(crate) fn bare() -> Self {
        let mut command = cashpoint();
        command.arg("serve");
        Self(command)
    }

    /// `cashpoint serve` as the shell starts it: `"$@"` in the script stands for the command line.
    pub(crate) fn by_shell(script: &str) -> Self {
        let mut command = by_shell(script);
        command.arg("serve");
        Self(command)
    }

    pub(crate) fn flag(mut self, name: &str, value: &str) -> Self {
        self.0.args([name, value]);
        self
    }

    /// One argument as it is, such as `--flag=value`.
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.0.arg(argument);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// Starts the server and waits for the line that says where it listens.
    pub(crate) fn start(self) -> Server {
        let (mut child, log) = self.spawn();
        let Some(line) = log.wait_for(0, |line| listening_port(line).is_some()) else {
            let _ = child.kill();
            panic!(
                "no line with http://127.0.0.1:<port> on stderr:\n{}",
                log.text()
            );
        };
        let port = listening_port(&line).expect("the line was chosen for its port");
        Server {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            log,
        }
    }

    /// Starts the server on a port that was free a moment ago, for servers that log no start.
    pub(crate) fn start_on_a_free_port(self) -> Server {
        let port = free_port();
        let (child, log) = self.flag("--port", &port.to_string()).spawn();
        Server::wait_until_it_listens(child, port, log)
    }

    /// Starts the server on a port that was free a moment ago, with a log that goes to `stderr`.
    pub(crate) fn start_logging_to(self, stderr: impl Into<Stdio>) -> Server {
        let port = free_port();
        let child = self
            .flag("--port", &port.to_string())
            .spawn_logging_to(stderr);
        Server::wait_until_it_listens(child, port, Log::of(io::empty()))
    }

    /// Starts a server that is expected to refuse its settings; returns its exit status and stderr.
    pub(crate) fn run_to_exit(self) -> (ExitStatus, String) {
        let (mut child, log) = self.spawn();
        let Some(status) = exit_within(&mut child, PATIENCE) else {
            let _ = child.kill();
            panic!("still running:\n{}", log.text());
        };
        log.wait_for_end();
        (status, log.text())
    }

    /// Starts a server that is expected not to start, with a log that goes to `stderr`; returns its exit status.
    pub(crate) fn run_to_exit_logging_to(self, stderr: impl Into<Stdio>) -> Option<ExitStatus> {
        let mut child = self.spawn_logging_to(stderr);
        let status = exit_within(&mut child, PATIENCE);
        let _ = child.kill();
        let _ = child.wait();
        status
    }

    fn spawn_logging_to(mut self, stderr: impl Into<Stdio>) -> Child {
        raise_open_files_limit();
        self.0
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr);
        self.0.spawn().expect("the binary starts")
    }

    fn spawn(self) -> (Child, Log) {
        let mut child = self.spawn_logging_to(Stdio::piped());
        let log = Log::of(child.stderr.take().expect("stderr is piped"));
        (child, log)
    }
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: Log,
}

impl Server {
    /// A server with default settings on a port of its own.
    pub(crate) fn start() -> Self {
        Self::configure().start()
    }

    /// A server on a port of its own, to be given more settings.
    pub(crate) fn configure() -> Launch {
        Launch::bare()
            .flag("--host", "127.0.0.1")
            .flag("--port", "0")
    }

    fn wait_until_it_listens(child: Child, port: u16, log: Log) -> Self {
        let mut server = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            log,
        };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(server.address).is_err() {
            assert!(
                Instant::now() < deadline,
                "never listened:\n{}",
                server.log.text()
            );
            let ended = server
                .child
                .try_wait()
                .expect("the child can be waited for");
            assert_eq!(ended, None, "it ended:\n{}", server.log.text());
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    pub(crate) fn connect(&self) -> Client {
        self.try_connect().expect("the server accepts connections")
    }

    pub(crate) fn try_connect(&self) -> io::Result<Client> {
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client {
            stream,
            unread: Vec::new(),
        })
    }

    /// Sends one request over a connection of its own.
    pub(crate) fn send(&self, request: &Request) -> Response {
        self.connect().send(request)
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.send(&Request::get(path))
    }

    pub(crate) fn post(&self, path: &str, json: &str) -> Response {
        self.send(&Request::post(path, json))
    }

    pub(crate) fn delete(&self, path: &str) -> Response {
        self.send(&Request::new("DELETE", path))
    }

    /// Opens an account and returns its number.
    pub(crate) fn open_account(&self, initial_balance: &str) -> String {
        let json = format!(r#"{{"initial_balance":{initial_balance}}}"#);
        self.post("/accounts", &json).account_number()
    }

    /// The balance of an account, in the very digits of the answer.
    pub(crate) fn balance(&self, account: &str) -> String {
        let body = self.get(&format!("/accounts/{account}/balance")).text();
        body.strip_prefix(&format!(r#"{{"account_number":"{account}","balance":"#))
            .and_then(|rest| rest.strip_suffix('}'))
            .unwrap_or_else(|| panic!("not a balance: {body}"))
            .to_owned()
    }

    /// The number of accounts that `GET /health` reports.
    pub(crate) fn accounts_count(&self) -> u64 {
        self.get("/health").json()["accounts_count"]
            .as_u64()
            .expect("a count")
    }

    /// Memory in use as the kernel counts it, in KiB.
    /// Waits until a connection has a seat: without one it has probes answered, and else gets 503.
    pub(crate) fn wait_for_seat(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.get("/accounts?limit=1").status != 200 {
            assert!(Instant::now() < deadline, "no seat");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many connections are open, that of the question included.
    pub(crate) fn connections(&self) -> u64 {
        self.get("/health").json()["connections"].as_u64().unwrap()
    }

    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The kernel's table of the TCP sockets that the server sees.
    pub(crate) fn tcp_table(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/net/tcp", self.child.id())).unwrap()
    }

    /// Sends a signal, by its name without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.process().to_string()])
            .status();
        assert!(
            sent.expect("`kill` starts").success(),
            "SIG{name} was not sent"
        );
    }

    /// Waits for the server to end by itself.
    pub(crate) fn exit_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        exit_within(&mut self.child, limit)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !thread::panicking() {
            self.log.wait_for_end();
            let text = self.log.text();
            assert!(
                !text.contains("panicked at"),
                "the server panicked:\n{text}"
            );
        }
    }
}

/// The lines that a server has written to stderr.
#[derive(Clone)]
pub(crate) struct Log(Arc<(Mutex<LogLines>, Condvar)>);

#[derive(Default)]
struct LogLines {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    fn of(stderr: impl Read + Send + 'static) -> Self {
        let log = Self(Arc::default());
        let writer = log.clone();
        thread::spawn(move || {
            let mut stderr = BufReader::new(stderr);
            let mut line = Vec::new();
            while matches!(stderr.read_until(b'\n', &mut line), Ok(1..)) {
                let text = String::from_utf8_lossy(&line)
                    .trim_end_matches('\n')
                    .to_owned();
                line.clear();
                writer.update(|log| log.lines.push(text));
            }
            writer.update(|log| log.ended = true);
        });
        log
    }

    fn update(&self, change: impl FnOnce(&mut LogLines)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// How many lines there are so far; a place to look from later.
    pub(crate) fn mark(&self) -> usize {
        self.0.0.lock().unwrap().lines.len()
    }

    /// The lines from a mark on.
    pub(crate) fn since(&self, mark: usize) -> Vec<String> {
        self.0.0.lock().unwrap().lines[mark..].to_vec()
    }

    pub(crate) fn text(&self) -> String {
        self.since(0).join("\n")
    }

    /// The first line from a mark on that `matches`, waiting for it if need be.
    pub(crate) fn wait_for(&self, mark: usize, matches: impl Fn(&str) -> bool) -> Option<String> {
        let (lines, changed) = &*self.0;
        let found = |log: &LogLines| log.lines[mark..].iter().find(|line| matches(line)).cloned();
        let pending = |log: &mut LogLines| !log.ended && found(log).is_none();
        let (lines, _) = changed
            .wait_timeout_while(lines.lock().unwrap(), PATIENCE, pending)
            .unwrap();
        found(&lines)
    }

    fn wait_for_end(&self) {
        let (lines, changed) = &*self.0;
        let ended = changed.wait_timeout_while(lines.lock().unwrap(), PATIENCE, |log| !log.ended);
        drop(ended.unwrap());
    }
}

/// One connection to the server.
pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub(crate) fn send(&mut self, request: &Request) -> Response {
        self.write(&request.to_bytes());
        self.receive(&request.method)
    }

    /// The end of the connection that the server sees as its peer.
    pub(crate) fn local_address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).expect("the server reads");
    }

    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The same connection, for a thread that sends while another receives.
    pub(crate) fn second_handle(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }

    /// Ends the sending half of the connection.
    pub(crate) fn finish_writing(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    pub(crate) fn read_timeout(&self, limit: Duration) {
        self.stream.set_read_timeout(Some(limit)).unwrap();
    }

    /// The next final answer; `method` is that of its request, because HEAD has no body.
    pub(crate) fn receive(&mut self, method: &str) -> Response {
        self.try_receive(method)
            .unwrap_or_else(|error| panic!("no answer to {method}: {error}"))
    }

    pub(crate) fn try_receive(&mut self, method: &str) -> io::Result<Response> {
        let mut response = self.try_receive_head()?;
        while response.status < 200 {
            response = self.try_receive_head()?;
        }
        if method == "HEAD" || matches!(response.status, 204 | 304) {
            return Ok(response);
        }
        response.body = if response.header("transfer-encoding") == Some("chunked") {
            self.read_chunks()?
        } else if let Some(length) = response.header("content-length") {
            self.read_exact(length.parse().map_err(io::Error::other)?)?
        } else {
            self.read_to_end()
        };
        Ok(response)
    }

    /// Status and headers of the next answer, which may be an interim one.
    pub(crate) fn try_receive_head(&mut self) -> io::Result<Response> {
        let status_line = self.read_line()?;
        let status = status_of(&status_line)
            .ok_or_else(|| io::Error::other(format!("not a status line: {status_line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok(Response {
                    status,
                    headers,
                    body: Vec::new(),
                });
            }
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| io::Error::other("no colon"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Everything up to the end of the connection, or up to the read timeout.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        while matches!(self.read_more(), Ok(1..)) {}
        std::mem::take(&mut self.unread)
    }

    /// Reads once: `Ok(0)` is the end of the connection.
    pub(crate) fn read_more(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16 * 1024];
        // A read with a timeout is interrupted by what else the process does, such as to start others.
        let count = loop {
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.unread.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    fn read_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.read_exact(end + 2)?;
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.need_more()?;
        }
    }

    fn read_exact(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < count {
            self.need_more()?;
        }
        Ok(self.unread.drain(..count).collect())
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.read_line()?, 16).map_err(io::Error::other)?;
            body.extend(self.read_exact(size)?);
            self.read_line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn need_more(&mut self) -> io::Result<()> {
        match self.read_more()? {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "connection closed",
            )),
            _ => Ok(()),
        }
    }
}

/// A request under construction.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            headers: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST with a body of JSON.
    pub(crate) fn post(target: &str, json: &str) -> Self {
        Self::new("POST", target)
            .header("Content-Type", "application/json")
            .body(json.as_bytes())
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A body with its `Content-Length`, and no content type.
    pub(crate) fn body(mut self, body: &[u8]) -> Self {
        self.body = Some(body.to_vec());
        self.header("Content-Length", &body.len().to_string())
    }

    /// A body in chunks, and no content type.
    pub(crate) fn chunked<'a>(mut self, chunks: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut body = Vec::new();
        for chunk in chunks {
            body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        self.body = Some(body);
        self.header("Transfer-Encoding", "chunked")
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        // The name that every server answers to, unless a test is about names.
        if !self.headers.iter().any(|(name, _)| name == "Host") {
            head.push_str("Host: localhost\r\n");
        }
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").expect("a String takes everything");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend(self.body.iter().flatten());
        bytes
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names are in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The value of the one header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(
            values.next().is_none(),
            "{name} appears twice: {:?}",
            self.headers
        );
        value
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a body in UTF-8")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// The number of the account that this answer has opened.
    pub(crate) fn account_number(&self) -> String {
        assert_eq!(self.status, 201, "{}", self.text());
        self.json()["account_number"]
            .as_str()
            .expect("a number")
            .to_owned()
    }
}

/// The status of an HTTP/1.x status line, if it is one.
pub(crate) fn status_of(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/1.")?;
    rest.split(' ').nth(1)?.parse().ok()
}

/// The status of every answer in what came back on a connection. A status line may follow upon a body that ends
/// without a line break.
pub(crate) fn statuses_in(answers: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answers);
    text.match_indices("HTTP/1.")
        .filter_map(|(at, _)| status_of(&text[at..]))
        .collect()
}

/// A TCP port of 127.0.0.1 that nobody listened on a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Raises this process's limit of open files as far as allowed, and returns it.
pub(crate) fn raise_open_files_limit() -> u64 {
    rlimit::increase_nofile_limit(u64::MAX).expect("the limit of open files is known")
}

fn listening_port(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("http://127.0.0.1:")?;
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .map_or(rest, |end| &rest[..end]);
    digits.parse().ok()
}

fn exit_within(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait().expect("the child can be waited for") {
            None if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
            outcome => return outcome,
        }
    }
}
