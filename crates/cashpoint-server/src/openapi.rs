//! The OpenAPI document, made from the handlers and the shapes on the wire.

use bytes::Bytes;
use cashpoint::Cents;
use serde_json::Value;
use utoipa::OpenApi;

use super::invalid::{InvalidInput, InvalidInputResponse};
use super::{accounts, health, history, pages, wire};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cashpoint",
        description = "A ledger service, exact to the cent. Amounts are decimal numbers with at most \
            two decimals, and never pass through a binary float. HEAD is answered like GET, without the body, on `/`, \
            `/health`, `/livez`, `/readyz`, `/docs`, `/redoc` and `/openapi.json`. A request without a `Host` header, \
            with several, or for a host name that the service does not answer to, is 400."
    ),
    paths(
        accounts::create,
        accounts::list,
        accounts::balance,
        accounts::deposit,
        accounts::withdraw,
        accounts::delete,
        history::transactions,
        health::health,
        health::live,
        health::ready,
        pages::console
    ),
    components(schemas(
        InvalidInput,
        InvalidInputResponse,
        wire::AccountCreate,
        wire::AccountCreateResponse,
        wire::BalanceResponse,
        wire::TransactionListResponse,
        wire::TransactionRequest,
        wire::TransactionResponse
    ))
)]
struct Document;

/// The fields that `MAX_TRANSACTION_AMOUNT` bounds.
const BOUNDED_FIELDS: [&str; 2] = [
    "/components/schemas/AccountCreate/properties/initial_balance",
    "/components/schemas/TransactionRequest/properties/amount",
];

/// The document of a service with this largest amount.
pub(super) fn document(transaction_max: Cents) -> Bytes {
    let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    let maximum: Value = serde_json::from_str(&transaction_max.to_string()).unwrap_or_default();
    for field in BOUNDED_FIELDS {
        if let Some(Value::Object(schema)) = document.pointer_mut(field) {
            schema.insert("maximum".to_owned(), maximum.clone());
        }
    }
    document.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_amount_is_in_the_document() {
        let document: Value = serde_json::from_slice(&document("99.5".parse().unwrap())).unwrap();
        for field in BOUNDED_FIELDS {
            assert_eq!(document.pointer(field).unwrap()["maximum"], 99.5, "{field}");
        }
    }
}
