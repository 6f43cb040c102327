//! The accept loop: from a listening socket to connections served, and to none left.
//!
//! It is ours, and not `warp::serve`, because that sets no TCP_NODELAY (pipelined requests then stall),
//! no timeout and no limit.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tracing::{debug, error, info, warn};

use super::Config;
use super::api::Api;
use super::gate::Gate;
use super::sending_side::SendingSide;
use super::transport::Transport;
use super::{connection, edge};

/// How much the system takes of an answer before it has left. Without this it takes up to 4 MB for a client that reads slowly. It is more
/// than the longest page, which leaves in one go; and what is on its way is not counted, so no line is slower for it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_MAX_BYTES: u32 = 256 * 1024;

/// How long to wait before accepting again when the process is out of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Drained {
    /// How many connections had to be cut off in the middle of a request.
    pub connections_cut: usize,
}

/// Serves every connection that arrives until `stop` is ready, then lets them finish.
pub(super) async fn serve_until(
    stop: impl Future<Output = ()>,
    listener: TcpListener,
    config: &Config,
    api: &Arc<Api>,
    gate: &Arc<Gate>,
) -> Drained {
    let builder = Arc::new(connection::builder(config));
    let permits = Arc::new(Semaphore::new(
        config.connections_max.min(Semaphore::MAX_PERMITS),
    ));
    let (running, stopped) = watch::channel(());
    let mut connections = JoinSet::new();

    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            (stream, peer, permit) = accept(&listener, &permits) => {
                let service = edge::service(api, gate, peer);
                if let Err(error) = prepare(&stream, config) {
                    debug!(%error, "connection lost early");
                    continue;
                }
                let (incoming, outgoing) = stream.into_split();
                let sides = (incoming, SendingSide::new(outgoing));
                let transport = Transport::new(sides, config.answer_timeout);
                let (builder, stop) = (Arc::clone(&builder), stopped.clone());
                connections.spawn(async move {
                    connection::serve(transport, &builder, service, stop).await;
                    drop(permit);
                });
            }
            Some(ended) = connections.join_next() => report(ended),
            () = &mut stop => break,
        }
    }

    // From here on new connections are refused.
    drop(listener);
    drain(connections, running, config.shutdown_timeout).await
}

/// The next connection, once there is a permit for it. Errors of single connections are passed over;
/// where the process itself is short of something, the loop pauses instead of spinning.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let Ok(permit) = Arc::clone(permits).acquire_owned().await else {
            // The semaphore is never closed.
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            Err(error) if concerns_one_connection(&error) => {
                debug!(%error, "connection lost early")
            }
            Err(error) => {
                warn!(%error, "cannot accept connections, trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// Sets what the kernel does for a connection: to send answers at once, to take only so much ahead, and to give up on a client
/// that takes none of what is left when nothing waits here any more.
fn prepare(stream: &TcpStream, config: &Config) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let socket = socket2::SockRef::from(stream);
        socket.set_tcp_user_timeout(Some(config.answer_timeout))?;
        socket.set_tcp_notsent_lowat(UNSENT_MAX_BYTES)?;
    }
    Ok(())
}

/// A connection's task can only have ended well, or by a panic, which is a defect of ours.
fn report(ended: Result<(), JoinError>) {
    if let Err(failure) = ended {
        error!(%failure, "a connection's task failed");
    }
}

/// Lets the connections finish the requests that they are in, for as long as `timeout`.
async fn drain(
    mut connections: JoinSet<()>,
    running: watch::Sender<()>,
    timeout: Duration,
) -> Drained {
    info!(
        open_connections = connections.len(),
        timeout_s = timeout.as_secs_f64(),
        "finishing running requests"
    );
    drop(running);
    let finished = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    // What has not finished in time is counted.
    let _ = tokio::time::timeout(timeout, finished).await;
    let connections_cut = connections.len();
    if connections_cut > 0 {
        warn!(
            connections_cut,
            "requests were still running and have been cut off"
        );
    }
    connections.shutdown().await;
    info!("stopped");
    Drained { connections_cut }
}
