//! What the host measures of its streams, on its own ends of queues: probes, loss, order, latency, gaps. Byte slices and numbers
//! alone; nothing here knows DPDK, and nothing asks a clock: times are given, in nanoseconds of the run's clock.
//!
//! - `probe.rs`: the 32 bytes at a frame's end.
//! - `sender.rs`, `receiver.rs`: what an lcore calls, packet by packet. Neither allocates, takes a lock, or calls the system.
//! - `run.rs`: probes that came as they were sent, which are counted together.
//! - `flow.rs`: what both ends of a flow share; `sent.rs`: what was sent and when; `window.rs`: what has come, late or twice.
//! - `order.rs`, `density.rs`: RFC 4737 and RFC 5236. `delay.rs`: latency, jitter, IPDV, PDV. `gaps.rs`, `load.rs`, `sliding.rs`:
//!   gaps, rates, bursts.
//! - `stages.rs`: how long packets take in the parts of a chain.
//! - `sights.rs`, `memory.rs`, `matcher.rs`: packets that pass by, the same one seen at two places.
//! - `observer.rs`: what somebody else saw of departures.
//! - `readings.rs`: what the control side reads meanwhile.
//! - `tally.rs`, `buckets.rs`, `times.rs`: numbers and histograms that one lcore writes and others read.
//!
//! ```
//! use perigee_measure::{arrivals::ArrivalOptions, flow::*, probe, readings::Readings, receiver::Receiver};
//! use perigee_measure::{sender::Sender, window::Readers};
//! use std::sync::Arc;
//!
//! let key = probe::Key::new([1, 2, 3, 4]); // In a run: drawn.
//! let options = FlowOptions { stream: 0, lane: 0, timeout_ns: 1_000_000, window: 4_096, readers: Readers::One };
//! let flows = vec![(0, Arc::new(Flow::new(options)))];
//! let mut sender = Sender::new(key, 0, Arc::clone(&flows[0].1));
//! let mut receiver = Receiver::new(key, &flows, &ArrivalOptions::default())?;
//! let readings = Readings::new(flows, vec![receiver.received()]);
//!
//! let end_of_frame = sender.stamp([0; 4], 1_000, 1_020);
//! receiver.packet(end_of_frame, 1_520, 60);
//! let told = readings.stream(0).unwrap().told("a");
//! assert_eq!((told.probes.in_time, told.latency.min_ns, told.latency_intended.min_ns), (1, Some(500), Some(520)));
//! # Ok::<(), hdrhistogram::CreationError>(())
//! ```

pub mod arrivals;
pub mod buckets;
pub mod delay;
pub mod density;
pub mod flow;
pub mod gaps;
pub mod load;
pub mod matcher;
mod memory;
pub mod observer;
pub mod order;
pub mod probe;
pub mod readings;
pub mod receiver;
mod run;
pub mod sender;
pub mod sent;
pub mod sights;
pub mod sliding;
pub mod stages;
pub mod tally;
pub mod times;
pub mod window;
