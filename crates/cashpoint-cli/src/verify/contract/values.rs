//! Amounts that are refused with 422, in FastAPI's shape: the rows of the contract's table that are about values.

use cashpoint::Cents;

use super::Rule;
use super::invalid::{at_each_place, check_shape};
use super::probe::Probe;
use super::stop::Stop;

pub(super) const RULES: &[Rule] = &[
    Rule::new("an amount must be above zero", not_above_zero),
    Rule::new("an initial balance must not be below zero", negative),
    Rule::new(
        "amounts above the largest are refused, with the largest",
        above_the_largest,
    ),
    Rule::new("null, arrays and objects are no amounts", wrong_type),
    Rule::better("a boolean is no amount", boolean),
    Rule::new("a string that holds no number is no amount", no_number),
    Rule::new("more than two decimals are refused", decimals),
    Rule::new("numbers of any size are answered, with 422", overflow),
];

fn not_above_zero(probe: &mut Probe<'_>) -> Result<(), Stop> {
    at_each_place(probe, |probe, place| {
        if !place.is_transaction {
            return Ok(());
        }
        for value in ["0", "0.0", "-0.01", "-1", "-5.5", "\"0\"", "\"-5\""] {
            let message = "Input should be greater than 0";
            let pattern = place.refusal("greater_than", message, value, "{\"gt\":0.0}");
            probe.ask(&place.with(value), 422, &pattern)?;
        }
        Ok(())
    })
}

fn negative(probe: &mut Probe<'_>) -> Result<(), Stop> {
    at_each_place(probe, |probe, place| {
        if place.is_transaction {
            return Ok(());
        }
        for value in ["-0.01", "-1", "-5.5", "-1000", "\"-5\""] {
            let message = "Input should be greater than or equal to 0";
            let pattern = place.refusal("greater_than_equal", message, value, "{\"ge\":0.0}");
            probe.ask(&place.with(value), 422, &pattern)?;
        }
        Ok(())
    })
}

fn above_the_largest(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let largest = probe.largest_amount()?;
    let decimal = largest.to_string();
    let shortest = decimal.strip_suffix(".0").unwrap_or(&decimal);
    let message = format!("Input should be less than or equal to {shortest}");
    let ctx = format!("{{\"le\":{decimal}}}");
    let mut values = vec!["99999999999999999999".to_owned()];
    for more in [1, 100] {
        let above = Cents::new(largest.get().saturating_add(more));
        values.extend(above.map(|above| above.to_string()));
    }
    at_each_place(probe, |probe, place| {
        for value in &values {
            let pattern = place.refusal("less_than_equal", &message, value, &ctx);
            probe.ask(&place.with(value), 422, &pattern)?;
        }
        Ok(())
    })
}

fn wrong_type(probe: &mut Probe<'_>) -> Result<(), Stop> {
    at_each_place(probe, |probe, place| {
        for (value, input) in [
            ("null", "null"),
            ("[]", "[]"),
            ("[ 1, 2 ]", "[1,2]"),
            ("{}", "{}"),
            ("{\"amount\": 1}", "{\"amount\":1}"),
        ] {
            let pattern = place.refusal("float_type", "Input should be a valid number", input, "");
            probe.ask(&place.with(value), 422, &pattern)?;
        }
        Ok(())
    })
}

fn boolean(probe: &mut Probe<'_>) -> Result<(), Stop> {
    at_each_place(probe, |probe, place| {
        for value in ["true", "false"] {
            let pattern = place.refusal("float_type", "Input should be a valid number", value, "");
            probe.ask(&place.with(value), 422, &pattern)?;
        }
        Ok(())
    })
}

fn no_number(probe: &mut Probe<'_>) -> Result<(), Stop> {
    at_each_place(probe, |probe, place| {
        for value in [
            "\"\"",
            "\"abc\"",
            "\"1,000\"",
            "\"10 0\"",
            "\"1.0.0\"",
            "\"--1\"",
            "\"$5\"",
            "\"true\"",
        ] {
            let message = "Input should be a valid number, unable to parse string as a number";
            let pattern = place.refusal("float_parsing", message, value, "");
            probe.ask(&place.with(value), 422, &pattern)?;
        }
        Ok(())
    })
}

fn decimals(probe: &mut Probe<'_>) -> Result<(), Stop> {
    at_each_place(probe, |probe, place| {
        for value in [
            "0.001",
            "1.005",
            "12.345",
            "0.0049",
            "\"1.005\"",
            "1.0000000101",
        ] {
            let message = "Decimal input should have no more than 2 decimal places";
            let ctx = "{\"decimal_places\":2}";
            let pattern = place.refusal("decimal_max_places", message, value, ctx);
            probe.ask(&place.with(value), 422, &pattern)?;
        }
        // How this one is written back is left to the server.
        let answer = probe.send(&place.with("1e-300"))?;
        probe.check(answer.status == 422, &answer, "422");
        Ok(())
    })
}

fn overflow(probe: &mut Probe<'_>) -> Result<(), Stop> {
    let many_digits = "9".repeat(5_000);
    at_each_place(probe, |probe, place| {
        for value in [
            "1e400",
            "-1e400",
            "\"1e400\"",
            "1e999999999999999999999",
            &many_digits,
        ] {
            let answer = probe.send(&place.with(value))?;
            check_shape(probe, &answer);
        }
        Ok(())
    })
}
