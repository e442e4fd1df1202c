//! By what the packets of a stream are let go at their times.

use perigee_config::stream::{Method, Rate};
use perigee_core::lock;
use perigee_datapath::port::Port;
use perigee_dpdk::pacing::CardClock;
use perigee_pace::MOST_OFF;
use std::sync::{Arc, Mutex};

/// Bits per second in the unit of a limit.
const UNIT: f64 = 1e6;

/// By what a stream is paced, and what that takes of its port.
#[derive(Debug, Default)]
pub(crate) struct Means {
    pub(crate) method: Method,
    /// The calibration by which it was chosen, or that knows nothing of this port.
    pub(crate) calibration: Option<String>,
    /// The clock by which the port holds packets, where that is not the run's.
    pub(crate) clock: Option<CardClock>,
    /// What the line that is kept busy carries, in bits per second on layer 1.
    pub(crate) line_rate: u64,
    /// What the port's link carries, in bits per second on layer 1.
    pub(crate) speed: Option<u64>,
    /// The queues that are limited to the stream's rate, each to its part.
    pub(crate) limits: Mutex<Vec<Limit>>,
}

/// A queue whose rate is limited.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub(crate) port: Arc<dyn Port>,
    pub(crate) queue: u16,
}

impl Means {
    /// Packets are handed to the port before their times.
    pub(crate) fn hands_ahead(&self) -> bool {
        matches!(self.method, Method::LaunchTime | Method::Filler)
    }

    /// Limits the stream's queues, `of` in all, to that rate together.
    ///
    /// # Errors
    /// A rate that is not in bits on layer 1, or that whole Mbit/s miss by more than 0.1 %; or why a port does not.
    pub(crate) fn limit(&self, rate: Rate, of: usize) -> Result<(), String> {
        if self.method != Method::RateLimit {
            return Ok(());
        }
        let mbps = in_units(rate, self.speed, of)?;
        for limit in &*lock(&self.limits) {
            let set = limit.port.limit_queue(limit.queue, mbps);
            set.map_err(|why| format!("{mbps} Mbit/s for tx queue {}: {why}", limit.queue))?;
        }
        Ok(())
    }
}

/// What each of some queues is limited to, in Mbit/s.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "whole Mbit/s of a link, to the nearest"
)]
fn in_units(rate: Rate, speed: Option<u64>, of: usize) -> Result<u32, String> {
    let bits = match (rate, speed) {
        (Rate::WireBits(bits), _) => bits.number(),
        (Rate::LinkShare(share), Some(speed)) => share.number() * speed as f64,
        (Rate::LinkShare(_), None) => {
            return Err(format!("{rate} of a link whose speed the port does not know; give the rate in bit/s l1"));
        }
        _ => {
            return Err(format!(
                "a limit counts bits on layer 1, and the rate is {rate}: give it as \"672 Mbit/s l1\""
            ));
        }
    };
    let each = bits / UNIT / of.max(1) as f64;
    let whole = each.round();
    let off = whole / each - 1.0;
    if whole < 1.0 || whole > f64::from(u32::MAX) || off.abs() > MOST_OFF {
        let nearest = whole.max(1.0) * of.max(1) as f64;
        return Err(format!(
            "a limit is in whole Mbit/s for each of {of} queues: {rate} would be off by {:+.2} %; rate = \"{nearest} Mbit/s l1\" would not",
            (whole.max(1.0) / each - 1.0) * 100.0
        ));
    }
    Ok(whole as u32)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn limits_are_whole_and_near_or_refused() {
        let units = |rate: &str, of| in_units(Rate::parse(rate).unwrap(), Some(10_000_000_000), of);
        assert_eq!((units("672 Mbit/s l1", 1), units("25 %", 1), units("25 %", 2)), (Ok(672), Ok(2_500), Ok(1_250)));
        assert_eq!((units("1.0009 Gbit/s l1", 1), units("1 Mbit/s l1", 1)), (Ok(1_001), Ok(1)));
        for (rate, of, said) in [
            ("1.4 Mbit/s l1", 1, "off by -28.57 %; rate = \"1 Mbit/s l1\""),
            ("0.2 Mbit/s l1", 1, "off by +400.00 %; rate = \"1 Mbit/s l1\""),
            ("3 Mbit/s l1", 2, "for each of 2 queues: 3 Mbit/s l1 would be off by +33.33 %; rate = \"4 Mbit/s l1\""),
            ("1 Mpps", 1, "a limit counts bits on layer 1, and the rate is 1 Mpps"),
        ] {
            let told = units(rate, of).expect_err(rate);
            assert!(told.contains(said), "{told}");
        }
        assert!(in_units(Rate::parse("5 %").unwrap(), None, 1).unwrap_err().contains("whose speed"));
    }
}
