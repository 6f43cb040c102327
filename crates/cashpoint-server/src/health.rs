//! Whether the service is well: for people, load balancers and container engines.

use std::sync::atomic::Ordering::{Acquire, Relaxed};

use cashpoint::durable::{Condition, DurableLedger};
use cashpoint::service::Timestamp;
use hyper::StatusCode;

use super::answer;
use super::api::Api;
use super::front::Response;
use super::wire::{HealthResponse, StatusResponse};

/// `GET /health`: how the service is, in numbers.
#[utoipa::path(get, path = "/health", tag = "health",
    summary = "Health check",
    description = "How the service is, in numbers; and what an operator should know of.",
    responses(
        (status = 200, description = "The service is well", body = HealthResponse),
        (status = 503, description = "Balances can be read, and nothing can be changed: `status` and `journal` say why",
            body = HealthResponse)))]
pub(super) fn health(api: &Api) -> Response {
    let ledger = api.service.durable_ledger();
    let condition = ledger.map(DurableLedger::condition);
    let (code, status) = match &condition {
        None | Some(Condition::Healthy) => (StatusCode::OK, "healthy"),
        Some(Condition::DiskStuck) => (StatusCode::SERVICE_UNAVAILABLE, "disk stuck"),
        Some(Condition::DiskFull) => (StatusCode::SERVICE_UNAVAILABLE, "disk full"),
        Some(Condition::NoSegment { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "no segment"),
        Some(Condition::Failed { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "read-only"),
    };
    let health = HealthResponse {
        status,
        accounts_count: api.service.count(),
        max_accounts: api.service.account_limit(),
        timestamp: Timestamp::now(),
        version: env!("CARGO_PKG_VERSION"),
        max_transaction_amount: api.transaction_max,
        uptime_seconds: api.started.elapsed().as_secs(),
        // ORDERING: Relaxed, because nothing depends on it.
        connections: api.connections.load(Relaxed),
        max_connections: api.connections_max,
        mode: if ledger.is_some() {
            "durable"
        } else {
            "memory"
        },
        journal: condition.map(|condition| match condition {
            Condition::Healthy => "healthy".to_owned(),
            Condition::DiskStuck => "the disk does not answer".to_owned(),
            Condition::DiskFull => "the disk is full".to_owned(),
            Condition::NoSegment { reason } => {
                format!("the next segment cannot be made, and is tried again: {reason}")
            }
            Condition::Failed { reason } => format!("failed: {reason}"),
        }),
        warnings: api.service.warnings(),
    };
    answer::json_text(code, health.to_json())
}

/// `GET /livez`: whether the process answers at all.
#[utoipa::path(get, path = "/livez", tag = "health",
    summary = "Liveness probe",
    description = "Whether the process answers at all. If not, restart it.",
    responses((status = 200, description = "It does", body = StatusResponse)))]
pub(super) fn live() -> Response {
    status(StatusCode::OK, "alive")
}

/// `GET /readyz`: whether the service wants new requests.
#[utoipa::path(get, path = "/readyz", tag = "health",
    summary = "Readiness probe",
    description = "Whether the service wants new requests. If not, send them elsewhere.",
    responses(
        (status = 200, description = "It does", body = StatusResponse),
        (status = 503, description = "It is stopping, the disk is full or has not answered for seconds, or the \
            journal has failed", body = StatusResponse)))]
pub(super) fn ready(api: &Api) -> Response {
    // ORDERING: Acquire, pairs with the Release store in `server::run`.
    if api.stopping.load(Acquire) {
        return status(StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    match api.service.durable_ledger().map(DurableLedger::condition) {
        None | Some(Condition::Healthy) => status(StatusCode::OK, "ready"),
        Some(Condition::DiskStuck) => status(StatusCode::SERVICE_UNAVAILABLE, "disk stuck"),
        Some(Condition::DiskFull) => status(StatusCode::SERVICE_UNAVAILABLE, "disk full"),
        Some(Condition::NoSegment { .. }) => status(StatusCode::SERVICE_UNAVAILABLE, "no segment"),
        Some(Condition::Failed { .. }) => status(StatusCode::SERVICE_UNAVAILABLE, "read-only"),
    }
}

fn status(code: StatusCode, status: &'static str) -> Response {
    answer::json_text(code, StatusResponse { status }.to_json())
}
