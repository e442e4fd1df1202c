//! Trust domains: which modules share a window, and whose rooms packets come into.

use super::{Chain, Config, Source};

/// The domain of modules that name none.
pub(super) const OWN: &str = "own";

impl Config {
    /// The trust domains of all modules, each once, in the order of the file; one where there is no module.
    #[must_use]
    pub fn domains(&self) -> Vec<&str> {
        let mut domains: Vec<&str> = Vec::new();
        for module in &self.modules {
            if !domains.contains(&module.domain.as_str()) {
                domains.push(&module.domain);
            }
        }
        if domains.is_empty() { vec![OWN] } else { domains }
    }

    /// Position of a module's domain among [`Self::domains`].
    #[must_use]
    pub fn domain_of(&self, module: &str) -> usize {
        let name = self.module(module).map_or(OWN, |index| self.modules[index].domain.as_str());
        self.domains().iter().position(|domain| *domain == name).unwrap_or(0)
    }

    /// The domain into which a chain's packets come: that of its first module; `None` where it has no module.
    #[must_use]
    pub fn entry_domain(&self, chain: &Chain) -> Option<usize> {
        chain.modules().next().map(|module| self.domain_of(module))
    }

    /// The domain whose rooms port number `port` fills: that of the chains which read it; the first one where none with a
    /// module does. `None` where they are of several domains: then no module may see these rooms, and packets are copied.
    #[must_use]
    pub fn port_domain(&self, port: usize) -> Option<usize> {
        let name = &self.ports[port].name;
        let reads = |chain: &&Chain| matches!(&chain.source, Source::Port { port, .. } if port == name);
        let mut domains = self.chains.iter().filter(reads).filter_map(|chain| self.entry_domain(chain));
        let first = domains.next().unwrap_or(0);
        domains.all(|domain| domain == first).then_some(first)
    }

    /// Some module may send packets of certain source addresses only.
    #[must_use]
    pub fn limits_sources(&self) -> bool {
        self.modules.iter().any(|module| module.grants.limits_sources())
    }
}
