//! `cashpoint serve`.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use cashpoint::durable::{DurableConfig, DurableLedger, Observer};
use cashpoint::service::Service;
use cashpoint::{Cents, KeyPolicy};
use cashpoint_server::{AllowedOrigins, Config, HostName, Origin};
use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::{Failure, ending, ledger, logging, settings, supervisor};

/// How long a process that is told to stop at once waits for its log.
const LAST_WORDS_MAX: Duration = Duration::from_millis(100);

/// File descriptors that are needed beside those of connections: the listener, the runtime's, the log, the ledger's.
/// And those of the connections for which there is no seat.
const OTHER_FILES: u64 = 64 + cashpoint_server::STANDING_MAX as u64;

/// Serve the ledger over HTTP, in memory or durable.
///
/// Without --data, accounts live as long as the process. With it, an answer means that what it says is on
/// disk. Ctrl-C or SIGTERM lets running requests finish; a second one stops at once.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Take settings from this file of TOML, by the names of the flags: `max-accounts = 5000`. Flags and variables come
    /// first.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print the settings in force, with where each comes from, and stop.
    #[arg(long)]
    pub(super) print_config: bool,

    /// The address to listen on; 127.0.0.1 for this machine only.
    #[arg(long, env = "HOST", default_value = "0.0.0.0", value_parser = settings::host)]
    host: String,

    /// The port to listen on; 0 for any that is free.
    #[arg(long, env = "PORT", default_value = "8000", value_parser = settings::port)]
    port: u16,

    /// Keep the ledger in this directory. If it is not there or empty, it is made and a ledger is begun.
    #[arg(long, env = "DATA", value_name = "DIRECTORY")]
    data: Option<PathBuf>,

    /// Stop unless the directory holds a ledger, instead of beginning one: for when it is on a disk that may not
    /// be mounted.
    #[arg(long, env = "EXISTING", value_parser = settings::switch)]
    existing: bool,

    /// Use the directory although others can change the ledger: they own it, one above it or a file in it, or may write
    /// there. Use it only where nobody untrusted can reach the directory, as in a container of its own.
    #[arg(long, env = "INSECURE_DATA", value_parser = settings::switch)]
    insecure_data: bool,

    /// Start although the clock is more than a year ahead of or behind the last record of the ledger: the clock is right.
    #[arg(long, env = "ACCEPT_CLOCK", value_parser = settings::switch)]
    accept_clock: bool,

    /// Stop with an error once the journal cannot be written any more, instead of going on for readers.
    #[arg(long, env = "EXIT_ON_FAILURE", value_parser = settings::switch)]
    exit_on_failure: bool,

    /// How long an idempotency key is kept.
    #[arg(long, env = "IDEMPOTENCY_WINDOW", default_value = "86400", value_name = "SECONDS",
        value_parser = settings::idempotency_window)]
    idempotency_window: Duration,

    /// The most idempotency keys that are kept; a request with one more is refused until there is room.
    #[arg(long, env = "IDEMPOTENCY_KEYS_MAX", default_value = "1000000", value_name = "NUMBER",
        value_parser = settings::idempotency_keys_max)]
    idempotency_keys_max: usize,

    /// The most accounts that may exist at a time.
    #[arg(long, env = "MAX_ACCOUNTS", default_value = "1000", value_name = "NUMBER",
        value_parser = settings::max_accounts)]
    max_accounts: usize,

    /// The largest initial balance, deposit or withdrawal.
    #[arg(long, env = "MAX_TRANSACTION_AMOUNT", default_value = "10000.0", value_name = "AMOUNT",
        value_parser = settings::max_transaction_amount)]
    max_transaction_amount: Cents,

    /// How much to log, on standard error. At info, at most ten refused requests a second with 4xx, and ten with 5xx,
    /// have a line each, and one line counts the others; at debug every request has a line. Nothing waits for the log:
    /// lines that cannot be written in time are dropped, and their number is logged.
    #[arg(long, env = "LOG_LEVEL", default_value = "info", ignore_case = true)]
    log_level: logging::Level,

    /// How to write the log.
    #[arg(long, env = "LOG_FORMAT", default_value = "text", ignore_case = true)]
    log_format: logging::Format,

    /// In production, pages of the external URL may call the service, and no others.
    #[arg(
        long,
        env = "ENVIRONMENT",
        default_value = "development",
        ignore_case = true
    )]
    environment: Environment,

    /// The URL under which the service is reached from outside. The service then answers under its host name,
    /// localhost and addresses only.
    #[arg(long, env = "RENDER_EXTERNAL_URL", value_name = "URL", value_parser = settings::origin)]
    external_url: Option<Origin>,

    /// A site whose pages may call the service, and no others; may be repeated, or be a list with commas. Without one any
    /// web page may, also to move money, but for production with an external URL.
    #[arg(long = "allowed-origin", env = "ALLOWED_ORIGIN", value_name = "URL", value_delimiter = ',',
        value_parser = settings::origin)]
    allowed_origins: Vec<Origin>,

    /// A further host name under which the service answers; may be repeated, or be a list with commas. Once there is an
    /// external URL, an allowed origin or one of these, it answers under no other name; /health, /livez and /readyz do.
    #[arg(long = "allowed-host", env = "ALLOWED_HOST", value_name = "NAME", value_delimiter = ',',
        value_parser = settings::host_name)]
    allowed_hosts: Vec<HostName>,

    /// The most connections to serve at a time. For a further one the longest idle is closed; if none is idle, it gets 503.
    #[arg(long, env = "MAX_CONNECTIONS", default_value = "16384", value_name = "NUMBER",
        value_parser = settings::max_connections)]
    max_connections: usize,

    /// How long a connection may be idle, or take to send the head of a request.
    #[arg(long, env = "HEADER_TIMEOUT", default_value = "30", value_name = "SECONDS",
        value_parser = settings::timeout)]
    header_timeout: Duration,

    /// How long a client may take to send the body of a request.
    #[arg(long, env = "BODY_TIMEOUT", default_value = "30", value_name = "SECONDS",
        value_parser = settings::timeout)]
    body_timeout: Duration,

    /// How long a client may take to receive an answer or, of a long one, each 64 KiB. Slower ones are disconnected.
    #[arg(long, env = "ANSWER_TIMEOUT", default_value = "60", value_name = "SECONDS",
        value_parser = settings::timeout)]
    answer_timeout: Duration,

    /// How long to go on as before after a signal to stop, with /readyz answering 503.
    #[arg(long, env = "DRAIN_DELAY", default_value = "0", value_name = "SECONDS",
        value_parser = settings::delay)]
    drain_delay: Duration,

    /// How long running requests may then take to finish.
    #[arg(long, env = "SHUTDOWN_TIMEOUT", default_value = "10", value_name = "SECONDS",
        value_parser = settings::delay)]
    shutdown_timeout: Duration,

    /// The length of a segment of the journal, for tests that have to see one end.
    #[arg(long, hide = true, value_name = "BYTES")]
    segment_bytes: Option<u64>,

    /// Stop when standard input ends: for a program that starts the service and must not leave it behind.
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
}

