//! Writes families of metrics, each with all its series.

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use std::fmt::Error;

/// What tells one series of a family from another.
pub(super) type Labels = Vec<(&'static str, String)>;

/// A page that is being written.
pub(super) struct Page<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl<'a> Page<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self { encoder }
    }

    /// Numbers that only grow.
    pub(super) fn counter(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels, u64)>,
    ) -> Result<(), Error> {
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in series {
            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// Numbers that go up and down.
    pub(super) fn gauge(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels, f64)>,
    ) -> Result<(), Error> {
        let family = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        gauges(family, series)
    }

    /// As [`Self::gauge`], in seconds; the unit is appended to the name.
    pub(super) fn seconds(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels, f64)>,
    ) -> Result<(), Error> {
        let family = self.encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
        gauges(family, series)
    }

    /// Times in seconds by upper bound: sum, count, and how many are in each bucket; the last bound is infinite.
    pub(super) fn histogram(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (Labels, f64, u64, Vec<(f64, u64)>)>,
    ) -> Result<(), Error> {
        let mut family = self.encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for (labels, sum, count, buckets) in series {
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }

    /// Facts as labels.
    pub(super) fn info(&mut self, name: &str, help: &str, facts: &Labels) -> Result<(), Error> {
        self.encoder.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(facts)
    }
}

fn gauges(mut family: MetricEncoder<'_>, series: impl IntoIterator<Item = (Labels, f64)>) -> Result<(), Error> {
    for (labels, value) in series {
        ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
