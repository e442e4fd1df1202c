//! The summary of a run, and what must be true of every one.

use serde_json::Value;

/// A summary as `perigee run --json` writes it.
pub(crate) struct Summary(Value);

impl Summary {
    /// Reads a summary and checks what holds at the end of every run: each packet is accounted for, and each mempool is
    /// full again. The sums are made here anew, from the numbers of the chains.
    pub(crate) fn checked(text: &str) -> Self {
        let summary = Self(serde_json::from_str(text).expect("a summary is JSON"));
        for chain in summary.list("chains") {
            let [received, created, from_ring] = ["received", "created", "from_ring"].map(|key| number(chain, key));
            let [sent, to_ring, held] = ["sent", "to_ring", "held"].map(|key| number(chain, key));
            let came = received + created + from_ring;
            assert_eq!(came, sent + to_ring + dropped(chain) + held, "a chain does not add up: {chain}");
        }
        summary.check_accounting();
        let pools = summary.list("pools");
        assert!(!pools.is_empty(), "a run has mempools: {}", summary.0);
        for pool in pools {
            assert_eq!(pool["full"], true, "a mempool is not full after the end: {pool}");
            assert_eq!(number(pool, "free"), number(pool, "size"), "a mempool that is called full is not: {pool}");
        }
        summary
    }

    /// Checks the run's accounting against the sums over its chains.
    fn check_accounting(&self) {
        let all = &self.0["accounting"];
        assert_eq!(all["balanced"], true, "the accounting does not balance: {all}");
        let sum = |key: &str| self.list("chains").iter().map(|chain| number(chain, key)).sum::<u64>();
        for key in ["received", "created", "sent"] {
            assert_eq!(number(all, key), sum(key), "the chains' `{key}` do not add up to the run's: {}", self.0);
        }
        assert_eq!(number(all, "held"), 0, "packets are held after the end: {all}");
        // What went into rings and did not come out again was freed there.
        let dropped_by_chains = self.list("chains").iter().map(dropped).sum::<u64>();
        let in_rings = sum("to_ring") - sum("from_ring");
        assert_eq!(dropped(all), dropped_by_chains + in_rings, "the chains' drops do not add up: {}", self.0);
        let [received, created, sent] = ["received", "created", "sent"].map(|key| number(all, key));
        assert_eq!(received + created, sent + dropped(all), "the accounting does not add up: {all}");
    }

    /// A port's statistics.
    pub(crate) fn port(&self, name: &str) -> &Value {
        let port = self.list("ports").iter().find(|port| port["name"] == name);
        port.unwrap_or_else(|| panic!("port `{name}` is in the summary: {}", self.0))
    }

    /// A chain's statistics, one object per lcore that it runs on.
    pub(crate) fn chain(&self, name: &str) -> Vec<&Value> {
        let all: Vec<_> = self.list("chains").iter().filter(|chain| chain["name"] == name).collect();
        assert!(!all.is_empty(), "chain `{name}` is in the summary: {}", self.0);
        all
    }

    /// A number of the run's accounting.
    pub(crate) fn total(&self, key: &str) -> u64 {
        number(&self.0["accounting"], key)
    }

    /// All packets that were dropped, whatever the cause.
    pub(crate) fn dropped(&self) -> u64 {
        dropped(&self.0["accounting"])
    }

    /// Those that were dropped by one cause.
    pub(crate) fn dropped_by(&self, cause: &str) -> u64 {
        self.0["accounting"]["dropped"][cause].as_u64().unwrap_or(0)
    }

    /// The whole of it, for messages.
    pub(crate) fn text(&self) -> String {
        self.0.to_string()
    }

    pub(crate) fn list(&self, key: &str) -> &[Value] {
        self.0[key].as_array().unwrap_or_else(|| panic!("a summary lists its {key}: {}", self.0))
    }
}

/// A count in an object of the summary.
pub(crate) fn number(object: &Value, key: &str) -> u64 {
    object[key].as_u64().unwrap_or_else(|| panic!("`{key}` is a count in {object}"))
}

/// The sum of an object's drops, whatever the causes.
fn dropped(object: &Value) -> u64 {
    let causes = object["dropped"].as_object().unwrap_or_else(|| panic!("`dropped` is by cause in {object}"));
    causes.values().map(|count| count.as_u64().expect("a count of drops")).sum()
}