/// Where the service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Environment {
    Development,
    Testing,
    Staging,
    Production,
}

const EXAMPLES: &str = "\
Examples:
  cashpoint serve
  cashpoint serve --data /var/lib/cashpoint
  cashpoint serve --host 127.0.0.1 --port 9000 --max-accounts 1000000
  PORT=9000 LOG_LEVEL=debug cashpoint serve --log-format json

  curl -X POST localhost:8000/accounts -H 'Content-Type: application/json' \\
       -d '{\"initial_balance\": 1000.0}'
  curl localhost:8000/accounts

An empty variable counts as not set.";

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let log = logging::start(arguments.log_level, arguments.log_format)?;
    Ok(match run_logged(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log.say(&failure);
            ExitCode::FAILURE
        }
    })
}

fn run_logged(arguments: &Arguments) -> Result<(), Failure> {
    let config = arguments.config();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure(format!("the runtime does not start: {error}")))?;
    let served = runtime.block_on(serve(arguments, config));
    // What still reads, from a disk that does not answer, is not waited for: all that was asked is done.
    runtime.shutdown_background();
    served
}

impl Arguments {
    fn allowed_origins(&self) -> AllowedOrigins {
        let is_production = self.environment == Environment::Production;
        let own = self.external_url.iter().filter(|_| is_production);
        let origins: Vec<_> = own.chain(&self.allowed_origins).cloned().collect();
        match origins.is_empty() {
            true => AllowedOrigins::Any,
            false => AllowedOrigins::Only(origins),
        }
    }

