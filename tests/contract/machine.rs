//! The server against the sequential model, over a socket, to the byte.
//!
//! Random calls over one connection, amounts in every notation. Each answer is held against the one that the
//! contract has for what the model says; times are those of the first listing and of the receipts.

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use crate::model::{Call, Change, Model, Outcome, Which};
use crate::support::{Client, Request, Response, Server};

/// The largest balance; also the largest amount, so that the model's amounts are let through.
const BALANCE_MAX: i64 = 999_999_999_999_999;

struct Reference;

impl ReferenceStateMachine for Reference {
    type State = Model;
    type Transition = Call;

    fn init_state() -> BoxedStrategy<Model> {
        Model::any(1..=5_usize)
    }

    fn transitions(model: &Model) -> BoxedStrategy<Call> {
        model.any_call(false)
    }

    fn apply(model: Model, call: &Call) -> Model {
        model.after(std::slice::from_ref(call))
    }
}

/// An account as the server told of it.
struct Told {
    number: String,
    created_at: String,
    last_updated: String,
    /// Where a listing goes on after it, once a page ended with it.
    cursor: Option<String>,
}

struct Subject {
    client: Client,
    told: Vec<Told>,
    limit: usize,
    // Behind the client, so that it outlives it.
    _server: Server,
}

impl Subject {
    fn start(limit: usize) -> Self {
        let server = Server::configure()
            .flag("--max-accounts", &limit.to_string())
            .flag("--max-transaction-amount", &decimal(BALANCE_MAX))
            .start();
        Self {
            client: server.connect(),
            told: Vec::new(),
            limit,
            _server: server,
        }
    }

    /// The number of an account, or one that nobody has.
    fn number(&self, which: Which) -> String {
        let nobody = "00000000-0000-4000-8000-000000000000";
        self.told
            .get(which)
            .map_or(nobody, |told| &told.number)
            .to_owned()
    }

    /// Makes a call, and asserts that the answer is what came of it.
    fn call(&mut self, call: &Call, outcome: &Outcome, model: &Model) {
        match *call {
            Call::Create(balance) => self.create(balance, outcome),
            Call::Change(which, Change::Read) => {
                let number = self.number(which);
                let answer = self
                    .client
                    .send(&Request::get(&format!("/accounts/{number}/balance")));
                let body = |balance| {
                    format!(
                        r#"{{"account_number":"{number}","balance":{}}}"#,
                        decimal(balance)
                    )
                };
                assert_refused_or(outcome, &answer, 200, body);
            }
            Call::Change(which, Change::Deposit(sum)) => {
                self.transact(which, ("deposit", "deposit"), sum, outcome);
            }
            Call::Change(which, Change::Withdraw(sum)) => {
                self.transact(which, ("withdraw", "withdrawal"), sum, outcome);
            }
            Call::Close(which) => {
                let path = format!("/accounts/{}", self.number(which));
                let answer = self.client.send(&Request::new("DELETE", &path));
                assert_refused_or(outcome, &answer, 204, |_| String::new());
            }
            Call::List { after, limit } => self.walk(after, limit.max(1), model),
            Call::Batch(_) => panic!("the server has no batches"),
        }
    }

