//! Money is read from decimal text, is exact to the cent, and is printed exactly.

use crate::answers::{Invalid, Noise, assert_answer};
use crate::support::{Client, Request, Response, Server};
use bigdecimal::{BigDecimal, RoundingMode, ToPrimitive, Zero};
use std::str::FromStr;

/// What was sent, and the balance that it means in the digits of the answer.
const READ_AS: [(&str, &str); 57] = [
    ("1000.0", "1000.0"),
    ("1000", "1000.0"),
    ("1e3", "1000.0"),
    ("1E3", "1000.0"),
    ("1e+3", "1000.0"),
    ("1.0e0003", "1000.0"),
    ("100000e-2", "1000.0"),
    ("5.5000", "5.5"),
    ("5.50", "5.5"),
    ("12.34", "12.34"),
    ("12.30", "12.3"),
    ("0.1", "0.1"),
    ("0.01", "0.01"),
    ("0.10", "0.1"),
    ("1e-2", "0.01"),
    ("1000e-5", "0.01"),
    ("0.00001e3", "0.01"),
    ("4.35", "4.35"),
    ("1.15", "1.15"),
    ("9999.99", "9999.99"),
    ("10000", "10000.0"),
    ("10000.00", "10000.0"),
    ("\"100.50\"", "100.5"),
    ("\"100\"", "100.0"),
    ("\"1e3\"", "1000.0"),
    ("\"0.01\"", "0.01"),
    ("\" 100.50 \"", "100.5"),
    ("\"\\u0031\"", "1.0"),
    // What a string may hold beyond JSON, as in the original.
    ("\"+5\"", "5.0"),
    ("\".5\"", "0.5"),
    ("\"5.\"", "5.0"),
    ("\"005.00\"", "5.0"),
    ("\"1_000\"", "1000.0"),
    ("\"1_0_0_0.5_0\"", "1000.5"),
    ("\"+.5e1\"", "5.0"),
    ("\"5.e1\"", "50.0"),
    ("\"+00.5\"", "0.5"),
    ("\"1e+0_3\"", "1000.0"),
    ("\"1_0E0\"", "10.0"),
    ("\"1._5\"", "1.5"),
    ("\"1_.5\"", "1.5"),
    ("\"._5\"", "0.5"),
    ("\"1_e1\"", "10.0"),
    ("\"1e_1\"", "10.0"),
    ("\"+_1\"", "1.0"),
    ("\"\\t+1_000\\n\"", "1000.0"),
    ("\"\\u00a05\\u2003\"", "5.0"),
    ("\"\\u000b5\\f\"", "5.0"),
    ("\"0000000000000000000000000000000001\"", "1.0"),
    ("\"00.10000000000000001\"", "0.1"),
    ("\"\\u002b5\"", "5.0"),
    // What binary floats print when they mean a whole cent.
    ("0.30000000000000004", "0.3"),
    ("0.29999999999999998", "0.3"),
    ("\"0.30000000000000004\"", "0.3"),
    ("1.1500000000000001", "1.15"),
    ("1.00000000999", "1.0"),
    ("0.99999999001", "1.0"),
];

/// More decimals than two, and nothing that a binary float would print for a whole cent.
const TOO_FINE: [&str; 13] = [
    "0.001",
    "1.005",
    "1e-300",
    "1e-9",
    "0.0049",
    "5e-3",
    "1.0000000101",
    "0.9999999899",
    "123.456",
    "1.234567890123456789",
    "\"1.005\"",
    "\"1e-300\"",
    "9999.999",
];

/// Strings that hold no number, in the original neither.
const NO_NUMBER: [&str; 40] = [
    "", " ", ".", "+", "-", "+.", "_", "_1", "1_", "1__0", "1_000_", " _1", "1_ ", "__1", "+-5",
    "-+5", "--5", "++5", "- 5", "+ 5", "1 0", "1_ 0", "1,000", "0x10", "0b1", "1e", "1e+", "e5",
    ".e5", "1e1.5", "1.2.3", "1e1e1", "5f", "\\u0661", "\\uff11", "\\ufeff5", "\\u200b5",
    "\\u00005", "\\u001c5", "½",
];

