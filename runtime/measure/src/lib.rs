//! What the host measures of its streams, on its own ends of queues: probes, loss, order, latency, gaps.
pub mod buckets;
pub mod delay;
pub mod density;
pub mod gaps;
pub mod load;
pub mod order;
pub mod probe;
pub mod sent;
pub mod sliding;
pub mod tally;
pub mod times;
pub mod window;
