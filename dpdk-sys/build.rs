//! Generates the bindings with bindgen and compiles the shim, both with the flags of pkg-config's libdpdk.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is bound: the rest of DPDK's some 9,000 names stays out.
const FUNCTIONS: &[&str] = &[
    "rte_eal_(init|cleanup|iova_mode|has_hugepages)",
    "rte_version",
    "rte_strerror",
    "rte_thread_(register|unregister)",
    "rte_socket_id",
    "rte_extmem_(register|unregister)",
    "rte_dev_(probe|remove|dma_map|dma_unmap|event_callback_register|event_callback_unregister)",
    "rte_eth_dev_(count_avail|get_port_by_name|get_name_by_port|info_get|configure|start|stop|close|get_mtu|set_mtu|socket_id)",
    "rte_eth_dev_adjust_nb_rx_tx_desc",
    "rte_eth_(rx|tx)_queue_setup",
    "rte_eth_(stats_get|stats_reset|xstats_get|xstats_get_names|macaddr_get|link_get_nowait)",
    "rte_eth_(promiscuous_enable|promiscuous_disable|promiscuous_get|find_next|read_clock)",
    "rte_eth_timesync_(enable|disable|read_time|adjust_time|read_rx_timestamp|read_tx_timestamp)",
    "rte_eth_dev_(rx|tx)_offload_name",
    "rte_eth_(set_queue_rate_limit|read_clock)",
    "rte_mem_virt2iova",
    "rte_mempool_(obj_iter|free|avail_count|in_use_count|lookup)",
    "rte_pktmbuf_free_bulk",
    "rte_ring_(create|free|count)",
    "rte_get_tsc_hz",
    "rte_mbuf_dyn_(rx|tx)_timestamp_register",
    "rte_mbuf_dynflag_register",
    "rte_log",
    "rte_log_set_global_level",
    "perigee_.*",
];
const TYPES: &[&str] =
    &["rte_eth_dev_info", "rte_eth_conf", "rte_eth_stats", "rte_eth_link", "rte_mbuf", "rte_iova_mode"];
const CONSTANTS: &[&str] = &[
    "RTE_ETH_.*",
    "RTE_MBUF_F_.*",
    "RTE_PKTMBUF_HEADROOM",
    "RTE_MAX_LCORE",
    "RTE_MEMPOOL_CACHE_MAX_SIZE",
    "RTE_IOVA_.*",
    "RTE_DEV_EVENT_.*",
    "PERIGEE_.*",
];

fn main() {
    println!("cargo:rerun-if-changed=shim.c");
    println!("cargo:rerun-if-changed=shim.h");
    println!("cargo:rerun-if-changed=versions.h");
    println!("cargo:rerun-if-changed=flow.c");
    println!("cargo:rerun-if-changed=flow.h");
    println!("cargo:rerun-if-env-changed=LIBCLANG_PATH");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    let cflags = pkg_config("--cflags");
    for flag in pkg_config("--libs-only-L") {
        println!("cargo:rustc-link-search=native={}", flag.trim_start_matches("-L"));
    }
    // Only what the host calls itself is linked; drivers are plugins that EAL loads.
    for lib in ["rte_eal", "rte_ethdev", "rte_mbuf", "rte_mempool", "rte_ring", "rte_net"] {
        println!("cargo:rustc-link-lib={lib}");
    }
    // What EAL had of its own in 22.11, and later releases have aside.
    if pkg_config("--libs-only-l").iter().any(|flag| flag == "-lrte_log") {
        println!("cargo:rustc-link-lib=rte_log");
    }
    build_shim(&cflags);
    bind(&cflags);
}

fn pkg_config(what: &str) -> Vec<String> {
    let output = Command::new("pkg-config").args([what, "libdpdk"]).output();
    match output {
        Ok(out) if out.status.success() => {
            String::from_utf8_lossy(&out.stdout).split_whitespace().map(str::to_owned).collect()
        }
        Ok(_) => fail(
            "pkg-config does not find libdpdk. Install it: apt-get install libdpdk-dev (DPDK 22.11 or later), or let ./x do it",
        ),
        Err(e) => {
            fail(&format!("pkg-config does not run ({e}). Install it: apt-get install pkg-config, or let ./x do it"))
        }
    }
}

fn fail(message: &str) -> ! {
    println!("cargo:warning={message}");
    panic!("{message}");
}

fn build_shim(cflags: &[String]) {
    let mut build = cc::Build::new();
    build.file("shim.c").file("flow.c").define("ALLOW_EXPERIMENTAL_API", None).opt_level(3).warnings(true);
    // fopencookie.
    build.define("_GNU_SOURCE", None);
    for flag in cflags {
        build.flag(flag);
    }
    build.compile("perigee_shim");
}

fn bind(cflags: &[String]) {
    match_libclang();
    let mut builder = bindgen::Builder::default()
        .header("shim.h")
        .clang_args(cflags)
        .clang_arg("-DALLOW_EXPERIMENTAL_API")
        .layout_tests(true)
        .generate_comments(false)
        .derive_default(true)
        .prepend_enum_name(false)
        .wrap_unsafe_ops(true)
        .size_t_is_usize(true)
        .rust_edition(bindgen::RustEdition::Edition2024);
    for name in FUNCTIONS {
        builder = builder.allowlist_function(name);
    }
    for name in TYPES {
        builder = builder.allowlist_type(name);
    }
    for name in CONSTANTS {
        builder = builder.allowlist_var(name);
    }
    let bindings = builder.generate().unwrap_or_else(|e| {
        fail(&format!("bindgen could not read DPDK's headers ({e}). It needs libclang of the same version as clang: apt-get install clang libclang-dev"))
    });
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("bindings.rs");
    bindings.write_to_file(out).expect("OUT_DIR is writable");
}

/// Points bindgen at the libclang whose headers `clang` uses: a mix of two versions fails on the vector intrinsics.
fn match_libclang() {
    if env::var_os("LIBCLANG_PATH").is_some() {
        return;
    }
    let Ok(out) = Command::new("clang").arg("-print-resource-dir").output() else { return };
    // For example /usr/lib/llvm-14/lib/clang/14.0.6: libclang lies two levels up.
    let dir = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    if let Some(lib) = Path::new(&dir).ancestors().nth(2).filter(|p| p.is_dir()) {
        // SAFETY:
        // - a build script's main thread is its only one, so nobody reads the environment meanwhile.
        unsafe { env::set_var("LIBCLANG_PATH", lib) };
    }
}
