//! Reading and printing money, against arithmetic of arbitrary precision.

use std::fs;

use cashpoint::{Amount, Cents, ParseCentsError};
use proptest::prelude::*;

use crate::exact::{self, is_number, meant};

fn read(text: &str) -> Result<i64, ParseCentsError> {
    text.parse().map(Cents::get)
}

/// Numbers as JSON writes them, with an eye to the places where something changes.
fn json_number() -> impl Strategy<Value = String> {
    let whole = prop_oneof![Just("0".to_owned()), "[1-9][0-9]{0,16}"];
    let fraction = prop_oneof![
        Just(String::new()),
        "\\.[0-9]{1,12}",
        // Float noise and what is just beside it.
        "\\.[0-9]{2}(0{4,8}|9{4,8})[0-9]{0,3}",
        "\\.0{1,20}[0-9]{0,3}",
    ];
    let exponent = prop_oneof![
        4 => Just(String::new()),
        1 => "[eE][+-]?[0-9]{1,2}",
        1 => "[eE][+-]?0{0,3}[0-9]{3}",
    ];
    ("-?", whole, fraction, exponent)
        .prop_map(|(sign, whole, fraction, exponent)| sign + &whole + &fraction + &exponent)
}

/// Whole cents as a client gets them that adds them up in binary floats.
#[expect(clippy::float_arithmetic, reason = "it is what such clients do")]
fn float_noise(cents: i64) -> f64 {
    let third = cents / 3;
    third as f64 / 100.0 + third as f64 / 100.0 + (cents - 2 * third) as f64 / 100.0
}

#[test]
fn the_largest_sum_has_fifteen_digits_and_is_all_nines() {
    assert_eq!(read("9999999999999.99"), Ok(999_999_999_999_999));
    assert_eq!(read("10000000000000.0"), Err(ParseCentsError::TooLarge));
    assert_eq!(Cents::MAX.to_string(), "9999999999999.99");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn a_number_means_what_exact_arithmetic_says(number in json_number()) {
        prop_assert_eq!(read(&number), meant(&number), "{}", number);
    }

    #[test]
    fn what_is_printed_is_exact_and_reads_back(value in 0..=Cents::MAX.get()) {
        let sum = Cents::new(value).unwrap();
        exact::assert_printed_exactly(sum);
        if let Some(amount) = Amount::new(sum) {
            prop_assert_eq!(amount.to_string(), sum.to_string());
        }
    }

    #[test]
    fn a_sum_of_binary_floats_means_the_cents_that_it_is_near_to(value in 0..100_000_000_i64) {
        // Twice a third and the like: noise of a client's arithmetic, far below a millionth of a cent.
        let float = float_noise(value);
        prop_assert_eq!(read(&float.to_string()), Ok(value), "{}", float);
    }

    #[test]
    fn whatever_text_comes_it_is_read_or_refused(text in "[-+.eE0-9a-z \u{e9}]{0,20}") {
        prop_assert_eq!(read(&text) != Err(ParseCentsError::NotANumber), is_number(&text), "{}", text);
    }
}

#[test]
fn the_corpus_of_amounts_breaks_no_rule() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/amounts");
    let mut replayed = 0;
    for file in fs::read_dir(corpus).unwrap() {
        exact::amount(&fs::read(file.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed >= 10, "only {replayed} files in {corpus}");
}
