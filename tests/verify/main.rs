//! `cashpoint verify http` as a user runs it: it convicts every faulty server, and acquits the honest ones.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::float_arithmetic,
    reason = "a test states what it expects by panicking, and one fault is to use floats"
)]

mod command_line;
mod faulty_servers;
mod honest_servers;
mod restart;
mod seeds;
mod wire;

use std::process::Output;

use faulty_servers::{Fault, Twin};

/// Room for the accounts under load, and little enough to be filled up.
const MAX_ACCOUNTS: usize = 300;

/// The phases, by their names in the verdict.
const CONTRACT: &str = "contract";
const MANY: &str = "many accounts";
const HOT: &str = "one hot account";
const LARGE: &str = "large sums";
const LIMIT: &str = "account limit";

/// Enough for every fault to show, and not much more than a second under load.
const ALL_OF_IT: &[&str] = &["--operations", "20000"];

/// The same for faults that need nobody else to meet them.
const LOAD_ALONE: &[&str] = &["--operations", "6000", "--only", "histories"];

fn verify(url: &str, with: &[&str]) -> Output {
    let load = ["--connections", "16", "--seed", "1"];
    command_line::verify(&[&["http", url], &load[..], with].concat())
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(both).unwrap()
}

#[test]
fn an_honest_twin_is_acquitted() {
    let twin = Twin::start(Fault::None, MAX_ACCOUNTS);
    let output = verify(&twin.url(), ALL_OF_IT);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("ACQUITTED"), "{said}");
    assert_eq!(twin.accounts_left(), 0, "what was opened is closed");
}

/// What a twin that is honest, and not always there, is told: not convicted; and how the run ended.
fn verify_unreliable(fault: Fault) -> Option<i32> {
    let twin = Twin::start(fault, MAX_ACCOUNTS);
    let load = ["--operations", "10000", "--connections", "16"];
    let rest = ["--accounts", "30", "--timeout", "0.4"];
    let output = command_line::verify(&[&["http", &twin.url()], &load[..], &rest].concat());
    let said = text(&output);
    println!("=== {fault:?}\n{said}");
    assert!(!said.contains("CONVICTED"), "{fault:?}: {said}");
    let left = twin.accounts_left();
    assert!(left <= may_be_left(&said), "{fault:?}: {left} left: {said}");
    output.status.code()
}

/// How many accounts the phases say may be left.
fn may_be_left(said: &str) -> usize {
    let told = said.lines().filter_map(|line| {
        let (count, _) = line
            .trim()
            .strip_prefix("up to ")?
            .split_once(" accounts may be left")?;
        Some(count.replace(',', "").parse::<usize>().unwrap())
    });
    told.sum()
}

#[test]
fn who_breaks_off_is_not_convicted() {
    assert_ne!(verify_unreliable(Fault::BreaksOff), Some(1));
}

#[test]
fn who_is_overloaded_is_not_convicted() {
    assert_ne!(verify_unreliable(Fault::Overloaded), Some(1));
}

#[test]
fn who_is_often_overloaded_is_not_convicted() {
    assert_ne!(verify_unreliable(Fault::OftenOverloaded), Some(1));
}

#[test]
fn who_does_things_too_late_is_not_convicted() {
    assert_ne!(verify_unreliable(Fault::Late), Some(1));
}

#[test]
fn who_dies_is_neither_convicted_nor_acquitted() {
    assert_eq!(verify_unreliable(Fault::Dies), Some(3));
}

/// Asserts that a twin is convicted, in these phases at least.
fn assert_convicted(fault: Fault, phases: &[&str], with: &[&str]) {
    let twin = Twin::start(fault, MAX_ACCOUNTS);
    let output = verify(&twin.url(), with);
    let said = text(&output);
    // For those who want to read how it looks: --nocapture shows it.
    println!("=== {fault:?}\n{said}");
    assert_eq!(output.status.code(), Some(1), "{fault:?}: {said}");
    let mut lines = said.lines();
    let verdict = lines.find_map(|line| line.strip_prefix("CONVICTED: "));
    let convicting: Vec<_> = verdict.unwrap_or_default().split(", ").collect();
    for phase in phases {
        assert!(
            convicting.contains(phase),
            "{fault:?} unseen by {phase}: {said}"
        );
    }
}

