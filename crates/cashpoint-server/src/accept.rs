//! The accept loop: from a listening socket to connections served, and to none left.
//!
//! It is ours, and not `warp::serve`, because that sets no TCP_NODELAY (pipelined requests then stall),
//! no timeout and no limit.
//!
//! # When all seats are taken
//!
//! Clients that keep their connections and now and then ask for something would lock everybody else out, the probes too,
//! and nobody would know why. So the last seat that is taken is logged, and for each connection that waits for one
//! the client that has been idle longest is asked to leave, as in nginx: at once, or as soon as one is idle. Whoever has
//! waited for [`STANDING_TIME`] in vain has one request answered: a probe as ever, any other with 503. There is room for
//! [`STANDING_MAX`] of these beside the seats; beyond that the system's queue is left alone.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Interval, MissedTickBehavior};
use tracing::{debug, error, info, warn};

use super::Config;
use super::api::Api;
use super::edge::Admission;
use super::gate::Gate;
use super::seat::Seat;
use super::sending_side::SendingSide;
use super::transport::Transport;
use super::{connection, edge};

/// How much the system takes of an answer before it has left. Without this it takes up to 4 MB for a client that reads
/// slowly. It is more than the longest page, which leaves in one go; and what is on its way is not counted, so no line
/// is slower for it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_MAX_BYTES: u32 = 256 * 1024;

/// How many connections may be open beside those that have a seat.
pub const STANDING_MAX: usize = 64;

/// How long a connection waits for a seat.
const STANDING_TIME: Duration = Duration::from_millis(250);

/// How often to look for idle clients while connections wait for seats.
const LOOKING_PAUSE: Duration = Duration::from_millis(5);

/// How long those who were asked to leave are waited for before others are asked.
const LEAVING_TIME: Duration = Duration::from_millis(20);

/// How long a client without a seat may take for its request and the answer.
const REQUEST_TIME: Duration = Duration::from_secs(1);

/// How often at most it is logged that all seats are taken.
const WARNING_PAUSE: Duration = Duration::from_secs(60);

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
    let mut hall = Hall::new(config, api, gate);
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            (stream, peer, entry) = accept(&listener, &hall.standing) => {
                match prepare(&stream, config) {
                    Ok(()) => hall.admit(stream, peer, entry),
                    Err(error) => debug!(%error, "connection lost early"),
                }
            }
            Some(ended) = hall.connections.join_next_with_id() => hall.leaves(ended),
            _ = hall.looking.tick(), if hall.waiting() > 0 => hall.make_room(),
            () = &mut stop => break,
        }
    }

    // From here on new connections are refused.
    drop(listener);
    hall.drain().await
}

/// All connections.
struct Hall<'config> {
    config: &'config Config,
    api: &'config Arc<Api>,
    gate: &'config Arc<Gate>,
    seated: Arc<http1::Builder>,
    /// How a connection without a seat is served: for one request.
    unseated: Arc<http1::Builder>,
    opened: Instant,
    /// One permit for each seat.
    free: Arc<Semaphore>,
    /// One permit for each connection that has no seat.
    standing: Arc<Semaphore>,
    connections: JoinSet<()>,
    seats: HashMap<task::Id, Arc<Seat>>,
    /// One clone for each connection that waits for a seat.
    queue: Arc<()>,
    /// When to look for somebody idle. Ready at once where nobody has waited for a while.
    looking: Interval,
    warned: Option<Instant>,
}

