//! From a request to its handler.

use std::sync::Arc;

use bytes::Buf;
use futures_util::Stream;
use hyper::{Method, StatusCode};

use super::answer::{self, Refusal};
use super::api::Api;
use super::decode::{self, RequestBody};
use super::front::{Asked, BrokenBody, Handler, Response};
use super::routes::{self, Endpoint};
use super::sent::Sent;
use super::{accounts, health, history, query};

impl Handler for Arc<Api> {
    async fn handle<B: Buf>(
        self: Arc<Self>,
        asked: Asked<impl Stream<Item = Result<B, BrokenBody>> + Send + Unpin>,
    ) -> Response {
        let Asked {
            method,
            path,
            sent,
            body,
        } = asked;
        // It is read whatever becomes of the request: what is left unread would end the connection.
        let content = match &sent {
            Some(sent) => self.bodies.read(body, sent.content_length).await,
            None => Ok(Vec::new()),
        };
        let sent = sent.as_deref().unwrap_or(Sent::NOTHING);
        let answered = match (content, &sent.turned_away) {
            (Err(refusal), _) => Err(refusal),
            (Ok(_), Some(why)) => Err(Refusal::TurnedAway(why.clone())),
            (Ok(content), None) => self.answer(&method, path.as_str(), sent, &content).await,
        };
        answered.unwrap_or_else(Refusal::into_response)
    }
}

impl Api {
    /// Answers a request whose body has been read.
    async fn answer(
        &self,
        method: &Method,
        path: &str,
        sent: &Sent,
        content: &[u8],
    ) -> Result<Response, Refusal> {
        let body = RequestBody {
            content,
            content_type: sent.content_type,
        };
        match Endpoint::of(&routes::decoded(path)) {
            Some(endpoint) => self.call(endpoint, method, sent, body).await,
            None => routes::without_trailing_slash(path)
                .map(|location| answer::redirect(location, &sent.query))
                .ok_or(Refusal::NotFound),
        }
    }

    async fn call(
        &self,
        endpoint: Endpoint<'_>,
        method: &Method,
        sent: &Sent,
        body: RequestBody<'_>,
    ) -> Result<Response, Refusal> {
        if !endpoint.takes(method) {
            return Err(Refusal::MethodNotAllowed {
                allowed: endpoint.methods(),
            });
        }
        // Of those that read nothing is kept, whatever their key.
        let key = decode::idempotency_key(&sent.key);
        match endpoint {
            Endpoint::Balance(number) => match query::at(&sent.query)? {
                None => accounts::balance(self, number),
                Some(at) => history::balance(self, number, at).await,
            },
            Endpoint::Transactions(number) => {
                history::transactions(self, number, &sent.query).await
            }
            Endpoint::Deposit(number) => accounts::deposit(self, number, body, key?).await,
            Endpoint::Withdraw(number) => accounts::withdraw(self, number, body, key?).await,
            Endpoint::Account(number) => accounts::delete(self, number, key?).await,
            Endpoint::Accounts if method == Method::POST => {
                accounts::create(self, body, key?).await
            }
            Endpoint::Accounts => accounts::list(self, &sent.query),
            Endpoint::Health => Ok(health::health(self)),
            Endpoint::Live => Ok(health::live()),
            Endpoint::Ready => Ok(health::ready(self)),
            Endpoint::OpenApi => Ok(answer::with_type(
                StatusCode::OK,
                answer::JSON,
                self.openapi.clone(),
            )),
            Endpoint::StaticFile(file) => Ok(file.response(sent)),
        }
    }
}
