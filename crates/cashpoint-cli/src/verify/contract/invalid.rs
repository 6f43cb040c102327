//! Bodies that are refused with 422, in FastAPI's shape: the rows of the contract's table that are not about
//! values.

use super::probe::Probe;
use super::request::{Request, account, post, request};
use super::stop::Stop;
use super::{Rule, json};

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "no body, an empty one, and null are a missing body",
        no_body,
    ),
    Rule::new("a transaction needs an amount", no_amount),
    Rule::new("a body must be an object", no_object),
    Rule::new("a body must be sent as JSON", not_as_json),
    Rule::new(
        "a body is JSON without a content type, in any case, with parameters, and as …+json",
        as_json,
    ),
    Rule::new(
        "malformed JSON, NaN and Infinity are refused with their position",
        malformed,
    ),
    Rule::new("422 wins over 404", before_not_found),
    Rule::better("a long input is not sent back whole", long_input),
    Rule::better("what is wrong is said without links", no_link),
];

/// One of the three requests that carry an amount.
pub(super) struct Place {
    pub(super) path: String,
    pub(super) field: &'static str,
    pub(super) is_transaction: bool,
}

/// What the balance of the account is at the places, throughout.
const BALANCE: &str = "20.0";

/// Does something at each place, and sees that no money moved.
pub(super) fn at_each_place(
    probe: &mut Probe<'_>,
    mut check: impl FnMut(&mut Probe<'_>, &Place) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let number = probe.open(BALANCE)?;
    for (path, field, is_transaction) in [
        ("/accounts".to_owned(), "initial_balance", false),
        (account(&number, "/deposit"), "amount", true),
        (account(&number, "/withdraw"), "amount", true),
    ] {
        let place = Place {
            path,
            field,
            is_transaction,
        };
        check(probe, &place)?;
    }
    probe.check_balance(&number, BALANCE)
}

impl Place {
    /// Asks with this value.
    pub(super) fn with(&self, value: &str) -> Request {
        post(&*self.path, format!("{{\"{}\": {value}}}", self.field))
    }

    /// What is said of a value here: `ctx` is an object, or empty.
    pub(super) fn refusal(&self, kind: &str, message: &str, input: &str, ctx: &str) -> String {
        refusal(
            kind,
            &format!("[\"body\",\"{}\"]", self.field),
            message,
            input,
            ctx,
        )
    }
}

/// The body of an answer that says of one thing that it is wrong.
fn refusal(kind: &str, place: &str, message: &str, input: &str, ctx: &str) -> String {
    let ctx = match ctx {
        "" => String::new(),
        ctx => format!(",\"ctx\":{ctx}"),
    };
    format!(
        "{{\"detail\":[{{\"type\":\"{kind}\",\"loc\":{place},\"msg\":\"{message}\",\"input\":{input}{ctx}}}]}}"
    )
}

fn no_body(probe: &mut Probe<'_>) -> Result<(), Stop> {
    at_each_place(probe, |probe, place| {
        let pattern = refusal("missing", "[\"body\"]", "Field required", "null", "");
        let path = &*place.path;
        for request in [
            request("POST", path),
            request("POST", path).field("Content-Length", "0"),
            post(path, ""),
            post(path, "null"),
        ] {
            probe.ask(&request, 422, &pattern)?;
        }
        Ok(())
    })
}

fn no_amount(probe: &mut Probe<'_>) -> Result<(), Stop> {
    at_each_place(probe, |probe, place| {
        if !place.is_transaction {
            return Ok(());
        }
        for (body, input) in [
            ("{}", "{}"),
            ("{ \"Amount\": 1 }", "{\"Amount\":1}"),
            ("{\"initial_balance\":\"5\"}", "{\"initial_balance\":\"5\"}"),
        ] {
            let pattern = place.refusal("missing", "Field required", input, "");
            probe.ask(&post(&*place.path, body), 422, &pattern)?;
        }
        Ok(())
    })
}

fn no_object(probe: &mut Probe<'_>) -> Result<(), Stop> {
    at_each_place(probe, |probe, place| {
        for (body, input) in [
            ("[]", "[]"),
            ("[1, 2]", "[1,2]"),
            ("[{\"amount\": 5}]", "[{\"amount\":5}]"),
            ("5", "5"),
            ("\"text\"", "\"text\""),
        ] {
            probe.ask(&post(&*place.path, body), 422, &not_an_object(input))?;
        }
        Ok(())
    })
}

fn not_an_object(input: &str) -> String {
    let message = "Input should be a valid dictionary or object to extract fields from";
    refusal("model_attributes_type", "[\"body\"]", message, input, "")
}

fn not_as_json(probe: &mut Probe<'_>) -> Result<(), Stop> {
    at_each_place(probe, |probe, place| {
        for content_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/octet-stream",
            "application/xml",
        ] {
            let request = request("POST", &*place.path)
                .field("Content-Type", content_type)
                .body(format!("{{\"{}\": 1.0}}", place.field));
            let input = format!("\"{{\\\"{}\\\": 1.0}}\"", place.field);
            probe.ask(&request, 422, &not_an_object(&input))?;
        }
        Ok(())
    })
}

