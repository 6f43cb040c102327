//! Money: read from decimal text, exact to the cent, printed exactly.

use cashpoint::Cents;

use super::Rule;
use super::customer::Movement;
use super::probe::Probe;
use super::request::{account, post};
use super::stop::Stop;

pub(super) const RULES: &[Rule] = &[
    Rule::new("an amount is read in any notation of JSON", notations),
    Rule::new("an amount may be a string that holds a number", strings),
    Rule::new(
        "a byte order mark before JSON is passed over",
        byte_order_mark,
    ),
    Rule::new(
        "amounts are printed with one decimal at least and no needless zero",
        printed,
    ),
    Rule::new(
        "what binary floats print for a cent is that cent",
        images_of_cents,
    ),
    Rule::new("minus zero is zero", minus_zero),
    Rule::new("ten deposits of 0.1 are a balance of 1.0", tenths),
    Rule::new("sums are exact where binary floats are not", sums),
    Rule::new(
        "a hundred movements of odd cents leave the exact balance",
        odd_cents,
    ),
    Rule::new("large balances keep their cents", large),
];

/// Opens an account with each of these amounts, pays it in, and takes it out: what was sent, and what it is.
fn read_as(probe: &mut Probe<'_>, amounts: &[(&str, &str)]) -> Result<(), Stop> {
    let largest = match probe.largest_amount() {
        Ok(largest) => largest,
        Err(Stop::NotChecked(_)) => Cents::MAX,
        Err(stop) => return Err(stop),
    };
    for (sent, amount) in amounts {
        let is_allowed = amount.parse().is_ok_and(|amount: Cents| amount <= largest);
        if !is_allowed {
            continue;
        }
        let body = format!("{{\"initial_balance\": {sent}}}");
        let answer = probe.create(&post("/accounts", body))?;
        let pattern = format!(
            "{{\"account_number\":\"<text>\",\"balance\":{amount},\"message\":\"<text>\"}}"
        );
        probe.fits(&answer, 201, &pattern);
        let number = probe.open("0.0")?;
        probe.check_movement(&number, Movement::Deposit, sent, amount, amount)?;
        probe.check_movement(&number, Movement::Withdrawal, sent, amount, "0.0")?;
    }
    Ok(())
}

fn notations(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let amounts = [
        ("1000", "1000.0"),
        ("1e3", "1000.0"),
        ("1E+3", "1000.0"),
        ("100000e-2", "1000.0"),
        ("5", "5.0"),
        ("5.5000", "5.5"),
        ("12.30", "12.3"),
        ("1e-2", "0.01"),
        ("0.00001e3", "0.01"),
    ];
    read_as(probe, &amounts)
}

fn strings(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let amounts = [
        ("\"100.50\"", "100.5"),
        ("\"100\"", "100.0"),
        ("\"1e1\"", "10.0"),
        ("\"0.01\"", "0.01"),
        // More than JSON, as the original's parser has it.
        ("\"+5\"", "5.0"),
        ("\".5\"", "0.5"),
        ("\"5.\"", "5.0"),
        ("\"005.00\"", "5.0"),
        ("\"1_0\"", "10.0"),
    ];
    read_as(probe, &amounts)
}

fn byte_order_mark(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("1.0")?;
    let body = "\u{feff}{\"amount\":1.5}";
    let answer = probe.send(&post(account(&number, "/deposit"), body))?;
    probe.check(answer.status == 200, &answer, "200");
    probe.check_balance(&number, "2.5")
}

fn printed(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let amounts = [
        ("1000.0", "1000.0"),
        ("0.1", "0.1"),
        ("12.34", "12.34"),
        ("0.01", "0.01"),
        ("4.35", "4.35"),
        ("1.15", "1.15"),
        ("0.07", "0.07"),
        ("10.00", "10.0"),
    ];
    read_as(probe, &amounts)
}

fn images_of_cents(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let amounts = [
        ("0.30000000000000004", "0.3"),
        ("0.29999999999999998", "0.3"),
        ("1.1500000000000001", "1.15"),
        ("\"0.30000000000000004\"", "0.3"),
    ];
    read_as(probe, &amounts)
}

fn minus_zero(probe: &mut Probe<'_>) -> Result<(), Stop> {
    for sent in ["-0.0", "-0", "\"-0.0\""] {
        let body = format!("{{\"initial_balance\":{sent}}}");
        let answer = probe.create(&post("/accounts", body))?;
        let pattern = "{\"account_number\":\"<text>\",\"balance\":0.0,\"message\":\"<text>\"}";
        probe.fits(&answer, 201, pattern);
    }
    Ok(())
}

fn tenths(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let number = probe.open("0.0")?;
    for tenths in 1..=10 {
        let balance = Cents::new(10 * tenths).unwrap_or_default().to_string();
        probe.check_movement(&number, Movement::Deposit, "0.1", "0.1", &balance)?;
    }
    probe.check_balance(&number, "1.0")?;
    probe.check_movement(&number, Movement::Withdrawal, "1.0", "1.0", "0.0")?;
    probe.check_balance(&number, "0.0")
}

fn sums(probe: &mut Probe<'_>) -> Result<(), Stop> {
    for (one, other, sum) in [
        ("0.1", "0.2", "0.3"),
        ("0.7", "0.1", "0.8"),
        ("1.1", "2.2", "3.3"),
        ("4.35", "0.1", "4.45"),
        ("8.41", "2.01", "10.42"),
    ] {
        let number = probe.open(one)?;
        probe.check_movement(&number, Movement::Deposit, other, other, sum)?;
        probe.check_movement(&number, Movement::Withdrawal, one, one, other)?;
        probe.check_movement(&number, Movement::Withdrawal, other, other, "0.0")?;
    }
    Ok(())
}

fn odd_cents(probe: &mut Probe<'_>) -> Result<(), Stop> {
    probe.need_amounts_up_to(5_000)?;
    let number = probe.open("50.0")?;
    let mut balance = 5_000;
    for step in 1..=100_i64 {
        // Neither is a multiple of anything that a binary fraction has.
        let amount = (step * 37) % 101 + 1;
        let (movement, change) = if step % 2 == 0 {
            (Movement::Withdrawal, -amount)
        } else {
            (Movement::Deposit, amount)
        };
        balance += change;
        let [amount, balance] =
            [amount, balance].map(|cents| Cents::new(cents).unwrap_or_default().to_string());
        let told = probe.check_movement(&number, movement, &amount, &amount, &balance)?;
        if told.is_none() {
            // All that follow would be wrong with it.
            return Ok(());
        }
    }
    let balance = Cents::new(balance).unwrap_or_default().to_string();
    probe.check_balance(&number, &balance)
}

fn large(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let largest = probe.largest_amount()?;
    let mut any = false;
    for (balance, rest) in [
        ("9999.99", "9999.98"),
        ("999999.99", "999999.98"),
        ("90071992547.41", "90071992547.4"),
        ("9007199254740.93", "9007199254740.92"),
        ("9999999999999.99", "9999999999999.98"),
    ] {
        if balance
            .parse()
            .is_ok_and(|balance: Cents| balance <= largest)
        {
            any = true;
            let number = probe.open(balance)?;
            probe.check_movement(&number, Movement::Withdrawal, "0.01", "0.01", rest)?;
            probe.check_balance(&number, rest)?;
            probe.check_movement(&number, Movement::Withdrawal, rest, rest, "0.0")?;
        }
    }
    if any {
        return Ok(());
    }
    Err(Stop::NotChecked(format!(
        "the server's largest amount is only {largest}"
    )))
}
