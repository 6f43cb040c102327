//! Each rule is broken by somebody who stands before our own server and changes a little of what is said.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use cashpoint_server::Config;

use super::wire::{self, Message};
use super::{
    Pace, Server, Verdict, address, default_server, durable_server, hold, json, own_server, rules,
};

const TIMEOUT: Duration = Duration::from_secs(30);

/// A server that stands before ours, and changes something in what is said.
#[derive(Clone, Copy)]
struct FaultyServer {
    /// The rule that it breaks.
    breaks: &'static str,
    request: fn(&mut Message),
    /// Is given the request as it was passed on, and the answer.
    answer: fn(&Message, &mut Message),
}

/// One that changes answers.
const fn answering(breaks: &'static str, answer: fn(&Message, &mut Message)) -> FaultyServer {
    FaultyServer {
        breaks,
        request: |_| (),
        answer,
    }
}

/// One that changes requests.
const fn asking(breaks: &'static str, request: fn(&mut Message)) -> FaultyServer {
    FaultyServer {
        breaks,
        request,
        answer: |_, _| (),
    }
}

fn replace(message: &mut Message, from: &str, to: &str) {
    let text = message.text();
    if text.contains(from) {
        message.body = text.replace(from, to).into_bytes();
    }
}

fn set_status(answer: &mut Message, status: u16) {
    answer.start = format!("HTTP/1.1 {status} X");
}

fn is(request: &Message, method: &str, path: &str) -> bool {
    request.word(0) == method && request.word(1).ends_with(path)
}

