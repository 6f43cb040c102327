//! Accounts that come and go, and listings while money moves, by turns.
//!
//! `cargo bench -p cashpoint-benches --bench comings_and_goings [-- --rounds 11] [-- listing]`

use std::time::Duration;

use cashpoint_benches::{
    Arguments, Churn, Contestant, DashMapDefault, Entrant, GlobalLock, MutexPerAccount,
    PapayaDefault, PerOperation, SccDefault, ShardedLock, by_turns, close_and_create,
    deposit_beside_listings, list_beside_deposits,
};

/// How long each contestant is measured in each round.
const TURN: Duration = Duration::from_millis(100);

const ACCOUNTS: usize = 10_000;

/// A contestant with its accounts, without its type.
trait Runner {
    fn name(&self) -> &'static str;
    fn close_and_create(&mut self, threads: usize) -> f64;
    fn list(&self) -> f64;
    fn deposit(&self) -> f64;
}

struct Open<C: Contestant> {
    contestant: C,
    keys: Vec<C::Key>,
}

fn open<C>() -> Box<dyn Runner>
where
    C: Churn + 'static,
    C::Key: Send,
{
    let (contestant, keys) = C::open(ACCOUNTS);
    Box::new(Open { contestant, keys })
}

impl<C> Runner for Open<C>
where
    C: Churn,
    C::Key: Send,
{
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn close_and_create(&mut self, threads: usize) -> f64 {
        let keys = self.keys.get_mut(..threads).unwrap_or_default();
        close_and_create(&self.contestant, keys, TURN)
    }

    fn list(&self) -> f64 {
        list_beside_deposits(&self.contestant, &self.keys, TURN)
    }

    fn deposit(&self) -> f64 {
        deposit_beside_listings(&self.contestant, &self.keys, TURN)
    }
}

fn main() {
    let arguments = Arguments::parse();
    let threads_max = std::thread::available_parallelism().map_or(1, usize::from);
    let mut runners = [
        open::<PerOperation>(),
        open::<PapayaDefault>(),
        open::<DashMapDefault>(),
        open::<SccDefault>(),
        open::<ShardedLock>(),
        open::<GlobalLock>(),
        open::<MutexPerAccount>(),
    ];
    let mut race = |name: &str, unit, measure: &dyn Fn(&mut dyn Runner) -> f64| {
        if arguments.include(name) {
            let entrants = runners
                .iter_mut()
                .map(|runner| Entrant::new(runner.name(), move || measure(runner.as_mut())));
            by_turns(name, unit, arguments.rounds, entrants.collect());
        }
    };
    for threads in [1, threads_max] {
        let name = format!("10k-accounts/close-and-create/{threads}-threads");
        race(&name, "ns/pair", &|runner| runner.close_and_create(threads));
    }
    race(
        "10k-accounts/listing/beside-deposits",
        "ns/account",
        &|runner| runner.list(),
    );
    race("10k-accounts/deposit/beside-listings", "ns/op", &|runner| {
        runner.deposit()
    });
}