#[test]
fn money_that_is_made_is_told() {
    let twin = Twin::start(Fault::DoubleApply, MAX_ACCOUNTS);
    let said = text(&verify(&twin.url(), ALL_OF_IT));
    assert!(said.contains("money was made"), "{said}");
}

macro_rules! convicted {
    ($guilty:ident, $with:ident: $($name:ident: $fault:ident in [$($phase:ident),+];)*) => {
        const $guilty: &[Fault] = &[$(Fault::$fault),*];

        $(#[test]
        fn $name() {
            assert_convicted(Fault::$fault, &[$($phase),+], $with);
        })*
    };
}

convicted! {
    GUILTY_TOGETHER, ALL_OF_IT:
    a_withdrawal_that_checks_and_then_acts: CheckThenActWithdrawal in [HOT];
    an_update_that_is_lost: LostUpdate in [HOT];
    a_read_that_is_stale: StaleRead in [HOT];
    a_deposit_that_is_done_twice: DoubleApply in [MANY, HOT];
    a_deposit_that_is_done_again_on_a_retry: DoubleApplyOnRetry in [CONTRACT];
    money_in_floats: FloatMoney in [CONTRACT];
    a_limit_that_is_off_by_one: LimitOffByOne in [LIMIT];
    a_limit_that_keeps_a_place_back: LimitTooLow in [LIMIT];
    a_limit_that_is_checked_before: LimitCheckThenAct in [LIMIT];
    a_deposit_that_brings_an_account_back: ResurrectingDelete in [MANY];
    a_closing_that_is_answered_before_its_effect: DeleteBeforeEffect in [CONTRACT];
    a_closing_that_checks_and_then_acts: CloseCheckThenAct in [MANY];
    a_deposit_that_is_answered_before_its_effect: DepositBeforeEffect in [CONTRACT, HOT];
    a_refusal_though_there_is_enough: RefusedThoughFunded in [MANY, HOT];
    a_debt_for_a_moment: TransientDebt in [HOT];
    a_withdrawal_of_what_is_not_there: Overdraft in [CONTRACT, MANY, HOT];
    a_listing_that_forgets: ForgetfulListing in [CONTRACT];
    a_listing_that_stutters: StutteringListing in [CONTRACT];
    times_that_stand_still: StaleTimes in [CONTRACT];
    accounts_that_are_forgotten_when_there_are_many: ForgetsTheOldest in [LIMIT];
}

convicted! {
    GUILTY_ALONE, LOAD_ALONE:
    an_answer_about_another_account: MixedUpAnswer in [MANY, HOT];
    an_answer_with_another_amount: MixedUpAmount in [MANY, HOT];
    an_answer_of_another_kind: MixedUpKind in [MANY, HOT];
    times_that_run_backwards: TimesThatRunBackwards in [HOT];
    balances_with_exponents: Exponents in [LARGE];
    balances_in_small_floats: SmallFloats in [LARGE];
    balances_in_small_integers: SmallIntegers in [LARGE];
    a_listing_of_a_stranger: StrangeListing in [MANY];
    a_listing_that_is_shorter_than_it_says: ShortListing in [MANY];
    a_listing_in_another_order: ReversedListing in [MANY];
    a_key_that_is_checked_and_then_set: KeyCheckThenAct in [MANY, HOT];
    keys_that_are_forgotten: ForgetfulKeys in [MANY, HOT];
    keys_that_one_node_knows: KeysOfEachNode in [MANY, HOT];
    a_key_for_any_account: KeysOfAnyAccount in [MANY];
    a_count_of_the_closed: CountsTheClosed in [MANY];
    a_count_below_nothing: NegativeCount in [MANY];
    failures_under_load: InternalErrors in [MANY];
    an_account_that_is_kept_for_who_hung_up: KeptForWhoHungUp in [MANY];
}

// A second of load is needed to tell a clock that stands; the rules tell it at once.
convicted! {
    GUILTY_WITH_TIME, ALL_OF_IT:
    times_that_were_never_set: TimesOf1970 in [CONTRACT];
}