/// One for each rule.
const FAULTY_SERVERS: &[FaultyServer] = &[
    answering(
        "an account is opened with the balance asked for",
        |_, answer| {
            replace(answer, "Account created successfully", "Created");
        },
    ),
    answering(
        "an account number is a lower-case UUID of version 4, and a new one each time",
        |_, answer| replace(answer, "-4", "-1"),
    ),
    answering(
        "an account opened without a balance holds 0.0",
        |request, answer| {
            if is(request, "POST", "/accounts") {
                replace(answer, "\"balance\":0.0", "\"balance\":0.00");
            }
        },
    ),
    answering("fields that nobody knows are ignored", |request, answer| {
        if request.text().contains("\"note\"") {
            set_status(answer, 422);
        }
    }),
    answering(
        "a balance is read with its account number",
        |request, answer| {
            if is(request, "GET", "/balance") {
                replace(answer, "account_number", "number");
            }
        },
    ),
    answering(
        "a deposit adds its amount and tells the new balance",
        |_, answer| {
            replace(answer, "\"deposit\"", "\"Deposit\"");
        },
    ),
    answering(
        "a withdrawal takes its amount and tells the new balance",
        |_, answer| {
            replace(answer, "\"withdrawal\"", "\"withdraw\"");
        },
    ),
    answering("all that is on an account can be withdrawn", |_, answer| {
        if answer.text().contains("\"new_balance\":0.0") {
            set_status(answer, 400);
        }
    }),
    answering(
        "a balance may grow past the largest amount of one deposit",
        |_, answer| replace(answer, "\"balance\":20000.0", "\"balance\":10000.0"),
    ),
    answering(
        "a deposit beyond the largest balance is refused, and never wraps",
        |request, answer| {
            if is(request, "POST", "/deposit") && answer.word(1) == "422" {
                *answer = Message::answer(200, "{\"new_balance\":-0.02}");
            }
        },
    ),
    answering("money on one account is on no other", |_, answer| {
        replace(answer, "\"balance\":5.5}", "\"balance\":5.75}");
    }),
    answering(
        "an account is closed with 204, also with money on it",
        |_, answer| {
            if answer.word(1) == "204" {
                *answer = Message::answer(200, "{}");
            }
        },
    ),
    answering(
        "a closed account is not found, in any verb",
        |request, answer| {
            if is(request, "DELETE", "") && answer.word(1) == "404" {
                *answer = Message::answer(204, "");
            }
        },
    ),
    answering(
        "the listing shows every account once, in order of creation, with its balance",
        |request, answer| {
            if is(request, "GET", "/accounts") {
                let list = json::value_at(&answer.text(), &["accounts"])
                    .unwrap_or("[]")
                    .to_owned();
                let mut items = json::items(&list).unwrap();
                items.reverse();
                replace(answer, &list, &format!("[{}]", items.join(",")));
            }
        },
    ),
    answering(
        "the listing counts what it shows, and tells the limit as /health does",
        |_, answer| replace(answer, "\"total_accounts\":", "\"total_accounts\":9"),
    ),
    answering(
        "a new account was last updated when it was created",
        |_, answer| {
            replace(answer, "\"last_updated\":\"2", "\"last_updated\":\"1");
        },
    ),
    answering(
        "a successful transaction sets last_updated to its timestamp",
        |_, answer| replace(answer, "\"timestamp\":\"2", "\"timestamp\":\"1"),
    ),
    FaultyServer {
        breaks: "a refused transaction leaves last_updated",
        request: |request| replace(request, "2.01", "0.01"),
        answer: |request, answer| {
            if is(request, "POST", "/withdraw") {
                set_status(answer, 400);
            }
        },
    },
    answering("times are in UTC", |request, answer| {
        if is(request, "POST", "/deposit") {
            let time = json::string_at(&answer.text(), &["timestamp"]).unwrap_or_default();
            let Ok(utc) = time.parse::<jiff::civil::DateTime>() else {
                return;
            };
            let local = utc.saturating_add(jiff::SignedDuration::from_mins(330));
            replace(
                answer,
                &time,
                &local.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
            );
        }
    }),
    answering(
        "health tells status, accounts, limit, time and version, in this order",
        |_, answer| replace(answer, "\"healthy\"", "\"ok\""),
    ),
    answering(
        "health counts the accounts that are open",
        |request, answer| {
            if is(request, "GET", "/health") {
                replace(answer, ",\"max_accounts\"", "0,\"max_accounts\"");
            }
        },
    ),
    answering(
        "an unknown account is not found, in any verb",
        |request, answer| {
            if is(request, "DELETE", "") {
                replace(answer, "Account not found", "Not Found");
            }
        },
    ),
    asking(
        "a malformed account number names no account, in any verb",
        |request| request.start = request.start.replace("%20", ""),
    ),
    FaultyServer {
        breaks: "a withdrawal above the balance is refused, and takes nothing",
        request: |request| replace(request, "10.01", "5.0"),
        answer: |request, answer| {
            if is(request, "POST", "/withdraw") {
                *answer = Message::answer(400, "{\"detail\":\"Insufficient funds\"}");
            }
        },
    },
    answering("an unknown path is not found", |_, answer| {
        replace(answer, "Not Found", "Nothing");
    }),
    answering("a wrong method is refused with 405", |_, answer| {
        if answer.word(1) == "405" {
            set_status(answer, 404);
        }
    }),
    answering(
        "a refused method is told every one that the path has",
        |_, answer| {
            if answer.word(1) == "405" {
                answer.set("allow", "GET");
            }
        },
    ),
    answering("a body above 16 KiB is refused with 413", |_, answer| {
        if answer.word(1) == "413" {
            set_status(answer, 422);
        }
    }),
    asking(
        "a request sent twice with one idempotency key is done once, and answered alike",
        |request| {
            if request.text().contains("2.0") {
                request.fields.retain(|(name, _)| name != "idempotency-key");
            }
        },
    ),
    answering(
        "an idempotency key is refused with another request",
        |_, answer| {
            if answer.text().contains("used before with another request") {
                set_status(answer, 200);
            }
        },
    ),
    answering(
        "no body, an empty one, and null are a missing body",
        |request, answer| {
            if request.text() == "null" {
                replace(answer, "\"missing\"", "\"none\"");
            }
        },
    ),
    answering("a transaction needs an amount", |_, answer| {
        replace(
            answer,
            "[\"body\",\"amount\"],\"msg\":\"Field required\"",
            "[\"body\"]",
        );
    }),
    answering("a body must be an object", |_, answer| {
        replace(answer, "valid dictionary or object", "valid object");
    }),
    asking("a body must be sent as JSON", |request| {
        if request.field("content-type") == Some("text/plain") {
            request.set("content-type", "application/json");
        }
    }),
    asking(
        "a body is JSON without a content type, in any case, with parameters, and as …+json",
        |request| {
            if request.field("content-type") == Some("APPLICATION/JSON") {
                request.set("content-type", "text/plain");
            }
        },
    ),
    answering(
        "malformed JSON, NaN and Infinity are refused with their position",
        |_, answer| replace(answer, "[\"body\",1]", "[\"body\",1000]"),
    ),
    answering("an amount must be above zero", |_, answer| {
        replace(answer, "\"gt\":0.0", "\"gt\":0");
    }),
    answering("an initial balance must not be below zero", |_, answer| {
        replace(answer, "\"ge\":0.0", "\"ge\":0");
    }),
    answering(
        "amounts above the largest are refused, with the largest",
        |_, answer| {
            replace(answer, "\"le\":10000.0", "\"le\":10000");
        },
    ),
    asking("null, arrays and objects are no amounts", |request| {
        replace(request, "\"amount\": []", "\"amount\": 1");
    }),
    asking("a boolean is no amount", |request| {
        replace(request, "true", "1");
    }),
    asking("a string that holds no number is no amount", |request| {
        replace(request, "\"1,000\"", "\"1000\"");
    }),
    asking("more than two decimals are refused", |request| {
        replace(request, "1.005", "1.01");
    }),
    answering(
        "numbers of any size are answered, with 422",
        |request, answer| {
            if request.text().contains("-1e400") {
                set_status(answer, 400);
            }
        },
    ),
    answering("422 wins over 404", |request, answer| {
        if request.word(1).contains("nobody") {
            *answer = Message::answer(404, "{\"detail\":\"Account not found\"}");
        }
    }),
    answering("a long input is not sent back whole", |_, answer| {
        replace(answer, "xxxx", "xxxxxxxxxxxxxxxx");
    }),
    answering("what is wrong is said without links", |_, answer| {
        replace(
            answer,
            "\"msg\":",
            "\"url\":\"https://errors.example\",\"msg\":",
        );
    }),
    answering(
        "an amount is read in any notation of JSON",
        |request, answer| {
            if request.text().contains("1E+3") {
                set_status(answer, 422);
            }
        },
    ),
    answering(
        "an amount may be a string that holds a number",
        |request, answer| {
            if request.text().contains("\"0.01\"") {
                set_status(answer, 422);
            }
        },
    ),
    answering(
        "amounts are printed with one decimal at least and no needless zero",
        |_, answer| replace(answer, ":0.1,", ":0.10,"),
    ),
    asking(
        "what binary floats print for a cent is that cent",
        |request| {
            replace(request, "0.29999999999999998", "0.29");
        },
    ),
    answering("minus zero is zero", |request, answer| {
        if request.text().contains("-0.0") {
            replace(answer, ":0.0", ":-0.0");
        }
    }),
    answering("ten deposits of 0.1 are a balance of 1.0", |_, answer| {
        replace(
            answer,
            "\"new_balance\":0.8,",
            "\"new_balance\":0.7999999999999999,",
        );
    }),
    answering("sums are exact where binary floats are not", |_, answer| {
        replace(
            answer,
            "\"new_balance\":3.3,",
            "\"new_balance\":3.3000000000000003,",
        );
    }),
    answering(
        "a hundred movements of odd cents leave the exact balance",
        |_, answer| {
            replace(
                answer,
                "\"transaction_amount\":0.38",
                "\"transaction_amount\":0.39",
            );
        },
    ),
    answering("large balances keep their cents", |_, answer| {
        replace(
            answer,
            "\"balance\":9999.98}",
            "\"balance\":9999.979999999998}",
        );
    }),
    answering(
        "a trailing slash is redirected with 307 to the path without it",
        |request, answer| {
            if is(request, "DELETE", "/") {
                set_status(answer, 301);
            }
        },
    ),
    answering("a redirect keeps the query", |_, answer| {
        if answer.word(1) == "307" {
            answer.set("location", "/accounts");
        }
    }),
    FaultyServer {
        breaks: "nothing is done before a redirect is followed",
        request: |request| request.start = request.start.replace("/deposit/ ", "/deposit "),
        answer: |request, answer| {
            if is(request, "POST", "/deposit") {
                set_status(answer, 307);
            }
        },
    },
    answering("a redirect names no host", |_, answer| {
        if let Some(location) = answer.field("location") {
            let location = format!("http://localhost{location}");
            answer.set("location", &location);
        }
    }),
    answering("a connection survives a refusal", |_, answer| {
        if answer.word(1) == "422" {
            answer.set("connection", "close");
        }
    }),
    answering("a body may come in chunks", |_, answer| {
        replace(answer, "12.34", "12.3");
    }),
    answering("pipelined requests are answered in order", |_, answer| {
        replace(answer, "\"balance\":0.03", "\"balance\":0.04");
    }),
    answering(
        "a change that is done is answered, whatever stands behind its request",
        |request, answer| {
            if request.text() == "{\"amount\":0.77}" {
                set_status(answer, 400);
            }
        },
    ),
    answering(
        "a byte order mark before JSON is passed over",
        |request, answer| {
            if request.text().starts_with('\u{feff}') {
                set_status(answer, 422);
            }
        },
    ),
    answering(
        "nothing malformed is answered with 500",
        |request, answer| {
            if request.word(1).contains("%ff") {
                set_status(answer, 500);
            }
        },
    ),
    answering(
        "every answer to another origin says that it may be read",
        |_, answer| {
            if answer.word(1) == "404" {
                answer
                    .fields
                    .retain(|(name, _)| name != "access-control-allow-origin");
            }
        },
    ),
    answering(
        "without an origin there are no CORS headers",
        |_, answer| {
            if answer.word(1) == "204" {
                answer.set("access-control-allow-origin", "*");
            }
        },
    ),
    answering(
        "a preflight is answered with methods, headers and an age of 600",
        |request, answer| {
            if request.word(0) == "OPTIONS" && request.word(1).contains("/accounts/") {
                answer.set("access-control-allow-methods", "GET, POST");
            }
        },
    ),
    answering(
        "the pages of the listing together are the listing",
        |request, answer| {
            // The first page says that it is the last.
            let text = answer.text();
            if request.word(1) == "/accounts?limit=2"
                && let Some((rows, _)) = text.split_once(",\"has_more\"")
            {
                answer.body =
                    format!("{rows},\"has_more\":false,\"next_after\":null}}").into_bytes();
            }
        },
    ),
    answering(
        "a statement shows every movement once, with the balance after it",
        |_, answer| replace(answer, "\"balance_after\":9.75", "\"balance_after\":9.5"),
    ),
    asking(
        "a balance of the past is the one that was told then",
        |request| request.start = request.start.replace("at=", "_="),
    ),
    answering(
        "HEAD is answered as GET, without the body",
        |request, answer| {
            if request.word(0) == "HEAD" {
                set_status(answer, 405);
            }
        },
    ),
    answering("the start page is HTML", |request, answer| {
        if request.word(1) == "/" {
            answer.set("content-type", "text/plain");
        }
    }),
    answering("the documentation is HTML", |request, answer| {
        if request.word(1) == "/redoc" {
            set_status(answer, 404);
        }
    }),
    answering(
        "the pages load nothing from elsewhere",
        |request, answer| {
            if request.word(1) == "/docs" {
                replace(answer, "src=\"/assets/", "src=\"https://cdn.example/");
            }
        },
    ),
    answering(
        "openapi.json is OpenAPI 3 and describes every operation",
        |_, answer| replace(answer, "\"delete\"", "\"patch\""),
    ),
    answering(
        "openapi.json has the schemas by their names",
        |_, answer| {
            replace(answer, "\"HTTPValidationError\"", "\"ValidationErrors\"");
        },
    ),
    answering("openapi.json tells the bounds of amounts", |_, answer| {
        replace(answer, "\"exclusiveMinimum\"", "\"minimum\"");
    }),
];

