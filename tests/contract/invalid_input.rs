//! Input that is refused with 422, in FastAPI's shape, to the byte.

use crate::answers::{Invalid, Noise, assert_answer, detail};
use crate::support::{Request, Response, Server};

const NO_ACCOUNT: &str = "00000000-0000-4000-8000-000000000000";
const BODY: &str = r#"["body"]"#;

/// The three requests that carry an amount: path, field, and whether zero is one.
fn requests(account: &str) -> [(String, &'static str, bool); 3] {
    [
        ("/accounts".into(), "initial_balance", true),
        (format!("/accounts/{account}/deposit"), "amount", false),
        (format!("/accounts/{account}/withdraw"), "amount", false),
    ]
}

#[test]
fn a_body_is_required() {
    let server = Server::start();
    let expected = Invalid::missing().at(BODY, "null");
    for (path, _, _) in requests(NO_ACCOUNT) {
        let post = || Request::new("POST", &path);
        let json = || post().header("Content-Type", "application/json");
        for (case, request) in [
            ("no body, no length", post()),
            ("no body, no length, but a content type", json()),
            ("empty body", post().body(b"")),
            ("empty body of JSON", json().body(b"")),
            (
                "empty body of text",
                post().header("Content-Type", "text/plain").body(b""),
            ),
            ("empty body in chunks", json().chunked([])),
            ("null", json().body(b"null")),
            ("null amid white space", json().body(b" \r\n\tnull ")),
        ] {
            assert_answer(
                &server.send(&request),
                422,
                &expected,
                &format!("{path}: {case}"),
            );
        }
    }
}

#[test]
fn a_transaction_needs_an_amount() {
    let server = Server::start();
    for verb in ["deposit", "withdraw"] {
        for (sent, input) in [
            ("{}", "{}"),
            ("{ \n}", "{}"),
            (
                r#"{ "Amount" : 1.50, "x": [ 1, "a b" ] }"#,
                r#"{"Amount":1.50,"x":[1,"a b"]}"#,
            ),
            (r#"{"initial_balance":5}"#, r#"{"initial_balance":5}"#),
        ] {
            let response = server.post(&format!("/accounts/{NO_ACCOUNT}/{verb}"), sent);
            let body = Invalid::missing().at(r#"["body","amount"]"#, input);
            assert_answer(&response, 422, &body, sent);
        }
    }
}

#[test]
fn a_body_must_be_an_object() {
    let server = Server::start();
    for (path, _, _) in requests(NO_ACCOUNT) {
        for (sent, input) in [
            ("[]", "[]"),
            ("[1, 2]", "[1,2]"),
            (r#"[{"amount": 5}]"#, r#"[{"amount":5}]"#),
            ("5", "5"),
            ("0", "0"),
            ("-5.50", "-5.50"),
            (r#""text""#, r#""text""#),
            (r#""""#, r#""""#),
            ("true", "true"),
            ("false", "false"),
        ] {
            let response = server.post(&path, sent);
            let body = Invalid::not_an_object().at(BODY, input);
            assert_answer(&response, 422, &body, &format!("{path}: {sent}"));
        }
    }
}

#[test]
fn a_body_is_json_by_its_content_type() {
    let server = Server::start();
    let account = server.open_account("1.0");
    let send = |path: &str, content_type: Option<&str>, body: &str| -> Response {
        let request = Request::new("POST", path);
        let request = match content_type {
            Some(content_type) => request.header("Content-Type", content_type),
            None => request,
        };
        server.send(&request.body(body.as_bytes()))
    };
    for content_type in [
        None,
        Some(""),
        Some("  "),
        Some("application/json"),
        Some("APPLICATION/JSON"),
        Some("Application/Json; Charset=UTF-8"),
        Some("application/json;charset=utf-8"),
        Some("application/json ; a=b; c=\"d\""),
        Some("application/vnd.cashpoint+json"),
        Some("application/problem+json; charset=utf-8"),
        Some("application/VND.API+JSON"),
    ] {
        for (path, body, status) in [
            ("/accounts".to_owned(), r#"{"initial_balance":1.0}"#, 201),
            (
                format!("/accounts/{account}/deposit"),
                r#"{"amount":1.0}"#,
                200,
            ),
        ] {
            let response = send(&path, content_type, body);
            assert_eq!(
                response.status,
                status,
                "{content_type:?}: {}",
                response.text()
            );
        }
    }
    for content_type in [
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application/jsonp",
        "application/json-seq",
        "application/xml",
        "text/html",
    ] {
        for (path, _, _) in requests(&account) {
            for (body, input) in [
                (r#"{"amount": 1.0}"#, r#""{\"amount\": 1.0}""#),
                ("amount=1.0", r#""amount=1.0""#),
                (" ", r#"" ""#),
            ] {
                let response = send(&path, Some(content_type), body);
                let expected = Invalid::not_an_object().at(BODY, input);
                assert_answer(
                    &response,
                    422,
                    &expected,
                    &format!("{content_type}: {body:?}"),
                );
            }
        }
    }
}

#[test]
fn a_byte_order_mark_of_utf_8_is_passed_over() {
    let server = Server::start();
    let account = server.open_account("1.0");
    let path = format!("/accounts/{account}/deposit");
    let post = |body: &[u8]| {
        let request = Request::new("POST", &path).header("Content-Type", "application/json");
        server.send(&request.body(body))
    };
    for body in ["\u{feff}{\"amount\":1.5}", "\u{feff} \n{\"amount\":1.5}"] {
        let response = post(body.as_bytes());
        assert_eq!(response.status, 200, "{body:?}: {}", response.text());
    }
    assert_eq!(server.balance(&account), "4.0");
    // Positions are counted behind it.
    let position = |body: &[u8]| {
        let error = post(body).json()["detail"][0].clone();
        assert_eq!(error["type"], "json_invalid", "{error}");
        error["loc"][1].as_u64().unwrap()
    };
    assert_eq!(position("{\"amount\": x}".as_bytes()), 11);
    assert_eq!(position("\u{feff}{\"amount\": x}".as_bytes()), 11);
    assert_eq!(position("\u{feff}".as_bytes()), 0);
    assert_eq!(position("\u{feff}\u{feff}{}".as_bytes()), 0);
    assert_eq!(position(" \u{feff}{}".as_bytes()), 1);
    let missing = post("\u{feff}null".as_bytes());
    assert_answer(&missing, 422, &Invalid::missing().at(BODY, "null"), "null");
    // JSON between systems is UTF-8.
    let in_utf_16 = |text: &str, little: bool| -> Vec<u8> {
        let bytes = |unit: u16| {
            if little {
                unit.to_le_bytes()
            } else {
                unit.to_be_bytes()
            }
        };
        text.encode_utf16().flat_map(bytes).collect()
    };
    for little in [true, false] {
        for text in ["{\"amount\":1}", "\u{feff}{\"amount\":1}"] {
            position(&in_utf_16(text, little));
        }
    }
}

#[test]
fn malformed_json_is_refused_with_the_position() {
    let server = Server::start();
    let bodies: [&[u8]; 35] = [
        b"{",
        b"}",
        b"{\"amount\"",
        b"{\"amount\":",
        b"{\"amount\":1",
        b"{\"amount\":1.0",
        b"{\"amount\":1.0,}",
        b"{\"amount\":1.0}}",
        b"{\"amount\":1.0} x",
        b"{\"amount\" 1.0}",
        b"{amount:1.0}",
        b"{'amount':1.0}",
        b"{\"amount\":NaN}",
        b"{\"amount\":Infinity}",
        b"{\"amount\":-Infinity}",
        b"{\"amount\":1.}",
        b"{\"amount\":.5}",
        b"{\"amount\":+1}",
        b"{\"amount\":01}",
        b"{\"amount\":-}",
        b"{\"amount\":1e}",
        b"{\"amount\":0x10}",
        b"{\"amount\":1_000}",
        b"{\"amount\":tru}",
        b"{\"amount\":\"1}",
        b"{\"amount\":\"\\x\"}",
        b"{\"amount\":\"\n\"}",
        b"[1,2",
        b"NaN",
        b"nul",
        b"\"abc",
        b" ",
        b"\r\n\t",
        b"\xff\xfe\xfd",
        b"{\"amount\":\"\xc3\x28\"}",
    ];
    for (path, _, _) in requests(NO_ACCOUNT) {
        for sent in bodies {
            let case = format!("{path}: {}", String::from_utf8_lossy(sent));
            let json = Request::new("POST", &path).header("Content-Type", "application/json");
            let response = server.send(&json.body(sent));
            assert_eq!(response.status, 422, "{case}");
            let error = response.json()["detail"][0].clone();
            let position = error["loc"][1]
                .as_u64()
                .unwrap_or_else(|| panic!("{case}: {error}"));
            assert!(position <= sent.len() as u64, "{case}: {position}");
            let parser = error["ctx"]["error"]
                .as_str()
                .unwrap_or_else(|| panic!("{case}: {error}"));
            assert!(!parser.is_empty(), "{case}");
            let parser = serde_json::to_string(parser).unwrap();
            let body = format!(
                r#"{{"detail":[{{"type":"json_invalid","loc":["body",{position}],"msg":"JSON decode error","input":{{}},"ctx":{{"error":{parser}}}}}]}}"#
            );
            assert_answer(&response, 422, &body, &case);
        }
    }
}

#[test]
fn a_value_must_be_a_number() {
    let server = Server::start();
    for (path, field, _) in requests(NO_ACCOUNT) {
        let loc = format!(r#"["body","{field}"]"#);
        for (sent, input) in [
            ("null", "null"),
            ("true", "true"),
            ("false", "false"),
            ("[]", "[]"),
            ("[ 1.50 , 2 ]", "[1.50,2]"),
            ("{}", "{}"),
            (r#"{ "amount": 1e0 }"#, r#"{"amount":1e0}"#),
        ] {
            let response = server.post(&path, &format!(r#"{{"{field}": {sent}}}"#));
            let body = Invalid::not_a_number().at(&loc, input);
            assert_answer(&response, 422, &body, &format!("{field}: {sent}"));
        }
    }
}

#[test]
fn a_string_must_hold_a_number() {
    let server = Server::start();
    for (path, field, _) in requests(NO_ACCOUNT) {
        let loc = format!(r#"["body","{field}"]"#);
        for text in [
            "",
            " ",
            "abc",
            "10 0",
            "1,000",
            "1.0.0",
            "--1",
            "1e",
            "e3",
            "-",
            "NaN",
            "nan",
            "Infinity",
            "-Infinity",
            "inf",
            "1__000",
            "0x10",
            "1.0€",
            "٣",
            "true",
            "null",
            "$5",
        ] {
            let input = format!("\"{text}\"");
            let response = server.post(&path, &format!(r#"{{"{field}":{input}}}"#));
            let body = Invalid::not_a_number_in_text().at(&loc, &input);
            assert_answer(&response, 422, &body, &format!("{field}: {input}"));
        }
    }
}

#[test]
fn a_value_must_not_be_too_small() {
    let server = Server::start();
    for (path, field, may_be_zero) in requests(NO_ACCOUNT) {
        let loc = format!(r#"["body","{field}"]"#);
        let negative = [
            "-1",
            "-0.01",
            "-5.50",
            "-1e3",
            "-10000.01",
            "\"-5\"",
            "\"-5.50\"",
        ];
        let zero = ["0", "0.0", "-0.0", "0e5", "0.00", "\"0\"", "\"-0.0\""];
        let zero = zero.iter().filter(|_| !may_be_zero);
        for sent in negative.iter().chain(zero) {
            let invalid = if may_be_zero {
                Invalid::negative()
            } else {
                Invalid::not_positive()
            };
            let response = server.post(&path, &format!(r#"{{"{field}":{sent}}}"#));
            assert_answer(
                &response,
                422,
                &invalid.at(&loc, sent),
                &format!("{field}: {sent}"),
            );
        }
    }
}

#[test]
fn a_value_must_not_be_above_the_maximum() {
    let server = Server::start();
    for (path, field, _) in requests(NO_ACCOUNT) {
        let loc = format!(r#"["body","{field}"]"#);
        for sent in [
            "10000.01",
            "10001",
            "1e5",
            "99999999999999999999",
            "92233720368547758.07",
            "92233720368547758.08",
            "184467440737095516.16",
            "1e30",
            "\"10000.01\"",
            "\"1e30\"",
        ] {
            let response = server.post(&path, &format!(r#"{{"{field}":{sent}}}"#));
            let body = Invalid::above("10000", "10000.0").at(&loc, sent);
            assert_answer(&response, 422, &body, &format!("{field}: {sent}"));
        }
    }
}

#[test]
fn invalid_input_wins_over_an_unknown_account() {
    let server = Server::start();
    for account in [NO_ACCOUNT, "no-uuid"] {
        for verb in ["deposit", "withdraw"] {
            let path = format!("/accounts/{account}/{verb}");
            let response = server.post(&path, r#"{"amount":0}"#);
            let body = Invalid::not_positive().at(r#"["body","amount"]"#, "0");
            assert_answer(&response, 422, &body, &path);
            let response = server.post(&path, r#"{"amount":1}"#);
            assert_answer(&response, 404, &detail("Account not found"), &path);
        }
    }
}

#[test]
fn invalid_input_wins_over_a_full_service_and_over_insufficient_funds() {
    let server = Server::configure().env("MAX_ACCOUNTS", "1").start();
    let account = server.open_account("1.0");
    let response = server.post("/accounts", r#"{"initial_balance":-1}"#);
    let body = Invalid::negative().at(r#"["body","initial_balance"]"#, "-1");
    assert_answer(&response, 422, &body, "a full service");
    let response = server.post(
        &format!("/accounts/{account}/withdraw"),
        r#"{"amount":10000.01}"#,
    );
    let body = Invalid::above("10000", "10000.0").at(r#"["body","amount"]"#, "10000.01");
    assert_answer(
        &response,
        422,
        &body,
        "above the maximum and above the balance",
    );
}

#[test]
fn extra_fields_are_ignored_and_the_last_of_equal_keys_counts() {
    let server = Server::start();
    for (sent, balance) in [
        (
            r#"{"initial_balance":2.0,"initial_balances":[],"x":{"initial_balance":9}}"#,
            "2.0",
        ),
        (r#"{"x":null,"initial_balance":2.0}"#, "2.0"),
        (r#"{"initial_balance":1.0,"initial_balance":3.0}"#, "3.0"),
        (r#"{"initial_balance":-1,"initial_balance":3.0}"#, "3.0"),
        (r#"{"initial_balance":"x","initial_balance":3.0}"#, "3.0"),
        (r#"{"\u0069nitial_balance":4.0}"#, "4.0"),
        ("\r\n {\t\"initial_balance\" :\n 5.0 } \n", "5.0"),
        (r#"{"Initial_Balance":6.0}"#, "0.0"),
        (r#"{"":1,"é":2,"\ud83d\ude00":3}"#, "0.0"),
    ] {
        let account = server.post("/accounts", sent).account_number();
        assert_eq!(server.balance(&account), balance, "{sent}");
    }
    let response = server.post(
        "/accounts",
        r#"{"initial_balance":3.0,"initial_balance":-1}"#,
    );
    let body = Invalid::negative().at(r#"["body","initial_balance"]"#, "-1");
    assert_answer(&response, 422, &body, "the last of equal keys is bad");
}

#[test]
fn an_input_of_up_to_256_bytes_is_echoed_whole() {
    let server = Server::start();
    let path = format!("/accounts/{NO_ACCOUNT}/deposit");
    let loc = r#"["body","amount"]"#;
    for content in [
        "x".repeat(254),
        "x".repeat(255),
        "x".repeat(256),
        "é".repeat(127),
    ] {
        let input = format!("\"{content}\"");
        let response = server.post(&path, &format!(r#"{{"amount":{input}}}"#));
        assert_answer(
            &response,
            422,
            &Invalid::not_a_number_in_text().at(loc, &input),
            &input,
        );
    }
    let array = format!("[{}12]", "1,".repeat(126));
    assert_eq!(array.len(), 256);
    let response = server.post(&path, &format!(r#"{{"amount":{array}}}"#));
    assert_answer(
        &response,
        422,
        &Invalid::not_a_number().at(loc, &array),
        "an array of 256",
    );
}

#[test]
fn a_longer_input_is_cut() {
    let server = Server::start();
    let path = format!("/accounts/{NO_ACCOUNT}/deposit");
    let long_array = format!("[{}1]", "1,".repeat(3_000));
    let long_object = format!(r#"{{"x":"{}"}}"#, "y".repeat(3_000));
    for (case, sent, kind, whole) in [
        (
            "array",
            format!(r#"{{"amount":{long_array}}}"#),
            "float_type",
            long_array,
        ),
        (
            "number",
            format!(r#"{{"amount":1{}}}"#, "0".repeat(400)),
            "less_than_equal",
            format!("1{}", "0".repeat(400)),
        ),
        (
            "string",
            format!(r#"{{"amount":"{}"}}"#, "z".repeat(3_000)),
            "float_parsing",
            "z".repeat(3_000),
        ),
        (
            "wide characters",
            format!(r#"{{"amount":"a{}"}}"#, "é".repeat(300)),
            "float_parsing",
            format!("a{}", "é".repeat(300)),
        ),
        (
            "astral characters",
            format!(r#"{{"amount":"ab{}"}}"#, "😀".repeat(300)),
            "float_parsing",
            format!("ab{}", "😀".repeat(300)),
        ),
        ("missing", long_object.clone(), "missing", long_object),
    ] {
        let response = server.post(&path, &sent);
        assert_eq!(response.status, 422, "{case}");
        let error = response.json()["detail"][0].clone();
        assert_eq!(error["type"], kind, "{case}");
        let input = error["input"]
            .as_str()
            .unwrap_or_else(|| panic!("{case}: {error}"));
        assert!(
            (250..=256).contains(&input.len()),
            "{case}: {} bytes",
            input.len()
        );
        assert!(whole.starts_with(input), "{case}: {input}");
    }
    let text = "t".repeat(3_000);
    let request = Request::new("POST", &path).header("Content-Type", "text/plain");
    let response = server.send(&request.body(text.as_bytes()));
    let body = Invalid::not_an_object().at(BODY, &format!("\"{}\"", &text[..256]));
    assert_answer(&response, 422, &body, "a long body of text");
}

#[test]
fn deep_nesting_is_refused_and_crashes_nothing() {
    let server = Server::start();
    for depth in [100, 1_000, 8_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        for (case, body) in [
            ("an array", format!("{open}{close}")),
            ("an array without end", open.clone()),
            ("as the amount", format!(r#"{{"amount":{open}{close}}}"#)),
            (
                "objects",
                format!("{}1{}", "{\"a\":".repeat(depth / 4), "}".repeat(depth / 4)),
            ),
        ] {
            let response = server.post(&format!("/accounts/{NO_ACCOUNT}/deposit"), &body);
            assert_eq!(
                response.status,
                422,
                "{case}, {depth} deep: {}",
                response.text()
            );
        }
    }
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn bytes_that_are_no_text_are_refused_and_crash_nothing() {
    let server = Server::start();
    for content_type in ["application/json", "text/plain", "application/octet-stream"] {
        for body in [
            &b"\xff"[..],
            b"\x00",
            b"\xc3",
            b"{\"amount\":\xff}",
            b"\xed\xa0\x80",
        ] {
            let request = Request::new("POST", "/accounts").header("Content-Type", content_type);
            let response = server.send(&request.body(body));
            assert_eq!(response.status, 422, "{content_type}: {body:?}");
            assert!(
                response.json()["detail"].is_array(),
                "{content_type}: {body:?}"
            );
        }
    }
}

#[test]
fn escapes_in_a_refused_string_come_back_as_valid_json() {
    let server = Server::start();
    for sent in [
        r#""a\"b""#,
        r#""a\\b""#,
        r#""\u0000\u001f""#,
        r#""\n\t""#,
        r#""</script>""#,
    ] {
        let response = server.post("/accounts", &format!(r#"{{"initial_balance":{sent}}}"#));
        let expected: serde_json::Value = serde_json::from_str(sent).unwrap();
        assert_eq!(response.status, 422, "{sent}");
        assert_eq!(response.json()["detail"][0]["input"], expected, "{sent}");
    }
}

#[test]
fn noise_is_either_an_account_or_a_422() {
    let server = Server::configure().env("MAX_ACCOUNTS", "100000").start();
    let mut client = server.connect();
    let mut noise = Noise::from_seed(0xBAD_B0D1E5);
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\"initial_balance\"",
        "1",
        "0.5",
        "-",
        "e",
        "null",
        " ",
        "true",
        "\\",
        "\\u00",
        "é",
        "\u{0}",
        "{\"initial_balance\":",
        "NaN",
        ".",
    ];
    for _ in 0..1_500 {
        let body: String = (0..1 + noise.below(10))
            .map(|_| noise.one_of(&pieces))
            .collect();
        let response = client.send(&Request::post("/accounts", &body));
        match response.status {
            201 => {
                response.account_number();
            }
            422 => {
                let error = response.json()["detail"][0].clone();
                assert!(error["type"].is_string(), "{body:?}: {error}");
                assert_eq!(error["loc"][0], "body", "{body:?}");
            }
            other => panic!("{other} for {body:?}: {}", response.text()),
        }
    }
}