    fn open(&self) -> Result<Service, Failure> {
        let keys = KeyPolicy {
            window: self.idempotency_window,
            keys_max: self.idempotency_keys_max,
        };
        Ok(match &self.data {
            None if self.existing => {
                let what = "--existing (EXISTING) asks for a ledger on disk: name its directory with --data or DATA";
                return Err(Failure(what.to_owned()));
            }
            None => Service::in_memory_with_keys(self.max_accounts, keys),
            Some(directory) => {
                let mut config = DurableConfig::new(self.max_accounts);
                config.keys = keys;
                config.accept_clock = self.accept_clock;
                config.existing = self.existing;
                config.insecure_data = self.insecure_data;
                config.segment_bytes = self.segment_bytes.unwrap_or(config.segment_bytes);
                let ledger = ledger::open(directory, config);
                Service::durable(ledger.map_err(|Failure(why)| match directory.is_dir() {
                    true => Failure(why),
                    // It is the setting that is wrong, not the journal.
                    false => Failure(format!("{why}; the directory is set by --data or DATA")),
                })?)
            }
        })
    }

    fn config(&self) -> Config {
        let external_host = self.external_url.as_ref().map(Origin::host);
        let allowed_hosts = self.allowed_hosts.iter().chain(external_host);
        Config {
            transaction_max: self.max_transaction_amount,
            allowed_origins: self.allowed_origins(),
            allowed_hosts: allowed_hosts.cloned().collect(),
            connections_max: connections_within_file_limit(self.max_connections),
            header_timeout: self.header_timeout,
            body_timeout: self.body_timeout,
            answer_timeout: self.answer_timeout,
            drain_delay: self.drain_delay,
            shutdown_timeout: self.shutdown_timeout,
        }
    }
}

/// Says what web pages may do where nothing keeps them from it.
fn tell_of_open_door(environment: Environment) {
    const OPEN: &str = "any web page that somebody opens may call this service, also to move money: name the site whose \
        pages may with --allowed-origin or ALLOWED_ORIGIN";
    match environment {
        Environment::Production => warn!("{OPEN}, or with --external-url or RENDER_EXTERNAL_URL"),
        _ => info!("{OPEN}"),
    }
}