fn as_json(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("0.0")?;
    let path = account(&number, "/deposit");
    for content_type in [
        None,
        Some("application/json"),
        Some("APPLICATION/JSON"),
        Some("application/json; charset=utf-8"),
        Some("application/json;a=b"),
        Some("application/vnd.api+json"),
    ] {
        let deposit = request("POST", &*path).body("{\"amount\":1.0}");
        let deposit = match content_type {
            Some(content_type) => deposit.field("Content-Type", content_type),
            None => deposit,
        };
        let answer = probe.send(&deposit)?;
        probe.check(answer.status == 200, &answer, "200, for that is JSON");
    }
    probe.check_balance(&number, "6.0")
}

fn malformed(probe: &mut Probe<'_>) -> Result<(), Stop> {
    at_each_place(probe, |probe, place| {
        let field = place.field;
        for body in [
            "{".to_owned(),
            "{amount:1}".to_owned(),
            "[1,2".to_owned(),
            format!("{{\"{field}\":}}"),
            format!("{{\"{field}\":1.0,}}"),
            format!("{{\"{field}\":1.0}} x"),
            format!("{{'{field}':1.0}}"),
            format!("{{\"{field}\":NaN}}"),
            format!("{{\"{field}\":Infinity}}"),
            format!("{{\"{field}\":-Infinity}}"),
            format!("{{\"{field}\":01}}"),
        ] {
            let length = body.len();
            let pattern = refusal(
                "json_invalid",
                "[\"body\",<count>]",
                "JSON decode error",
                "{}",
                "{\"error\":\"<text>\"}",
            );
            let request = post(&*place.path, body);
            let answer = probe.send(&request)?;
            if let Some(values) = probe.fits(&answer, 422, &pattern) {
                let position = values.first().and_then(|position| position.parse().ok());
                let is_inside = position.is_some_and(|position: usize| position <= length);
                probe.check(is_inside, &answer, "a position within the body");
            }
        }
        Ok(())
    })
}

/// Notes a deviation unless this is a 422 that says what is wrong and where.
pub(super) fn check_shape(probe: &mut Probe<'_>, answer: &super::request::Exchange) {
    let items = json::value_at(&answer.body, &["detail"]).and_then(json::items);
    let first = items.as_ref().and_then(|items| items.first());
    let has_shape = first.is_some_and(|first| {
        ["type", "msg"]
            .iter()
            .all(|key| json::string_at(first, &[key]).is_some())
            && json::value_at(first, &["loc"])
                .and_then(json::items)
                .is_some()
            && json::value_at(first, &["input"]).is_some()
    });
    let contract = "422 with type, loc, msg and input";
    probe.check(answer.status == 422 && has_shape, answer, contract);
}

fn before_not_found(probe: &mut Probe<'_>) -> Result<(), Stop> {
    for verb in ["/deposit", "/withdraw"] {
        for number in ["00000000-0000-4000-8000-000000000000", "nobody"] {
            for body in ["", "{", "{}", "[]", "{\"amount\":0}", "{\"amount\":\"x\"}"] {
                let answer = probe.send(&post(account(number, verb), body))?;
                check_shape(probe, &answer);
            }
        }
    }
    Ok(())
}

/// The longest input that is sent back whole, in bytes.
const ECHO_MAX_BYTES: usize = 256;

fn long_input(probe: &mut Probe<'_>) -> Result<(), Stop> {
    at_each_place(probe, |probe, place| {
        let long = format!("\"{}\"", "x".repeat(10 * ECHO_MAX_BYTES));
        let answer = probe.send(&place.with(&long))?;
        check_shape(probe, &answer);
        let is_short = answer.body.len() < 3 * ECHO_MAX_BYTES;
        probe.check(is_short, &answer, "an input of at most 256 bytes");
        Ok(())
    })
}

fn no_link(probe: &mut Probe<'_>) -> Result<(), Stop> {
    at_each_place(probe, |probe, place| {
        let answer = probe.send(&place.with("-1"))?;
        let has_link = answer.body.contains("\"url\":") || answer.body.contains("http");
        probe.check(!has_link, &answer, "no url");
        Ok(())
    })
}
