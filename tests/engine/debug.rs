//! What a ledger looks like in a log or a panic: how much room there is, and nothing of anybody's money.

use cashpoint::Ledger;

use crate::cents;

#[test]
fn what_is_shown_for_debugging_tells_of_room_and_not_of_money() {
    let ledger = Ledger::new(17);
    ledger.create(cents(424_242)).unwrap();
    ledger.create(cents(0)).unwrap();
    let shown = "Ledger { count: 2, account_limit: 17, .. }";
    assert_eq!(format!("{ledger:?}"), shown);
    let session = ledger.pin();
    assert_eq!(
        format!("{session:?}"),
        format!("Session {{ ledger: {shown}, .. }}")
    );
}