async fn serve(arguments: &Arguments, config: Config) -> Result<(), Failure> {
    let listener = listen(&arguments.host, arguments.port).await?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure(error.to_string()))?;
    // Before signals are handled: whoever stops it while it reads need not wait.
    let service = Arc::new(tokio::task::block_in_place(|| arguments.open())?);
    let stop = stop_signal(arguments.stop_with_stdin)
        .map_err(|error| Failure(format!("no signal handlers: {error}")))?;
    if config.allowed_origins == AllowedOrigins::Any {
        tell_of_open_door(arguments.environment);
    }
    if !address.ip().is_loopback() {
        info!("there is no authentication: whoever reaches this address may move money");
    }
    let data = arguments.data.as_deref().map(Path::display);
    info!(
        version = env!("CARGO_PKG_VERSION"),
        mode = if data.is_some() { "durable" } else { "memory" },
        data = data.map(tracing::field::display),
        max_accounts = arguments.max_accounts,
        max_transaction_amount = %arguments.max_transaction_amount,
        max_connections = config.connections_max,
        "listening on {}",
        told(address)
    );
    supervisor::ready();
    let (failed, failure) = oneshot::channel();
    let watched = Arc::clone(&service);
    let watching = tokio::spawn(async move { failed.send(ledger::failure(watched).await) });
    let exit = async {
        match arguments.exit_on_failure {
            true => drop(failure.await),
            false => std::future::pending().await,
        }
    };
    let observer = service.durable_ledger().map(DurableLedger::observer);
    let (in_time, observed) = (
        config.drain_delay + config.shutdown_timeout,
        observer.clone(),
    );
    let stop = async {
        tokio::select! { () = stop => {}, () = exit => {} }
        supervisor::stopping();
        ending::within(in_time, observed);
    };
    let _ = cashpoint_server::run(listener, Arc::clone(&service), config, stop).await;
    watching.abort();
    let _ = watching.await;
    if let Some(ledger) = &observer {
        ending::finished(ledger).await;
    }
    // It waits for the threads of the ledger, and nothing must wait for it: a second signal has to be heard.
    tokio::task::block_in_place(|| drop(service));
    // Also one at the very end: then a change that was on its way may have been done or not.
    match observer.as_ref().and_then(Observer::failure) {
        Some(reason) => Err(Failure(format!("the journal failed: {reason}"))),
        None => Ok(()),
    }
}

async fn listen(host: &str, port: u16) -> Result<TcpListener, Failure> {
    TcpListener::bind((host, port)).await.map_err(|error| {
        Failure(match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "port {port} on {host} is in use: stop the program that uses it, or choose another \
                 port with --port or PORT"
            ),
            io::ErrorKind::PermissionDenied => format!(
                "no permission to listen on port {port} of {host}: choose a port above 1023 with \
                 --port or PORT"
            ),
            io::ErrorKind::AddrNotAvailable => format!(
                "{host} is not an address of this machine: choose another with --host or HOST, or \
                 0.0.0.0 for all"
            ),
            _ => format!(
                "cannot listen on {host}, port {port} (set by --host or HOST, and --port or PORT): {error}"
            ),
        })
    })
}

/// Where the service listens, with the address to open in a browser. Where it listens on all addresses, that is this
/// machine's own.
fn told(address: SocketAddr) -> String {
    if !address.ip().is_unspecified() {
        return format!("http://{address}");
    }
    let mut here = address;
    here.set_ip(match address {
        SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    });
    format!("http://{here}, and on every other address of this machine ({address})")
}

/// Is ready at the first SIGINT or SIGTERM, or at the end of standard input if that is asked for. A second
/// signal ends the process at once.
fn stop_signal(with_stdin: bool) -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut stdin_end = with_stdin.then(stdin_end);
    let mut next = async move || {
        let stdin_end = async {
            match stdin_end.take() {
                Some(end) => end.await.unwrap_or_default(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
            () = stdin_end => "end of standard input",
        }
    };
    Ok(async move {
        let name = next().await;
        info!(signal = name, "told to stop");
        tokio::spawn(async move {
            let name = next().await;
            warn!(
                signal = name,
                "told to stop again: requests still running are cut off"
            );
            logging::flush(LAST_WORDS_MAX);
            std::process::exit(1);
        });
    })
}

/// Is ready when standard input ends. A thread of its own waits for it: the runtime would not stop before
/// one of its own did.
fn stdin_end() -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = ended.send(());
    });
    end
}

/// As many connections as wanted, if the process may open as many files: raises its limit as needed and
/// allowed.
fn connections_within_file_limit(wanted: usize) -> usize {
    let files = u64::try_from(wanted)
        .unwrap_or(u64::MAX)
        .saturating_add(OTHER_FILES);
    let allowed = rlimit::increase_nofile_limit(files).unwrap_or(files);
    let possible = usize::try_from(allowed.saturating_sub(OTHER_FILES))
        .unwrap_or(usize::MAX)
        .max(1);
    if possible < wanted {
        warn!(
            wanted,
            possible, "the limit of open files allows fewer connections (see ulimit -n)"
        );
    }
    wanted.min(possible)
}