    fn create(&mut self, balance: i64, outcome: &Outcome) {
        let body = format!(r#"{{"initial_balance":{}}}"#, notation(balance));
        let answer = self.client.send(&Request::post("/accounts", &body));
        let Outcome::Opened(_) = outcome else {
            return assert_refused_or(outcome, &answer, 0, |_| String::new());
        };
        let number = answer.account_number();
        let expected = format!(
            r#"{{"account_number":"{number}","balance":{},"message":"Account created successfully"}}"#,
            decimal(balance)
        );
        assert_eq!(answer.text(), expected);
        // The times are in no answer but the listing.
        let listing = self.client.send(&Request::get("/accounts")).json();
        let newest = listing["accounts"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .clone();
        assert_eq!(newest["account_number"], *number);
        assert_eq!(newest["created_at"], newest["last_updated"]);
        let created_at = newest["created_at"].as_str().unwrap().to_owned();
        self.told.push(Told {
            number,
            last_updated: created_at.clone(),
            created_at,
            cursor: None,
        });
    }

    fn transact(&mut self, which: Which, (path, kind): (&str, &str), sum: i64, outcome: &Outcome) {
        let number = self.number(which);
        let sent = notation(sum);
        let request = Request::post(
            &format!("/accounts/{number}/{path}"),
            &format!(r#"{{"amount":{sent}}}"#),
        );
        let answer = self.client.send(&request);
        if let Outcome::TooMuch(balance) = outcome {
            let room = decimal(BALANCE_MAX - balance);
            let shortest = room.strip_suffix(".0").unwrap_or(&room);
            let expected = format!(
                r#"{{"detail":[{{"type":"less_than_equal","loc":["body","amount"],"msg":"Input should be less than or equal to {shortest}","input":{sent},"ctx":{{"le":{room}}}}}]}}"#
            );
            assert_eq!((answer.status, answer.text()), (422, expected));
            return;
        }
        let at = answer.json()["timestamp"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert_refused_or(outcome, &answer, 200, |balance| {
            format!(
                r#"{{"account_number":"{number}","new_balance":{},"transaction_amount":{},"transaction_type":"{kind}","timestamp":"{at}"}}"#,
                decimal(balance),
                decimal(sum)
            )
        });
        if let Outcome::Balance(_) = outcome {
            let told = &mut self.told[which];
            // Of one length and from the largest unit to the smallest, so that texts compare as times do.
            assert!(
                at >= told.last_updated,
                "{at} is before {}",
                told.last_updated
            );
            told.last_updated = at;
        }
    }

    /// Walks the listing to its end, from an account where a page has ended before; else from the begin.
    fn walk(&mut self, after: Option<Which>, limit: usize, model: &Model) {
        let known = |which: Which| Some((which, self.told.get(which)?.cursor.clone()?));
        let mut from = after.and_then(known);
        loop {
            let (after, query) = match from {
                Some((which, cursor)) => (Some(which), format!("&after={cursor}")),
                None => (None, String::new()),
            };
            let page = model.list(after, limit);
            let more = model.list(after, usize::MAX).len() > page.len();
            let answer = self
                .client
                .send(&Request::get(&format!("/accounts?limit={limit}{query}")));
            let next = answer.json()["next_after"].clone();
            assert_eq!(next.is_string(), more);
            let expected = format!(
                r#"{},"has_more":{more},"next_after":{next}}}"#,
                self.listing(&page, model)
            );
            assert_eq!((answer.status, answer.text()), (200, expected));
            match (page.last(), next.as_str()) {
                (Some((last, _)), Some(cursor)) => {
                    self.told[*last].cursor = Some(cursor.to_owned());
                    from = Some((*last, cursor.to_owned()));
                }
                _ => return,
            }
        }
    }

    /// A listing of these accounts, but for its end.
    fn listing(&self, accounts: &[(Which, i64)], model: &Model) -> String {
        let items = accounts.iter().map(|(which, balance)| {
            let told = &self.told[*which];
            format!(
                r#"{{"account_number":"{}","balance":{},"created_at":"{}","last_updated":"{}"}}"#,
                told.number,
                decimal(*balance),
                told.created_at,
                told.last_updated
            )
        });
        format!(
            r#"{{"total_accounts":{},"max_accounts":{},"accounts":[{}]"#,
            model.open().len(),
            self.limit,
            items.collect::<Vec<_>>().join(",")
        )
    }
}

/// That the answer is the refusal that came of a call, or has this status and what `body` makes of the balance.
#[track_caller]
fn assert_refused_or(
    outcome: &Outcome,
    answer: &Response,
    status: u16,
    body: impl Fn(i64) -> String,
) {
    let refusal = |detail: &str| format!(r#"{{"detail":"{detail}"}}"#);
    let expected = match outcome {
        Outcome::Balance(balance) => (status, body(*balance)),
        Outcome::Unknown => (404, refusal("Account not found")),
        Outcome::Insufficient(_) => (400, refusal("Insufficient funds")),
        Outcome::Full(limit) => (
            507,
            refusal(&format!("Maximum number of accounts ({limit}) reached")),
        ),
        other => panic!("{other:?} is not expected here"),
    };
    assert_eq!((answer.status, answer.text()), expected);
}

/// A sum as answers have it.
fn decimal(cents: i64) -> String {
    let (units, cents) = (cents / 100, cents % 100);
    if cents % 10 == 0 {
        format!("{units}.{}", cents / 10)
    } else {
        format!("{units}.{cents:02}")
    }
}

/// A sum in one of the notations that a request may have.
fn notation(cents: i64) -> String {
    match cents % 4 {
        0 => decimal(cents),
        1 => format!("\"{}\"", decimal(cents)),
        2 => format!("{cents}e-2"),
        _ => format!("{}000", decimal(cents)),
    }
}

struct ServerMachine;

impl StateMachineTest for ServerMachine {
    type SystemUnderTest = Subject;
    type Reference = Reference;

    fn init_test(model: &Model) -> Subject {
        let mut subject = Subject::start(model.limit());
        for (which, balance) in model.open() {
            subject.create(balance, &Outcome::Opened(which));
        }
        subject
    }

    fn apply(mut subject: Subject, model: &Model, call: Call) -> Subject {
        let [outcome] = model.outcomes() else {
            panic!("one call has one outcome");
        };
        subject.call(&call, outcome, model);
        // After each call, every account with its times.
        let listing = subject.client.send(&Request::get("/accounts"));
        let expected = subject.listing(&model.open(), model) + "}";
        assert_eq!(listing.text(), expected, "after {call:?}");
        subject
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig {
        // Each shrinking step starts a server.
        max_shrink_iters: 500,
        ..ProptestConfig::with_cases(40)
    })]

    #[test]
    fn a_server_does_what_the_model_does(sequential 1..60 => ServerMachine);
}
