//! The OpenAPI document, made from the handlers and the shapes on the wire.

use bytes::Bytes;
use cashpoint::{Cents, NotDone};
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::answer::{Refusal, RefusalReason};
use super::gate::TurnedAway;
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
    // In the order in which they are shown.
    tags(
        (name = "accounts", description = "Open, list and delete accounts, and read what is on them"),
        (name = "transactions", description = "Move money, and read what was moved"),
        (name = "health", description = "How the service is"),
        (name = "pages", description = "For people")
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

/// The schema that refusals have in common.
const REFUSAL: &str = "#/components/schemas/RefusalResponse";

/// The document of a service with this largest amount.
pub(super) fn document(transaction_max: Cents) -> Bytes {
    let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    let maximum: Value = serde_json::from_str(&transaction_max.to_string()).unwrap_or_default();
    for field in BOUNDED_FIELDS {
        if let Some(Value::Object(schema)) = document.pointer_mut(field) {
            schema.insert("maximum".to_owned(), maximum.clone());
        }
    }
    give_examples(&mut document);
    document.to_string().into()
}

/// Refusals as they are answered, by their status: the schema is one for all.
fn refusals() -> [Refusal; 7] {
    [
        Refusal::InsufficientFunds,
        Refusal::TurnedAway(TurnedAway::ForeignOrigin),
        Refusal::AccountNotFound,
        Refusal::HistoryTakenAway("The history of account 0f8fad5b-d9cb-469f-a165-70867728950e ends behind its transaction 151".into()),
        Refusal::NoHistory,
        Refusal::NotDone(NotDone::Busy),
        Refusal::LimitReached { limit: 1_000 },
    ]
}

/// Shows with every refusal what is answered with that status.
fn give_examples(document: &mut Value) {
    let answered = refusals().map(|refusal| {
        let response = refusal.into_response();
        let reason = response.extensions().get::<RefusalReason>();
        let detail = reason.map(|RefusalReason(detail)| detail.clone());
        (
            response.status().as_str().to_owned(),
            json!({ "detail": detail }),
        )
    });
    let Some(Value::Object(paths)) = document.get_mut("paths") else {
        return;
    };
    let operations = paths.values_mut().filter_map(Value::as_object_mut);
    for operation in operations.flat_map(serde_json::Map::values_mut) {
        for (status, example) in &answered {
            let content =
                operation.pointer_mut(&format!("/responses/{status}/content/application~1json"));
            if let Some(Value::Object(content)) = content
                && content
                    .get("schema")
                    .is_some_and(|it| it["$ref"] == REFUSAL)
            {
                content.insert("example".to_owned(), example.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_an_example_of_its_own() {
        let document: Value = serde_json::from_slice(&document("99.5".parse().unwrap())).unwrap();
        let mut shown = std::collections::BTreeMap::new();
        for operation in document["paths"].as_object().unwrap().values() {
            for operation in operation.as_object().unwrap().values() {
                for (status, response) in operation["responses"].as_object().unwrap() {
                    let content = &response["content"]["application/json"];
                    if content["schema"]["$ref"] == REFUSAL {
                        let detail = content["example"]["detail"].as_str();
                        shown.insert(status.clone(), detail.expect("an example").to_owned());
                    }
                }
            }
        }
        assert_eq!(shown.len(), refusals().len());
        assert_eq!(shown["404"], "Account not found");
        assert_eq!(shown["507"], "Maximum number of accounts (1000) reached");
    }

    #[test]
    fn the_largest_amount_is_in_the_document() {
        let document: Value = serde_json::from_slice(&document("99.5".parse().unwrap())).unwrap();
        for field in BOUNDED_FIELDS {
            assert_eq!(document.pointer(field).unwrap()["maximum"], 99.5, "{field}");
        }
    }
}
