//! Longer than a test may take: every guilty server on ten seeds with the settings that `verify` has by default, and a hundred
//! runs on each of some innocent ones.
//!
//! `cargo test --release -p cashpoint-cli --test verify -- --ignored --nocapture seeds`. SEEDS, RUNS and OPERATIONS set how many,
//! TWIN which of the guilty.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use cashpoint_server::Config;

use crate::command_line::verify;
use crate::faulty_servers::{Fault, Twin, real_server};
use crate::honest_servers;
use crate::{GUILTY_ALONE, GUILTY_TOGETHER, GUILTY_WITH_TIME, MAX_ACCOUNTS, text};

/// How long it may take to convict one.
const CONVICTED_WITHIN: Duration = Duration::from_secs(30);

/// How many servers are tried at a time.
const AT_A_TIME: usize = 2;

fn setting(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(default, |it| it.parse().unwrap())
}

#[test]
#[ignore = "takes an hour"]
fn every_faulty_twin_is_convicted_on_every_seed_in_time() {
    let seeds = setting("SEEDS", 10);
    let guilty = [GUILTY_ALONE, GUILTY_TOGETHER, GUILTY_WITH_TIME].concat();
    assert!(guilty.len() > 35, "{guilty:?}");
    let only = std::env::var("TWIN").ok();
    let is_meant = |twin: &Fault| only.as_ref().is_none_or(|it| *it == format!("{twin:?}"));
    let guilty: Vec<_> = guilty.into_iter().filter(is_meant).collect();
    assert!(!guilty.is_empty(), "no twin is called {only:?}");
    let next = Mutex::new(guilty.into_iter());
    let missed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let Some(fault) = next.lock().unwrap().next() else {
                        break;
                    };
                    let found = convict(fault, seeds);
                    missed.lock().unwrap().extend(found);
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "{missed:#?}");
}

/// The seeds on which a faulty twin is not convicted in time.
fn convict(fault: Fault, seeds: u64) -> Vec<(Fault, u64)> {
    let mut missed = Vec::new();
    let mut longest = Duration::ZERO;
    for seed in 1..=seeds {
        let twin = Twin::start(fault, MAX_ACCOUNTS);
        let began = Instant::now();
        let output = verify(&["http", &twin.url(), "--seed", &seed.to_string()]);
        let took = began.elapsed();
        longest = longest.max(took);
        if output.status.code() != Some(1) || took > CONVICTED_WITHIN {
            missed.push((fault, seed));
            println!("{fault:?}, seed {seed}, after {took:?}: {}", text(&output));
        }
    }
    let convicted = seeds - missed.len() as u64;
    let longest = longest.as_secs_f64();
    println!("{fault:?}: {convicted} of {seeds} seeds, {longest:.1} s at most");
    missed
}

#[test]
#[ignore = "takes an hour"]
fn who_is_innocent_is_acquitted_on_every_seed() {
    let (runs, operations) = (setting("RUNS", 100), setting("OPERATIONS", 20_000));
    let operations = operations.to_string();
    let behind_nginx = Nginx::start(real_server(1_000, Config::default()));
    let subjects = [
        ("our own", real_server(1_000, Config::default())),
        (
            "an honest twin",
            Twin::start(Fault::None, MAX_ACCOUNTS).address(),
        ),
        (
            "one that closes after each answer",
            honest_servers::that_closes(),
        ),
        (
            "one whose clock is two hours ahead",
            honest_servers::two_hours_ahead(),
        ),
        ("our own behind nginx", behind_nginx.address),
    ];
    let mut suspected = Vec::new();
    for (name, address) in subjects {
        let url = format!("http://{address}");
        let mut acquitted = 0;
        for seed in 1..=runs {
            let seed = seed.to_string();
            let output = verify(&["http", &url, "--seed", &seed, "--operations", &operations]);
            if output.status.code() == Some(0) {
                acquitted += 1;
            } else {
                suspected.push((name, seed.clone(), output.status.code()));
                println!("{name}, seed {seed}: {}", text(&output));
            }
        }
        println!("{name}: {acquitted} of {runs} acquitted");
    }
    assert!(suspected.is_empty(), "{suspected:#?}");
}

/// An nginx before a server, as Debian has it, until it is dropped.
struct Nginx {
    process: Child,
    address: SocketAddr,
}

impl Nginx {
    /// It has to be installed.
    fn start(behind: SocketAddr) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("nginx");
        fs::create_dir_all(&directory).unwrap();
        let here = directory.display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|it| format!("{it}_temp_path {here}/{it};"));
        let configuration = format!(
            "daemon off; master_process off; pid {here}/pid; error_log {here}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n\
               access_log off; {}\n\
               upstream cashpoint {{ server {behind}; keepalive 64; }}\n\
               server {{\n\
                 listen {address};\n\
                 location / {{\n\
                   proxy_pass http://cashpoint; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
                   proxy_set_header Host $http_host;\n\
                 }}\n\
               }}\n\
             }}\n",
            temporary.join(" ")
        );
        let file = directory.join("nginx.conf");
        fs::write(&file, configuration).unwrap();
        let mut command = Command::new("nginx");
        let process = command
            .stdout(Stdio::null())
            .arg("-c")
            .arg(&file)
            .arg("-p")
            .arg(&directory)
            .spawn();
        let process = process.expect("nginx, as the Debian package nginx-light has it");
        let until = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(address).is_err() {
            assert!(Instant::now() < until, "nginx does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        Self { process, address }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