#[test]
fn a_string_that_holds_no_number_is_refused() {
    let server = Server::start();
    let mut client = server.connect();
    for sent in NO_NUMBER {
        let response = deposit(&mut client, "nobody", &format!("\"{sent}\""));
        assert_eq!(response.status, 422, "{sent:?}: {}", response.text());
        let error = &response.json()["detail"][0];
        assert_eq!(error["type"], "float_parsing", "{sent:?}: {error}");
    }
    // What a string may hold, a number may not: JSON says how it is written.
    for sent in ["+5", ".5", "5.", "005.00", "1_000", "1e_1"] {
        let response = deposit(&mut client, "nobody", sent);
        assert_eq!(response.status, 422, "{sent}: {}", response.text());
        assert_eq!(
            response.json()["detail"][0]["type"],
            "json_invalid",
            "{sent}"
        );
    }
    for sent in ["\"-.5\"", "\"-1_0\"", "\"-005.\"", "\"+0\"", "\"0_0.\""] {
        let response = deposit(&mut client, "nobody", sent);
        let body = Invalid::not_positive().at(r#"["body","amount"]"#, sent);
        assert_answer(&response, 422, &body, sent);
    }
}

fn deposit(client: &mut Client, account: &str, amount: &str) -> Response {
    let path = format!("/accounts/{account}/deposit");
    client.send(&Request::post(&path, &format!(r#"{{"amount":{amount}}}"#)))
}

#[test]
fn an_initial_balance_is_read_in_any_notation_and_printed_exactly() {
    let server = Server::start();
    let more = [
        ("0", "0.0"),
        ("0.0", "0.0"),
        ("0.00", "0.0"),
        ("0e9", "0.0"),
        ("\"0\"", "0.0"),
    ];
    let minus_zero = [
        ("-0.0", "0.0"),
        ("-0", "0.0"),
        ("\"-0.0\"", "0.0"),
        ("-0e5", "0.0"),
    ];
    for (sent, printed) in READ_AS.into_iter().chain(more).chain(minus_zero) {
        let response = server.post("/accounts", &format!(r#"{{"initial_balance":{sent}}}"#));
        let account = response.account_number();
        let body = format!(
            r#"{{"account_number":"{account}","balance":{printed},"message":"Account created successfully"}}"#
        );
        assert_answer(&response, 201, &body, sent);
        assert_eq!(server.balance(&account), printed, "{sent}");
    }
}

#[test]
fn an_amount_is_read_in_any_notation_and_printed_exactly() {
    let server = Server::start();
    let mut client = server.connect();
    for (sent, printed) in READ_AS {
        let account = server.open_account("0.0");
        let response = deposit(&mut client, &account, sent);
        let start = format!(
            r#"{{"account_number":"{account}","new_balance":{printed},"transaction_amount":{printed},"transaction_type":"deposit","#
        );
        assert!(
            response.text().starts_with(&start),
            "{sent}: {}",
            response.text()
        );
    }
}

#[test]
fn more_than_two_decimals_are_refused() {
    let server = Server::start();
    let account = server.open_account("100.0");
    for sent in TOO_FINE {
        let response = server.post("/accounts", &format!(r#"{{"initial_balance":{sent}}}"#));
        let body = Invalid::too_many_decimals().at(r#"["body","initial_balance"]"#, sent);
        assert_answer(&response, 422, &body, sent);
        for verb in ["deposit", "withdraw"] {
            let path = format!("/accounts/{account}/{verb}");
            let response = server.post(&path, &format!(r#"{{"amount":{sent}}}"#));
            let body = Invalid::too_many_decimals().at(r#"["body","amount"]"#, sent);
            assert_answer(&response, 422, &body, &format!("{verb} {sent}"));
        }
    }
    assert_eq!(server.balance(&account), "100.0");
}

#[test]
fn many_needless_zeros_change_nothing() {
    let server = Server::start();
    let zeros = "0".repeat(8_000);
    let cases = [
        ("zeros after the last decimal", format!("0.1{zeros}"), "0.1"),
        (
            "a coefficient of zeros undone by its exponent",
            format!("7{zeros}e-8000"),
            "7.0",
        ),
        (
            "a fraction of zeros undone by its exponent",
            format!("0.{zeros}25e8001"),
            "2.5",
        ),
        ("zeros in the exponent", format!("25e-{zeros}1"), "2.5"),
    ];
    for (case, sent, printed) in cases {
        let account = server
            .post("/accounts", &format!(r#"{{"initial_balance":{sent}}}"#))
            .account_number();
        assert_eq!(server.balance(&account), printed, "{case}");
    }
}

#[test]
fn overflow_is_refused_with_422_in_either_direction() {
    let server = Server::start();
    let huge = "9".repeat(5_000);
    let sent = [
        "1e400",
        "-1e400",
        "1e-400",
        "1e999999999999999999999",
        "-1e-999999999999999999999",
    ];
    for sent in sent.into_iter().chain([huge.as_str()]) {
        for (path, field) in [
            ("/accounts", "initial_balance"),
            ("/accounts/x/deposit", "amount"),
        ] {
            for quote in ["", "\""] {
                let json = format!(r#"{{"{field}":{quote}{sent}{quote}}}"#);
                let response = server.post(path, &json);
                let case = &json[..json.len().min(60)];
                assert_eq!(response.status, 422, "{case}");
                let error = &response.json()["detail"][0];
                assert_eq!(error["loc"], serde_json::json!(["body", field]), "{case}");
                assert!(
                    error["type"].is_string() && error["msg"].is_string(),
                    "{case}: {error}"
                );
            }
        }
    }
}

#[test]
fn ten_deposits_of_a_tenth_can_be_withdrawn_as_one() {
    let server = Server::start();
    let account = server.open_account("0.0");
    let mut client = server.connect();
    for _ in 0..10 {
        assert_eq!(deposit(&mut client, &account, "0.1").status, 200);
    }
    assert_eq!(server.balance(&account), "1.0");
    let response = server.post(
        &format!("/accounts/{account}/withdraw"),
        r#"{"amount":1.0}"#,
    );
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(server.balance(&account), "0.0");
}

#[test]
fn a_balance_may_grow_past_the_maximum_of_one_transaction() {
    let server = Server::start();
    let account = server.open_account("10000");
    let response = deposit(&mut server.connect(), &account, "10000");
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(server.balance(&account), "20000.0");
    let response = server.post(
        &format!("/accounts/{account}/withdraw"),
        r#"{"amount":10000.01}"#,
    );
    let body = Invalid::above("10000", "10000.0").at(r#"["body","amount"]"#, "10000.01");
    assert_answer(
        &response,
        422,
        &body,
        "a withdrawal above the maximum though it is covered",
    );
}

#[test]
fn a_deposit_above_the_largest_balance_is_refused_and_leaves_the_balance() {
    let largest = "9999999999999.99";
    let server = Server::configure()
        .env("MAX_TRANSACTION_AMOUNT", largest)
        .start();
    let mut client = server.connect();
    let full = server.open_account(largest);
    assert_eq!(server.balance(&full), largest);
    let nearly = server.open_account("9999999999999.9");
    for (case, account, amount) in [
        ("a cent on a full account", &full, "0.01"),
        ("the largest on a full account", &full, largest),
        ("a cent more than there is room", &nearly, "0.1"),
    ] {
        let response = deposit(&mut client, account, amount);
        assert_eq!(response.status, 422, "{case}: {}", response.text());
        let error = &response.json()["detail"][0];
        assert_eq!(error["type"], "less_than_equal", "{case}");
        assert_eq!(
            error["loc"],
            serde_json::json!(["body", "amount"]),
            "{case}"
        );
        assert!(error["ctx"]["le"].is_number(), "{case}: {error}");
    }
    assert_eq!(server.balance(&full), largest);
    assert_eq!(server.balance(&nearly), "9999999999999.9");
    assert_eq!(
        deposit(&mut client, &nearly, "0.09").status,
        200,
        "exactly the room there is"
    );
    assert_eq!(server.balance(&nearly), largest);
}

#[test]
fn digits_that_a_binary_float_would_lose_are_kept() {
    let server = Server::configure()
        .env("MAX_TRANSACTION_AMOUNT", "9999999999999.99")
        .start();
    for balance in [
        "9007199254740.93",
        "8999999999999.01",
        "1234567890123.45",
        "0.07",
    ] {
        let account = server.open_account(balance);
        assert_eq!(server.balance(&account), balance);
        let path = format!("/accounts/{account}/withdraw");
        let response = server.post(&path, &format!(r#"{{"amount":{balance}}}"#));
        assert_eq!(
            response.json()["new_balance"].to_string(),
            "0.0",
            "{balance}"
        );
    }
}

/// What the contract says about a deposit of a decimal text, decided with exact arithmetic.
enum Expected {
    Deposited(String),
    Refused,
    /// On an edge that the contract leaves open.
    Open,
}

fn expected_deposit(text: &str) -> Expected {
    let value = BigDecimal::from_str(text).expect("the test writes numbers");
    let cents = &value * BigDecimal::from(100);
    let whole = cents.with_scale_round(0, RoundingMode::HalfEven);
    let tolerance = BigDecimal::from_str("1e-6").unwrap();
    let distance = (&cents - &whole).abs();
    let maximum = BigDecimal::from(1_000_000);
    if distance == tolerance || (whole == maximum && cents > maximum) {
        return Expected::Open;
    }
    if distance > tolerance || whole <= BigDecimal::zero() || whole > maximum {
        return Expected::Refused;
    }
    let cents = whole.to_u64().expect("at most the maximum");
    let decimals = format!("{:02}", cents % 100);
    let decimals = decimals.strip_suffix('0').unwrap_or(&decimals);
    Expected::Deposited(format!("{}.{decimals}", cents / 100))
}

/// The same number, written as only a string may hold it.
fn written_loosely(number: &str, noise: &mut Noise) -> String {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => (noise.one_of(&["", "+"]), number),
    };
    let mut loose = noise.one_of(&["", "0", "000"]).to_owned();
    let mut before = '0';
    for digit in digits.chars() {
        // Also at its begin, where there are zeros before it.
        let is_between = !loose.is_empty() && before.is_ascii_digit() && digit.is_ascii_digit();
        if is_between && noise.below(3) == 0 {
            loose.push('_');
        }
        loose.push(digit);
        before = digit;
    }
    if noise.below(2) == 0 && loose.starts_with("0.") {
        loose.remove(0);
    }
    if noise.below(2) == 0 && loose.bytes().all(|byte| byte.is_ascii_digit()) {
        loose.push('.');
    }
    let blank = noise.one_of(&["", "", " ", "\\t"]);
    format!("{blank}{sign}{loose}{}", noise.one_of(&["", blank]))
}

#[test]
fn any_number_is_read_as_exact_arithmetic_reads_it() {
    let server = Server::start();
    let mut client = server.connect();
    let mut noise = Noise::from_seed(0x00CA_5490_1173);
    let (mut deposited, mut refused) = (0, 0);
    while deposited < 400 || refused < 400 {
        let integer = noise.below(20_000).to_string();
        let decimals =
            noise.one_of(&["", ".5", ".00", ".07", ".99", ".250", ".005", ".1299999999"]);
        let tail = noise.one_of(&[
            "",
            "",
            "0",
            "00000000",
            "000000001",
            "999999999",
            "000000009",
        ]);
        let tail = if decimals.is_empty() { "" } else { tail };
        let exponent = noise.one_of(&["", "", "", "e0", "E-1", "e-2", "e+1", "e-7", "E2"]);
        let sign = noise.one_of(&["", "", "", "-"]);
        let text = format!("{sign}{integer}{decimals}{tail}{exponent}");
        let sent = match noise.below(4) {
            0 => format!("\"{text}\""),
            1 => format!("\"{}\"", written_loosely(&text, &mut noise)),
            _ => text.clone(),
        };

        let account = client
            .send(&Request::post("/accounts", "{}"))
            .account_number();
        let response = deposit(&mut client, &account, &sent);
        let close = client.send(&Request::new("DELETE", &format!("/accounts/{account}")));
        assert_eq!(close.status, 204);
        match expected_deposit(&text) {
            Expected::Deposited(printed) => {
                let start = format!(r#"{{"account_number":"{account}","new_balance":{printed},"#);
                assert!(
                    response.text().starts_with(&start),
                    "{sent}: {}",
                    response.text()
                );
                deposited += 1;
            }
            Expected::Refused => {
                assert_eq!(response.status, 422, "{sent}: {}", response.text());
                refused += 1;
            }
            Expected::Open => {}
        }
    }
}
