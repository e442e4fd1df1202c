//! A configuration as a picture needs it.

use perigee_config::{Chain, Config, Source};
use perigee_report::{Graph, GraphChain, GraphRing, GraphSource};
use std::collections::BTreeSet;

/// What a run of this configuration is made of.
pub(crate) fn of(config: &Config) -> Graph {
    Graph {
        ports: config.ports.iter().map(|port| port.name.clone()).collect(),
        rings: config.rings.iter().map(|ring| GraphRing { name: ring.name.clone(), size: ring.size }).collect(),
        chains: config.chains.iter().map(|chain| chain_of(config, chain)).collect(),
    }
}

fn chain_of(config: &Config, chain: &Chain) -> GraphChain {
    let source = match &chain.source {
        Source::Port { port, .. } => GraphSource::Port(port.clone()),
        Source::Module { module, .. } => GraphSource::Module(module.clone()),
        Source::Ring { ring } => GraphSource::Ring(ring.clone()),
    };
    let names: BTreeSet<_> = chain.modules().collect();
    let modules = config.modules.iter().filter(|module| names.contains(&module.name));
    let granted: BTreeSet<_> = modules.flat_map(|module| &module.grants.rings).collect();
    // In the order of the configuration, as everything else.
    let rings = config.rings.iter().map(|ring| &ring.name).filter(|name| granted.contains(name));
    let ports = chain.granted_ports().filter(|port| chain.sends_to(port));
    GraphChain {
        name: chain.name.clone(),
        source,
        stages: chain.stages.clone(),
        ports: ports.cloned().collect(),
        rings: rings.cloned().collect(),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_picture_has_each_way_of_the_configuration() {
        let text = r#"
[[port]]
name = "a"
device = "net_null0"
[[port]]
name = "b"
device = "net_null1"
[[ring]]
name = "r"
size = 256
[[module]]
name = "split"
file = "split.wat"
grants = { rings = ["r"] }
[[module]]
name = "join"
file = "join.wat"
[[chain]]
name = "in"
source = { port = "a" }
stages = ["split"]
[[chain]]
name = "out"
source = { ring = "r" }
stages = ["join"]
tx = ["b"]
"#;
        let graph = of(&Config::parse(text, "run.toml").unwrap());
        assert_eq!(graph.ports, ["a", "b"]);
        assert_eq!(graph.rings, [GraphRing { name: "r".into(), size: 256 }]);
        let [first, second] = &graph.chains[..] else { panic!("two chains: {graph:?}") };
        // A chain that names no port sends by the one that it reads.
        assert_eq!((&first.source, &first.ports[..]), (&GraphSource::Port("a".into()), &["a".to_owned()][..]));
        assert_eq!((&first.stages[..], &first.rings[..]), (&["split".to_owned()][..], &["r".to_owned()][..]));
        assert_eq!((&second.source, &second.ports[..]), (&GraphSource::Ring("r".into()), &["b".to_owned()][..]));
        assert!(second.rings.is_empty());
    }
}
