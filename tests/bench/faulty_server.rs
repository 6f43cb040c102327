//! A server of the contract that does something wrong on purpose.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    None,
    /// One deposit is acknowledged and not done.
    LoseOneDeposit,
    /// One withdrawal takes its amount twice.
    DebitOneWithdrawalTwice,
    /// Every tenth movement of money is done and then the connection broken off instead of an answer.
    BreakOff,
    /// From some movement of money on every connection is broken off.
    Die,
    /// One movement of money takes as long as this.
    Stall(Duration),
}

/// Serves until the process ends.
pub(super) struct FaultyServer {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    fault: Fault,
    /// Balances in cents, by number.
    accounts: Mutex<HashMap<String, i64>>,
    movements: AtomicU64,
}

/// Which movement of money goes wrong, where one does. Funding the accounts takes the first of them.
const FAULTY_FROM: u64 = 1_050;

impl FaultyServer {
    pub(super) fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            fault,
            accounts: Mutex::default(),
            movements: AtomicU64::new(0),
        });
        let serving = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&serving);
                thread::spawn(move || state.serve(stream.unwrap()));
            }
        });
        Self { address, state }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn accounts_left(&self) -> usize {
        self.state.accounts.lock().unwrap().len()
    }
}

impl State {
    fn serve(&self, stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if lines.read_line(&mut head).ok()? == 0 {
                    return None;
                }
            }
            let length = head
                .to_ascii_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            lines.read_exact(&mut body).ok()?;
            let (status, answer) = self.answer(&head, &String::from_utf8(body).unwrap())?;
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{answer}",
                answer.len()
            );
            (&stream).write_all(answer.as_bytes()).ok()?;
        }
    }

    /// The answer, or nothing if the connection is to be broken off.
    fn answer(&self, head: &str, body: &str) -> Option<(u16, String)> {
        let mut words = head.split(' ');
        let (method, path) = (words.next()?, words.next()?);
        let mut parts = path.split('/').skip(2);
        let (number, verb) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        if matches!(self.fault, Fault::Die) && self.movements.load(SeqCst) > FAULTY_FROM {
            return None;
        }
        let mut accounts = self.accounts.lock().unwrap();
        Some(match (method, verb) {
            ("POST", "") => {
                let number = format!("00000000-0000-4000-8000-{:012}", accounts.len());
                accounts.insert(number.clone(), cents(body));
                (201, format!("{{\"account_number\":\"{number}\"}}"))
            }
            ("GET", "balance") => {
                let cents = accounts[number];
                (
                    200,
                    format!("{{\"balance\":{}.{:02}}}", cents / 100, cents % 100),
                )
            }
            ("DELETE", "") => {
                accounts.remove(number).unwrap();
                (204, String::new())
            }
            ("POST", verb) => {
                let times = self.times()?;
                let sign = if verb == "deposit" { 1 } else { -1 };
                *accounts.get_mut(number).unwrap() += sign * times * cents(body);
                drop(accounts);
                self.dawdle_or_break_off()?;
                (200, "{}".to_owned())
            }
            _ => panic!("{head}"),
        })
    }

    /// How often the next movement of money is done.
    fn times(&self) -> Option<i64> {
        let is_faulty = self.movements.fetch_add(1, SeqCst) == FAULTY_FROM;
        Some(match self.fault {
            Fault::LoseOneDeposit if is_faulty => 0,
            Fault::DebitOneWithdrawalTwice if is_faulty => 2,
            _ => 1,
        })
    }

    fn dawdle_or_break_off(&self) -> Option<()> {
        let movements = self.movements.load(SeqCst);
        match self.fault {
            Fault::Stall(time) if movements == FAULTY_FROM => thread::sleep(time),
            Fault::BreakOff if movements > FAULTY_FROM && movements.is_multiple_of(10) => {
                return None;
            }
            _ => {}
        }
        Some(())
    }
}

/// The one number of a body, with at most two decimals.
fn cents(body: &str) -> i64 {
    let number = body.trim_matches(|character: char| !character.is_ascii_digit());
    let (units, decimals) = number.split_once('.').unwrap_or((number, "0"));
    units.parse::<i64>().unwrap() * 100 + format!("{decimals:0<2}").parse::<i64>().unwrap()
}
