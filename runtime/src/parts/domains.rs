//! Trust domains, as far as memory goes.

use perigee_dpdk::pool::Pool;
use perigee_dpdk::region::Region;
use std::sync::Arc;

/// What the modules of one trust domain share. A room lies in the region of one domain for good, so what another domain's
/// packets left behind is never in it.
#[derive(Clone, Debug)]
pub(crate) struct Domain {
    pub(crate) name: String,
    /// Where copies and spare rooms come from. Freed before the region.
    pub(crate) copies: Arc<Pool>,
    pub(crate) region: Arc<Region>,
}

/// What no module sees.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sealed {
    /// Rooms in which packets are checked, where the addresses of some are limited.
    pub(crate) checked: Option<Arc<Pool>>,
    /// Where those lie, and what ports fill that several domains read. Freed last.
    pub(crate) region: Option<Arc<Region>>,
}