fn start(behind: SocketAddr, faulty: FaultyServer) -> SocketAddr {
    wire::serve(behind, move |mut request, upstream| {
        (faulty.request)(&mut request);
        let mut answer = upstream.ask(&request)?;
        (faulty.answer)(&request, &mut answer);
        Some(answer)
    })
}

#[test]
fn each_rule_is_broken_by_somebody_who_is_found_out() {
    let largest = Config {
        transaction_max: "9999999999999.99".parse().unwrap(),
        ..Config::default()
    };
    let [usual, generous] = [default_server(), own_server(1_000, largest)];
    let durable = durable_server();
    let mut broken = BTreeSet::new();
    let rules = rules();
    for faulty in FAULTY_SERVERS {
        let behind = match faulty.breaks {
            super::OUT_OF_REACH => generous,
            rule if super::OF_THE_PAST.contains(&rule) => durable,
            _ => usual,
        };
        let rule = rules.iter().find(|rule| rule.name == faulty.breaks);
        let rule = rule.unwrap_or_else(|| panic!("there is no rule {}", faulty.breaks));
        let server = address(start(behind, *faulty));
        let server = Server::new(server, TIMEOUT, Pace::new(None));
        let report = hold(rule, &server);
        if matches!(report.verdict, Verdict::Deviates(_)) {
            broken.insert(faulty.breaks);
        }
    }
    let unbroken: Vec<_> = rules
        .iter()
        .filter(|rule| !broken.contains(rule.name))
        .collect();
    assert!(
        unbroken.is_empty(),
        "nobody is found out to break {unbroken:#?}"
    );
}

#[test]
fn who_changes_nothing_is_not_suspected() {
    let honest = answering("", |_, _| ());
    let server = start(default_server(), honest);
    super::not_checked(&super::hold_all(server, TIMEOUT));
}
