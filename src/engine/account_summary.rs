//! An account with its times, as a listing shows it.

use super::account_times::AccountTimes;
use super::creation_index::CreationNumber;
use super::ledger::Ledger;
use crate::values::account_number::AccountNumber;
use crate::values::money::Cents;
use crate::values::timestamp::Timestamp;

/// An account as a listing found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountSummary {
    /// Its number.
    pub number: AccountNumber,
    /// Its place in the order of creation, from which a listing can go on.
    pub created: CreationNumber,
    /// Its balance.
    pub balance: Cents,
    /// When it was created.
    pub created_at: Timestamp,
    /// When money last moved on it; when it was created if none ever did.
    pub last_updated: Timestamp,
}

/// A page of the listing of a ledger among whose metadata are `times`.
pub(crate) fn page<Metadata>(
    ledger: &Ledger<Metadata>,
    times: impl Fn(&Metadata) -> &AccountTimes,
    cursor: Option<CreationNumber>,
    limit: usize,
) -> Vec<AccountSummary> {
    let session = ledger.pin();
    let accounts = session.accounts_after(cursor).map(|account| {
        let times = times(account.metadata);
        AccountSummary {
            number: account.number,
            created: account.created,
            balance: account.balance,
            created_at: times.created_at(),
            last_updated: times.last_updated(),
        }
    });
    accounts.take(limit).collect()
}
