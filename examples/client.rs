//! A client of the REST API, with a server of its own on a free port.
//!
//! `cargo run --example client`
//!
//! It goes through the life of an account over HTTP, refusals included, and fails if an answer is not what
//! it should be.

#![expect(
    clippy::indexing_slicing,
    reason = "indexing a JSON value does not panic: what it lacks is null"
)]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use cashpoint::service::Service;
use cashpoint_server::Config;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let service = Arc::new(Service::in_memory(10));
    let server = tokio::spawn(cashpoint_server::run(
        listener,
        service,
        Config::default(),
        async {
            let _ = stopped.await;
        },
    ));

    // The client blocks, so it gets a thread of its own.
    tokio::task::spawn_blocking(move || Client::of(address).tour()).await??;

    drop(stop);
    let drained = server.await?;
    println!(
        "the server has stopped, {} connections cut off",
        drained.connections_cut
    );
    Ok(())
}

/// A client of a service of the contract.
struct Client {
    agent: ureq::Agent,
    url: String,
}

type Failure = Box<dyn Error + Send + Sync>;

impl Client {
    fn of(address: SocketAddr) -> Self {
        // A refusal is an answer as well, so it is not made an error here.
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build();
        Self {
            agent: config.into(),
            url: format!("http://{address}"),
        }
    }

    fn tour(&self) -> Result<(), Failure> {
        let opened = self.post("/accounts", &json!({"initial_balance": "100.00"}), 201)?;
        let account = opened["account_number"]
            .as_str()
            .ok_or("an account number")?;
        let path = format!("/accounts/{account}");

        // Amounts may be sent as strings: then no library on the way makes binary floats of them.
        self.post(&format!("{path}/deposit"), &json!({"amount": "0.10"}), 200)?;
        let paid = self.post(
            &format!("{path}/withdraw"),
            &json!({"amount": "70.25"}),
            200,
        )?;
        expect(paid["new_balance"] == json!(29.85))?;

        let refused = self.post(
            &format!("{path}/withdraw"),
            &json!({"amount": "70.25"}),
            400,
        )?;
        expect(refused["detail"] == "Insufficient funds")?;
        let invalid = self.post(&format!("{path}/deposit"), &json!({"amount": "0.001"}), 422)?;
        expect(invalid["detail"][0]["type"] == "decimal_max_places")?;

        let listed = self.get("/accounts", 200)?;
        expect(listed["accounts"][0]["balance"] == json!(29.85))?;
        self.delete(&path, 204)?;
        self.get(&format!("{path}/balance"), 404)?;
        Ok(())
    }

    fn get(&self, path: &str, status: u16) -> Result<Value, Failure> {
        let response = self.agent.get(format!("{}{path}", self.url)).call()?;
        answered("GET", path, response, status)
    }

    fn delete(&self, path: &str, status: u16) -> Result<Value, Failure> {
        let response = self.agent.delete(format!("{}{path}", self.url)).call()?;
        answered("DELETE", path, response, status)
    }

    fn post(&self, path: &str, body: &Value, status: u16) -> Result<Value, Failure> {
        let response = self
            .agent
            .post(format!("{}{path}", self.url))
            .content_type("application/json")
            .send(body.to_string())?;
        answered("POST", path, response, status)
    }
}

/// The body of an answer, if the answer has the status that is expected.
fn answered(
    method: &str,
    path: &str,
    mut response: ureq::http::Response<ureq::Body>,
    expected: u16,
) -> Result<Value, Failure> {
    let status = response.status();
    let text = response.body_mut().read_to_string()?;
    println!("{method} {path}\n  {status} {text}");
    expect(status.as_u16() == expected)?;
    Ok(if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text)?
    })
}

fn expect(as_said: bool) -> Result<(), &'static str> {
    as_said
        .then_some(())
        .ok_or("the service does not answer as this example says")
}
