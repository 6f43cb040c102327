//! The shapes on the wire: as the OpenAPI document describes them, and as answers are written.
//!
//! A test holds what is written against what is described.

use cashpoint::history::{At, StatementEntry};
use cashpoint::journal::Kind;
use cashpoint::service::{AccountSummary, Timestamp};
use cashpoint::{AccountNumber, Amount, Cents, IdempotencyKey, Warning};
use utoipa::ToSchema;

use super::invalid::InvalidInputResponse;
use super::json::Json;

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
        Json::new(r#"{"account_number":""#)
            .number(*account_number)
            .text(r#"","balance":"#)
            .money(*balance)
            .text(r#","message":""#)
            .text(message)
            .text(r#""}"#)
            .done()
    }
}

/// The balance of an account.
#[derive(ToSchema)]
pub(super) struct BalanceResponse {
    #[schema(value_type = String, format = "uuid")]
    pub(super) account_number: AccountNumber,
    #[schema(value_type = f64, example = 1000.0)]
    pub(super) balance: Cents,
    /// Which time, or which sequence number, it is the balance of. Only where `at` was sent.
    #[schema(value_type = Value, required = false, example = "2023-12-07T10:30:00.123456")]
    pub(super) at: Option<At>,
}

impl BalanceResponse {
    pub(super) fn to_json(&self) -> String {
        let Self {
            account_number,
            balance,
            at,
        } = self;
        let json = Json::new(r#"{"account_number":""#)
            .number(*account_number)
            .text(r#"","balance":"#)
            .money(*balance);
        match at {
            None => json.text("}"),
            Some(At::Time(time)) => json.text(r#","at":""#).time(*time).text(r#""}"#),
            Some(At::Sequence(sequence)) => json.text(r#","at":"#).count(*sequence).text("}"),
        }
        .done()
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
        Json::new(r#"{"account_number":""#)
            .number(*account_number)
            .text(r#"","new_balance":"#)
            .money(*new_balance)
            .text(r#","transaction_amount":"#)
            .money(transaction_amount.cents())
            .text(r#","transaction_type":""#)
            .text(transaction_type.name())
            .text(r#"","timestamp":""#)
            .time(*timestamp)
            .text(r#""}"#)
            .done()
    }
}

/// Which way money was moved.
#[derive(Clone, Copy)]
pub(super) enum TransactionType {
    Deposit,
    Withdrawal,
}

impl TransactionType {
    fn name(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
        }
    }
}

/// Something that happened on an account.
#[derive(ToSchema)]
pub(super) struct TransactionItem {
    /// Its place in the order of everything that the service recorded.
    pub(super) sequence: u64,
    /// `opening`, `deposit`, `withdrawal` or `closing`.
    #[schema(value_type = String, example = "deposit")]
    pub(super) r#type: Kind,
    /// The initial balance, the amount moved, or what was left at the closing.
    #[schema(value_type = f64, example = 500.0)]
    pub(super) amount: Cents,
    /// The balance right after it.
    #[schema(value_type = f64, example = 1500.0)]
    pub(super) balance_after: Cents,
    /// In UTC.
    #[schema(value_type = String, example = "2023-12-07T10:30:00.123456")]
    pub(super) timestamp: Timestamp,
    /// The key that the request had.
    #[schema(value_type = Option<String>, required = true)]
    pub(super) idempotency_key: Option<IdempotencyKey>,
}

impl From<StatementEntry> for TransactionItem {
    fn from(entry: StatementEntry) -> Self {
        let StatementEntry {
            sequence,
            kind,
            amount,
            balance_after,
            at,
            key,
            ..
        } = entry;
        Self {
            sequence,
            r#type: kind,
            amount,
            balance_after,
            timestamp: at,
            idempotency_key: key,
        }
    }
}

impl TransactionItem {
    fn write(&self, json: Json) -> Json {
        let Self {
            sequence,
            r#type,
            amount,
            balance_after,
            timestamp,
            idempotency_key,
        } = self;
        let json = json
            .text(r#"{"sequence":"#)
            .count(*sequence)
            .text(r#","type":""#)
            .text(r#type.name())
            .text(r#"","amount":"#)
            .money(*amount)
            .text(r#","balance_after":"#)
            .money(*balance_after)
            .text(r#","timestamp":""#)
            .time(*timestamp)
            .text(r#"","idempotency_key":"#);
        match idempotency_key {
            Some(key) => json.string(key.as_str()).text("}"),
            None => json.text("null}"),
        }
    }
}

/// A page of what happened on an account.
#[derive(ToSchema)]
pub(super) struct TransactionListResponse {
    #[schema(value_type = String, format = "uuid")]
    pub(super) account_number: AccountNumber,
    pub(super) transactions: Vec<TransactionItem>,
    /// Whether there are more after this page.
    pub(super) has_more: bool,
    /// What to send as `cursor` to get the next page.
    #[schema(value_type = Option<String>, required = true)]
    pub(super) next_cursor: Option<u64>,
}

impl TransactionListResponse {
    pub(super) fn to_json(&self) -> String {
        let Self {
            account_number,
            transactions,
            has_more,
            next_cursor,
        } = self;
        let mut json = Json::new(r#"{"account_number":""#)
            .number(*account_number)
            .text(r#"","transactions":["#);
        let mut separator = "";
        for transaction in transactions {
            json = transaction.write(json.text(separator));
            separator = ",";
        }
        let json = json
            .text(r#"],"has_more":"#)
            .text(if *has_more { "true" } else { "false" })
            .text(r#","next_cursor":"#);
        match next_cursor {
            Some(cursor) => json.text("\"").count(*cursor).text(r#""}"#),
            None => json.text("null}"),
        }
        .done()
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
            balance,
            created_at,
            last_updated,
            ..
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
    pub(super) fn write(&self, json: Json) -> Json {
        let Self {
            account_number,
            balance,
            created_at,
            last_updated,
        } = self;
        json.text(r#"{"account_number":""#)
            .number(*account_number)
            .text(r#"","balance":"#)
            .money(*balance)
            .text(r#","created_at":""#)
            .time(*created_at)
            .text(r#"","last_updated":""#)
            .time(*last_updated)
            .text(r#""}"#)
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
    /// How many connections are open, this one included.
    pub(super) connections: usize,
    /// How many may be.
    pub(super) max_connections: usize,
    /// `memory`, or `durable` where the service keeps a journal.
    #[schema(value_type = String, example = "durable")]
    pub(super) mode: &'static str,
    /// How the journal is, where there is one.
    #[schema(value_type = String, required = false, example = "healthy")]
    pub(super) journal: Option<String>,
    /// What whoever runs the service should know of, a sentence each.
    #[schema(value_type = Vec<String>, example = json!([]))]
    pub(super) warnings: Vec<Warning>,
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
            connections,
            max_connections,
            mode,
            journal,
            warnings,
        } = self;
        let json = Json::new(r#"{"status":""#)
            .text(status)
            .text(r#"","accounts_count":"#)
            .count(*accounts_count as u64)
            .text(r#","max_accounts":"#)
            .count(*max_accounts as u64)
            .text(r#","timestamp":""#)
            .time(*timestamp)
            .text(r#"","version":""#)
            .text(version)
            .text(r#"","max_transaction_amount":"#)
            .money(*max_transaction_amount)
            .text(r#","uptime_seconds":"#)
            .count(*uptime_seconds)
            .text(r#","connections":"#)
            .count(*connections as u64)
            .text(r#","max_connections":"#)
            .count(*max_connections as u64)
            .text(r#","mode":""#)
            .text(mode)
            .text("\"");
        let json = match journal {
            Some(journal) => json.text(r#","journal":"#).string(journal),
            None => json,
        };
        let mut json = json.text(r#","warnings":["#);
        for (index, warning) in warnings.iter().enumerate() {
            let separator = if index > 0 { "," } else { "" };
            json = json.text(separator).string(&warning.to_string());
        }
        json.text("]}").done()
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
        Json::new(r#"{"status":""#)
            .text(self.status)
            .text(r#""}"#)
            .done()
    }
}

/// A request was refused.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes an answer that `answer` writes")]
pub(super) struct RefusalResponse {
    #[schema(example = "Account not found")]
    detail: String,
}

/// A request that cannot be done as it was sent: its input is invalid, or its idempotency key was used before
/// with another request.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes answers that `answer` writes")]
pub(super) enum UnprocessableResponse {
    #[schema(title = "Invalid input")]
    Invalid(InvalidInputResponse),
    #[schema(title = "Idempotency key used before")]
    KeyReused(RefusalResponse),
}
