//! Where and when it was measured: figures of two machines do not compare.

use crate::ffi;
use serde::Serialize;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// The machine.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    pub(crate) kernel: String,
    pub(crate) dpdk: String,
    pub(crate) huge_pages: bool,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let value = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key));
            line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned())).unwrap_or_default()
        };
        let huge = read("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
        Self {
            cpu: value(&read("/proc/cpuinfo"), "model name"),
            cpus: perigee_runtime::config::allowed_cpus().len(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            dpdk: ffi::dpdk_version(),
            huge_pages: huge.trim().parse().is_ok_and(|pages: u64| pages > 0),
        }
    }
}

/// Bytes of the largest cache that the kernel tells of; 0 where it tells of none.
pub(crate) fn largest_cache() -> u64 {
    let caches = fs::read_dir("/sys/devices/system/cpu/cpu0/cache").into_iter().flatten().flatten();
    caches.filter_map(|cache| bytes(&fs::read_to_string(cache.path().join("size")).ok()?)).max().unwrap_or(0)
}

/// A size as the kernel writes it, such as `32768K`.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = match text.chars().last()? {
        'K' => 1 << 10,
        'M' => 1 << 20,
        _ => return text.parse().ok(),
    };
    Some(text[..text.len() - 1].parse::<u64>().ok()? * unit)
}

/// Now, as in RFC 3339, in UTC.
pub(crate) fn date() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    format_time(seconds)
}

fn format_time(unix: u64) -> String {
    let (days, second) = (unix / 86_400, unix % 86_400);
    // Years are counted from March, so that the leap day is a year's last (Hinnant, "chrono-compatible algorithms").
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn sizes_of_caches_are_read() {
        assert_eq!(
            ["1024K\n", "300M", "512", "", "K"].map(bytes),
            [Some(1 << 20), Some(300 << 20), Some(512), None, None]
        );
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(format_time(0), "1970-01-01T00:00:00Z");
        assert_eq!(format_time(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(format_time(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(format_time(1_795_359_845), "2026-11-22T15:04:05Z");
    }
}
