//! Whether a guest can run on the host's CPU.

use super::fetch::Bed;
use super::guest::{Accel, Guest, Root};
use anyhow::{Context, Result};
use std::fs::{self, OpenOptions};
use std::time::Duration;

/// A guest on a CPU that can be used is up within a second or two; where virtualization is itself emulated it may take minutes.
const LIMIT: Duration = Duration::from_secs(12);
/// What was found out, for the next time.
const FOUND: &str = "accel.txt";

/// KVM where /dev/kvm can be opened and a guest boots with it in time, else TCG; and why. It is found out once.
pub(super) fn choose(bed: &Bed, wanted: Option<&str>) -> Result<(Accel, String)> {
    match wanted {
        Some("kvm") => return Ok((Accel::Kvm, "asked for".to_owned())),
        Some("tcg") => return Ok((Accel::Tcg, "asked for".to_owned())),
        _ => {}
    }
    if let Err(error) = OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        return Ok((Accel::Tcg, format!("/dev/kvm: {error}")));
    }
    let note = bed.folder.join(FOUND);
    let found = match fs::read_to_string(&note) {
        Ok(found) => found,
        Err(_) => {
            let found = if boots(bed)? { "kvm" } else { "tcg" };
            fs::write(&note, found).context("cannot note which accelerator works")?;
            found.to_owned()
        }
    };
    Ok(match found.as_str() {
        "kvm" => (Accel::Kvm, "/dev/kvm works".to_owned()),
        _ => (Accel::Tcg, format!("/dev/kvm is there, and no guest boots with it within {} s", LIMIT.as_secs())),
    })
}

fn boots(bed: &Bed) -> Result<bool> {
    let guest = Guest {
        folder: bed.folder.join("guests/accel"),
        machine: "q35".to_owned(),
        memory: 512,
        append: String::new(),
        devices: Vec::new(),
        root: Root::Host,
        init: "/bin/sh -ec 'echo o > /proc/sysrq-trigger; sleep 60'".to_owned(),
        wrapper: None,
        limit: LIMIT,
    };
    Ok(guest.run(bed, Accel::Kvm, |_| ())?.ended)
}
