//! The shapes on the wire: as the OpenAPI document describes them, and as answers are written.
//!
//! Answers are written by hand, because a JSON library knows a number with decimals only as a binary
//! float. A test holds what is written against what is described.

use std::fmt;

use jiff::tz::Offset;
use utoipa::ToSchema;

use crate::account_number::AccountNumber;
use crate::money::{Amount, Cents};
use crate::service::{AccountSummary, Timestamp};

/// What to create an account with.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that `decode` reads")]
pub(super) struct AccountCreate {
    /// The balance to begin with: a number, or a string that holds one, with at most two decimals.
    #[schema(value_type = f64, minimum = 0, default = 0.0, example = 1000.0, required = false)]
    initial_balance: Cents,
}

/// What to deposit or withdraw.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that `decode` reads")]
pub(super) struct TransactionRequest {
    /// The amount to move: a number, or a string that holds one, with at most two decimals.
    #[schema(value_type = f64, exclusive_minimum = 0, example = 100.5)]
    amount: Amount,
}

/// An account has been created.
#[derive(ToSchema)]
pub(super) struct AccountCreateResponse {
    #[schema(value_type = String, format = "uuid")]
    pub(super) account_number: AccountNumber,
    #[schema(value_type = f64, example = 1000.0)]
    pub(super) balance: Cents,
    #[schema(example = "Account created successfully")]
    pub(super) message: &'static str,
}

impl AccountCreateResponse {
    pub(super) fn to_json(&self) -> String {
        let Self {
            account_number,
            balance,
            message,
        } = self;
        format!(
            r#"{{"account_number":"{account_number}","balance":{balance},"message":"{message}"}}"#
        )
    }
}

/// The balance of an account.
#[derive(ToSchema)]
pub(super) struct BalanceResponse {
    #[schema(value_type = String, format = "uuid")]
    pub(super) account_number: AccountNumber,
    #[schema(value_type = f64, example = 1000.0)]
    pub(super) balance: Cents,
}

impl BalanceResponse {
    pub(super) fn to_json(&self) -> String {
        let Self {
            account_number,
            balance,
        } = self;
        format!(r#"{{"account_number":"{account_number}","balance":{balance}}}"#)
    }
}

/// Money has been moved.
#[derive(ToSchema)]
pub(super) struct TransactionResponse {
    #[schema(value_type = String, format = "uuid")]
    pub(super) account_number: AccountNumber,
    /// The balance right after the transaction.
    #[schema(value_type = f64, example = 1500.0)]
    pub(super) new_balance: Cents,
    #[schema(value_type = f64, example = 500.0)]
    pub(super) transaction_amount: Amount,
    #[schema(value_type = String, example = "deposit")]
    pub(super) transaction_type: TransactionType,
    /// In UTC.
    #[schema(value_type = String, example = "2023-12-07T10:30:00.123456")]
    pub(super) timestamp: Timestamp,
}

impl TransactionResponse {
    pub(super) fn to_json(&self) -> String {
        let Self {
            account_number,
            new_balance,
            transaction_amount,
            transaction_type,
            timestamp,
        } = self;
        let timestamp = Iso8601(*timestamp);
        format!(
            r#"{{"account_number":"{account_number}","new_balance":{new_balance},"transaction_amount":{transaction_amount},"transaction_type":"{transaction_type}","timestamp":"{timestamp}"}}"#
        )
    }
}

/// Which way money was moved.
#[derive(Clone, Copy)]
pub(super) enum TransactionType {
    Deposit,
    Withdrawal,
}

impl fmt::Display for TransactionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
        })
    }
}

/// An account in a listing.
#[derive(ToSchema)]
pub(super) struct AccountItem {
    #[schema(value_type = String, format = "uuid")]
    pub(super) account_number: AccountNumber,
    #[schema(value_type = f64, example = 1000.0)]
    pub(super) balance: Cents,
    /// In UTC.
    #[schema(value_type = String, example = "2023-12-07T10:30:00.123456")]
    pub(super) created_at: Timestamp,
    /// When money last moved, in UTC.
    #[schema(value_type = String, example = "2023-12-07T10:30:00.123456")]
    pub(super) last_updated: Timestamp,
}

impl From<AccountSummary> for AccountItem {
    fn from(summary: AccountSummary) -> Self {
        let AccountSummary {
            number,
            created: _,
            balance,
            created_at,
            last_updated,
        } = summary;
        Self {
            account_number: number,
            balance,
            created_at,
            last_updated,
        }
    }
}

impl AccountItem {
    pub(super) fn write_json(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let Self {
            account_number,
            balance,
            created_at,
            last_updated,
        } = self;
        let (created_at, last_updated) = (Iso8601(*created_at), Iso8601(*last_updated));
        write!(
            out,
            r#"{{"account_number":"{account_number}","balance":{balance},"created_at":"{created_at}","last_updated":"{last_updated}"}}"#
        )
    }
}

/// The accounts, in order of creation.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes an answer that `listing` writes piece by piece"
)]
pub(super) struct AccountListResponse {
    /// How many accounts there are.
    total_accounts: usize,
    max_accounts: usize,
    accounts: Vec<AccountItem>,
    /// Whether there are more accounts after this page. Only where `limit` or `after` was sent.
    #[schema(required = false)]
    has_more: bool,
    /// What to send as `after` to get the next page. Only where `limit` or `after` was sent.
    next_after: Option<String>,
}

/// How the service is.
#[derive(ToSchema)]
pub(super) struct HealthResponse {
    #[schema(value_type = String, example = "healthy")]
    pub(super) status: &'static str,
    pub(super) accounts_count: usize,
    pub(super) max_accounts: usize,
    /// In UTC.
    #[schema(value_type = String, example = "2023-12-07T10:30:00.123456")]
    pub(super) timestamp: Timestamp,
    #[schema(value_type = String, example = "0.1.0")]
    pub(super) version: &'static str,
    #[schema(value_type = f64, example = 10000.0)]
    pub(super) max_transaction_amount: Cents,
    pub(super) uptime_seconds: u64,
}

impl HealthResponse {
    pub(super) fn to_json(&self) -> String {
        let Self {
            status,
            accounts_count,
            max_accounts,
            timestamp,
            version,
            max_transaction_amount,
            uptime_seconds,
        } = self;
        let timestamp = Iso8601(*timestamp);
        format!(
            r#"{{"status":"{status}","accounts_count":{accounts_count},"max_accounts":{max_accounts},"timestamp":"{timestamp}","version":"{version}","max_transaction_amount":{max_transaction_amount},"uptime_seconds":{uptime_seconds}}}"#
        )
    }
}

/// The answer to a probe.
#[derive(ToSchema)]
pub(super) struct StatusResponse {
    #[schema(value_type = String, example = "ready")]
    pub(super) status: &'static str,
}

impl StatusResponse {
    pub(super) fn to_json(&self) -> String {
        format!(r#"{{"status":"{}"}}"#, self.status)
    }
}

/// A request was refused.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer that `answer` writes")]
pub(super) struct RefusalResponse {
    #[schema(example = "Account not found")]
    detail: String,
}

/// A time as ISO 8601 without a zone, in UTC, with six digits of microseconds.
pub(super) struct Iso8601(pub(super) Timestamp);

impl fmt::Display for Iso8601 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only a clock set beyond the year 9999 is out of range.
        let time =
            jiff::Timestamp::from_microsecond(self.0.as_micros()).unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{:.6}", Offset::UTC.to_datetime(time))
    }
}
