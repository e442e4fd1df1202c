//! sFlow version 5: samples of packets and counters. The headers are here, the walk is [`Samples`].
//!
//! ```
//! use perigee_guest::wire::sflow::{Datagram, Record, Sample};
//!
//! /// Bytes that the sampled packets stand for.
//! fn sampled_bytes(payload: &[u8]) -> Result<u64, perigee_guest::wire::Error> {
//!     let mut bytes = 0;
//!     for sample in Datagram::parse(payload)?.samples() {
//!         let Sample::Flow(flow) = sample? else { continue };
//!         for record in flow.records() {
//!             if let Record::Packet { header, .. } = record? {
//!                 bytes += u64::from(header.frame_length()) * u64::from(flow.rate);
//!             }
//!         }
//!     }
//!     Ok(bytes)
//! }
//! # assert!(sampled_bytes(&[0; 28]).is_err());
//! ```

mod headers;
mod samples;
#[cfg(test)]
pub(super) mod test;

pub use headers::{
    Sflow, SflowCounters, SflowExpandedCounters, SflowExpandedFlow, SflowFlow, SflowIpv4, SflowIpv6, SflowPacket,
    SflowPort, SflowRecord, SflowSwitch,
};
pub use samples::{Counters, Datagram, Flow, Record, Records, Sample, Samples};
