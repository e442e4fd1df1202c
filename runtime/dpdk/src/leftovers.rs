//! XDP programs that a killed process has left on an interface.
//!
//! net_af_xdp has the kernel run a program on its interface. A process that is killed cannot take it off, and it goes on
//! handing packets to sockets that are no more. So interfaces are looked at before ports start: a program by the name that
//! libxdp gives its own, and that no process holds any more, is taken off.

use perigee_config::Config;
use perigee_config::device::interface_of;
use perigee_machine::netlink::{Netlink, Which};
use std::fs;

/// How libxdp calls the program of AF_XDP sockets.
const PROGRAM: &str = "xsk_def_prog";

/// Takes leftovers off the interfaces that ports are about to use. What cannot be looked at stays: the right to do so is
/// root's, and only root could have left anything.
pub fn remove_leftovers(config: &Config) {
    for interface in config.ports.iter().filter_map(|port| interface_of(&port.device)) {
        match remove(interface) {
            Ok(true) => tracing::warn!(interface, "an XDP program that a killed process had left was taken off"),
            Ok(false) => {}
            Err(e) => tracing::debug!(interface, "no look for an XDP program: {e}"),
        }
    }
}

fn remove(interface: &str) -> std::io::Result<bool> {
    let mut netlink = Netlink::open()?;
    let link = netlink.ask(Which::Name(interface))?;
    let Some(program) = link.program else { return Ok(false) };
    if netlink.program_name(program)? != PROGRAM || is_held(program) {
        return Ok(false);
    }
    netlink.take_off_program(&link)?;
    Ok(true)
}

/// Whether a process has a descriptor of that program.
fn is_held(program: u32) -> bool {
    let wanted = format!("prog_id:\t{program}");
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered = processes.filter(|entry| entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()));
    let mut descriptors =
        numbered.filter_map(|entry| fs::read_dir(entry.path().join("fdinfo")).ok()).flatten().flatten();
    descriptors.any(|entry| fs::read_to_string(entry.path()).is_ok_and(|text| text.lines().any(|line| line == wanted)))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn loopback_has_no_leftover() {
        assert!(!remove("lo").unwrap());
        assert_eq!(perigee_machine::netlink::hardware("lo").unwrap(), 772);
        assert_eq!(remove("no-such-one").unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }
}