impl<'config> Hall<'config> {
    fn new(config: &'config Config, api: &'config Arc<Api>, gate: &'config Arc<Gate>) -> Self {
        let mut unseated = connection::builder(config);
        unseated.keep_alive(false);
        let seats_max = config.connections_max.min(Semaphore::MAX_PERMITS);
        let mut looking = tokio::time::interval(LOOKING_PAUSE);
        looking.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            config,
            api,
            gate,
            seated: Arc::new(connection::builder(config)),
            unseated: Arc::new(unseated),
            opened: Instant::now(),
            free: Arc::new(Semaphore::new(seats_max)),
            standing: Arc::new(Semaphore::new(STANDING_MAX)),
            connections: JoinSet::new(),
            seats: HashMap::new(),
            queue: Arc::new(()),
            looking,
            warned: None,
        }
    }

    /// Serves a connection, which has come in by `entry`.
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr, entry: OwnedSemaphorePermit) {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok();
        if self.free.available_permits() == 0 {
            self.warn();
        }
        let (incoming, outgoing) = stream.into_split();
        let sides = (incoming, SendingSide::new(outgoing));
        let transport = Transport::new(sides, self.config.answer_timeout);
        let builders = (Arc::clone(&self.seated), Arc::clone(&self.unseated));
        let (api, gate) = (Arc::clone(self.api), Arc::clone(self.gate));
        let free = Arc::clone(&self.free);
        let place = permit.is_none().then(|| Arc::clone(&self.queue));
        let seat = Seat::new(self.opened);
        let its_seat = Arc::clone(&seat);
        let connection = async move {
            let permit = match permit {
                Some(permit) => Some(permit),
                None => wait_for_seat(free, &its_seat).await,
            };
            drop(place);
            let (builder, admission) = match &permit {
                Some(_) => (builders.0, Admission::Seated),
                None => (builders.1, Admission::Standing),
            };
            // Whoever has a seat stands in nobody's way.
            let entry = permit.is_none().then_some(entry);
            let service = edge::service(&api, &gate, peer, &its_seat, admission);
            let serving = connection::serve(transport, &builder, service, &its_seat);
            match admission {
                Admission::Seated => serving.await,
                Admission::Standing => hurry(serving, &its_seat).await,
            }
            drop((permit, entry));
        };
        let task = self.connections.spawn(connection);
        self.seats.insert(task.id(), seat);
        self.count();
    }

    fn leaves(&mut self, ended: Result<(task::Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(failure) => {
                report(&failure);
                failure.id()
            }
        };
        self.seats.remove(&id);
        self.count();
    }

    fn count(&self) {
        // ORDERING: Relaxed, because nothing depends on it.
        self.api.connections.store(self.seats.len(), Relaxed);
    }

    /// Says that all seats are taken, unless it was said a while ago.
    fn warn(&mut self) {
        let now = Instant::now();
        if self.warned.is_some_and(|it| now - it < WARNING_PAUSE) {
            return;
        }
        self.warned = Some(now);
        warn!(
            max_connections = self.config.connections_max,
            "all connections are in use: further ones take the place of those that have been idle longest, or get 503; allow \
             more with --max-connections or MAX_CONNECTIONS, or limit each client in a proxy"
        );
    }

    /// How many connections wait for a seat.
    fn waiting(&self) -> usize {
        Arc::strong_count(&self.queue) - 1
    }

    /// Asks those to leave that have been idle longest: one for each connection that waits, unless somebody was just
    /// asked for it. It looks at all seats, which takes a tenth of a millisecond for 16,384.
    fn make_room(&self) {
        let seats = || self.seats.values();
        let just_now = Instant::now().checked_sub(LEAVING_TIME);
        let just_now = just_now.unwrap_or(self.opened);
        let leaving = seats()
            .filter(|seat| seat.was_asked_since(just_now))
            .count();
        let wanted = self.waiting().saturating_sub(leaving);
        let idle = seats().filter_map(|seat| Some((seat.idle()?, seat)));
        let mut idle: Vec<_> = idle.collect();
        if wanted < idle.len() {
            idle.select_nth_unstable_by_key(wanted, |(due, _)| *due);
        }
        for (_, seat) in idle.into_iter().take(wanted) {
            seat.ask_to_leave();
        }
    }

    /// Lets the connections finish the requests that they are in, for as long as the shutdown timeout.
    async fn drain(mut self) -> Drained {
        let timeout = self.config.shutdown_timeout;
        info!(
            open_connections = self.connections.len(),
            timeout_s = timeout.as_secs_f64(),
            "finishing running requests"
        );
        for seat in self.seats.values() {
            seat.ask_to_leave();
        }
        let finished = async {
            while let Some(ended) = self.connections.join_next_with_id().await {
                self.leaves(ended);
            }
        };
        // What has not finished in time is counted.
        let _ = tokio::time::timeout(timeout, finished).await;
        let connections_cut = self.connections.len();
        if connections_cut > 0 {
            warn!(
                connections_cut,
                "requests were still running and have been cut off"
            );
        }
        self.connections.shutdown().await;
        info!("stopped");
        Drained { connections_cut }
    }
}

/// Serves a connection without a seat: others wait for its place.
async fn hurry(serving: impl Future<Output = ()>, seat: &Seat) {
    let mut serving = pin!(serving);
    if tokio::time::timeout(REQUEST_TIME, &mut serving)
        .await
        .is_err()
    {
        seat.ask_to_leave();
        serving.await;
    }
}

/// A seat, if one becomes free soon.
async fn wait_for_seat(free: Arc<Semaphore>, seat: &Seat) -> Option<OwnedSemaphorePermit> {
    tokio::select! {
        permit = free.acquire_owned() => permit.ok(),
        () = tokio::time::sleep(STANDING_TIME) => None,
        () = seat.leaves() => None,
    }
}

/// The next connection, once there is a permit for it to stand. Errors of single connections are passed over;
/// where the process itself is short of something, the loop pauses instead of spinning.
async fn accept(
    listener: &TcpListener,
    standing: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let Ok(permit) = Arc::clone(standing).acquire_owned().await else {
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

/// Sets what the kernel does for a connection: to send answers at once, to take only so much ahead, and to give up on a
/// client that takes none of what is left when nothing waits here any more.
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
fn report(failure: &JoinError) {
    error!(%failure, "a connection's task failed");
}
