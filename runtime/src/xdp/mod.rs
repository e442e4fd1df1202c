//! XDP programs that a killed process has left on an interface.
//!
//! net_af_xdp has the kernel run a program on its interface. A process that is killed cannot take it off, and it goes on
//! handing packets to sockets that are no more. So interfaces are looked at before ports start: a program by the name that
//! libxdp gives its own, and that no process holds any more, is taken off.

mod kernel;
mod message;

use crate::config::Config;
use std::fs;

/// How libxdp calls the program of AF_XDP sockets.
const PROGRAM: &str = "xsk_def_prog";

/// Takes leftovers off the interfaces that ports are about to use. What cannot be looked at stays: the right to do so is
/// root's, and only root could have left anything.
pub(crate) fn remove_leftovers(config: &Config) {
    for interface in config.ports.iter().filter_map(|port| interface(&port.device)) {
        match remove(interface) {
            Ok(true) => tracing::warn!(interface, "an XDP program that a killed process had left was taken off"),
            Ok(false) => {}
            Err(e) => tracing::debug!(interface, "no look for an XDP program: {e}"),
        }
    }
}

/// The interface of the kernel's that a port is made on.
fn interface(device: &str) -> Option<&str> {
    let of_kernel = ["net_af_xdp", "net_af_packet", "net_pcap"].iter().any(|driver| device.starts_with(driver));
    device.split(',').find_map(|argument| argument.strip_prefix("iface=")).filter(|_| of_kernel)
}

fn remove(interface: &str) -> std::io::Result<bool> {
    let mut netlink = kernel::netlink()?;
    let answer = message::exchange(&mut netlink, &message::ask_link(interface))?;
    let Some(link) = message::link(&answer) else { return Ok(false) };
    let Some(program) = link.program else { return Ok(false) };
    if kernel::program_name(program)? != PROGRAM || is_held(program) {
        return Ok(false);
    }
    message::exchange(&mut netlink, &message::without_program(&link))?;
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
    fn ports_on_interfaces_are_known() {
        assert_eq!(interface("net_af_xdp0,iface=eth0,start_queue=0"), Some("eth0"));
        assert_eq!(interface("net_af_packet0,framesz=2048,iface=eth1"), Some("eth1"));
        // A tap makes its interface itself.
        assert_eq!(interface("net_tap0,iface=tap-a"), None);
        assert_eq!(interface("net_null0"), None);
    }

    #[test]
    fn loopback_has_no_leftover() {
        assert!(!remove("lo").unwrap());
        assert_eq!(remove("no-such-one").unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }
}
