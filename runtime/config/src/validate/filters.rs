//! Checks of filters, of chains and of captures, by the compiler that they will be compiled with.

use super::super::{Config, Source};
use super::Problems;
use perigee_pcap::filter;

pub(super) fn filters(config: &Config, found: &mut Problems) {
    for (index, chain) in config.chains.iter().enumerate() {
        let Some(text) = chain.filter.as_deref().filter(|_| !matches!(chain.source, Source::Module { .. })) else {
            continue;
        };
        if let Err(what) = filter::compile(text) {
            let what = format!("chain {:?}: filter {:?}: {what}", chain.name, perigee_report::text::line(text, 120));
            found.error(format!("chain[{index}].filter"), what, "the language is libpcap's: `man pcap-filter`");
        }
    }
    for (index, capture) in config.capturing.iter().enumerate() {
        let Some(text) = capture.filter.as_deref() else { continue };
        if let Err(what) = filter::compile(text) {
            let what =
                format!("capture {:?}: filter {:?}: {what}", capture.file, perigee_report::text::line(text, 120));
            found.error(format!("capture[{index}].filter"), what, "the language is libpcap's: `man pcap-filter`");
        }
    }
}
