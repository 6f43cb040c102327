//! The durable ledger in a program.
use cashpoint::durable::*;
use cashpoint::*;
use std::time::Instant;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::path::PathBuf::from(std::env::args().nth(1).unwrap_or("/tmp/cp-data".into()));
    let n: usize = std::env::args().nth(2).unwrap_or("10000".into()).parse()?;
    let total: usize = std::env::args()
        .nth(3)
        .unwrap_or("5000000".into())
        .parse()?;
    let start = Instant::now();
    let ledger = DurableLedger::open(&dir, DurableConfig::new(2_000_000))?;
    println!("open {:?} {:?}", start.elapsed(), ledger.recovery());
    let start = Instant::now();
    let initial = Cents::new(1_000_000_000).unwrap();
    let mut numbers = Vec::new();
    while numbers.len() < n {
        let k = (n - numbers.len()).min(SUBMISSION_MAX);
        let answers = ledger
            .submit(vec![Change::Open { initial }.into(); k])
            .wait();
        for a in answers {
            numbers.push(a?.outcome?.number);
        }
    }
    println!("created {n} in {:?}", start.elapsed());
    let batch = 4096;
    let start = Instant::now();
    let mut pending = std::collections::VecDeque::new();
    let mut x = 88172645463325252u64;
    let mut done = 0usize;
    let mut sent = 0;
    while done < total {
        while pending.len() < 8 && sent < total {
            let commands = (0..batch)
                .map(|_| {
                    x ^= x << 13;
                    x ^= x >> 7;
                    x ^= x << 17;
                    Change::Withdraw {
                        number: numbers[(x % n as u64) as usize],
                        amount: Amount::from_cents(1).unwrap(),
                    }
                    .into()
                })
                .collect();
            pending.push_back(ledger.submit(commands));
            sent += batch;
        }
        let answers = pending.pop_front().unwrap().wait();
        for a in &answers {
            assert!(a.as_ref().unwrap().outcome.is_ok(), "{a:?}");
        }
        done += answers.len();
    }
    println!("{:.0}/s", done as f64 / start.elapsed().as_secs_f64());
    for t in std::fs::read_dir("/proc/self/task")? {
        let t = t?.path();
        let s = std::fs::read_to_string(t.join("stat"))?;
        let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
        println!(
            "  {} user {} sys {}",
            std::fs::read_to_string(t.join("comm"))?.trim(),
            f[11],
            f[12]
        );
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    println!(
        "{}",
        status
            .lines()
            .filter(|l| l.starts_with("VmHWM") || l.starts_with("VmRSS"))
            .collect::<Vec<_>>()
            .join(" ")
    );
    let start = Instant::now();
    drop(ledger);
    println!("closed in {:?}", start.elapsed());
    let start = Instant::now();
    let ledger = DurableLedger::open(&dir, DurableConfig::new(2_000_000))?;
    let t = start.elapsed();
    println!(
        "open {:?} {:?} {:.0} records/s",
        t,
        ledger.recovery(),
        ledger.recovery().records as f64 / t.as_secs_f64()
    );
    Ok(())
}
