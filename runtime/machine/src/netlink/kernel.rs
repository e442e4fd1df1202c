//! What the standard library has no names for: a netlink socket, and the name of a program.

#![allow(unsafe_code, reason = "calls into the kernel")]

use std::fs::File;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Commands of bpf(2), by linux/bpf.h.
const PROG_GET_FD_BY_ID: libc::c_long = 13;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
/// Where a program's name lies in `struct bpf_prog_info`, and how much of that is asked for.
const NAME: std::ops::Range<usize> = 64..80;
const INFO_LEN: u32 = 80;

/// A socket to the kernel's interfaces: what is written to it goes to the kernel.
pub(super) fn netlink() -> Result<File> {
    // SAFETY:
    // - it takes numbers, and gives a descriptor or -1.
    let socket = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE) };
    owned(socket.into()).map(File::from)
}

/// The name of the program of that number. Needs root.
pub(super) fn program_name(program: u32) -> Result<String> {
    let mut by_number = [program, 0, 0];
    // SAFETY:
    // - for this command the kernel reads three numbers: the program's, and two that are 0.
    let code = unsafe { bpf(PROG_GET_FD_BY_ID, by_number.as_mut_ptr().cast(), size_of_val(&by_number)) };
    let descriptor = owned(code)?;
    let mut info = [0_u8; INFO_LEN as usize];
    let mut asked = Asked { descriptor: descriptor.as_raw_fd(), len: INFO_LEN, info: info.as_mut_ptr() };
    // SAFETY:
    // - for this command the kernel reads this structure, and writes as many bytes as it says to where it points.
    let code = unsafe { bpf(OBJ_GET_INFO_BY_FD, (&raw mut asked).cast(), size_of::<Asked>()) };
    if code < 0 {
        return Err(Error::last_os_error());
    }
    let name = info.get(NAME).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}

/// What OBJ_GET_INFO_BY_FD takes.
#[repr(C)]
struct Asked {
    descriptor: libc::c_int,
    len: u32,
    info: *mut u8,
}

/// # Safety
/// `attributes` are what the command takes, and that many bytes.
unsafe fn bpf(command: libc::c_long, attributes: *mut libc::c_void, len: usize) -> libc::c_long {
    // SAFETY:
    // - the caller's.
    unsafe { libc::syscall(libc::SYS_bpf, command, attributes, len) }
}

fn owned(code: libc::c_long) -> Result<OwnedFd> {
    match libc::c_int::try_from(code) {
        // SAFETY:
        // - the kernel has just given it to us, and nobody else knows it.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(Error::last_os_error()),
    }
}
