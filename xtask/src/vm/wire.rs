//! What went over a hub, as Wireshark reads it: the second opinion on every checksum, on the host, where it costs little.

use super::jobs::Job;
use super::report::Check;
use crate::command::{self, Repository};
use anyhow::Result;
use std::path::Path;

/// A frame whose checksum Wireshark finds wrong.
const BAD: &str =
    "ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0 || icmp.checksum.status == 0";

/// Reads the recording that QEMU has made beside the job, where there is one.
pub(super) fn checks(repository: &Repository, folder: &Path, job: &Job) -> Result<Option<Check>> {
    let recording = folder.join("wire.pcap");
    if !job.is_recorded || !recording.exists() {
        return Ok(None);
    }
    let count = |filter: &str| -> Result<usize> {
        let mut tshark = repository.command("tshark");
        tshark.arg("-r").arg(&recording).args(["-n", "-T", "fields", "-e", "frame.number", "-Y", filter]);
        for check in ["ip.check_checksum", "udp.check_checksum", "tcp.check_checksum"] {
            tshark.arg("-o").arg(format!("{check}:TRUE"));
        }
        Ok(command::output(&mut tshark)?.lines().count())
    };
    // Only what Perigee's cards have sent: the fifth byte of the kernel's is another one.
    let ours = "eth.src[0:5] == 52:54:00:00:00";
    let (all, bad) = (count(&format!("({ours}) && ip"))?, count(&format!("({ours}) && ({BAD})"))?);
    let detail = format!("tshark: of {all} IPv4 packets that the cards sent, {bad} have a wrong checksum");
    Ok(Some(if all > 0 && bad == 0 { Check::ok("wire", &detail) } else { Check::failed("wire", &detail) }))
}
